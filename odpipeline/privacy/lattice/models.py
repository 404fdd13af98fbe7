"""What a class must hold besides k rows: l-diversity (Machanavajjhala 2007) and t-closeness (Li 2007).

Each model says for every class whether it holds. A missing sensitive value is a value like any other. Distances are
between the class and the whole table, suppressed rows included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from odpipeline.privacy.lattice.classes import Classes, Spread
from odpipeline.privacy.lattice.problem import Codes, Counts, Sensitive

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_ROUNDING = 1e-9
"""What floating point may add to a distance or take from an entropy."""


@dataclass(frozen=True)
class Distinct:
    """At least `least` different values of the sensitive column."""

    column: str
    least: int


@dataclass(frozen=True)
class Entropy:
    """An entropy of at least log(`least`); `least` need not be whole."""

    column: str
    least: float


@dataclass(frozen=True)
class Recursive:
    """r1 < c (rl + … + rm), with the counts of values from the most frequent: recursive (c, l)-diversity."""

    column: str
    c: float
    least: int


@dataclass(frozen=True)
class Closeness:
    """An earth mover's distance to the whole table of at most `most`.

    `equal`: all values are as far apart; `ordered`: by their ranks; `hierarchical`: by the ladder of the column.
    """

    column: str
    most: float
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"


Model = Distinct | Entropy | Recursive | Closeness


def holds(model: Model, classes: Classes, sensitive: tuple[Sensitive, ...]) -> Mask:
    """For each class, whether `model` holds in it."""
    number = next(n for n, one in enumerate(sensitive) if one.name == model.column)
    spread, column, sizes = classes.spreads[number], sensitive[number], classes.counts
    match model:
        case Distinct():
            return np.asarray(np.bincount(spread.owner, minlength=len(sizes)) >= model.least)
        case Entropy():
            share = spread.count / sizes[spread.owner]
            entropy = np.bincount(spread.owner, weights=-share * np.log(share), minlength=len(sizes))
            return np.asarray(entropy >= np.log(model.least) - _ROUNDING)
        case Recursive():
            return _recursive(model, spread, sizes)
        case Closeness():
            return _distance(model.distance, spread, sizes, column) <= model.most + _ROUNDING


def monotone(model: Model) -> bool:
    """Whether a class that holds still does after any merge, so that coarser nodes never suppress more."""
    return isinstance(model, Distinct)


def _recursive(model: Recursive, spread: Spread, sizes: Counts) -> Mask:
    order = np.lexsort((-spread.count, spread.owner))
    owner, count = spread.owner[order], spread.count[order]
    each = np.bincount(owner, minlength=len(sizes))
    first = np.concatenate(([0], np.cumsum(each)[:-1]))
    rank = np.arange(len(owner)) - first[owner]
    tail = np.bincount(owner, weights=np.where(rank >= model.least - 1, count, 0), minlength=len(sizes))
    top = np.zeros(len(sizes))
    top[owner[rank == 0]] = count[rank == 0]
    return np.asarray(top < model.c * tail)


def _distance(kind: str, spread: Spread, sizes: Counts, column: Sensitive) -> Floats:
    if kind == "ordered":
        return _ordered(spread, sizes, column.share)
    if kind == "equal":
        return _equal(spread.owner, spread.value, spread.count, sizes, column.share)
    total, levels = np.zeros(len(sizes)), column.ladder
    rooted = int(levels[-1][:-1].max(initial=0)) == 0 and not column.share[-1]
    edges = len(levels) - 1 if rooted else len(levels)
    for level in levels[:edges]:
        # A tree metric: the distance is the sum over edges of what must pass them, 1/(2 × height) each.
        groups = int(level.max()) + 1
        key = spread.owner * groups + level[spread.value]
        found, inverse = np.unique(key, return_inverse=True)
        count = np.bincount(inverse, weights=spread.count)
        share = np.bincount(level, weights=column.share, minlength=groups).astype(np.float64)
        total += _equal(found // groups, found % groups, count, sizes, share)
    return total / max(edges, 1)


def _equal(
    owner: NDArray[np.int64], value: NDArray[np.int64] | Codes, count: Floats | Counts, sizes: Counts, whole: Floats
) -> Floats:
    """Half the sum of differences of the shares, which is the sum of what a class has too much."""
    excess = np.maximum(count / sizes[owner] - whole[value], 0)
    return np.bincount(owner, weights=excess, minlength=len(sizes)).astype(np.float64)


def _ordered(spread: Spread, sizes: Counts, whole: Floats) -> Floats:
    """Σ |P(≤ i) − Q(≤ i)| / (m − 1) over the ranks; P is constant between two values of a class."""
    present = np.flatnonzero(whole)
    if len(present) < 2:
        return np.zeros(len(sizes))
    rank = np.zeros(len(whole), np.int64)
    rank[present] = np.arange(len(present))
    below = np.cumsum(whole[present])
    summed = np.concatenate(([0.0], np.cumsum(below)))
    owner, at = spread.owner, rank[spread.value]
    each = np.bincount(owner, minlength=len(sizes))
    starts = np.concatenate(([0], np.cumsum(each)[:-1]))
    running = np.cumsum(spread.count)
    reached = (running - (running[starts] - spread.count[starts])[owner]) / sizes[owner]
    last = np.ones(len(owner), bool)
    last[:-1] = owner[1:] != owner[:-1]
    end = np.where(last, len(present), np.append(at[1:], 0))
    middle = np.clip(np.searchsorted(below, reached), at, end)
    gaps = reached * (2 * middle - at - end) - (2 * summed[middle] - summed[at] - summed[end])
    first = summed[at[starts]]  # before its first value, nothing of the class is reached
    return (np.bincount(owner, weights=gaps, minlength=len(sizes)) + first) / (len(present) - 1)
