"""Equivalence classes of a node, and how those of a coarser node are made from them without going back to rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odpipeline.privacy.lattice.problem import Codes, Column, Counts, Problem

Levels = tuple[int, ...]

_DENSE = 1 << 16
"""Up to so many possible tuples counting beats sorting, however few tuples there are."""
_WIDEST = 1 << 24
"""Counting never takes an array longer than this."""


@dataclass(frozen=True)
class Spread:
    """A sensitive column over the classes, sparse: `count` rows of class `owner` have `value`; sorted by both."""

    owner: NDArray[np.int64]
    value: Codes
    count: Counts


@dataclass(frozen=True)
class Classes:
    """The classes at `levels`: `codes[column]` and `counts` of each, and one `Spread` for each sensitive column."""

    levels: Levels
    codes: tuple[Codes, ...]
    counts: Counts
    spreads: tuple[Spread, ...] = ()


def finest(problem: Problem) -> Classes:
    """The distinct tuples of the table, at the leaves, without a spread."""
    levels = (0,) * len(problem.columns)
    if not problem.sensitive:
        return Classes(levels, problem.codes, problem.counts)
    own = np.arange(len(problem.counts), dtype=np.int64)
    spreads = tuple(Spread(own, codes, problem.counts) for codes in problem.sensitive_codes)
    return coarser(Classes(levels, problem.codes, problem.counts, spreads), levels, problem)


def coarser(fine: Classes, levels: Levels, problem: Problem) -> Classes:
    """The classes at `levels`, which lie nowhere below those of `fine`."""
    codes, radices = [], []
    for column, own, old, new in zip(problem.columns, fine.codes, fine.levels, levels, strict=True):
        codes.append(own if old == new else column.steps[old, new][own])
        radices.append(len(column.leaves[new]))
    key, space = keyed(codes, radices)
    counts, first, inverse = grouped(key, space, fine.counts, inverse=bool(fine.spreads))
    spreads = tuple(_moved(spread, inverse, len(s.share)) for spread, s in
                    zip(fine.spreads, problem.sensitive, strict=False))  # fmt: skip
    return Classes(levels, tuple(code[first] for code in codes), counts, spreads)


def keyed(codes: list[Codes], radices: list[int]) -> tuple[NDArray[np.int64], int]:
    """One number for each tuple, and how many numbers there can be; the same number means the same tuple."""
    length = len(codes[0]) if codes else 0
    key, space = np.zeros(length, np.int64), 1
    for code, radix in zip(codes, radices, strict=True):
        if space * radix >= 1 << 62:
            distinct, key = np.unique(key, return_inverse=True)
            key, space = key.astype(np.int64), len(distinct)
        if radix > 1:
            key *= radix
            key += code
            space *= radix
    return key, space


def grouped(
    key: NDArray[np.int64], space: int, counts: Counts, *, inverse: bool = False
) -> tuple[Counts, NDArray[np.int64], NDArray[np.int64]]:
    """(rows of each distinct key in ascending order, the index of one tuple that has it, key number of each tuple)."""
    nothing = np.zeros(0, np.int64)
    if space <= max(_DENSE, 4 * len(key)) and space <= _WIDEST:
        total = np.bincount(key, weights=counts, minlength=space)
        found = np.flatnonzero(total)
        where = np.zeros(space, np.int64)
        where[key] = np.arange(len(key))
        first = where[found]
        if inverse:
            where[found] = np.arange(len(found))
        return total[found].astype(np.int64), first, where[key] if inverse else nothing
    ordered, order = _sorted(key, space)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    summed = np.add.reduceat(counts[order], starts)
    if not inverse:
        return summed, order[starts], nothing
    number = np.zeros(len(key), np.int64)
    number[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(key))))
    return summed, order[starts], number


def _sorted(key: NDArray[np.int64], space: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys in order and where they stood; both in one number where there is room, because that sorts faster."""
    bits = max(len(key) - 1, 1).bit_length()
    if space.bit_length() + bits > 62:
        order = np.argsort(key, kind="stable")
        return key[order], order
    packed = np.sort((key << bits) | np.arange(len(key)))
    return packed >> bits, packed & ((1 << bits) - 1)


def _moved(spread: Spread, inverse: NDArray[np.int64], values: int) -> Spread:
    key = inverse[spread.owner] * values + spread.value
    counts, first, _ = grouped(key, int(key.max(initial=0)) + 1, spread.count)
    found = key[first]
    return Spread(found // values, (found % values).astype(np.int32), counts)


def projected(problem: Problem, base: Classes, chosen: tuple[int, ...]) -> tuple[Problem, Classes]:
    """The problem of only the columns `chosen`, and its classes at the levels of `base`."""
    columns: tuple[Column, ...] = tuple(problem.columns[number] for number in chosen)
    small = Problem(columns, (), problem.counts)
    levels = tuple(base.levels[number] for number in chosen)
    whole = Classes(levels, tuple(base.codes[number] for number in chosen), base.counts)
    return small, coarser(whole, levels, small)
