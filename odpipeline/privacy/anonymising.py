"""Conformed rows → anonymised rows: techniques first, then the suppression of what stays too small.

Levels that the declaration leaves open are chosen first (`choosing`). Suppression takes whole equivalence classes
that are smaller than k (record suppression, Samarati 2001) or in which a sensitive column is too uniform, and rows
whose count is below the least that may be published. It is bounded: beyond the declared share, the finding blocks.
What is left is written as it is published (`published.write`), so that no coarse copy of it is made in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from odpipeline import published
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, no_room, quote
from odpipeline.errors import OdpError, PrivacyError
from odpipeline.privacy import choosing, techniques
from odpipeline.privacy.choosing import Choice
from odpipeline.privacy.lattice import suppressible
from odpipeline.privacy.roles import Role, roles
from odpipeline.verdict import Finding

PRIMARY = "primary.parquet"
"""Beside a table: what must not be recoverable, with its true value; private, for the audit."""


@dataclass(frozen=True)
class Anonymised:
    """What came out: `rows` are left, `suppressed` were taken out for k, `small_cells` for too small counts.

    `choice` are the levels that were chosen, where the declaration leaves some open; `pseudonyms` is what the public
    reads of those that stay from version to version, by column.
    """

    parquet: Path
    rows: int
    suppressed: int
    small_cells: int
    findings: tuple[Finding, ...]
    choice: Choice | None = None
    pseudonyms: Mapping[str, Any] = field(default_factory=dict)


def anonymise(
    parquet: Path,
    dataset: Dataset,
    folder: Path,
    duck: DuckSettings,
    *,
    salt: str,
    last: Mapping[str, Any] | None = None,
) -> Anonymised:
    """Apply the declared techniques to `parquet` and write `folder/anonymised.parquet`, as it is published.

    `salt` names the release for pseudonyms that must not join from version to version; `last` is what the current
    release says about its privacy.
    Raises: PrivacyError, SecretMissing; OdpError when there is no room.
    """
    with connect(duck) as connection:
        try:
            return _write(connection, parquet, dataset, folder / "anonymised.parquet", salt, last or {})
        except duckdb.Error as error:
            if no_room(error):
                raise OdpError(
                    "there is no room to sort the rows",
                    mend="free some space in the private zone, or raise `memory_limit` in town.yaml, then run again",
                ) from None
            raise PrivacyError(
                f"anonymisation stopped in DuckDB ({type(error).__name__})",
                where=dataset.place("privacy"),
                mend="look whether each technique fits its field's type: bands need numbers, date parts need dates",
            ) from None


def _write(
    connection: duckdb.DuckDBPyConnection,
    parquet: Path,
    dataset: Dataset,
    target: Path,
    salt: str,
    last: Mapping[str, Any],
) -> Anonymised:
    source = f"read_parquet({literal(parquet)})"
    rows_in = _count(connection, source)
    stated, choice = roles(dataset), None
    pseudonyms = techniques.told(dataset, last.get("pseudonyms", {}))
    big_enough = " AND ".join(f"{quote(c)} >= {least}" for c, least in dataset.privacy.small_cells.items()) or "true"
    if open_levels := dict.fromkeys(dataset.privacy.searched, "keep"):
        _view(connection, dataset, "open", {**stated, **open_levels}, source, salt)
        choice = choosing.choose(
            connection, dataset, f"(SELECT * FROM open WHERE {big_enough})", last.get("generalisation", {})
        )
        stated = {name: choice.role(name, role) for name, role in stated.items()}
    _view(connection, dataset, "coarse", stated, source, salt)
    kept = f"SELECT * FROM coarse WHERE {big_enough}"
    left = _count(connection, f"({kept})") if dataset.privacy.small_cells else rows_in
    quasi, k = dataset.privacy.quasi_identifiers, dataset.privacy.k
    if quasi and k:
        small = choosing.failing(connection, dataset, f"({kept})")
        same = " AND ".join(f"s.{quote(c)} IS NOT DISTINCT FROM c.{quote(c)}" for c in quasi)
        kept = f"SELECT c.* FROM ({kept}) c WHERE NOT EXISTS (SELECT 1 FROM {small} s WHERE {same})"
    if dataset.privacy.table:
        from odpipeline.privacy import tables  # SciPy, for the few that publish tables

        connection.execute(f"CREATE OR REPLACE TEMP VIEW rows_kept AS {kept}")
        cells = tables.written(connection, "rows_kept", dataset, target)
        return Anonymised(target, cells.rows, 0, 0, (), choice, pseudonyms)
    rows = published.write(connection, f"({kept})", dataset, target)
    suppressed = left - rows
    findings = (_suppression(dataset, suppressed, left),) if quasi and k else ()
    return Anonymised(target, rows, suppressed, rows_in - left, findings, choice, pseudonyms)


def _view(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    name: str,
    stated: Mapping[str, Role],
    source: str,
    salt: str,
) -> None:
    """The view `name` of `source`, each column in its role."""
    chosen = [
        f"{techniques.expression(connection, dataset, column, role, source, salt)} AS {quote(column)}"
        for column, role in stated.items()
        if role != "drop"
    ]
    connection.execute(f"CREATE TEMP VIEW {quote(name)} AS SELECT {', '.join(chosen)} FROM {source} r")


def _suppression(dataset: Dataset, suppressed: int, rows: int) -> Finding:
    share = suppressed / rows if rows else 0.0
    limit = dataset.privacy.suppression
    passed = suppressed <= suppressible(limit, rows)
    message = f"{suppressed} of {rows} rows suppressed to reach k = {dataset.privacy.k} (limit {limit:.1%})"
    remedy = "; generalise a quasi-identifier further, or allow more suppression at " + dataset.place("privacy")
    counts = {"suppressed_rows": suppressed, "rows": rows, "suppressed_share": round(share, 6)}
    return Finding("privacy", "suppression_limit", passed, message + ("" if passed else remedy), counts=counts)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(found[0]) if found else 0
