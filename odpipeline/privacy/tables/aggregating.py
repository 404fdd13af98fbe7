"""Rows → cells with margins, the cells that no rule lets be told, and those that must be kept secret with them.

Primary: fewer than `least` rows; one holder with more than `dominance` of a sum; an estimate of the largest
contribution closer than `p_percent` by the second largest (Hundepool et al., Statistical Disclosure Control, 2012,
chapter 4). Secondary: see `suppressing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from odpipeline import published
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.tables import TOTAL, Table, level_column
from odpipeline.duck import columns, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy import hierarchies
from odpipeline.privacy.anonymising import PRIMARY
from odpipeline.privacy.tables.rounding import drawn, rounded
from odpipeline.privacy.tables.suppressing import Cells, protected
from odpipeline.privacy.techniques import secrets

_UNKNOWN = "'non renseigné'"
MOST_CELLS = 20_000
"""The most cells, margins included: beyond, a table is a list of persons, and its protection takes hours."""


@dataclass(frozen=True)
class Written:
    """How many cells are published, and how many of them are secret by a rule (`primary`) or for others' sake."""

    rows: int
    primary: int
    secondary: int


def written(connection: duckdb.DuckDBPyConnection, relation: str, dataset: Dataset, target: Path) -> Written:
    """Write the table of `relation` (a view of the rows after their techniques) to `target`, `primary.parquet` beside.

    Raises: PrivacyError when a sum is negative or missing, the table is too fine, or it cannot be protected.
    """
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - asked for by whoever saw it declared
    _refuse(connection, relation, table, dataset)
    _cells(connection, relation, table, dataset)
    [(cells,)] = connection.execute("SELECT count(*) FROM cells").fetchall()
    if cells > MOST_CELLS:
        raise PrivacyError(
            f"the table would have {cells:,} cells, and {MOST_CELLS:,} are protected at most",
            where=dataset.place("privacy", "table"),
            mend="generalise a column of `by`, or publish fewer of them",
        )
    read = Cells.read(connection, table)
    if table.method != "suppress":
        return _rounded(connection, read, dataset, target)
    primary = read.primary(table)
    secret = protected(read, primary, table, dataset.place("privacy", "table"))
    flags = ", ".join(f"({cell})" for cell in sorted(secret))
    connection.execute("CREATE OR REPLACE TEMP TABLE secrets (cell BIGINT)")
    if flags:
        connection.execute(f"INSERT INTO secrets VALUES {flags}")
    measures = (table.count, *table.sums)
    kept = ", ".join(f"CASE WHEN s.cell IS NULL THEN {quote(name)} END AS {quote(name)}" for name in measures)
    rows = published.write(
        connection,
        f"(SELECT {_labels(table)}, {kept}, s.cell IS NOT NULL AS {quote(table.secret)} "
        "FROM cells LEFT JOIN secrets s USING (cell))",
        dataset, target,
    )  # fmt: skip
    _keep_primary(connection, read, primary, table, target.with_name(PRIMARY))
    ruled = {cell for needs in primary.values() for cell in needs}
    return Written(rows, len(ruled), len(secret - ruled))


def _rounded(connection: duckdb.DuckDBPyConnection, read: Cells, dataset: Dataset, target: Path) -> Written:
    """The table with rounded counts; nothing in it is secret, and no true value is kept for an audit."""
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - see `written`
    if table.rounding_secret is not None:
        key = secrets.key(dataset, table.count, table.rounding_secret, "rounding", "the rounding")
        counts = drawn(read, table, key)
    else:
        counts = rounded(read, table, dataset.place("privacy", "table"))
    connection.execute("CREATE OR REPLACE TEMP TABLE told (cell BIGINT, n BIGINT)")
    connection.executemany("INSERT INTO told VALUES (?, ?)", list(enumerate(counts)))
    chosen = f"SELECT {_labels(table)}, n AS {quote(table.count)} FROM cells JOIN told USING (cell)"
    rows = published.write(connection, f"({chosen})", dataset, target)
    _keep_primary(connection, read, {}, table, target.with_name(PRIMARY))
    return Written(rows, 0, 0)


def _refuse(connection: duckdb.DuckDBPyConnection, relation: str, table: Table, dataset: Dataset) -> None:
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    if rows < table.least:
        raise PrivacyError(
            f"there are {rows} rows in all, and a cell tells {table.least} at least",
            where=dataset.place("privacy", "table"), mend="gather more before it is published",
        )  # fmt: skip
    for column in table.by:
        taken = f"SELECT count(*) FROM {relation} WHERE CAST({quote(column)} AS VARCHAR) = {literal(TOTAL)}"
        if (connection.execute(taken).fetchone() or (0,))[0]:
            raise PrivacyError(
                f"{column} has the value {TOTAL}, which is the label of a margin",
                where=dataset.place("privacy", "table"), mend="correct it in the source system",
            )  # fmt: skip
    for name, column in table.sums.items():
        wrong = f"SELECT count(*) FROM {relation} WHERE {quote(column)} < 0"
        if count := (connection.execute(wrong).fetchone() or (0,))[0]:
            raise PrivacyError(
                f"{count} rows have a negative {column}, so that {name} cannot be protected",
                where=dataset.place("privacy", "table"), mend="publish receipts and refunds as two sums",
            )  # fmt: skip


def _labels(table: Table) -> str:
    """The published columns that name a cell."""
    return columns(
        [one for name in table.by for one in (name, *([level_column(name)] if name in table.levels else []))]
    )


