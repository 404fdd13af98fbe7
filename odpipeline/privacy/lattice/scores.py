"""What a node costs, and what it costs at least.

A score, after `transform`, is `low + extra`: `low` belongs to the node, or to what is known of finer ones, and can only
rise towards coarser nodes; `extra` is paid for suppressed rows and can only rise towards finer nodes. So what was seen
at one node bounds all the others. Formulas as the reference tool has them; sums over columns are weighted means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from odpipeline.privacy.lattice.problem import Codes, Counts, Problem


class Score:
    """The parts that scores share: a `part` for each column and level, summed over columns.

    `by_column` says that what a node costs without suppression is known before it is looked at.
    """

    by_column = True

    def __init__(self, problem: Problem, k: int, suppressible: int) -> None:
        self.problem, self.rows, self.k, self.suppressible = problem, problem.rows, k, suppressible
        weights = [column.weight for column in problem.columns]
        self.weights = [weight / sum(weights) for weight in weights]
        self.parts = [
            [self.part(number, level) for level in range(column.height + 1)]
            for number, column in enumerate(problem.columns)
        ]

    def part(self, number: int, level: int) -> float:  # noqa: ARG002  # a score over classes has no columns
        """What column `number` costs at `level` when nothing is suppressed."""
        return 0.0

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:  # noqa: ARG002
        """What the suppression of these classes costs at least, seen in the columns `chosen`; exact for all columns."""
        return 0.0

    def rising(self, counts: Counts, kept: int, suppressed: int) -> float:  # noqa: ARG002
        """What classes of these `counts` say about every coarser node; 0 when only columns count."""
        return 0.0

    def exact(self, low: float, extra: float, kept: int, suppressed: int) -> float:  # noqa: ARG002
        """The score of a node."""
        return self.final(low + extra)

    def final(self, transformed: float) -> float:
        """The score as people know it."""
        return transformed

    def transform(self, score: float) -> float:
        """The inverse of `final`."""
        return score


class Loss(Score):
    """The mean over columns of the share of the hierarchy that a value stands for (Iyengar 2002), 0 to 1."""

    def part(self, number: int, level: int) -> float:
        """The loss of one column."""
        return self.weights[number] * self._loss(number, level)

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:
        """A suppressed row stands for everything."""
        return sum(self.weights[n] * more for n, more in self._more(chosen, levels, codes, counts))

    def _loss(self, number: int, level: int) -> float:
        column = self.problem.columns[number]
        counts = self._histogram(number, level)
        return max(0.0, (int(counts @ column.leaves[level]) - self.rows) / max(self._span(number), 1))

    def _span(self, number: int) -> int:
        return self.rows * (self.problem.columns[number].size - 1)

    def _histogram(self, number: int, level: int) -> Counts:
        column = self.problem.columns[number]
        leaf = np.bincount(self.problem.codes[number], weights=self.problem.counts, minlength=len(column.leaves[0]))
        return np.bincount(column.groups[level], weights=leaf).astype(np.int64)

    def _more(
        self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts
    ) -> list[tuple[int, float]]:
        found = []
        for number, level, code in zip(chosen, levels, codes, strict=True):
            column = self.problem.columns[number]
            leaves = column.size - column.leaves[level][code]
            found.append((number, int(counts @ leaves) / max(self._span(number), 1)))
        return found


class GeometricLoss(Loss):
    """The same with the geometric mean of 1 + loss: one very coarse column weighs more."""

    def part(self, number: int, level: int) -> float:
        """The logarithm, so that columns add up."""
        return self.weights[number] * float(np.log1p(self._loss(number, level)))

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:
        """The logarithm of what suppression multiplies."""
        more = self._more(chosen, levels, codes, counts)
        return sum(
            self.weights[number] * float(np.log1p(add / np.exp(self.parts[number][level] / self.weights[number])))
            for (number, add), level in zip(more, levels, strict=True)
            if self.weights[number]
        )

    def final(self, transformed: float) -> float:
        """The mean minus 1."""
        return float(np.expm1(transformed))

    def transform(self, score: float) -> float:
        """The logarithm of 1 + score."""
        return float(np.log1p(score))


class EntropyLoss(Loss):
    """The information, in bits, that is lost (non-uniform entropy, Gionis and Tassa 2009); weights multiply."""

    def __init__(self, problem: Problem, k: int, suppressible: int) -> None:
        super().__init__(problem, k, suppressible)
        self.weights = [column.weight for column in problem.columns]
        self.parts = [
            [self.weights[n] * self._bits(n, level) for level in range(column.height + 1)]
            for n, column in enumerate(problem.columns)
        ]

    def part(self, number: int, level: int) -> float:  # noqa: ARG002  # they need the weights below
        """Made at once when the score is."""
        return 0.0

    def _bits(self, number: int, level: int) -> float:
        """What is lost about the leaves when only their groups are known."""
        leaf, group = self._histogram(number, 0), self._histogram(number, level)
        return float(-(leaf * np.log2(leaf / group[self.problem.columns[number].groups[level]])).sum())

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:
        """What is lost about the groups of suppressed rows."""
        total = int(counts.sum())
        bits = 0.0
        for number, level, code in zip(chosen, levels, codes, strict=True):
            column = self.problem.columns[number]
            group = np.bincount(code, weights=counts, minlength=len(column.leaves[level]))
            group = group[group > 0]
            bits += self.weights[number] * float(-(group * np.log2(group / total)).sum())
        return bits


class Precision(Score):
    """The mean share of the hierarchy's height that was climbed (Sweeney 2002); suppressed rows climbed all of it."""

    def part(self, number: int, level: int) -> float:
        """The share of one column."""
        return self.weights[number] * level / max(self.problem.columns[number].height, 1)

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:  # noqa: ARG002
        """The rest of the way, for suppressed rows."""
        rest = sum(self.weights[n] - self.part(n, level) for n, level in zip(chosen, levels, strict=True))
        return rest * int(counts.sum()) / self.rows


