"""Until when new content of a dataset is kept back: as declared or announced, or as a person decided since."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from odpipeline.announcement import Announcement
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.journal import Journal

ACT = "embargo"
"""The act in the journal; `until` in its details is a moment, or None when the embargo was lifted."""


def until(dataset: Dataset, town: Town, journal: Journal, announced: Announcement | None = None) -> datetime | None:
    """When new content may be public, with a time zone; None when nothing keeps it back. The last decision counts.

    `announced` is what readers were told of that content: before its day it comes only by a decision made since.
    """
    acts = journal.acts(dataset.id, ACT)
    if acts:
        said = acts[0].details["until"]
        decided = datetime.fromisoformat(said) if said else None
    else:
        decided = moment(dataset.embargo, town) if dataset.embargo is not None else None
    if announced is None or (acts and acts[0].at > announced.at):
        return decided
    return max(decided, announced.until) if decided else announced.until


def moment(said: date | datetime, town: Town) -> datetime:
    """A day as its first instant in the town, a datetime without zone as one of the town.

    Raises: OdpError for one beyond the calendar.
    """
    zone = ZoneInfo(town.timezone)
    if not isinstance(said, datetime):
        said = datetime.combine(said, time())
    try:
        return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise OdpError("the moment is beyond the calendar", mend="name a day of this century") from None
