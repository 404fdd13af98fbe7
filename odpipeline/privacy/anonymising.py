"""Conformed rows → anonymised rows: techniques first, then the suppression of what stays too small.

Suppression takes whole equivalence classes smaller than k (record suppression, Samarati 2001), and rows whose count
is below the least that may be published. It is bounded: beyond the declared share, the finding blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy import techniques
from odpipeline.privacy.roles import Role, roles
from odpipeline.verdict import Finding


@dataclass(frozen=True)
class Anonymised:
    """What came out: `rows` are left, `suppressed` were taken out for k, `small_cells` for too small counts."""

    parquet: Path
    rows: int
    suppressed: int
    small_cells: int
    findings: tuple[Finding, ...]


def anonymise(parquet: Path, dataset: Dataset, folder: Path, duck: DuckSettings, *, salt: str) -> Anonymised:
    """Apply the declared techniques to `parquet` and write `folder/anonymised.parquet` (published columns only).

    `salt` names the release for pseudonyms that must not join from version to version.
    A dataset without any technique passes as it is: its own file is named, nothing is copied.
    Raises: PrivacyError, SecretMissing.
    """
    stated = roles(dataset)
    with connect(duck) as connection:
        rows_in = _count(connection, f"read_parquet({literal(parquet)})")
        if not dataset.privacy.columns and not dataset.privacy.quasi_identifiers and not dataset.privacy.small_cells:
            return Anonymised(parquet, rows_in, 0, 0, ())
        try:
            return _write(connection, parquet, dataset, stated, folder / "anonymised.parquet", salt, rows_in)
        except duckdb.Error as error:
            raise PrivacyError(
                f"anonymisation stopped in DuckDB ({type(error).__name__})",
                where=dataset.place("privacy"),
                mend="look whether each technique fits its field's type: bands need numbers, date parts need dates",
            ) from None


def _write(
    connection: duckdb.DuckDBPyConnection,
    parquet: Path,
    dataset: Dataset,
    stated: dict[str, Role],
    target: Path,
    salt: str,
    rows_in: int,
) -> Anonymised:
    source = f"read_parquet({literal(parquet)})"
    chosen = [
        f"{_expression(connection, dataset, name, role, source, salt)} AS {quote(name)}"
        for name, role in stated.items()
        if role != "drop"
    ]
    connection.execute(f"CREATE TEMP VIEW coarse AS SELECT {', '.join(chosen)} FROM {source} r")
    big_enough = " AND ".join(f"{quote(c)} >= {least}" for c, least in dataset.privacy.small_cells.items()) or "true"
    kept = f"SELECT * FROM coarse WHERE {big_enough}"
    left = _count(connection, f"({kept})") if dataset.privacy.small_cells else rows_in
    quasi, k = dataset.privacy.quasi_identifiers, dataset.privacy.k
    if quasi and k:
        small = f"SELECT {columns(quasi)} FROM ({kept}) GROUP BY ALL HAVING count(*) < {k}"
        same = " AND ".join(f"s.{quote(c)} IS NOT DISTINCT FROM c.{quote(c)}" for c in quasi)
        kept = f"SELECT c.* FROM ({kept}) c WHERE NOT EXISTS (SELECT 1 FROM ({small}) s WHERE {same})"
    connection.execute(f"COPY ({kept}) TO {literal(target)} (FORMAT parquet, COMPRESSION snappy)")
    rows = _count(connection, f"read_parquet({literal(target)})")
    suppressed = left - rows
    findings = (_suppression(dataset, suppressed, left),) if quasi and k else ()
    return Anonymised(target, rows, suppressed, rows_in - left, findings)


def _expression(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, name: str, role: Role, rows: str, salt: str
) -> str:
    if isinstance(role, str):
        return f"r.{quote(name)}"
    if role.pseudonymise is not None:
        return techniques.pseudonymise(connection, dataset, name, role.pseudonymise, salt)
    if role.generalise is not None:
        return techniques.generalise(connection, dataset, name, role.generalise, rows)
    raise PrivacyError("a technique is empty", where=dataset.place("privacy", "columns", name), mend="name one way")


def _suppression(dataset: Dataset, suppressed: int, rows: int) -> Finding:
    share = suppressed / rows if rows else 0.0
    limit = dataset.privacy.suppression
    passed = suppressed <= int(limit * rows)
    message = f"{suppressed} of {rows} rows suppressed to reach k = {dataset.privacy.k} (limit {limit:.1%})"
    remedy = "; generalise a quasi-identifier further, or allow more suppression at " + dataset.place("privacy")
    counts = {"suppressed_rows": suppressed, "rows": rows, "suppressed_share": round(share, 6)}
    return Finding("privacy", "suppression_limit", passed, message + ("" if passed else remedy), counts=counts)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(found[0]) if found else 0
