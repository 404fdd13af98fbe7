"""Which days count towards a promise: every one, working days, those of school weeks; none of a seasonal closure.

Public and school holidays come from the library `holidays` (Code du travail, art. L3133-1; the ministry's school
calendar). School holidays that are not known for a year yet count like other days: a promise is then late too soon,
never too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from odpipeline.declaration.promises import Days, Region, SchoolZone, Season

_DAY = timedelta(days=1)
_REGIONS: dict[str, str | None] = {
    "metropole": None, "alsace": "6AE", "moselle": "57", "guadeloupe": "971", "martinique": "972", "guyane": "973",
    "reunion": "974", "mayotte": "976", "saint-pierre-et-miquelon": "PM", "saint-barthelemy": "BL",
    "saint-martin": "MF", "polynesie-francaise": "PF", "nouvelle-caledonie": "NC", "wallis-et-futuna": "WF",
}  # fmt: skip
"""Region → the subdivision's code in the library; None for the holidays of all France."""


@dataclass(frozen=True)
class Calendar:
    """The days that count, in one town: `zone` is its time zone, `region` and `school_zone` say whose holidays."""

    zone: ZoneInfo
    days: Days = "every"
    region: Region = "metropole"
    school_zone: SchoolZone | None = None
    closed: tuple[Season, ...] = ()

    def counts(self, day: date) -> bool:
        """Whether `day` counts."""
        if any(season.holds(day) for season in self.closed):
            return False
        if self.days == "every":
            return True
        if day.weekday() >= 5 or day in _public(_REGIONS[self.region], day.year):
            return False
        return not (self.days == "school" and self.school_zone and day in _school(self.school_zone, day.year))

    def after(self, moment: datetime, length: timedelta) -> datetime:
        """When `length` of counted time has passed since `moment` (both with a time zone), in UTC.

        Whole days are days of the calendar, whatever their hours; what is left is real time.
        """
        local = moment.astimezone(self.zone)
        if not self.counts(local.date()):
            local = self.midnight(self._next(local.date()))
        day = local.date()
        for _ in range(length // _DAY):
            day = self._next(day)
        begins = datetime.combine(day, local.time(), self.zone).astimezone(UTC)
        left = length % _DAY
        while left > (room := self.midnight(day + _DAY).astimezone(UTC) - begins):
            left, day = left - room, self._next(day)
            begins = self.midnight(day).astimezone(UTC)
        return begins + left

    def midnight(self, day: date) -> datetime:
        """The beginning of `day` in the town."""
        return datetime.combine(day, time(), self.zone)

    def _next(self, day: date) -> date:
        """The first day after `day` that counts; the declaration ensures that there is one each year."""
        day += _DAY
        while not self.counts(day):
            day += _DAY
        return day


@lru_cache(maxsize=256)
def _public(subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", subdiv=subdivision, years=year))


@lru_cache(maxsize=256)
def _school(zone: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", subdiv=f"Zone {zone}", years=year, categories=("school",)))
