"""Embargo: what is new of a dataset waits, complete and judged, until a moment; nothing of it is public before."""

from __future__ import annotations

from datetime import datetime

from odpipeline import embargo
from odpipeline.acts.recording import recorded
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import located
from odpipeline.flow import Zones


def keep_back(dataset: Dataset, town: Town, zones: Zones, until: datetime | None, who: str, because: str) -> None:
    """Let new content wait until `until` (with a time zone), or no more (None), whatever the declaration says.

    Raises: ApprovalRefused when it is not this person's to decide.
    """
    with located(dataset.id):
        details = {"until": until.isoformat() if until else None}
        recorded(zones, town, dataset.id, embargo.ACT, who, because, details)