def _cells(connection: duckdb.DuckDBPyConnection, relation: str, table: Table, dataset: Dataset) -> None:
    """The table `cells`: labels, measures, the two largest contributions to each sum, a number for each cell.

    Every leaf cell adds to each cell whose labels are on its paths to the top; `parents` tells what adds up to what.
    """
    holder = quote(table.holder) if table.holder else "row_number() OVER ()"
    sums = "".join(f", coalesce({quote(column)}, 0) AS x{n}" for n, column in enumerate(table.sums.values()))
    labels = [f"coalesce(CAST({quote(name)} AS VARCHAR), {_UNKNOWN}) AS b{n}" for n, name in enumerate(table.by)]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_of AS SELECT {', '.join(labels)}, CAST({holder} AS VARCHAR) AS holder"
        f"{sums} FROM {relation}"
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE parents (place INTEGER, label VARCHAR, parent VARCHAR)")
    for place in range(len(table.by)):
        _path(connection, relation, table, dataset, place)
    places = range(len(table.by))
    totals = "".join(f", sum(x{n}) AS x{n}" for n in range(len(table.sums)))
    inner = f"SELECT COLUMNS('^b[0-9]$'), holder, count(*) AS n{totals} FROM rows_of GROUP BY ALL"
    paths = " ".join(f"JOIN path_{n} p{n} ON p{n}.leaf = r.b{n}" for n in places)
    keys = ", ".join(f"p{n}.label AS b{n}, p{n}.level AS l{n}" for n in places)
    each = f"SELECT {keys}, holder, sum(n) AS n{totals} FROM ({inner}) r {paths} GROUP BY ALL"
    named = ", ".join(f"b{n} AS {quote(name)}, l{n} AS {quote(level_column(name))}" for n, name in enumerate(table.by))
    tops = "".join(
        f", CAST(sum(x{n}) AS DOUBLE) AS {quote(name)}, CAST(max(x{n}, 2)[1] AS DOUBLE) AS first_{n}, "
        f"CAST(coalesce(max(x{n}, 2)[2], 0) AS DOUBLE) AS second_{n}"
        for n, name in enumerate(table.sums)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT row_number() OVER (ORDER BY {columns(table.by)}) - 1 AS cell, * "
        f"FROM (SELECT {named}, CAST(sum(n) AS BIGINT) AS {quote(table.count)}{tops} FROM ({each}) "
        f"GROUP BY {', '.join(f'b{n}, l{n}' for n in places)})"
    )


def _path(connection: duckdb.DuckDBPyConnection, relation: str, table: Table, dataset: Dataset, place: int) -> None:
    """The table `path_<place>` (leaf, label, level) of one column, and its part of `parents`."""
    column, levels = table.by[place], 0
    steps = [f"SELECT DISTINCT b{place} AS leaf, b{place} AS label, 0 AS level FROM rows_of"]
    if (hierarchy := table.levels.get(column)) is not None:
        levels = _climbed(connection, relation, column, hierarchy, place, dataset.place("privacy", "table"), dataset)
        steps += [
            f"SELECT leaf, level_{n}, {n} FROM ladder_{place} WHERE leaf IN (SELECT b{place} FROM rows_of)"
            for n in range(1, levels + 1)
        ]
    if table.totals:
        steps.append(f"SELECT DISTINCT b{place}, {literal(TOTAL)}, {levels + 1} FROM rows_of")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE path_{place} AS {' UNION ALL '.join(steps)}")
    connection.execute(
        f"INSERT INTO parents SELECT DISTINCT {place}, label, above FROM (SELECT label, lead(label) OVER "
        f"(PARTITION BY leaf ORDER BY level) AS above FROM path_{place}) WHERE above IS NOT NULL"
    )
    on_two = f"SELECT label FROM path_{place} GROUP BY label HAVING count(DISTINCT level) > 1"
    below_two = f"SELECT label FROM parents WHERE place = {place} GROUP BY label HAVING count(*) > 1"
    [(twice,)] = connection.execute(f"SELECT count(*) FROM ({on_two} UNION {below_two})").fetchall()
    if twice:
        raise PrivacyError(
            f"{twice} labels of {column} stand on two levels of {hierarchy}, or below two others",
            where=dataset.place("privacy", "table"), mend="give each label one place in the hierarchy",
        )  # fmt: skip


def _climbed(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, hierarchy: str, place: int, where: str,
    dataset: Dataset,
) -> int:  # fmt: skip
    """The table `ladder_<place>`; how many of its levels are margins: one that is the same everywhere is the total."""
    name = f"ladder_{place}"
    hierarchies.ladder(connection, dataset.root, hierarchy, name, relation, column, where=where)
    if unknown := hierarchies.outside(connection, name, relation, column):
        raise PrivacyError(
            f"{unknown} rows hold a value of {column} that {hierarchy} does not know",
            where=where, mend="add the missing leaves to the hierarchy, or correct them in the source system",
        )  # fmt: skip
    levels = len(connection.execute(f"DESCRIBE {name}").fetchall()) - 1
    while levels:
        [(different,)] = connection.execute(f"SELECT count(DISTINCT level_{levels}) FROM {name}").fetchall()
        if different > 1:
            break
        levels -= 1
    return levels


def _keep_primary(
    connection: duckdb.DuckDBPyConnection, read: Cells, primary: dict[str, dict[int, float]], table: Table, target: Path
) -> None:
    connection.execute("CREATE OR REPLACE TEMP TABLE needs (cell BIGINT, measure VARCHAR, value DOUBLE, room DOUBLE)")
    rows = [
        (cell, measure, float(read.values[measure][cell]), room)
        for measure, needs in primary.items()
        for cell, room in needs.items()
    ]
    if rows:
        connection.executemany("INSERT INTO needs VALUES (?, ?, ?, ?)", rows)
    connection.execute(
        f"COPY (SELECT {columns(table.by)}, measure, value, room FROM needs JOIN cells USING (cell)) "
        f"TO {literal(target)} (FORMAT parquet)"
    )
    target.chmod(0o600)
