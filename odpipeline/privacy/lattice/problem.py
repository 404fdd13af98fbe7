"""The table as the solver sees it: distinct tuples of small integers with their counts, and one ladder a column.

DuckDB turns rows into codes and groups them once; no row and no value reaches Python beyond that. Columns stand in the
order of their names, so that neither the order of rows nor that of columns can change what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import duckdb
import numpy as np
from numpy.typing import NDArray

from odpipeline.duck import quote
from odpipeline.errors import PrivacyError

Codes = NDArray[np.int32]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Quasi:
    """One quasi-identifier: the column `name`, and the DuckDB table `ladder` (`leaf`, `level_1`… as VARCHAR) or None.

    Without a ladder the column stays as it is. The level lies from `lowest` to `highest` (None: the top of the
    ladder). `weight` counts in the scores that are sums over columns; `where`
    is the column's place in the declaration, for messages.
    """

    name: str
    ladder: str | None = None
    lowest: int = 0
    highest: int | None = None
    weight: float = 1.0
    where: str = ""


@dataclass(frozen=True)
class Column:
    """A quasi-identifier in codes: `groups[level][leaf]` is a code from 0, `leaves[level][code]` how many lie below it.

    `size` is the number of leaves of the ladder; a missing value is a group of its own on every level, of one leaf.
    """

    name: str
    groups: tuple[Codes, ...]
    leaves: tuple[Counts, ...]
    size: int
    lowest: int
    highest: int
    weight: float

    @property
    def height(self) -> int:
        """The number of levels above the leaf."""
        return len(self.groups) - 1

    @cached_property
    def steps(self) -> dict[tuple[int, int], Codes]:
        """(finer level, coarser level) → the coarser code of each finer one."""
        found = {}
        for coarse in range(len(self.groups)):
            for fine in range(coarse):
                step = np.zeros(len(self.leaves[fine]), np.int32)
                step[self.groups[fine]] = self.groups[coarse]
                found[fine, coarse] = step
        return found


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column: the `share` of each code among all rows, in the order of its values; missing comes last.

    `ladder[level][code]` are the codes of its hierarchy, the values themselves first; empty when there is none.
    """

    name: str
    share: NDArray[np.float64]
    ladder: tuple[Codes, ...] = ()


@dataclass(frozen=True)
class Problem:
    """`codes[column]` and `sensitive_codes` of each distinct tuple, and its `counts`; `rows` is their sum."""

    columns: tuple[Column, ...]
    codes: tuple[Codes, ...]
    counts: Counts
    sensitive: tuple[Sensitive, ...] = ()
    sensitive_codes: tuple[Codes, ...] = ()

    @cached_property
    def rows(self) -> int:
        """N, the number of rows."""
        return int(self.counts.sum())


def load(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    quasi: Sequence[Quasi],
    sensitive: Sequence[Quasi] = (),
) -> Problem:
    """The rows of `relation` (SQL after FROM) in codes; of `sensitive`, `name`, `ladder` and `where` are read.

    Raises: PrivacyError for a ladder that is not nested or does not know a value, duckdb.Error.
    """
    named = sorted(quasi, key=lambda one: one.name)
    everyone = [*named, *sensitive]
    chosen, joins = [], []
    for number, one in enumerate(everyone):
        _code_table(connection, relation, one, number)
        of = "CAST(r.{0} AS VARCHAR)" if one.ladder else "r.{0}"
        joins.append(f"LEFT JOIN lattice_{number} l{number} ON l{number}.leaf = {of.format(quote(one.name))}")
        unknown = f"CASE WHEN r.{quote(one.name)} IS NULL THEN -1 ELSE -2 END"
        chosen.append(f"coalesce(l{number}.code, {unknown})::INTEGER AS c{number}")
    found = connection.execute(
        f"SELECT {', '.join([*chosen, 'count(*) AS n'])} FROM {relation} r {' '.join(joins)} GROUP BY ALL"
    ).fetchnumpy()
    counts = np.asarray(found.pop("n"), dtype=np.int64)
    arrays = [np.asarray(found.pop(f"c{number}"), dtype=np.int32) for number in range(len(everyone))]
    columns, codes = [], []
    for number, one in enumerate(named):
        column, coded = _column(connection, one, number, arrays[number])
        columns.append(column)
        codes.append(coded)
    values, value_codes = [], []
    for number, one in enumerate(sensitive, start=len(named)):
        value, coded = _sensitive(connection, one, number, arrays[number], counts)
        values.append(value)
        value_codes.append(coded)
    return Problem(tuple(columns), tuple(codes), counts, tuple(values), tuple(value_codes))


