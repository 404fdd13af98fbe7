"""Differencing: what two public files tell together that neither tells alone.

Whoever subtracts the classes of one version from those of another learns of the rows that came or went; a difference
of fewer than k rows points at fewer than k persons (Hundepool et al., Statistical Disclosure Control, 2012, section
2.4; Xiao and Tao, m-invariance, 2007). The same holds of two datasets about the same population.

Compared are the columns that are quasi-identifiers here and published there, with the same labels: where a column was
generalised to another level, the comparison is on the others. Limits: rows that were exchanged one for one leave no
difference in the counts, and are not seen.

Of a table, the published counts of each cell are compared with those of its own versions; rounded ones hide what came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.verdict import Finding, Severity

_ALIKE = 0.5
"""The least share of a column's labels, of the file that has fewer, that both files must have to be comparable."""


def differencing(
    parquet: Path, versions: Mapping[str, Path], others: Mapping[str, Path], dataset: Dataset, duck: DuckSettings
) -> tuple[Finding, ...]:
    """Findings about the staged `parquet` beside what is public already.

    `versions` maps the public versions of the dataset, `others` the other datasets that may be about the same persons,
    each by what it is called in a message, to its Parquet. No finding without quasi-identifiers or a table with counts.
    Raises: PrivacyError when something public could not be compared with.
    """
    if not compares(dataset):
        return ()
    try:
        with connect(duck) as connection:
            if dataset.privacy.table:
                return (_of_table(connection, parquet, versions, dataset),)
            return tuple(
                _finding(connection, parquet, rule, public, dataset)
                for rule, public in (("differencing_versions", versions), ("differencing_datasets", others))
            )
    except duckdb.Error as error:
        raise PrivacyError(
            f"what is public already could not be compared with ({type(error).__name__})",
            where=dataset.place("privacy"),
            mend="nothing is published until it can be; run again, and report it if it stays",
        ) from None


def compares(dataset: Dataset) -> bool:
    """Whether there is anything to compare: classes of persons, or the true counts of a table."""
    table = dataset.privacy.table
    return bool(dataset.privacy.quasi_identifiers and dataset.privacy.k) or bool(table and table.method == "suppress")


def _of_table(
    connection: duckdb.DuckDBPyConnection, parquet: Path, versions: Mapping[str, Path], dataset: Dataset
) -> Finding:
    """Whether a published count moved by at least one and fewer than `least` rows since a version that is public."""
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - asked for by whoever saw it declared
    exposed = {}
    for name, file in versions.items():
        known = {str(column) for column, *_ in connection.execute(f"DESCRIBE FROM {_read(file)}").fetchall()}
        if not known.issuperset([*table.by, table.count]):
            continue  # it was published in another shape: its cells are not these
        found = connection.execute(
            f"SELECT count_if(abs(CAST(n.{quote(table.count)} AS BIGINT) - o.{quote(table.count)}) BETWEEN 1 AND "
            f"{table.least - 1}) FROM {_read(parquet)} n JOIN {_read(file)} o USING ({columns(table.by)})"
        ).fetchone()
        if small := int(found[0] or 0) if found else 0:
            exposed[name] = small
    counts = {"compared": len(versions), "exposing": len(exposed), "k": table.least}
    if not exposed:
        told = f"no count moved by fewer than {table.least} rows since {len(versions)} versions that are public"
        return Finding("privacy", "differencing_versions", True, told, counts=counts)
    worst = max(exposed, key=lambda name: exposed[name])
    message = (
        f"{exposed[worst]} counts differ by fewer than {table.least} rows from {worst}: who subtracts them learns of "
        f"the persons that came or went; publish more rarely, use method: round ({dataset.place('privacy', 'table')})"
    )
    severity = Severity(dataset.privacy.differencing.severity)
    return Finding("privacy", "differencing_versions", False, message, severity, counts=counts)


def _read(path: Path) -> str:
    return f"read_parquet({literal(path)})"


def _finding(
    connection: duckdb.DuckDBPyConnection, parquet: Path, rule: str, public: Mapping[str, Path], dataset: Dataset
) -> Finding:
    k = dataset.privacy.k or 0
    exposed = {name: small for name, file in public.items() if (small := _small(connection, parquet, file, dataset, k))}
    counts = {"compared": len(public), "exposing": len(exposed), "k": k}
    if not exposed:
        told = f"no class differs by fewer than k = {k} rows from {len(public)} that are public"
        return Finding("privacy", rule, True, told, counts=counts)
    worst = max(exposed, key=lambda name: exposed[name])
    message = (
        f"{exposed[worst]} classes differ by fewer than k = {k} rows from {worst}: who subtracts them singles out the "
        f"persons that came or went; let them wait (differencing: {{small_moves: wait}}), generalise further"
    )
    if rule == "differencing_datasets":
        message += ", or name the population of each with privacy.population if the persons are others"
    severity = Severity(dataset.privacy.differencing.severity)
    return Finding("privacy", rule, False, f"{message} ({dataset.place('privacy')})", severity, counts=counts)


def _small(connection: duckdb.DuckDBPyConnection, parquet: Path, file: Path, dataset: Dataset, k: int) -> int:
    """How many classes differ by at least one and fewer than k rows."""
    new, old = _read(parquet), _read(file)
    shared = list(_comparable(connection, new, old, dataset))
    cells = "".join(f", CAST({quote(name)} AS VARCHAR) AS q{place}" for place, name in enumerate(shared))
    group = f"GROUP BY {', '.join(f'q{place}' for place in range(len(shared)))}" if shared else ""
    found = connection.execute(
        f"SELECT count_if(abs(moved) BETWEEN 1 AND {k - 1}) FROM (SELECT sum(one) AS moved FROM ("
        f"SELECT 1 AS one{cells} FROM {new} UNION ALL SELECT -1{cells} FROM {old}) {group})"
    ).fetchone()
    return int(found[0] or 0) if found else 0


def _comparable(connection: duckdb.DuckDBPyConnection, new: str, old: str, dataset: Dataset) -> Iterator[str]:
    known = {str(name) for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {old}").fetchall()}
    for name in dataset.privacy.quasi_identifiers:
        if name not in known:
            continue
        labels = [f"SELECT DISTINCT CAST({quote(name)} AS VARCHAR) AS v FROM {rows}" for rows in (new, old)]
        both, fewer = connection.execute(
            f"WITH a AS ({labels[0]}), b AS ({labels[1]}) SELECT (SELECT count(*) FROM (FROM a INTERSECT FROM b)), "
            "least((SELECT count(*) FROM a), (SELECT count(*) FROM b))"
        ).fetchone() or (0, 0)
        if both >= _ALIKE * fewer:
            yield name
