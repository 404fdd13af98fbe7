"""What the public reads of a dataset's promise, in French and in English, and whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.promises import Season
from odpipeline.freshness import Promise
from odpipeline.quality.typography import (
    english_age,
    english_count,
    english_date,
    french_age,
    french_count,
    french_date,
    typographic,
)
from odpipeline.quality.wording import Language

_A_YEAR = 2028
_DAY = timedelta(days=1)
_EACH = {
    "day": ("Chaque jour", "Each day"),
    "week": ("Chaque semaine", "Each week"),
    "month": ("Chaque mois", "Each month"),
    "quarter": ("Chaque trimestre", "Each quarter"),
    "year": ("Chaque année", "Each year"),
}
_COUNTED = {
    "every": ("", ""),
    "working": (" (jours ouvrés)", " (working days)"),
    "school": (" (jours de classe)", " (school days)"),
}


@dataclass(frozen=True)
class Promised:
    """A promise as citizens read it: `text`, whether it is `kept`, and `until` when, or since when it is not (UTC).

    `kept` and `until` are None when the data has no date.
    """

    text: str
    kept: bool | None
    until: datetime | None


def promised(dataset: Dataset, data_date: datetime | None, now: datetime, language: Language) -> Promised | None:
    """What `dataset` promises, at `now`, of data that is dated `data_date`; None when it promises nothing."""
    promise = Promise.of(dataset)
    if promise is None:
        return None
    due = promise.due(data_date) if data_date else None
    french = language == "fr"
    text = _french(promise) if french else _english(promise)
    return Promised(typographic(text) if french else text, now <= due if due else None, due)


def _french(promise: Promise) -> str:
    counted = _COUNTED[promise.calendar.days][0]
    if promise.every is None:
        said = f"Données de moins de {_length(promise.data, french=True)}{counted}"
    else:
        said = f"{_EACH[promise.every][0]} est publié{'e' if promise.every in ('week', 'year') else ''} "
        said += f"dans les {_length(promise.within, french=True)} qui suivent{counted}"
    return said + "".join(f", hors période du {_season(season, french=True)}" for season in promise.calendar.closed)


def _english(promise: Promise) -> str:
    counted = _COUNTED[promise.calendar.days][1]
    if promise.every is None:
        said = f"Data less than {_length(promise.data, french=False)} old{counted}"
    else:
        said = (
            f"{_EACH[promise.every][1]} is published within {_length(promise.within, french=False)} of its end{counted}"
        )
    return said + "".join(f", except from {_season(season, french=False)}" for season in promise.calendar.closed)


def _length(length: timedelta | None, *, french: bool) -> str:
    """Whole days as such, a single one in hours: “dans les 24 heures”."""
    days, rest = divmod(length or timedelta(), _DAY)
    if days > 1 and not rest:
        return french_count(days, "jour") if french else english_count(days, "day")
    if days == 1 and not rest:
        return french_count(24, "heure") if french else english_count(24, "hour")
    seconds = (length or timedelta()).total_seconds()
    return french_age(seconds) if french else english_age(seconds)


def _season(season: Season, *, french: bool) -> str:
    """`15 juillet au 31 août`, `15 July to 31 August`: the dates of any year, without it."""
    zone, said = ZoneInfo("UTC"), french_date if french else english_date
    ends = [said(date(_A_YEAR, *end), zone).rpartition(" ")[0] for end in (season.first, season.last)]
    return (" au " if french else " to ").join(ends)