def _code_table(connection: duckdb.DuckDBPyConnection, relation: str, one: Quasi, number: int) -> None:
    """`lattice_<number>`: each leaf with its code from 0, in the order of the leaves."""
    source = f"SELECT DISTINCT {quote(one.name)} AS leaf FROM {relation} WHERE {quote(one.name)} IS NOT NULL"
    if one.ladder:
        source = f"SELECT * FROM {quote(one.ladder)}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE lattice_{number} AS "
        f"SELECT *, CAST(row_number() OVER (ORDER BY leaf) - 1 AS INTEGER) AS code FROM ({source})"
    )
    twice = connection.execute(f"SELECT count(*) - count(DISTINCT leaf) FROM lattice_{number}").fetchone()
    if twice and twice[0]:
        raise PrivacyError(
            f"the hierarchy of {one.name} gives {twice[0]} leaves twice",
            where=one.where,
            mend="give each leaf one line",
        )


def _levels(connection: duckdb.DuckDBPyConnection, one: Quasi, number: int) -> list[Codes]:
    """The code of each leaf on each level, the leaf's own first."""
    described = connection.execute(f"DESCRIBE lattice_{number}").fetchall()
    levels = [row[0] for row in described if row[0] not in ("leaf", "code")]
    wanted = ["code", *(f"dense_rank() OVER (ORDER BY {quote(level)}) - 1" for level in levels)]
    names = ", ".join(f"CAST({sql} AS INTEGER) AS g{n}" for n, sql in enumerate(wanted))
    found = connection.execute(f"SELECT {names} FROM lattice_{number} ORDER BY code").fetchnumpy()
    groups = [np.asarray(found[f"g{n}"], dtype=np.int32) for n in range(len(wanted))]
    for level, (fine, coarse) in enumerate(pairwise(groups)):
        if len(np.unique(fine.astype(np.int64) << 32 | coarse)) != len(np.unique(fine)):
            raise PrivacyError(
                f"the hierarchy of {one.name} is not nested: values share level {level} but not level {level + 1}",
                where=one.where,
                mend="what shares a level must share every coarser one",
            )
    return groups


def _known(one: Quasi, codes: Codes) -> None:
    if unknown := int((codes == -2).sum()):
        raise PrivacyError(
            f"{unknown} different rows hold a value of {one.name} that its hierarchy does not know",
            where=one.where,
            mend="add the missing leaves to the hierarchy, or correct the values in the source system",
        )


def _column(connection: duckdb.DuckDBPyConnection, one: Quasi, number: int, codes: Codes) -> tuple[Column, Codes]:
    """The column with only the groups that occur, and the tuples' codes in them."""
    _known(one, codes)
    levels = _levels(connection, one, number)
    size = len(levels[0])
    present = np.bincount(codes + 1, minlength=size + 1) > 0
    with_missing, used = bool(present[0]), np.flatnonzero(present[1:])
    groups, leaves = [], []
    for level in levels:
        below = np.bincount(level) if size else np.zeros(0, np.int64)
        kept, renumbered = np.unique(level[used], return_inverse=True)
        group, counted = renumbered.astype(np.int32), below[kept].astype(np.int64)
        if with_missing:
            group, counted = np.append(group, np.int32(len(kept))), np.append(counted, 1)
        groups.append(group)
        leaves.append(counted)
    lookup = np.full(size + 1, len(used), np.int32)  # a missing value, code -1, is the last leaf
    lookup[used] = np.arange(len(used), dtype=np.int32)
    highest = len(levels) - 1 if one.highest is None else min(one.highest, len(levels) - 1)
    lowest = min(one.lowest, highest)
    column = Column(one.name, tuple(groups), tuple(leaves), max(size, 1), lowest, highest, one.weight)
    return column, lookup[codes]


def _sensitive(
    connection: duckdb.DuckDBPyConnection, one: Quasi, number: int, codes: Codes, counts: Counts
) -> tuple[Sensitive, Codes]:
    _known(one, codes)
    levels = _levels(connection, one, number)
    size = len(levels[0])
    coded = np.where(codes < 0, size, codes).astype(np.int32)
    share = np.bincount(coded, weights=counts, minlength=size + 1) / max(int(counts.sum()), 1)
    ladder = tuple(np.append(level, np.int32(level.max(initial=-1) + 1)) for level in levels) if one.ladder else ()
    return Sensitive(one.name, share, ladder), coded
