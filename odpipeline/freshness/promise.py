"""When data of a given date is too old: an age, or periods that are published so long after their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import PeriodKind, period
from odpipeline.declaration.words import spell_duration
from odpipeline.freshness.calendar import Calendar

_DATES = ("date", "year", "yearmonth")
"""Types that name a day of the town's calendar, whatever the hour."""
_COUNTED = {"every": "", "working": " of working days", "school": " of school days"}


@dataclass(frozen=True)
class Promise:
    """What a dataset promises of its data's age: exactly one of `data`, and `every` with `within`.

    `by_day`: its dates are days of the town, not moments. `by_source`: the source says when its content was changed.
    `by_period`: the newest period that was delivered does.
    """

    calendar: Calendar
    data: timedelta | None
    every: PeriodKind | None
    within: timedelta
    by_day: bool
    by_source: bool
    by_period: bool

    @classmethod
    def of(cls, dataset: Dataset) -> Promise | None:
        """The promise that `dataset` declares; None when it promises nothing of its data."""
        said, town = dataset.freshness, dataset.calendar
        if not said.promised:
            return None
        calendar = Calendar(ZoneInfo(dataset.timezone), said.days, town.holidays, town.school_zone, said.closed)
        types = {field.name: field.type for field in dataset.published_fields}
        by_source = said.dated_by == "source"
        by_period = said.dated_by == "period"
        by_day = by_period or (not by_source and types.get(said.column or "") in _DATES)
        return cls(calendar, said.data, said.every, said.within or timedelta(), by_day, by_source, by_period)

    def due(self, dated: datetime) -> datetime:
        """When the promise is broken if nothing newer than `dated` (with a time zone) is published by then; in UTC."""
        moment = self.calendar.midnight(dated.date()) if self.by_day else dated.astimezone(self.calendar.zone)
        if self.every is None:
            return self.calendar.after(moment, self.data or timedelta())
        _, ends = period(self.every, moment.date())
        if not self.by_source:  # this period is there: the next one is missing
            _, ends = period(self.every, ends)
        return self.calendar.after(self.calendar.midnight(ends), self.within)

    @property
    def words(self) -> str:
        """The promise for data engineers: `each month within 10 days of working days`."""
        days = _COUNTED[self.calendar.days]
        if self.every is None:
            said = f"at most {spell_duration(self.data or timedelta())}{days}"
        else:
            said = f"each {self.every} within {spell_duration(self.within)}{days} of its end"
        closed = ", ".join(map(str, self.calendar.closed))
        return said + (f", not counting {closed}" if closed else "")
