"""Announcing: what breaks readers, and was accepted, is told some time before it comes."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from odpipeline import announcement, quality
from odpipeline.announcement import Announcement
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import located
from odpipeline.flow import Zones
from odpipeline.journal import Act
from odpipeline.store.diffing import SchemaChange


def announce(dataset: Dataset, zones: Zones, content_hash: str, because: str) -> Announcement | None:
    """Announce what breaks readers in the refused content `content_hash` (or its first digits), as `notice` says.

    None when nothing of it does, when the declaration asks for no notice, or when it is announced already.
    Raises: OdpError when the journal or the store cannot be read.
    """
    with located(dataset.id):
        current, changes = zones.store.current(dataset.id), _refused(dataset, zones, content_hash)
        if not dataset.notice or current is None or not changes:
            return None
        before = announcement.ahead(dataset, current, zones.store, zones.journal)
        if before and set(changes) <= set(before.changes):
            return None
        account, now = getpass.getuser(), datetime.now(UTC)
        told = Announcement(changes, now, now + dataset.notice, current.version)
        zones.journal.act(Act(dataset.id, announcement.ACT, account, account, because, now, told.details()))
        return told


def _refused(dataset: Dataset, zones: Zones, content_hash: str) -> tuple[SchemaChange, ...]:
    """What the gate found to break readers in that content, when it judged it last."""
    reports = quality.run_reports(zones.journal, dataset.id)
    found = next((report for report in reports if (report.content_hash or "").startswith(content_hash)), None)
    for finding in found.findings if found else ():
        if finding.rule == "breaking_schema":
            return announcement.restored(finding.declared.get("changes", ()))
    return ()
