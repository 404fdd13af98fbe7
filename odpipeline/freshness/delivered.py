"""What the periods that were delivered tell: how new a dataset is, and which of them are missing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.freshness.ages import Newest
from odpipeline.freshness.calendar import Calendar
from odpipeline.verdict import Finding, Severity

_NAMED = 12


def dated(dataset: Dataset, changed: datetime | None, periods: Collection[str], newest: Newest) -> datetime | None:
    """The date of the data (UTC), by what the declaration says that tells it; None when that tells nothing.

    `changed`: when the source says that its content was changed; `periods`: those that were delivered with rows, by
    name, the newest of which counts as its last day; `newest`: the newest event.
    """
    if dataset.freshness.dated_by == "source":
        return changed
    if dataset.freshness.dated_by == "column":
        return newest.date
    assert dataset.periods  # noqa: S101 - a declaration without them is refused
    last = max((dataset.periods.span(name).last for name in periods), default=None)
    return datetime.combine(last, time(), UTC) if last else None


def missing_periods(dataset: Dataset, periods: Collection[str], now: datetime) -> tuple[Finding, ...]:
    """Whether each period was delivered that is over, and was promised for before `now`; nothing for other datasets."""
    if dataset.periods is None:
        return ()
    said, town = dataset.freshness, dataset.calendar
    zone = ZoneInfo(dataset.timezone)
    calendar = Calendar(zone, said.days, town.holidays, town.school_zone, said.closed)
    over = [
        dataset.periods.name(span)
        for span in dataset.periods.due(now.astimezone(zone).date())
        if calendar.after(calendar.midnight(span.next), said.within or timedelta()) <= now
    ]
    missing = [name for name in over if name not in periods]
    message = "every period that is over has come"
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        named = ", ".join(missing[:_NAMED])
        message = (f"{len(missing)} of {len(over)} periods are missing or have no rows: {named}{more}; "
                   "ask the source's owner for them, each run asks again")  # fmt: skip
    counts = {"unexpected_count": len(missing), "element_count": len(over)}
    return (Finding("freshness", "periods", not missing, message, Severity.WARNING, counts=counts),)
