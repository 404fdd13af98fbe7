"""Checks conformed rows; where the declaration says so, rows that fail go into the quarantine instead of refusing.

The rows are checked first. Only when an expectation that sets rows aside fails are its rows moved, counted under the
ceiling with the unreadable ones, and what is left is checked again. The first cells of whatever failed row by row are
written for the private zone. Cells pass from file to file within DuckDB; here are only counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from odpipeline.conform.conforming import CODEC, Conformed, ceiling, reasons_in
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.quality.checking import check, column_types, prepared
from odpipeline.quality.kinds import by_itself
from odpipeline.quality.report import QualityReport
from odpipeline.quality.suites import Expectation, Suite
from odpipeline.verdict import Finding

FAILED = "failed.parquet"
"""Beside the conformed rows: row, column, rule and value of the first cells that failed; private."""
MOST = 1000
"""The most rows of one expectation that are kept to be looked at."""
SET_ASIDE = "set_aside"
"""The count, in a finding, of the rows that went into the quarantine for it."""


@dataclass(frozen=True)
class Failed:
    """An expectation that rows failed, and the SQL that is true for such a row."""

    expectation: Expectation
    condition: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        said = self.expectation.kwargs
        single = [said[name] for name in ("column", "column_A", "column_B") if name in said]
        return tuple(dict.fromkeys([*single, *said.get("column_list", ())]))

    def cells(self, rows: str, where: str) -> list[str]:
        """A SELECT statement for each column: row, column, rule and value."""
        rule = literal(self.expectation.type)
        return [
            f'SELECT _row, {literal(name)} AS "column", {rule} AS rule, CAST({quote(name)} AS VARCHAR) AS value '
            f"FROM {rows} WHERE {where}"
            for name in self.columns
        ]


def checked(
    rows: Conformed, dataset: Dataset, suite: Suite, folder: Path, duck: DuckSettings
) -> tuple[Conformed, QualityReport]:
    """The report on `rows`, and the rows that are left when those that fail were set aside.

    Writes `failed.parquet` into `folder` when rows failed something.
    Raises: QualityError as `check` does.
    """
    (folder / FAILED).unlink(missing_ok=True)
    report = check(rows.parquet, suite, duck)
    found = [
        one
        for one, finding in zip(suite.expectations, report.findings, strict=True)
        if not finding.passed and finding.counts.get("unexpected_count") and by_itself(one.type)
    ]
    if not found:
        return rows, report
    # One thread keeps the rows in their order without sorting them.
    with connect(replace(duck, threads=1)) as connection:
        failed = failed_by(connection, rows.parquet, suite, found)
        _keep(connection, rows.parquet, failed, folder / FAILED)
        aside = [one for one in failed if one.expectation.set_aside]
        if not aside:
            return rows, report
        rows, counts = _moved(connection, rows, aside, dataset)
    again = check(rows.parquet, suite, duck)
    told = {id(one.expectation): count for one, count in zip(aside, counts, strict=True)}
    findings = tuple(
        _told(finding, told[id(one)]) if id(one) in told else finding
        for one, finding in zip(suite.expectations, again.findings, strict=True)
    )
    return rows, QualityReport(findings, round(report.seconds + again.seconds, 3))


def _told(finding: Finding, count: int) -> Finding:
    words = f"{count:,} {'row that fails it is' if count == 1 else 'rows that fail it are'} in the quarantine"
    return replace(finding, message=f"{finding.message}; {words}", counts={**finding.counts, SET_ASIDE: count})


def failed_by(
    connection: duckdb.DuckDBPyConnection, parquet: Path, suite: Suite, found: Sequence[Expectation]
) -> list[Failed]:
    """The conditions, on `connection`, under which rows of `parquet` fail `found`: expectations of single rows."""
    from odpipeline.quality import engine as gx  # seconds and hundreds of megabytes: only where it validates
    from odpipeline.quality.dialect import DuckDialect, engine_on

    prepared(connection, suite)
    conditions = gx.conditions(engine_on(connection), column_types(connection, parquet), found)
    said = [str(one.compile(dialect=DuckDialect(), compile_kwargs={"literal_binds": True})) for one in conditions]
    return [Failed(one, condition) for one, condition in zip(found, said, strict=True)]


def _keep(connection: duckdb.DuckDBPyConnection, parquet: Path, failed: Sequence[Failed], target: Path) -> None:
    """The first cells of whatever failed, to be looked at."""
    rows = f"read_parquet({literal(parquet)})"
    parts = [f"(FROM ({part}) LIMIT {MOST})" for one in failed for part in one.cells(rows, f"({one.condition})")]
    connection.execute(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(target)} {CODEC}")
    target.chmod(0o600)


def _moved(
    connection: duckdb.DuckDBPyConnection, rows: Conformed, aside: Sequence[Failed], dataset: Dataset
) -> tuple[Conformed, list[int]]:
    """The rows without those that fail, which are in the quarantine now; how many fail each of `aside`."""
    kept, flags = f"read_parquet({literal(rows.parquet)})", [f"f{number}" for number in range(len(aside))]
    said = ", ".join(f"coalesce({one.condition}, false) AS {flag}" for one, flag in zip(aside, flags, strict=True))
    connection.execute(
        f"CREATE TEMP TABLE failing AS SELECT * FROM (SELECT _row, {said} FROM {kept}) WHERE {' OR '.join(flags)}"
    )
    counted = connection.execute(f"SELECT count(*), {', '.join(f'count_if({f})' for f in flags)} FROM failing")
    total, *counts = counted.fetchone() or (0, *(0 for _ in aside))
    parts = [f"SELECT * FROM read_parquet({literal(rows.quarantine)})"]
    for one, flag in zip(aside, flags, strict=True):
        parts += one.cells(kept, f"_row IN (SELECT _row FROM failing WHERE {flag})")
    _rewritten(connection, " UNION ALL ".join(parts), rows.quarantine)
    _rewritten(connection, f"SELECT * FROM {kept} WHERE _row NOT IN (SELECT _row FROM failing)", rows.parquet)
    reasons, bad = reasons_in(connection, rows.quarantine), rows.quarantined + total
    findings = (ceiling(dataset, rows.rows_in - rows.ignored, bad, reasons), *rows.findings[1:])
    left = replace(rows, rows=rows.rows - total, quarantined=bad, reasons=reasons, findings=findings)
    return left, [int(count) for count in counts]


def _rewritten(connection: duckdb.DuckDBPyConnection, select: str, target: Path) -> None:
    aside = target.with_name(f"again-{target.name}")
    connection.execute(f"COPY ({select}) TO {literal(aside)} {CODEC}")
    aside.chmod(0o600)
    aside.replace(target)
