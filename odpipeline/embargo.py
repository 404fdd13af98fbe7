"""Until when new content of a dataset is kept back: as declared, or as a person decided since (`odp embargo`)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.journal import Journal

ACT = "embargo"
"""The act in the journal; `until` in its details is a moment, or None when the embargo was lifted."""


def until(dataset: Dataset, town: Town, journal: Journal) -> datetime | None:
    """When new content may be public, with a time zone; None when nothing keeps it back. The last decision counts."""
    for act in journal.acts(dataset.id, ACT):
        said = act.details["until"]
        return datetime.fromisoformat(said) if said else None
    return moment(dataset.embargo, town) if dataset.embargo is not None else None


def moment(said: date | datetime, town: Town) -> datetime:
    """A day as its first instant in the town, a datetime without zone as one of the town."""
    zone = ZoneInfo(town.timezone)
    if not isinstance(said, datetime):
        said = datetime.combine(said, time())
    return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)
