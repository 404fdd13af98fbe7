"""Numbers that stay numbers: rounding, bottom and top coding, noise.

Noise is drawn from HMAC-SHA-256 of the row's number under a key of the release, by the inverse of Laplace's
distribution or by Box and Muller's transform (1958). The same release has the same noise, another one has other noise,
and without the secret it cannot be taken off. It is no differential privacy: no budget is kept, and the mean of many
releases of one value comes near to it.
"""

from __future__ import annotations

from decimal import Decimal

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Noise, Technique
from odpipeline.duck import quote
from odpipeline.privacy.techniques import secrets

_STEPS = 2**52
"""How many numbers between 0 and 1 are drawn from, all as likely."""


def rounded(column: str, base: float, *, whole: bool) -> str:
    """The expression of the nearest multiple of `base`, from the middle to the even one; exact for `whole` numbers."""
    name = f"r.{quote(column)}"
    if whole:
        step = int(base)
        over = f"((({name} % {step}) + {step}) % {step})"
        low = f"({name} - {over})"
        odd = f"(({low} // {step}) % 2 != 0)"
        up = f"{over} > {step} - {over} OR ({over} = {step} - {over} AND {odd})"
        return f"CASE WHEN {up} THEN {low} + {step} ELSE {low} END"
    return f"round(round_even({name} / {base!r}::DOUBLE, 0) * {base!r}::DOUBLE, {_decimals(base)})"


def coded(column: str, technique: Technique, *, whole: bool) -> str:
    """The expression of the value, or of the bound that it is beyond; missing values stay missing."""
    name = expression = f"r.{quote(column)}"
    for function, bound in (("greatest", technique.bottom_code), ("least", technique.top_code)):
        if bound is not None:
            said = str(int(bound)) if whole else f"{float(bound)!r}::DOUBLE"
            expression = f"{function}({expression}, {said})"
    return f"CASE WHEN {name} IS NOT NULL THEN {expression} END"


def noisy(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Noise, salt: str, *, whole: bool
) -> str:
    """The expression of the value and a random number, with as many decimals as the declared scale; `salt` names the
    release. Missing values stay missing.

    Raises: SecretMissing, or PrivacyError when the secret is weak.
    """
    key = secrets.key(dataset, column, technique.secret, f"noise/{salt}", "the noise")
    digest = secrets.hmac_sql(connection, f"noise {column}", key, "encode(CAST(r._row AS VARCHAR))")
    first, second = (_uniform(digest, start) for start in (1, 14))
    if technique.laplace is not None:
        drawn = f"(-sign({first} - 0.5) * ln(1 - 2 * abs({first} - 0.5)) * {technique.scale!r})"
    else:
        drawn = f"(sqrt(-2 * ln({first})) * cos(2 * pi() * {second}) * {technique.scale!r})"
    if whole:
        return f"(r.{quote(column)} + CAST(round({drawn}) AS BIGINT))"
    return f"round(r.{quote(column)} + {drawn}, {_decimals(technique.scale)})"


def _uniform(digest: str, start: int) -> str:
    """A number between 0 and 1, neither of them, from 52 bits of the digest."""
    return f"((CAST('0x' || substr({digest}, {start}, 13) AS UBIGINT) + 0.5::DOUBLE) / {_STEPS}::DOUBLE)"


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
