"""What the suite of today would have said of every kept capture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from odpipeline import quality
from odpipeline.declaration.dataset import Dataset
from odpipeline.flow import Zones
from odpipeline.profiling.rereading import Reread, reread
from odpipeline.verdict import Finding


@dataclass(frozen=True)
class Tried:
    """One capture against the suite. `why` says why it cannot be read, or is empty; `findings` holds what failed."""

    sha256: str
    delivered: datetime | None
    rows_in: int | None
    quarantined: int | None
    findings: tuple[Finding, ...]
    why: str

    @property
    def refused(self) -> bool:
        """Whether it would have been refused before anything was staged."""
        return bool(self.why) or any(finding.blocks for finding in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What forbids publication, in words; for an accepted capture, what is only told."""
        told = tuple(f.message for f in self.findings if f.blocks == self.refused)
        return (self.why, *told) if self.why else told


def tried(dataset: Dataset, zones: Zones) -> Iterator[Tried]:
    """Each kept capture, the last seen first, read and checked as the declaration and the suite say today.

    What is compared with a release (growth, drift, vanished keys) is left to `odp replay`, which goes on to the gate.
    Raises: OdpError when none is kept; QualityError when the suite cannot be read or evaluated.
    """
    suite = quality.suite_for(dataset)
    for one in reread(dataset, zones):
        yield _tried(one, suite, zones)


def _tried(one: Reread, suite: quality.Suite, zones: Zones) -> Tried:
    delivered = one.capture.fetched_at if one.capture else None
    if one.rows is None:
        return Tried(one.sha256, delivered, None, None, (), one.why)
    found = (*one.rows.findings, *quality.check(one.rows.parquet, suite, zones.duck).findings)
    failed = tuple(finding for finding in found if not finding.passed)
    return Tried(one.sha256, delivered, one.rows.rows_in, one.rows.quarantined, failed, "")
