"""What quality, privacy and the gate return, and what the store demands before it publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a failed finding weighs: `critical` refuses, `warning` publishes and tells, `info` is kept."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


ACCEPTED = "accepted"
"""The count, 1, of a finding that passed only because a person accepted this content."""
APPROVAL = "approval"
"""The group of the finding that waits for a person."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. Holds names, counts and shares; never the value of a cell.

    `group` is the part that checked (`quality`, `privacy`, `quarantine`, `schema`, `shrink`, `freshness`, `gate`,
    `approval`);
    `rule` names the check for a machine (`expect_column_values_to_be_unique`, `k_anonymity`);
    `message` says it for a person, remedy included when it failed. `declared` is what the declaration asks for, as far
    as it words the check: bounds, lengths, the names of further columns.
    """

    group: str
    rule: str
    passed: bool
    message: str
    severity: Severity = Severity.CRITICAL
    column: str | None = None
    counts: Mapping[str, int | float] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)

    @property
    def blocks(self) -> bool:
        """True when this finding alone forbids publication."""
        return not self.passed and self.severity is Severity.CRITICAL


@dataclass(frozen=True)
class Verdict:
    """Yes or no for exactly one content: the only thing that `store.publish` accepts.

    `content_hash` is that of the staged release (SHA-256, 64 hexadecimal digits), or empty when the refusal came
    before anything was staged. Made by `gate` and by nothing else.
    """

    dataset: str
    content_hash: str
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """True when something was staged, something was checked, and nothing blocks."""
        return bool(self.content_hash and self.findings) and not any(f.blocks for f in self.findings)

    @property
    def held(self) -> bool:
        """True when nothing but the yes of a person is missing."""
        blocking = [finding for finding in self.findings if finding.blocks]
        return bool(self.content_hash and blocking) and all(finding.group == APPROVAL for finding in blocking)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The messages of the findings that block, in the order they were found."""
        return tuple(f.message for f in self.findings if f.blocks)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The messages of the failed findings that do not block."""
        return tuple(f.message for f in self.findings if not f.passed and not f.blocks)
