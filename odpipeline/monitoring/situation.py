"""How the last run of a dataset ended, as the text for its owner needs it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.quality import RunReport
from odpipeline.quality.owner import Served, Situation


def situation(dataset: Dataset, town: Town, zones: Zones, reports: list[RunReport]) -> tuple[RunReport, Situation]:
    """What the last run ended with; a run that failed before the gate has no report, and needs none.

    `reports` are those that the journal keeps, the newest first.
    Raises: OdpError when the dataset has never been run.
    """
    last, current = zones.journal.last(dataset.id), zones.store.current(dataset.id)
    if last is None or last.ended_at is None:
        raise OdpError("it has never been run", where=dataset.id, mend=f"run it: odp run {dataset.id}")
    failed = last.outcome == "failed"
    known = Situation(
        dataset.title,
        town.contact,
        ZoneInfo(town.timezone),
        Served(current.version, current.published_at, current.rows) if current else None,
        error=last.error or "" if failed else "",
        message=" ".join(last.reasons) if failed else "",
        since=zones.journal.failing_since(dataset.id),
    )
    if failed or last.outcome == "unchanged" or not reports:
        return RunReport(dataset.id, last.ended_at, last.outcome, last.version, last.content_hash, ()), known
    return reports[0], known
