"""Checks one Parquet file against a suite: opens DuckDB, lets Great Expectations decide, reports by allow-list."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from odpipeline.duck import DuckSettings, columns, connect, literal
from odpipeline.errors import QualityError
from odpipeline.quality import code_lists
from odpipeline.quality.french import FRENCH, OPENING_HOURS, PREFIX
from odpipeline.quality.report import QualityReport, finding, not_evaluated
from odpipeline.quality.suites import Expectation, Suite
from odpipeline.verdict import Finding

if TYPE_CHECKING:
    from odpipeline.quality.engine import Outcome

_ROW_NUMBER = "_row"
"""The source row number of conformed files: ours, no column of the dataset."""


def check(parquet: Path, suite: Suite, duck: DuckSettings) -> QualityReport:
    """Evaluate `suite` on the rows of `parquet`, on a DuckDB connection of its own within the bounds of `duck`.

    Raises: QualityError when the file cannot be read, the suite is empty, or not every expectation was evaluated.
    """
    from odpipeline.quality import engine as gx  # seconds and hundreds of megabytes: only where it validates
    from odpipeline.quality.dialect import engine_on

    started = time.perf_counter()
    if not suite.expectations:
        raise QualityError("the suite is empty, nothing would be checked", mend="declare the dataset's fields")
    with connect(duck) as connection:
        prepared(connection, suite)
        types = column_types(connection, parquet)
        rows = f"SELECT {columns(list(types))} FROM read_parquet({literal(parquet)})"
        outcomes = gx.evaluate(engine_on(connection), rows, types, suite.expectations)
    if set(outcomes) != set(range(len(suite.expectations))):
        raise QualityError(
            f"Great Expectations evaluated {len(outcomes)} of {len(suite.expectations)} expectations",
            mend="this is a fault of odpipeline: report it with the output of `odp suite`",
        )
    findings = tuple(
        _finding(expectation, suite.group, outcomes[number], types)
        for number, expectation in enumerate(suite.expectations)
    )
    return QualityReport(findings, round(time.perf_counter() - started, 3))


def _finding(expectation: Expectation, group: str, outcome: Outcome, types: Mapping[str, str]) -> Finding:
    if outcome.failure:
        return not_evaluated(expectation, group=group, failure=outcome.failure)
    named = expectation.kwargs.get("column_list") or expectation.kwargs.get("column_set") or ()
    absent = [column for column in named if column not in types]
    return finding(expectation, group=group, held=outcome.success, numbers=outcome.numbers, absent=absent)


def prepared(connection: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    """Give `connection` the functions that conditions of `suite` call."""
    if any(FRENCH[kind].condition.startswith(OPENING_HOURS) for kind in _french(suite)):
        from odpipeline.quality import opening_hours  # pyarrow, for the few that ask

        opening_hours.register(connection)
    for name, year in {
        (e.type.removeprefix(PREFIX), e.kwargs["year"]) for e in suite.expectations if "year" in e.kwargs
    }:
        code_lists.register(connection, name, year)


def _french(suite: Suite) -> set[str]:
    """The French types that `suite` asks for."""
    return {e.type.removeprefix(PREFIX) for e in suite.expectations if e.type.startswith(PREFIX)}


def column_types(connection: duckdb.DuckDBPyConnection, parquet: Path) -> dict[str, str]:
    """The columns of the rows and their DuckDB types, without our row number.

    Raises: QualityError when the file cannot be read.
    """
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(parquet)})").fetchall()
    except duckdb.Error as error:
        raise QualityError(
            f"the rows to check cannot be read ({type(error).__name__})", mend="run the dataset again from its capture"
        ) from None
    return {str(name): str(kind) for name, kind, *_ in described if name != _ROW_NUMBER}
