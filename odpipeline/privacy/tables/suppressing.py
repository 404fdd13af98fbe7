"""Secondary suppression: which further cells must be secret so that no margin gives a secret one away.

For each cell that must not be recovered, one linear program (HiGHS) looks for the cheapest change of the table that
keeps all margins and raises that cell by the room it needs; every cell that changes is kept secret. Whoever knows only
what is published cannot tell the true table from the changed one (Fischetti and Salazar, Solving the cell suppression
problem on tabular data with linear constraints, 2001, section 2; solved cell by cell, hence not always the fewest).
Ties are broken by the order of cells, so that the same rows give the same secrets.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from odpipeline.declaration.tables import TOTAL, Table
from odpipeline.duck import columns
from odpipeline.errors import PrivacyError

Floats = NDArray[np.float64]
_LEAST_CHANGE = 1e-7


@dataclass(frozen=True)
class Cells:
    """All cells by their number: `labels`, the `values` of each measure, the two largest contributions to each sum.

    `parents` maps, for each column of the table, a label to the one that adds it up with its like.
    """

    labels: list[tuple[str, ...]]
    values: dict[str, Floats]
    largest: dict[str, tuple[Floats, Floats]]
    parents: list[dict[str, str]]

    @property
    def margins(self) -> csr_array:
        """One row for each sum that holds: the cells of a line less the cell that adds them up."""
        lines: dict[tuple[int, str, tuple[str, ...]], list[tuple[int, int]]] = {}
        over = [set(above.values()) for above in self.parents]
        for number, label in enumerate(self.labels):
            for place, name in enumerate(label):
                rest = (*label[:place], *label[place + 1 :])
                if (parent := self.parents[place].get(name)) is not None:
                    lines.setdefault((place, parent, rest), []).append((number, 1))
                if name in over[place]:
                    lines.setdefault((place, name, rest), []).append((number, -1))
        entries = [(row, cell, sign) for row, line in enumerate(lines.values()) for cell, sign in line]
        rows, cells, signs = (np.array(part) for part in zip(*entries, strict=True))
        return csr_array((signs.astype(np.float64), (rows, cells)), shape=(len(lines), len(self.labels)))

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, table: Table) -> Cells:
        """From the temporary tables `cells` and `parents` (place, label, parent)."""
        tops = "".join(f", first_{n}, second_{n}" for n in range(len(table.sums)))
        found = connection.execute(
            f"SELECT {columns([*table.by, table.count, *table.sums])}{tops} FROM cells ORDER BY cell"
        ).fetchnumpy()
        names = [table.count, *table.sums]
        values = {name: np.asarray(found[name], dtype=np.float64) for name in names}
        largest = {
            name: (np.asarray(found[f"first_{n}"], np.float64), np.asarray(found[f"second_{n}"], np.float64))
            for n, name in enumerate(table.sums)
        }
        labels = list(zip(*(found[name].tolist() for name in table.by), strict=True))
        parents: list[dict[str, str]] = [{} for _ in table.by]
        for place, label, parent in connection.execute("SELECT place, label, parent FROM parents").fetchall():
            parents[place][label] = parent
        return cls(labels, values, largest, parents)

    def primary(self, table: Table) -> dict[str, dict[int, float]]:
        """Measure → cell that a rule keeps secret → by how much more than its value it must be possible."""
        count = self.values[table.count]
        small = np.flatnonzero(count < table.least)
        needs: dict[str, dict[int, float]] = {table.count: {int(cell): float(table.least - 1) for cell in small}}
        for name, (first, second) in self.largest.items():
            total = self.values[name]
            room = table.p_percent * first - (total - first - second)
            wrong = (room > 0) & (total > 0)
            if table.dominance is not None:
                dominated = (first > table.dominance * total) & (total > 0)
                room = np.where(dominated, np.maximum(room, first / table.dominance - total), room)
                wrong |= dominated
            wrong[small] |= total[small] > 0
            room = np.maximum(room, table.p_percent * total)
            needs[name] = {int(cell): float(room[cell]) for cell in np.flatnonzero(wrong)}
        return needs


def protected(cells: Cells, primary: dict[str, dict[int, float]], table: Table, place: str) -> set[int]:
    """The numbers of all cells to keep secret: those of `primary`, and what protects them.

    Raises: PrivacyError when a cell cannot be protected.
    """
    secret = {cell for needs in primary.values() for cell in needs}
    if not table.totals or not secret:
        return secret
    margins = cells.margins
    whole = cells.labels.index((TOTAL,) * len(table.by))
    cost = cells.values[table.count] + 1
    for measure, needs in primary.items():
        values = cells.values[measure]
        for cell in sorted(needs, key=lambda one: (-needs[one], one)):
            fixed = None if whole in needs else whole
            changed = _cheapest(margins, values, cell, needs[cell], cost, secret, fixed)
            if changed is None:
                raise PrivacyError(
                    "a small cell of the table cannot be protected: its margins always give it away",
                    where=place,
                    mend="generalise a column of `by`, or leave the margins out with totals: false",
                )
            secret |= changed
    return secret


def _cheapest(
    margins: csr_array, values: Floats, cell: int, room: float, cost: Floats, secret: set[int], fixed: int | None
) -> set[int] | None:
    """The cells that change when `cell` grows by `room`, None when it cannot.

    The grand total, cell `fixed`, stays as it is: each release tells how many rows were delivered.
    """
    price = np.where(np.isin(np.arange(len(values)), list(secret)), 1e-6, cost)
    scale = max(room, 1e-9)
    lower = values / scale
    bounds = [(0, None)] * len(values) + [(0, low) for low in lower]
    bounds[cell], bounds[len(values) + cell] = (1, 1), (0, 0)
    if fixed is not None:
        bounds[fixed] = bounds[len(values) + fixed] = (0, 0)
    found = linprog(
        np.concatenate([price, price]), A_eq=hstack([margins, -margins]).tocsr(), b_eq=np.zeros(margins.shape[0]),
        bounds=bounds, method="highs",
    )  # fmt: skip
    if not found.success:
        return None
    moved = found.x[: len(values)] - found.x[len(values) :]
    return {int(one) for one in np.flatnonzero(np.abs(moved) > _LEAST_CHANGE)}
