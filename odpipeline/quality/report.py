"""What a check found, in words for a person: expectations, columns, counts, remedies. Never an observed value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odpipeline.quality.kinds import KINDS
from odpipeline.quality.suites import Expectation
from odpipeline.quality.wording import considered
from odpipeline.verdict import Finding, Severity

_TOLD = (
    "column_A", "column_B", "column_list", "column_set", "min_value", "max_value", "strict_min", "strict_max", "value",
    "or_equal", "mostly", "year",
)  # fmt: skip
"""The arguments that a report repeats: columns, bounds and shares; lists of values and patterns are not for reading."""


@dataclass(frozen=True)
class QualityReport:
    """One finding for each expectation, in the suite's order; `seconds` is how long the check took."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def blocks(self) -> bool:
        """True when a finding forbids publication, and when nothing was checked at all."""
        return not self.findings or any(finding.blocks for finding in self.findings)


def finding(
    expectation: Expectation,
    *,
    group: str,
    held: bool,
    numbers: Mapping[str, int | float],
    absent: Sequence[str] = (),
) -> Finding:
    """What one evaluated expectation found.

    `numbers` are its counts and shares, `absent` the columns that it names and the rows do not have.
    """
    words = _held_words(expectation) if held else _failed_words(expectation, numbers, absent)
    return _finding(expectation, group, held, f"{_subject(expectation)}: {words}", expectation.severity, numbers)


def not_evaluated(expectation: Expectation, *, group: str, failure: str) -> Finding:
    """An expectation that could not be evaluated: it always blocks, for a check that could not run is a no.

    `failure` is the name of an exception's type, whose message is not shown, because it can hold a cell.
    """
    message = (
        f"{_subject(expectation)}: {expectation.type} could not be evaluated ({failure}); "
        f"check its arguments at {expectation.place}"
    )
    return _finding(expectation, group, False, message, Severity.CRITICAL, {})


def _finding(
    expectation: Expectation,
    group: str,
    held: bool,
    message: str,
    severity: Severity,
    numbers: Mapping[str, int | float],
) -> Finding:
    column = expectation.kwargs.get("column")
    declared = {name: value for name, value in expectation.kwargs.items() if name in _TOLD}
    return Finding(group, expectation.type, held, message, severity, column, dict(numbers), declared)


def _held_words(expectation: Expectation) -> str:
    """`values to be unique`: the expectation's name as words."""
    name = expectation.type.removeprefix("expect_").removeprefix("column_").removeprefix("table_")
    return name.replace("_", " ") + ", as expected"


def _failed_words(expectation: Expectation, numbers: Mapping[str, int | float], absent: Sequence[str]) -> str:
    kind, kwargs = KINDS[expectation.type], expectation.kwargs
    failed = kind.failed(kwargs)
    if not kind.by_row:
        shown = [f"{value:,.4g} {name.replace('_', ' ')}" for name, value in numbers.items()]
        details = f" ({', '.join([*shown, *(f'{column} is missing' for column in absent)])})" if shown or absent else ""
        return f"{failed}{details}; look into the delivery, or change the expectation at {expectation.place}"
    wrong, of = int(numbers.get("unexpected_count", 0)), considered(expectation.type, numbers)
    counted = failed if failed.startswith("rows ") else f"values {failed}"
    least = kwargs.get("mostly", 1)
    tolerance = f" ({least * 100:g} % must be right)" if least < 1 else ""
    remedy = f"correct them in the source system, or widen the constraint at {expectation.place}"
    return f"{wrong:,} of {of:,} {counted}{tolerance}; {remedy}"


def _subject(expectation: Expectation) -> str:
    kwargs = expectation.kwargs
    if "column" in kwargs:
        return str(kwargs["column"])
    if "column_A" in kwargs:
        return f"{kwargs['column_A']} and {kwargs['column_B']}"
    if expectation.type == "expect_compound_columns_to_be_unique":
        return " + ".join(kwargs["column_list"])
    return "the table"
