"""Best-first search over the lattice of levels, with proven bounds.

What one node shows is kept for all others: too many suppressed rows rule out every finer node; bounds spread upwards
and downwards (`scores`). A node that is not known to be feasible is tested by binary search on a path upwards from it
(Samarati 2001, Flash: Kohlmayer 2012). It ends when no node that is left can be better than, or tie with, the best.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from odpipeline.privacy.lattice.classes import Classes, Levels, coarser, finest, projected
from odpipeline.privacy.lattice.judging import Found, Judge, Judged
from odpipeline.privacy.lattice.models import Model
from odpipeline.privacy.lattice.problem import Codes, Problem

LARGEST = 1 << 23
"""The most nodes that are searched, for about 60 bytes a node."""
_TRIPLES_FROM = 200_000
"""From so many distinct tuples, projections to three columns cost less than the nodes that they rule out."""
_TRIPLES_AFTER = 100
"""With fewer tuples, they pay when so many nodes were not enough, and the score is one by columns."""
_WIDEST_PROJECTION = 1 << 23
_KEPT_CLASSES = 20_000_000
"""How many classes are kept in all, to make others from."""
_SLACK = 1e-11
"""Scores are the same when they agree in 12 significant digits; bounds allow for it."""


class TooLarge(ValueError):
    """The lattice has more nodes than `LARGEST`; `nodes` says how many."""

    def __init__(self, nodes: int) -> None:
        super().__init__(f"{nodes} nodes")
        self.nodes = nodes


def solve(
    problem: Problem,
    k: int,
    *,
    limit: float = 0.0,
    score: str = "loss",
    models: Sequence[Model] = (),
    seconds: float | None = None,
) -> Found | None:
    """The node with the smallest `score` at which at most floor(`limit` × N) rows lie in classes that do not hold.

    None when there is none, or none was found in time. After `seconds` the best so far is given, with its bound.
    Raises: TooLarge for a lattice that cannot be searched, when no `seconds` are given; otherwise a path through it is.
    """
    judge = Judge(problem, k, suppressible(limit, problem.rows), score, models)
    if not problem.rows:
        return None
    nodes = prod(column.highest - column.lowest + 1 for column in problem.columns)
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    if nodes > LARGEST:
        if seconds is None:
            raise TooLarge(nodes)
        return _greedy(judge, nodes, until)
    return _Search(judge, nodes, until).run()


def state(
    problem: Problem, k: int, levels: Levels, *, limit: float = 0.0, score: str = "loss", models: Sequence[Model] = ()
) -> Found | None:
    """What the node `levels` means, in the order of the problem's columns, or None when it suppresses too much."""
    if not problem.rows:
        return None
    judge = Judge(problem, k, suppressible(limit, problem.rows), score, models)
    judged = judge.judge(coarser(finest(problem), levels, problem))
    return judge.found(judged, 0.0, False, 1, 1) if judged.suppressed <= judge.limit else None


def failing(problem: Problem, k: int, models: Sequence[Model]) -> tuple[Codes, ...]:
    """The codes, by column, of the classes at the leaves that have fewer than `k` rows or in which a model fails."""
    if not problem.rows:
        return problem.codes
    classes = coarser(finest(problem), (0,) * len(problem.columns), problem)
    judged = Judge(problem, k, problem.rows, "height", models).judge(classes)
    return tuple(code[~judged.fine] for code in judged.classes.codes)


def suppressible(limit: float, rows: int) -> int:
    """floor(limit × rows), without what binary fractions would take from it."""
    return int(limit * rows + 1e-9)


