"""The score of a release, 0 to 100, made from the findings that are published with it, so that anybody can redo it.

Five dimensions, each a share from 0 to 1: the mean over its findings of

- the share of right values, for a rule that counts values: ``1 - unexpected_count / values looked at``;
- the share of readable rows, for the quarantine: ``1 - share``;
- ``promise / age`` where the newest data is older than promised, for the freshness;
- 1 where any other rule holds, 0 where it does not or where a person accepted that it does not.

Findings about the published rows stand for those about the delivered ones where both were asked the same. The score is
the mean of the dimensions by their weights, in hundredths, rounded down: 100 means that nothing at all is wrong. A
dimension about which nothing is asked does not count, and the report says so; privacy is a condition, and no quality.

Dimensions and their names are those of the W3C's Data Quality Vocabulary (DQV), after Zaveri et al., Quality assessment
for Linked Data: A Survey, Semantic Web 7(1), 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from odpipeline.quality.wording import considered, identity
from odpipeline.verdict import ACCEPTED, Finding

WEIGHTS: Mapping[str, float] = {
    "completeness": 0.25, "validity": 0.30, "uniqueness": 0.15, "consistency": 0.15, "timeliness": 0.15,
}  # fmt: skip
"""Dimension → its weight; together they are one."""

_BY_NAME: tuple[tuple[str, str], ...] = (
    ("be_null", "completeness"),
    ("non_null", "completeness"),
    ("unique", "uniqueness"),
    ("expect_table_", "consistency"),
    ("column_to_exist", "consistency"),
    ("of_type", "consistency"),
    ("in_type_list", "consistency"),
    ("_pair_", "consistency"),
    ("foreign_key", "consistency"),
    ("expect_", "validity"),
)
"""What stands in an expectation's name → its dimension; the first that fits counts."""

_BY_GROUP: Mapping[str, str] = {
    "quarantine": "validity", "quality": "validity", "schema": "consistency", "shrink": "consistency",
    "over_time": "consistency", "freshness": "timeliness",
}  # fmt: skip
"""Group → the dimension of its rules that are no expectations; those of other groups are no quality."""


@dataclass(frozen=True)
class Component:
    """One dimension: its `value` from 0 to 1, None when nothing is asked, and of how many `findings` it is the mean."""

    dimension: str
    weight: float
    value: float | None
    findings: int


@dataclass(frozen=True)
class Score:
    """`value` from 0 to 100, None when nothing at all was measured; `components` in the order of `WEIGHTS`."""

    value: int | None
    components: tuple[Component, ...]

    def as_json(self) -> dict[str, Any]:
        """The score as it is published; values are rounded down to four decimals."""
        return {"value": self.value, "components": [vars(component) for component in self.components]}


def score(findings: Iterable[Finding]) -> Score:
    """The score that `findings` make."""
    shares: dict[str, list[float]] = {name: [] for name in WEIGHTS}
    for finding in _counted_once(findings):
        if (dimension := dimension_of(finding)) is not None:
            shares[dimension].append(_share(finding))
    components = tuple(_component(name, weight, shares[name]) for name, weight in WEIGHTS.items())
    measured = [(component.weight, component.value) for component in components if component.value is not None]
    if not measured:
        return Score(None, components)
    mean = sum(weight * value for weight, value in measured) / sum(weight for weight, _ in measured)
    return Score(math.floor(round(mean * 100, 6)), components)


def dimension_of(finding: Finding) -> str | None:
    """The dimension that a finding belongs to; None when it says nothing about quality."""
    if finding.rule.startswith("expect_"):
        return next(dimension for part, dimension in _BY_NAME if part in finding.rule)
    return _BY_GROUP.get(finding.group)


def _counted_once(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Without the findings about delivered rows that were asked of the published ones as well."""
    once: dict[tuple[Any, ...], Finding] = {}
    for finding in findings:
        _, *same = identity(finding)
        key = (*same, repr(sorted(finding.declared.items())))
        if key not in once or finding.group == "gate":
            once[key] = finding
    return once.values()


def _component(name: str, weight: float, shares: list[float]) -> Component:
    if not shares:
        return Component(name, weight, None, 0)
    mean = sum(shares) / len(shares)
    return Component(name, weight, math.floor(round(mean * 10_000, 4)) / 10_000, len(shares))


def _share(finding: Finding) -> float:
    counts = finding.counts
    if "unexpected_count" in counts and (of := considered(finding.rule, counts)):
        return max(0.0, 1 - counts["unexpected_count"] / of)
    if finding.rule == "quarantine_ceiling" and "share" in counts:
        return 1 - counts["share"]
    if not finding.passed and {"age_seconds", "promise_seconds"} <= counts.keys():
        return min(1.0, counts["promise_seconds"] / max(1, counts["age_seconds"]))
    return float(finding.passed and ACCEPTED not in counts)
