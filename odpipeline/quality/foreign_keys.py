"""Whether what the staged rows refer to is public in the other datasets of the town; no value enters a finding.

A row in which a referring column is missing refers to nothing (SQL's MATCH SIMPLE). What is compared with is the
other dataset's current release: what a citizen can join with today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.foreign_keys import ForeignKey
from odpipeline.declaration.words import spell_share
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import QualityError
from odpipeline.verdict import Finding, Severity

RULE = "foreign_key"


def foreign_keys(
    parquet: Path, others: Mapping[str, Path | None], dataset: Dataset, duck: DuckSettings
) -> tuple[Finding, ...]:
    """A finding for each foreign key of `dataset`, whose staged rows are in `parquet`.

    `others` maps each dataset that is referred to to the Parquet of its current release, None where it has none: then
    nothing can be compared, which is a refusal whatever the severity.
    Raises: QualityError when a comparison could not be made.
    """
    if not dataset.foreign_keys:
        return ()
    try:
        with connect(duck) as connection:
            return tuple(_findings(connection, parquet, others, dataset))
    except duckdb.Error as error:
        raise QualityError(
            f"a foreign key could not be compared ({type(error).__name__})",
            where=dataset.place("foreign_keys"),
            mend="publish the dataset that it refers to again: its release has other columns than it declares",
        ) from None


def _findings(
    connection: duckdb.DuckDBPyConnection, parquet: Path, others: Mapping[str, Path | None], dataset: Dataset
) -> Iterator[Finding]:
    for index, key in enumerate(dataset.foreign_keys):
        place = dataset.place("foreign_keys", index)
        there = others.get(key.dataset) if key.dataset else parquet
        if there is None:
            message = f"{_name(key)}: {key.dataset} has no release yet; publish it first: odp run {key.dataset}"
            yield _finding(key, False, f"{message} ({place})", {}, Severity.CRITICAL)
        else:
            yield _compared(connection, parquet, there, key, place)


def _compared(
    connection: duckdb.DuckDBPyConnection, parquet: Path, there: Path, key: ForeignKey, place: str
) -> Finding:
    filled = " AND ".join(f"{quote(name)} IS NOT NULL" for name in key.fields)
    mine = ", ".join(f"{quote(name)} AS k{n}" for n, name in enumerate(key.fields))
    theirs = ", ".join(f"{quote(name)} AS k{n}" for n, name in enumerate(key.references))
    same = " AND ".join(f"m.k{n} = t.k{n}" for n in range(len(key.fields)))
    rows, unknown, distinct = connection.execute(
        f"WITH mine AS (SELECT {mine} FROM read_parquet({literal(parquet)}) WHERE {filled}), "
        f"theirs AS (SELECT DISTINCT {theirs} FROM read_parquet({literal(there)})), "
        f"unknown AS (SELECT * FROM mine m WHERE NOT EXISTS (SELECT 1 FROM theirs t WHERE {same})) "
        "SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM unknown), "
        "(SELECT count(*) FROM (SELECT DISTINCT * FROM unknown))"
    ).fetchone() or (0, 0, 0)
    held = unknown <= key.most * rows
    message = f"{_name(key)}: {unknown:,} of {rows:,} rows refer to {distinct:,} keys that it does not publish"
    if held and not unknown:
        message = f"{_name(key)}: every one of {rows:,} rows refers to what it publishes"
    if not held:
        allowed = f" ({spell_share(key.most)} allowed)" if key.most else ""
        message += f"{allowed}; correct them in the source system, publish the missing keys first, or see {place}"
    counts = {"orphan_rows": int(unknown), "referring_rows": int(rows), "unknown_keys": int(distinct)}
    return _finding(key, held, message, counts, Severity(key.severity))


def _name(key: ForeignKey) -> str:
    there = f"{key.dataset or 'this dataset'}.{' + '.join(key.references)}"
    return f"{' + '.join(key.fields)} → {there}"


def _finding(
    key: ForeignKey, held: bool, message: str, counts: Mapping[str, int | float], severity: Severity
) -> Finding:
    column = key.fields[0] if len(key.fields) == 1 else None
    declared = {"column_list": list(key.fields), "dataset": key.dataset, "references": list(key.references)}
    return Finding("gate", RULE, held, message, severity, column, counts, declared)