class _Search:
    """The lattice as arrays of one element a node; `offset` is the level at index 0 of each axis."""

    def __init__(self, judge: Judge, nodes: int, until: float) -> None:
        self.judge, self.problem, self.until, self.nodes = judge, judge.problem, until, nodes
        self.offset = tuple(column.lowest for column in self.problem.columns)
        self.shape = tuple(column.highest - column.lowest + 1 for column in self.problem.columns)
        self.low = np.zeros(self.shape)
        self.order = np.zeros(self.shape)
        for axis, column in enumerate(self.problem.columns):
            span = slice(column.lowest, column.highest + 1)
            self.low += self._along(axis, judge.score.parts[axis][span])
            self.order += self._along(axis, self._collisions(axis)[span])
        self.extra = np.zeros(self.shape)
        self.alive = np.ones(self.shape, bool)
        self.feasible = np.zeros(self.shape, bool)
        self.best: Judged | None = None
        self.seen = 0
        self.pool: list[Classes] = [coarser(finest(self.problem), self.offset, self.problem)]
        self.pooled = np.array([self.offset], np.int16)
        self.sizes = np.array([len(self.pool[0].counts)])
        self.room = _KEPT_CLASSES

    def _along(self, axis: int, values: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(values, float).reshape([-1 if axis == n else 1 for n in range(len(self.shape))])

    def _collisions(self, axis: int) -> list[float]:
        """For each level, the logarithm of the chance that two rows share a group: a guess at how coarse a node is."""
        column = self.problem.columns[axis]
        leaf = np.bincount(self.problem.codes[axis], weights=self.problem.counts)
        groups = [np.bincount(group, weights=leaf) for group in column.groups]
        return [float(np.log((group @ group) / self.problem.rows**2)) for group in groups]

    def run(self) -> Found | None:
        """Project, then take the most promising node again and again until none is left that could be better."""
        self._test(tuple(column.highest for column in self.problem.columns))
        few = len(self.pool[0].counts) < _TRIPLES_FROM
        self._project(2 if few else 3)
        self._rebase()
        while (node := self._promising()) is not None:
            if self.feasible[node]:
                self._test(self._levels(node))
            else:
                self._climb(node)
            if few and self.seen > _TRIPLES_AFTER and self.judge.score.by_column:
                few = False
                self._project(3)
            if time.monotonic() > self.until:
                return self._end(optimal=self._promising() is None)
        return self._end(optimal=True)

    def _end(self, *, optimal: bool) -> Found | None:
        if self.best is None:
            return None
        open_bounds = (self.low + self.extra)[self.alive]
        bound = self.judge.score.final(float(open_bounds.min(initial=np.inf))) if len(open_bounds) else np.inf
        return self.judge.found(self.best, bound, optimal, self.nodes, self.seen)

    def _promising(self) -> tuple[int, ...] | None:
        """The node with the least bound among those that are left; of equals the one that looks finest."""
        bound = (self.low + self.extra).ravel()
        left = np.flatnonzero(self.alive.ravel() & (bound <= self._ceiling()))
        if not len(left):
            return None
        bounds = bound[left]
        close = left[bounds <= bounds.min() * (1 + _SLACK) + _SLACK]
        return self._node(int(close[np.argmin(self.order.ravel()[close])]))

    def _ceiling(self) -> float:
        if self.best is None:
            return float("inf")
        score = self.best.score
        return self.judge.score.transform(score + abs(score) * _SLACK) + 1e-15

    def _node(self, flat: int) -> tuple[int, ...]:
        return tuple(int(index) for index in np.unravel_index(flat, self.shape))

    def _levels(self, node: Sequence[int]) -> Levels:
        return tuple(index + low for index, low in zip(node, self.offset, strict=True))

    def _climb(self, node: tuple[int, ...]) -> None:
        """Binary search for the lowest feasible node on the most promising path upwards from `node`."""
        path = self._path(node)
        first, last = 0, len(path) - 1
        while first <= last:
            middle = (first + last) // 2
            if self._test(self._levels(path[middle])):
                last = middle - 1
            else:
                first = middle + 1
            if time.monotonic() > self.until:
                return

    def _path(self, node: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Upwards by the step with the least bound, while it may still be better than the best."""
        path, ceiling = [node], self._ceiling()
        while not self.feasible[node]:
            steps = [
                (self.low[up] + self.extra[up], self.order[up], up)
                for axis, index in enumerate(node)
                if index + 1 < self.shape[axis]
                for up in [(*node[:axis], index + 1, *node[axis + 1 :])]
            ]
            steps = [step for step in steps if step[0] <= ceiling]
            if not steps:
                break
            path.append(node := min(steps)[2])
        return path

    def _test(self, levels: Levels) -> bool:
        """Judge a node and keep what it shows about the others; whether no model that is monotone rules it out."""
        node = tuple(level - low for level, low in zip(levels, self.offset, strict=True))
        if not self.alive[node] and not self.feasible[node]:
            return False
        if not self.alive[node]:
            return True
        judged = self.judge.judge(self._classes(levels))
        self.seen += 1
        down = tuple(slice(None, index + 1) for index in node)
        up = tuple(slice(index, None) for index in node)
        if judged.surely > self.judge.limit:
            self.alive[down] = False
        else:
            self.feasible[up] = True
            np.maximum(self.extra[down], judged.sure_extra, out=self.extra[down])
        np.maximum(self.low[up], judged.low, out=self.low[up])
        if judged.suppressed <= self.judge.limit and (
            self.best is None or self.judge.key(judged) < self.judge.key(self.best)
        ):
            self.best = judged
        self.alive[node] = False
        return judged.surely <= self.judge.limit

    def _classes(self, levels: Levels) -> Classes:
        """The classes at `levels`, made from the fewest that are at hand."""
        fits = np.flatnonzero((self.pooled <= np.array(levels)).all(axis=1))
        source = self.pool[int(fits[np.argmin(self.sizes[fits])])]
        made = coarser(source, levels, self.problem)
        if len(made.counts) * 4 <= len(source.counts) * 3 and len(made.counts) <= self.room:
            self._keep(made)
        return made

    def _keep(self, classes: Classes) -> None:
        self.pool.append(classes)
        self.pooled = np.vstack([self.pooled, np.array([classes.levels], np.int16)])
        self.sizes = np.append(self.sizes, len(classes.counts))
        self.room -= len(classes.counts)

    def _rebase(self) -> None:
        """Start from the finest levels that any node which is left has."""
        if not self.alive.any():
            return
        axes = range(len(self.shape))
        lowest = [int(np.argmax(self.alive.any(axis=tuple(a for a in axes if a != axis)))) for axis in axes]
        if any(lowest):
            base = coarser(self.pool[0], self._levels(lowest), self.problem)
            top = self.pool[1:]
            self.pool, self.pooled, self.sizes = [base], np.array([base.levels], np.int16), np.array([len(base.counts)])
            self.alive &= self._above(lowest)
            for classes in top:
                self._keep(classes)

    def _above(self, lowest: Sequence[int]) -> NDArray[np.bool_]:
        above = np.zeros(self.shape, bool)
        above[tuple(slice(index, None) for index in lowest)] = True
        return above

    def _project(self, width: int) -> None:
        """Rule out what two or three columns alone already rule out, and learn what they must suppress."""
        for chosen in combinations(range(len(self.shape)), min(width, len(self.shape))):
            space = prod(len(self.problem.columns[n].leaves[self.offset[n]]) for n in chosen)
            if space > _WIDEST_PROJECTION or time.monotonic() > self.until:
                continue
            small, base = projected(self.problem, self.pool[0], chosen)
            shape = tuple(self.shape[n] for n in chosen)
            extra, alive = np.zeros(shape), np.ones(shape, bool)
            made: dict[tuple[int, ...], Classes] = {}
            for node in np.ndindex(shape):
                levels = tuple(index + self.offset[n] for index, n in zip(node, chosen, strict=True))
                if any(level < lowest for level, lowest in zip(levels, base.levels, strict=True)):
                    continue  # ruled out before
                source = next((made[b] for b in _below(node) if b in made), base)
                made[node] = classes = coarser(source, levels, small)
                out = classes.counts < self.judge.k
                alive[node] = int(classes.counts[out].sum()) <= self.judge.limit
                extra[node] = self.judge.penalty(classes, out, chosen) if alive[node] else 0.0
            broad = tuple(self.shape[n] if n in chosen else 1 for n in range(len(self.shape)))
            self.alive &= alive.reshape(broad)
            np.maximum(self.extra, extra.reshape(broad), out=self.extra)


def _below(node: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(*node[:a], index - 1, *node[a + 1 :]) for a, index in enumerate(node) if index]


def _greedy(judge: Judge, nodes: int, until: float) -> Found | None:
    """For a lattice beyond counting: down from the top, each step the one that costs least, while it stays feasible.

    The bound is that of the finest node: what each column costs at its lowest level.
    """
    problem = judge.problem
    base = coarser(finest(problem), tuple(c.lowest for c in problem.columns), problem)
    best = judge.judge(coarser(base, tuple(c.highest for c in problem.columns), problem))
    seen = 1
    if best.suppressed > judge.limit:
        return None
    moving = True
    while moving and time.monotonic() < until:
        moving = False
        levels = best.classes.levels
        for axis, column in enumerate(problem.columns):
            if levels[axis] > column.lowest and time.monotonic() < until:
                finer = coarser(base, (*levels[:axis], levels[axis] - 1, *levels[axis + 1 :]), problem)
                judged = judge.judge(finer)
                seen += 1
                if judged.suppressed <= judge.limit and judge.key(judged) < judge.key(best):
                    best, moving = judged, True
    return judge.found(best, judge.score.final(judge.static(base.levels)), False, nodes, seen)
