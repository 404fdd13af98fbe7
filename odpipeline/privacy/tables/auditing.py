"""The attacker's own sum: what can be computed of each secret cell from the file that was written.

Shares no code with suppression: the cells and their margins are read from the published file, what is secret in it is
unknown and not negative, and two linear programs give the least and the greatest value that a cell can have. The file
of true values only says which cells must not be recovered, and how much room each needs.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
from scipy.optimize import linprog
from scipy.sparse import coo_array

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.tables import TOTAL, Table
from odpipeline.duck import columns, literal, quote
from odpipeline.verdict import Finding

_TOLERANCE = 1e-6


def audit(connection: duckdb.DuckDBPyConnection, name: str, relation: str, primary: Path, dataset: Dataset) -> Finding:
    """Whether every cell of `primary` stays secret in the file `name`, which is the SQL `relation`.

    Raises: duckdb.Error when a file cannot be read; OSError when the solver fails.
    """
    table = dataset.privacy.table
    assert table is not None  # noqa: S101 - asked for by whoever saw it declared
    by = columns(table.by)
    if table.method == "round":
        return _rounded(connection, name, relation, table)
    needs = connection.execute(
        f"SELECT {by}, measure, value, room FROM read_parquet({literal(primary)}) ORDER BY ALL"
    ).fetchall()
    exposed = 0
    for measure in (table.count, *table.sums):
        rows = connection.execute(
            f"SELECT {by}, CAST({quote(measure)} AS DOUBLE) FROM {relation} ORDER BY ALL"
        ).fetchall()
        asked = [(tuple(row[: len(table.by)]), row[-2], row[-1]) for row in needs if row[len(table.by)] == measure]
        exposed += _exposed({tuple(row[:-1]): row[-1] for row in rows}, asked, table)
    message = f"{name}: {exposed} of {len(needs)} cells that are kept secret can be computed from the others"
    if exposed:
        message += f"; generalise a column of `by` at {dataset.place('privacy', 'table')}"
    counts = {"recoverable": exposed, "secret_cells": len(needs)}
    return Finding("privacy", f"recoverable_cells_{name.lower()}", exposed == 0, message, counts=counts)


def _rounded(connection: duckdb.DuckDBPyConnection, name: str, relation: str, table: Table) -> Finding:
    """Whether every count is a multiple of the base and the margins add up: a true count would show."""
    rows = connection.execute(
        f"SELECT {columns(table.by)}, CAST({quote(table.count)} AS BIGINT) FROM {relation}"
    ).fetchall()
    cells = {tuple(row[:-1]): row[-1] for row in rows}
    wrong = sum(value is None or value % table.base != 0 for value in cells.values())
    if table.totals and not wrong:
        lines: dict[tuple[int, tuple[str, ...]], int] = {}
        for label, value in cells.items():
            for place in range(len(label)):
                line = (place, label[:place] + label[place + 1 :])
                lines[line] = lines.get(line, 0) + (-value if label[place] == TOTAL else value)
        wrong = sum(left != 0 for left in lines.values())
    message = f"{name}: {wrong} counts are not multiples of {table.base}, or do not add up to their margins"
    return Finding(
        "privacy", f"recoverable_cells_{name.lower()}", wrong == 0 and bool(cells), message,
        counts={"recoverable": wrong, "secret_cells": 0},
    )  # fmt: skip


def _exposed(
    cells: dict[tuple[str, ...], float | None], asked: list[tuple[tuple[str, ...], float, float]], table: Table
) -> int:
    unknown = {label: place for place, label in enumerate(one for one, value in cells.items() if value is None)}
    sides: dict[tuple[int, tuple[str, ...]], float] = {}
    entries: list[tuple[tuple[int, tuple[str, ...]], int, float]] = []
    if table.totals:
        for label, value in cells.items():
            for place in range(len(label)):
                line = (place, label[:place] + label[place + 1 :])
                sign = -1.0 if label[place] == TOTAL else 1.0
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
    for label, value, room in asked:
        if label not in unknown:
            exposed += 1  # it is published, or not even in the file
            continue
        cost = [0.0] * len(unknown)
        cost[unknown[label]] = -1.0
        found = linprog(cost, A_eq=matrix, b_eq=[sides[line] for line in lines] or None, method="highs")
        if found.status == 3:  # unbounded: it can be anything
            continue
        if found.status != 0:
            raise OSError("the linear program of the audit did not end")
        exposed += -found.fun < value + room - _TOLERANCE * max(1.0, value)
    return exposed
