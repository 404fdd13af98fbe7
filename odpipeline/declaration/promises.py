"""What is promised of a dataset's age: the words of `freshness`, and of the town's `calendar`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from odpipeline.declaration.periods import PeriodKind
from odpipeline.declaration.positions import Place
from odpipeline.declaration.words import Closed, Duration

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset
    from odpipeline.declaration.town import Town

Days = Literal["every", "working", "school"]
SchoolZone = Literal["A", "B", "C"]
Region = Literal[
    "metropole", "alsace", "moselle", "guadeloupe", "martinique", "guyane", "reunion", "mayotte",
    "saint-pierre-et-miquelon", "saint-barthelemy", "saint-martin", "polynesie-francaise", "nouvelle-caledonie",
    "wallis-et-futuna",
]  # fmt: skip

_SEASON = r"(\d\d)-(\d\d) to (\d\d)-(\d\d)"
_LEAP_YEAR = 2028
_DATED = ("http", "folder", "sftp", "s3", "opendatasoft", "ckan", "gtfs")
"""The kinds of sources that can say when their content was last changed."""


@dataclass(frozen=True)
class Season:
    """The same days of each year, both ends included, as (month, day); it may go over the turn of the year."""

    first: tuple[int, int]
    last: tuple[int, int]

    def holds(self, day: date) -> bool:
        """Whether `day` lies in it."""
        at = (day.month, day.day)
        return self.first <= at <= self.last if self.first <= self.last else at >= self.first or at <= self.last

    def __str__(self) -> str:
        return f"{self.first[0]:02}-{self.first[1]:02} to {self.last[0]:02}-{self.last[1]:02}"


def _season(value: Any) -> Season:
    if isinstance(value, Season):
        return value
    found = re.fullmatch(_SEASON, str(value).strip())
    try:
        first, last = [
            (day.month, day.day)
            for day in (date(_LEAP_YEAR, int(found[n]), int(found[n + 1])) for n in (1, 3))  # type: ignore[index]
        ]
    except (TypeError, ValueError):
        raise ValueError("a season is two days of the year, month first: `07-15 to 08-31`") from None
    return Season(first, last)


SeasonText = Annotated[
    Season,
    BeforeValidator(_season),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SEASON}$"}),
]
"""Days of each year, written `07-15 to 08-31`."""


class TownCalendar(Closed):
    """Whose holidays are kept in the town."""

    holidays: Region = "metropole"
    """The part of France whose public holidays do not count as working days; `alsace` and `moselle` have two more."""
    school_zone: SchoolZone | None = None
    """The academic zone, `A`, `B` or `C`, for promises that count the days of school weeks."""


class Freshness(Closed):
    """The promise made to the public: an age (`data`), or a delivery for each period (`every` and `within`)."""

    data: Duration | None = None
    """How old the newest published event may be."""
    every: PeriodKind | None = None
    """Each `day`, `week` (from Monday), `month`, `quarter` or `year` is published…"""
    within: Duration | None = None
    """… so long after its end: `10 days` after a month is “by the 10th”."""
    dated_by: Literal["column", "source", "period"] = "column"
    """What tells the age: the events in `column`; `source`, when the source says that its content was changed; or
    `period`, the newest of `periods` that was delivered."""
    column: str | None = None
    """The published column that holds the time of the event: date, datetime, year or yearmonth."""
    ahead: Duration = timedelta(days=1)
    """How far in the future an event may lie; those beyond count for nothing and are told."""
    days: Days = "every"
    """The days that count: `every`, `working` (no weekends, no public holidays), `school` (nor school holidays)."""
    closed: tuple[SeasonText, ...] = ()
    """Seasons of each year whose days do not count, such as `[07-15 to 08-31]`."""
    run: Duration = timedelta(hours=36)
    """How long ago the last successful check may be."""

    @property
    def promised(self) -> bool:
        """Whether anything is promised of the data's age."""
        return self.data is not None or self.every is not None


def faults(dataset: Dataset, town: Town | None) -> Iterator[tuple[Place, str]]:
    """What is wrong with `freshness`, as (place, what)."""
    said, place = dataset.freshness, ("freshness",)
    published = {field.name: field for field in dataset.published_fields}
    if said.column in published and (kind := published[said.column].type) not in _TIMES:
        what = f"freshness.column: {said.column!r} is published as {kind}; name a date or datetime column"
        yield (*place, "column"), what
    if said.data and said.every:
        yield (*place, "every"), "freshness promises an age (data) and periods (every); keep one of the two"
    if (said.every is None) != (said.within is None):
        yield (*place, "every" if said.every else "within"), "freshness: every and within go together"
    if said.dated_by == "source" and dataset.source.kind not in _DATED:
        what = f"freshness.dated_by: a source of the kind {dataset.source.kind} has no date of its own"
        yield (*place, "dated_by"), f"{what}; name the event's column in freshness.column"
    if said.dated_by == "period" and dataset.periods is None:
        what = "freshness.dated_by: no periods are declared; declare them, or name the event's column"
        yield (*place, "dated_by"), what
    if said.promised and said.dated_by == "column" and not said.column:
        key = "data" if said.data else "every"
        what = f"freshness.{key} promises an age, but nothing tells it; name the event's column in freshness.column"
        yield (*place, key), what
    if said.days == "school" and town and not town.calendar.school_zone:
        yield (*place, "days"), "freshness.days: school holidays differ by zone; name calendar.school_zone in town.yaml"
    days = [date(_LEAP_YEAR, 1, 1) + timedelta(days=n) for n in range(366)]
    if sum(not any(season.holds(day) for season in said.closed) for day in days) < _OPEN_DAYS:
        yield (
            (*place, "closed"),
            f"freshness.closed leaves less than {_OPEN_DAYS} days of the year; shorten a season",
        )


_TIMES = ("date", "datetime", "year", "yearmonth")
_OPEN_DAYS = 31

__all__ = ["Days", "Freshness", "Region", "SchoolZone", "Season", "TownCalendar", "faults"]
