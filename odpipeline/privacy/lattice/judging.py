"""One node, judged: which classes hold, what is suppressed, what it costs, and what that says about other nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odpipeline.privacy.lattice.classes import Classes, Levels
from odpipeline.privacy.lattice.models import Model, holds, monotone
from odpipeline.privacy.lattice.problem import Problem
from odpipeline.privacy.lattice.scores import SCORES, Score

Key = tuple[float, int, int, Levels]


@dataclass(frozen=True)
class Found:
    """A node and what it means; `levels` by column.

    `bound` is proven: no feasible node has a lower score. `optimal` says that the search ended, and then the score is
    the bound. `suppressed` rows lie in classes that do not hold; `classes` are kept, of `smallest` to `largest` rows.
    """

    levels: dict[str, int]
    score: float
    bound: float
    optimal: bool
    suppressed: int
    classes: int
    smallest: int
    largest: int
    nodes: int
    evaluated: int

    @property
    def gap(self) -> float:
        """How far the score may be from the optimum, as a share of the score; 0 when it is the optimum."""
        return 0.0 if self.optimal or not self.score else max(0.0, (self.score - self.bound) / self.score)


@dataclass(frozen=True)
class Judged:
    """`surely` rows are suppressed for the monotone models alone; `low` and `sure_extra` bound other nodes' scores."""

    classes: Classes
    fine: NDArray[np.bool_]
    suppressed: int
    surely: int
    low: float
    extra: float
    sure_extra: float
    score: float


class Judge:
    """Evaluates nodes: which classes hold, what is suppressed, what it costs."""

    def __init__(self, problem: Problem, k: int, limit: int, score: str, models: Sequence[Model]) -> None:
        self.problem, self.k, self.limit, self.models = problem, k, limit, tuple(models)
        self.score: Score = SCORES[score](problem, k, limit)
        self.everything = tuple(range(len(problem.columns)))

    def static(self, levels: Levels) -> float:
        """What the columns cost at `levels` when nothing is suppressed, transformed."""
        return sum(parts[level] for parts, level in zip(self.score.parts, levels, strict=True))

    def penalty(self, classes: Classes, out: NDArray[np.bool_], chosen: Sequence[int]) -> float:
        """What it costs at least that the classes `out` are suppressed, transformed."""
        if not out.any():
            return 0.0
        codes = [code[out] for code in classes.codes]
        return self.score.penalty(chosen, classes.levels, codes, classes.counts[out])

    def judge(self, classes: Classes) -> Judged:
        """The node of `classes`; models that are not monotone are only looked at while k leaves it a chance."""
        counts = classes.counts
        sure = counts >= self.k
        for model in self.models:
            if monotone(model):
                sure = sure & holds(model, classes, self.problem.sensitive)
        fine = sure
        surely = int(counts[~sure].sum())
        if surely <= self.limit:
            for model in self.models:
                if not monotone(model):
                    fine = fine & holds(model, classes, self.problem.sensitive)
        suppressed = int(counts[~fine].sum())
        rising = self.score.rising(counts, int(sure.sum()), surely)
        low = self.static(classes.levels) + rising
        sure_extra = self.penalty(classes, ~sure, self.everything)
        extra = sure_extra if fine is sure else self.penalty(classes, ~fine, self.everything)
        score = self.score.exact(low, extra, int(fine.sum()), suppressed)
        return Judged(classes, fine, suppressed, surely, low, extra, sure_extra, score)

    def key(self, judged: Judged) -> Key:
        """The order of preference: score (12 digits), suppressed rows, sum of levels, levels by column name."""
        levels = judged.classes.levels
        return float(f"{judged.score:.12g}"), judged.suppressed, sum(levels), levels

    def found(self, judged: Judged, bound: float, optimal: bool, nodes: int, evaluated: int) -> Found:
        """The node for people; `bound` is the least score of all nodes that are left."""
        kept = judged.classes.counts[judged.fine]
        levels = {c.name: level for c, level in zip(self.problem.columns, judged.classes.levels, strict=True)}
        smallest, largest = (int(kept.min()), int(kept.max())) if len(kept) else (0, 0)
        return Found(
            levels, judged.score, judged.score if optimal else min(bound, judged.score), optimal, judged.suppressed,
            len(kept), smallest, largest, nodes, evaluated,
        )  # fmt: skip
