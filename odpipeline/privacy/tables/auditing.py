"""The attacker's own sum: what can be computed of each secret cell from the file that was written.

Shares no code with suppression: the cells and their margins are read from the published file, what is secret in it is
unknown and not negative, and two linear programs give the least and the greatest value that a cell can have. The file
of true values only says which cells must not be recovered, and how much room each needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
from scipy.optimize import linprog
from scipy.sparse import coo_array

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.tables import TOTAL, Table, level_column
from odpipeline.duck import columns, literal, quote
from odpipeline.privacy import hierarchies
from odpipeline.verdict import Finding

_TOLERANCE = 1e-6
MOST_SECONDS = 1800
"""How long the audit of one measure may take; one that does not end is a refusal."""


def audit(connection: duckdb.DuckDBPyConnection, name: str, relation: str, primary: Path, dataset: Dataset) -> Finding:
    """Whether every cell of `primary` stays secret in the file `name`, which is the SQL `relation`.

    Raises: duckdb.Error when a file cannot be read; OSError when the solver fails.
    """
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - asked for by whoever saw it declared
    by = columns(table.by)
    above = [_above(connection, relation, column, dataset) for column in table.by]
    if table.method != "suppress":
        return _rounded(connection, name, relation, table, above)
    needs = connection.execute(
        f"SELECT {by}, measure, value, room FROM read_parquet({literal(primary)}) ORDER BY ALL"
    ).fetchall()
    exposed = 0
    for measure in (table.count, *table.sums):
        rows = connection.execute(
            f"SELECT {by}, CAST({quote(measure)} AS DOUBLE) FROM {relation} ORDER BY ALL"
        ).fetchall()
        asked = [(tuple(row[: len(table.by)]), row[-2], row[-1]) for row in needs if row[len(table.by)] == measure]
        exposed += _exposed({tuple(row[:-1]): row[-1] for row in rows}, asked, above)
    message = f"{name}: {exposed} of {len(needs)} cells that are kept secret can be computed from the others"
    if exposed:
        message += f"; generalise a column of `by` at {dataset.place('privacy', 'table')}"
    counts = {"recoverable": exposed, "secret_cells": len(needs)}
    return Finding("privacy", f"recoverable_cells_{name.lower()}", exposed == 0, message, counts=counts)


def _above(connection: duckdb.DuckDBPyConnection, relation: str, column: str, dataset: Dataset) -> dict[str, str]:
    """What adds up to what among the published labels of one column, from the hierarchy itself."""
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - see `audit`
    if not table.totals:
        return {}
    published = [
        str(name) for (name,) in connection.execute(f"SELECT DISTINCT {quote(column)} FROM {relation}").fetchall()
    ]
    above = {name: TOTAL for name in published if name != TOTAL}
    if (hierarchy := table.levels.get(column)) is None:
        return above
    values = f"(SELECT {quote(column)} FROM {relation} WHERE CAST({quote(level_column(column))} AS BIGINT) = 0)"
    hierarchies.ladder(connection, dataset.root, hierarchy, "audited", values, column, where=dataset.place("privacy"))
    for leaf, *path in connection.execute("SELECT * FROM audited").fetchall():
        if leaf in above:
            for lower, upper in pairwise([leaf, *path]):
                above[lower] = upper if upper in above else TOTAL
    return {name: upper for name, upper in above.items() if name in published}


def _lines(
    label: tuple[str, ...], above: list[dict[str, str]]
) -> Iterator[tuple[tuple[int, str, tuple[str, ...]], float]]:
    """The sums in which a cell stands, each with its sign: +1 as a part, -1 as the sum."""
    for place, name in enumerate(label):
        rest = label[:place] + label[place + 1 :]
        if name in above[place]:
            yield (place, above[place][name], rest), 1.0
        if name in above[place].values():
            yield (place, name, rest), -1.0


def _rounded(
    connection: duckdb.DuckDBPyConnection, name: str, relation: str, table: Table, above: list[dict[str, str]]
) -> Finding:
    """Whether every count is a multiple of the base and, if not drawn, the margins add up: a true count would show."""
    rows = connection.execute(
        f"SELECT {columns(table.by)}, CAST({quote(table.count)} AS BIGINT) FROM {relation}"
    ).fetchall()
    cells = {tuple(row[:-1]): row[-1] for row in rows}
    wrong = sum(value is None or value % table.base != 0 for value in cells.values())
    if table.method == "round" and not wrong:
        lines: dict[tuple[int, str, tuple[str, ...]], float] = {}
        for label, value in cells.items():
            for line, sign in _lines(label, above):
                lines[line] = lines.get(line, 0) + sign * value
        wrong = sum(left != 0 for left in lines.values())
    message = f"{name}: {wrong} counts are not multiples of {table.base}, or do not add up to their margins"
    return Finding(
        "privacy", f"recoverable_cells_{name.lower()}", wrong == 0 and bool(cells), message,
        counts={"recoverable": wrong, "secret_cells": 0},
    )  # fmt: skip


def _exposed(
    cells: dict[tuple[str, ...], float | None], asked: list[tuple[tuple[str, ...], float, float]],
    above: list[dict[str, str]],
) -> int:  # fmt: skip
    unknown = {label: place for place, label in enumerate(one for one, value in cells.items() if value is None)}
    sides: dict[tuple[int, str, tuple[str, ...]], float] = {}
    entries: list[tuple[tuple[int, str, tuple[str, ...]], int, float]] = []
    for label, value in cells.items():
        for line, sign in _lines(label, above):
            sides.setdefault(line, 0.0)
            if value is None:
                entries.append((line, unknown[label], sign))
            else:
                sides[line] -= sign * value
    lines = {line: row for row, line in enumerate(dict.fromkeys(line for line, *_ in entries))}
    matrix = None
    if lines:
        rows, places, signs = zip(*((lines[line], place, sign) for line, place, sign in entries), strict=True)
        matrix = coo_array((signs, (rows, places)), shape=(len(lines), len(unknown))).tocsr()
    exposed = 0
    until = time.monotonic() + MOST_SECONDS
    for label, value, room in asked:
        if label not in unknown:
            exposed += 1  # it is published, or not even in the file
            continue
        cost = [0.0] * len(unknown)
        cost[unknown[label]] = -1.0
        found = linprog(
            cost, A_eq=matrix, b_eq=[sides[line] for line in lines] or None, method="highs",
            options={"time_limit": max(1.0, until - time.monotonic())},
        )  # fmt: skip
        if found.status == 3:  # unbounded: it can be anything
            continue
        if found.status != 0:
            raise OSError("the linear program of the audit did not end")
        exposed += -found.fun < value + room - _TOLERANCE * max(1.0, value)
    return exposed
