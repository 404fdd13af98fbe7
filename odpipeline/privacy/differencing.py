"""Differencing: what two public files tell together that neither tells alone.

Whoever subtracts the classes of one version from those of another learns of the rows that came or went; a difference
of fewer than k rows points at fewer than k persons (Hundepool et al., Statistical Disclosure Control, 2012, section
2.4; Xiao and Tao, m-invariance, 2007). The same holds of two datasets about the same population.

Compared are the columns that are quasi-identifiers here and published there, with the same labels: where a column was
generalised to another level, the comparison is on the others. Limits: rows that were exchanged one for one leave no
difference in the counts, and are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.verdict import Finding, Severity

_ALIKE = 0.5
"""The least share of a column's labels, of the file that has fewer, that both files must have to be comparable."""


def differencing(
    parquet: Path, versions: Mapping[str, Path], others: Mapping[str, Path], dataset: Dataset, duck: DuckSettings
) -> tuple[Finding, ...]:
    """Findings about the staged `parquet` beside what is public already.

    `versions` maps the public versions of the dataset, `others` the other datasets that may be about the same persons,
    each by what it is called in a message, to its Parquet. No finding without quasi-identifiers.
    Raises: PrivacyError when something public could not be compared with.
    """
    if not dataset.privacy.quasi_identifiers or not dataset.privacy.k:
        return ()
    try:
        with connect(duck) as connection:
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
        f"persons that came or went; wait until more have changed, generalise further"
    )
    if rule == "differencing_datasets":
        message += ", or name the population of each with privacy.population if the persons are others"
    severity = Severity(dataset.privacy.differencing.severity)
    return Finding("privacy", rule, False, f"{message} ({dataset.place('privacy')})", severity, counts=counts)


def _small(connection: duckdb.DuckDBPyConnection, parquet: Path, file: Path, dataset: Dataset, k: int) -> int:
    """How many classes differ by at least one and fewer than k rows."""
    new, old = (f"read_parquet({literal(path)})" for path in (parquet, file))
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
