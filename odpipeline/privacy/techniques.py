"""Drop, pseudonymise, generalise: each one SQL expression on DuckDB.

Pseudonyms are HMAC-SHA-256 (RFC 2104) written out with DuckDB's `sha256`; the padded keys are session variables, so
that no secret is ever part of a statement. A pseudonym is the first 32 hexadecimal digits (128 bits).
"""

from __future__ import annotations

import hashlib
import hmac
import os

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Generalise, Pseudonymise
from odpipeline.duck import quote
from odpipeline.errors import PrivacyError, SecretMissing
from odpipeline.privacy import hierarchies

_BLOCK = 64
"""The block of SHA-256, in bytes."""
_SHORTEST_SECRET = 32
"""The least length of a secret, in bytes: that of the hash (RFC 2104, section 3)."""


def pseudonymise(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Pseudonymise, salt: str
) -> str:
    """The expression that replaces `column`; missing values stay missing.

    `salt` names the release: with scope `release` the key is derived from it, so that two versions cannot be joined
    on their pseudonyms; with scope `stable` it is left out.
    Raises: SecretMissing, or PrivacyError when the secret is shorter than 32 bytes.
    """
    key = _key(dataset, column, technique, salt)
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
    names = [f"odp_{part}_{hashlib.sha256(column.encode()).hexdigest()[:16]}" for part in ("inner", "outer")]
    for name, padded in zip(names, (inner, outer), strict=True):
        connection.execute(f"SET VARIABLE {name} = ?::BLOB", [padded])
    message = f"encode(CAST({quote(column)} AS VARCHAR))"
    digest = f"unhex(sha256(getvariable('{names[0]}') || {message}))"
    return f"left(sha256(getvariable('{names[1]}') || {digest}), 32)"


def generalise(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Generalise, rows: str
) -> str:
    """The expression that makes `column` coarser; missing values stay missing.

    `rows` is the relation that holds the column: a hierarchy must know every value of it.
    Raises: PrivacyError when it does not.
    """
    name = quote(column)
    if (width := technique.bands) is not None:
        low = f"CAST(floor({name} / {width}) * {width} AS BIGINT)"
        return f"({low} || '-' || ({low} + {width - 1}))"
    if technique.date is not None:
        return _date_part(name, technique.date)
    if technique.prefix is not None:
        return f"left(CAST({name} AS VARCHAR), {technique.prefix})"
    return _by_hierarchy(connection, dataset, column, technique, rows)


def _key(dataset: Dataset, column: str, technique: Pseudonymise, salt: str) -> bytes:
    where = dataset.place("privacy", "columns", column)
    secret = os.environ.get(technique.secret, "")
    if not secret:
        raise SecretMissing(technique.secret, needed_for=f"the pseudonyms of {column}", where=where)
    if len(secret.encode()) < _SHORTEST_SECRET:
        raise PrivacyError(
            f"the secret in {technique.secret} is shorter than {_SHORTEST_SECRET} bytes",
            where=where,
            mend="make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    purpose = f"{dataset.id}/{column}/{salt if technique.scope == 'release' else 'stable'}"
    return hmac.digest(secret.encode(), purpose.encode(), "sha256")


def _date_part(name: str, part: str) -> str:
    if part == "year":
        return f"CAST(year({name}) AS INTEGER)"
    if part == "month":
        return f"strftime({name}, '%Y-%m')"
    return f"(year({name}) || '-T' || quarter({name}))"


def _by_hierarchy(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Generalise, rows: str
) -> str:
    where = dataset.place("privacy", "columns", column)
    table = f"hierarchy_{column}"
    file = dataset.root / str(technique.hierarchy)
    hierarchies.load(connection, file, int(technique.level), table, where=where)
    if unknown := hierarchies.outside(connection, table, rows, column):
        raise PrivacyError(
            f"{unknown} rows hold a value of {column} that {technique.hierarchy} does not know",
            where=where,
            mend="add the missing leaves to the hierarchy, or correct the values in the source system",
        )
    return f"(SELECT any_value(h.coarse) FROM {quote(table)} h WHERE h.leaf = CAST(r.{quote(column)} AS VARCHAR))"
