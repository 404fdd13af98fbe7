"""What stays of one run's findings in the private zone, whether it published or not: what failed, and since when.

“Since when” is carried from run to run, so that it outlives the few reports that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from odpipeline.journal import Journal, RunRecord
from odpipeline.quality import wording
from odpipeline.quality.public import listed, restored
from odpipeline.quality.score import Score, score
from odpipeline.verdict import Finding


@dataclass(frozen=True)
class Recorded:
    """A finding of a run; when it failed, `since` when it does without a break (UTC), and in how many `runs`."""

    finding: Finding
    since: datetime | None = None
    runs: int = 0


@dataclass(frozen=True)
class RunReport:
    """The findings of one run in their order. `version` is None when nothing was published; times are UTC."""

    dataset: str
    ended_at: datetime
    outcome: str
    version: int | None
    content_hash: str | None
    recorded: tuple[Recorded, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings alone."""
        return tuple(entry.finding for entry in self.recorded)

    @property
    def blocking(self) -> tuple[Recorded, ...]:
        """What forbade the publication."""
        return tuple(entry for entry in self.recorded if entry.finding.blocks)

    @property
    def told(self) -> tuple[Recorded, ...]:
        """What failed and forbade nothing."""
        return tuple(entry for entry in self.recorded if not entry.finding.passed and not entry.finding.blocks)

    @property
    def score(self) -> Score:
        """The score of everything that was found."""
        return score(self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report by an allow-list: names, counts, words; never the value of a cell."""
        return {
            "dataset": self.dataset,
            "ended_at": self.ended_at.isoformat(),
            "verdict": self.outcome,
            "version": self.version,
            "content_hash": self.content_hash,
            "score": self.score.as_json(),
            "findings": [_entry(recorded) for recorded in self.recorded],
        }


def run_report(findings: Iterable[Finding], run: RunRecord, journal: Journal) -> RunReport:
    """The report of `run`, which has ended; since when something fails is read in the reports that `journal` keeps.

    Only what failed keeps its message.
    """
    found, now = tuple(findings), run.ended_at or datetime.now(UTC)
    past = [
        dict(zip(wording.identities(report.findings), report.recorded, strict=True))
        for report in run_reports(journal, run.dataset)
    ]
    recorded = tuple(
        Recorded(replace(finding, message="")) if finding.passed else _failing(finding, name, past, now)
        for finding, name in zip(found, wording.identities(found), strict=True)
    )
    return RunReport(run.dataset, now, run.outcome, run.version, run.content_hash, recorded)


def run_reports(journal: Journal, dataset: str) -> list[RunReport]:
    """The reports that `journal` keeps of the runs of `dataset`, the newest first."""
    return [
        RunReport(
            report["dataset"], datetime.fromisoformat(report["ended_at"]), report["verdict"], report["version"],
            report["content_hash"], tuple(map(_read, report["findings"])),
        )
        for report in journal.reports(dataset)
    ]  # fmt: skip


def _failing(
    finding: Finding, name: tuple[Any, ...], past: Sequence[Mapping[tuple[Any, ...], Recorded]], now: datetime
) -> Recorded:
    """Carried on from the newest report that speaks of it: a run that was refused early does not break the row."""
    before = next((report[name] for report in past if name in report), None)
    if before is None or before.since is None:
        return Recorded(finding, now, 1)
    return Recorded(finding, before.since, before.runs + 1)


def _entry(recorded: Recorded) -> dict[str, Any]:
    finding, since = recorded.finding, recorded.since
    entry = listed(finding)
    if since is not None:
        entry |= {"message": finding.message, "since": since.isoformat(), "runs": recorded.runs}
    return entry


def _read(entry: Mapping[str, Any]) -> Recorded:
    since = entry.get("since")
    finding = restored(entry, message=entry.get("message", ""))
    return Recorded(finding, datetime.fromisoformat(since) if since else None, entry.get("runs", 0))