class Height(Score):
    """The sum of the levels (Samarati 2001), each times its weight."""

    def part(self, number: int, level: int) -> float:
        """The level itself."""
        return self.problem.columns[number].weight * level


class Discernibility(Score):
    """Σ n² over kept classes + N for each suppressed row (Bayardo and Agrawal 2005)."""

    by_column = False

    def penalty(self, chosen: Sequence[int], levels: Sequence[int], codes: Sequence[Codes], counts: Counts) -> float:  # noqa: ARG002
        """Each suppressed row costs N instead of the size of its class."""
        return float(int(counts.sum()) * self.rows - int(counts @ counts))

    def rising(self, counts: Counts, kept: int, suppressed: int) -> float:  # noqa: ARG002
        """Σ n² only grows when classes are merged."""
        return float(int(counts @ counts))


class AverageClass(Score):
    """N by the number of classes, all that is suppressed being one of them (LeFevre 2006)."""

    by_column = False

    def rising(self, counts: Counts, kept: int, suppressed: int) -> float:  # noqa: ARG002
        """A coarser class that is kept holds a kept one, or k rows that were suppressed."""
        most = min(kept + suppressed // self.k, self.rows // self.k) + (1 if self.suppressible else 0)
        return self.rows / max(most, 1)

    def exact(self, low: float, extra: float, kept: int, suppressed: int) -> float:  # noqa: ARG002
        """Classes are only counted where they are."""
        return self.rows / max(kept + (1 if suppressed else 0), 1)


SCORES: dict[str, Callable[[Problem, int, int], Score]] = {
    "loss": Loss,
    "geometric_loss": GeometricLoss,
    "entropy": EntropyLoss,
    "discernibility": Discernibility,
    "average_class": AverageClass,
    "precision": Precision,
    "height": Height,
}
"""The scores by the names of the declaration; the smallest is the best."""
