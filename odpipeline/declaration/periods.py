"""Datasets that are delivered period by period: the word `periods`, and `{period}` in what the source is asked.

A period is named by its first day: `2026-10-05` (a day, or a week by its Monday), `2026-10` (a month, or a quarter by
its first one), `2026`. The asset graph, the command line and the captures use these names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from odpipeline.declaration.positions import Place
from odpipeline.declaration.words import Closed

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset

PeriodKind = Literal["day", "week", "month", "quarter", "year"]

NAMES: dict[PeriodKind, str] = {
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d",
    "month": "%Y-%m",
    "quarter": "%Y-%m",
    "year": "%Y",
}
"""Kind → how its periods are named, in the words of `strftime`, applied to the first day."""

_PLACE = re.compile(r"\{(period|next|last|quarter)(?::([^{}]*))?\}")
_MEANT = re.compile(r"\{(\w+)(?::%[^{}]*)?\}")
_FORMAT = re.compile(r"(?:%[YymdjGVu]|[-_/. T])+")
_NEVER_FILLED = ("system", "auth")
_TRIED = 120
"""Of so many periods it is looked whether each asks for something else: weeks of two years, months of ten."""


@dataclass(frozen=True, order=True)
class Span:
    """One period: its `first` day, and that of the `next` one."""

    first: date
    next: date

    @property
    def last(self) -> date:
        """The last day that belongs to it."""
        return self.next - timedelta(days=1)


class Periods(Closed):
    """That the source delivers one file, or one answer, for each period; the dataset is all of them together."""

    every: PeriodKind
    """One for each `day`, `week` (from Monday), `month`, `quarter` or `year`."""
    first: Annotated[str, BeforeValidator(str)]
    """The first period, by its first day: `2025-01-31`, `2025-01` (months; quarters by their first one), `2025`."""
    again: int = Field(default=2, ge=0)
    """How many of the newest periods each run asks for again, since they are still corrected; older ones stay."""
    running: bool = False
    """Asks for the period that is not over yet, too."""

    @model_validator(mode="after")
    def _begins(self) -> Self:
        self.span(self.first)
        return self

    def name(self, span: Span) -> str:
        """How the period is called: `2026-10`."""
        return span.first.strftime(NAMES[self.every])

    def span(self, name: str) -> Span:
        """The period of this name.

        Raises: ValueError when it is none.
        """
        try:
            day = datetime.strptime(name, NAMES[self.every]).date()  # noqa: DTZ007 - a day of the town's calendar
        except ValueError:
            day = None
        if day is None or period(self.every, day)[0] != day or self.name(Span(day, day)) != name:
            raise ValueError(f"{name!r} is no {self.every}; {_WRITTEN[self.every]}")
        return Span(*period(self.every, day))

    def due(self, today: date) -> list[Span]:
        """The periods that can be asked for on `today`, a day of the town, the oldest first."""
        spans, day = list[Span](), self.span(self.first).first
        while day <= today:
            span = Span(*period(self.every, day))
            if span.next <= today or self.running:
                spans.append(span)
            day = span.next
        return spans


def period(kind: PeriodKind, day: date) -> tuple[date, date]:
    """The first day of the period of `kind` that holds `day`, and that of the next one; weeks as in ISO 8601."""
    if kind == "day":
        return day, day + timedelta(days=1)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    months = {"month": 1, "quarter": 3, "year": 12}[kind]
    first = (day.month - 1) // months * months
    end = day.year * 12 + first + months
    return date(day.year, first + 1, 1), date(end // 12, end % 12 + 1, 1)


def filled(said: Any, span: Span) -> Any:
    """`said`, a declared source or a part of one, with the places for the period filled in.

    `{period}` is the first day, `{next}` that of the period after, `{last}` the last day, all as `2026-10-01` or as
    `{period:%Y%m}` says; `{quarter}` is 1 to 4.
    """
    match said:
        case str():
            return _PLACE.sub(lambda place: _worded(place, span), said)
        case dict():
            return {key: filled(value, span) for key, value in said.items()}
        case tuple():
            return tuple(filled(value, span) for value in said)
        case BaseModel():
            names = [name for name in type(said).model_fields if name not in _NEVER_FILLED]
            return said.model_copy(update={name: filled(getattr(said, name), span) for name in names})
        case _:
            return said


def _worded(place: re.Match[str], span: Span) -> str:
    if place[1] == "quarter":
        return str((span.first.month + 2) // 3)
    day = {"period": span.first, "next": span.next, "last": span.last}[place[1]]
    return day.strftime(place[2] or "%Y-%m-%d")


def any_period(said: str) -> str:
    """A pattern with the places for the period, as one for files that takes each of them."""
    return _PLACE.sub("*", said)


def faults(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    """What is wrong with `periods` and the places for them in `source`, as (place, what)."""
    source, said = dataset.source, dataset.periods
    texts = {
        name: list(_texts(getattr(source, name))) for name in type(source).model_fields if name not in _NEVER_FILLED
    }
    places = {name: [match for text in found for match in _PLACE.finditer(text)] for name, found in texts.items()}
    named = next((name for name, found in places.items() if found), None)
    if said is None:
        if named:
            what = f"source.{named} asks for one period, but none are declared; "
            yield ("source", named), what + "add periods: {every: month, first: 2025-01}"
        return
    if named is None:
        what = "periods are declared, but the source is not asked for one; write {period:%Y-%m} where its address, "
        yield ("periods",), what + "pattern, parameter or query names the period"
    for name, found in texts.items():
        yield from ((("source", name), why) for text in found for why in _misspelt(text))
    if named and (twins := _alike(said, source)):
        yield ("periods",), f"{twins[0]} and {twins[1]} ask for the same; write more of the period into source"
    yield from _unsuitable(dataset)


def _unsuitable(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    """What else is declared and does not go with periods."""
    source = dataset.source
    if getattr(source, "incremental", None):
        yield ("source", "incremental"), "periods and incremental are two ways to ask only for a part; keep one of them"
    if getattr(source, "take", "newest") == "all":
        yield ("source", "take"), "each period is one file; leave out take: all, or periods"
    if source.reads:
        yield ("periods",), f"a source of the kind {source.kind} is always whole; leave out periods"
    if dataset.format.member or dataset.format.members == "all":
        yield ("format",), "each period is one file; leave out member and members"
    if not dataset.key:
        yield ("periods",), "name the key of a row, so that a row that two periods deliver is noticed"


def _alike(said: Periods, source: BaseModel) -> tuple[str, str] | None:
    """Two periods for which the source is asked for one and the same, among the first of them."""
    seen: dict[str, str] = {}
    span = said.span(said.first)
    for _ in range(_TRIED):
        name, asked = said.name(span), repr(filled(source, span))
        if asked in seen:
            return seen[asked], name
        seen[asked] = name
        span = Span(*period(said.every, span.next))
    return None


def _texts(said: Any) -> Iterator[str]:
    match said:
        case str():
            yield said
        case dict():
            for value in said.values():
                yield from _texts(value)
        case tuple():
            for value in said:
                yield from _texts(value)
        case BaseModel():
            for name in type(said).model_fields:
                yield from _texts(getattr(said, name))


def _misspelt(text: str) -> Iterator[str]:
    for place in _MEANT.finditer(text):
        if not _PLACE.fullmatch(place[0]):
            yield f"{place[0]} is no place for a period; write {{period}}, {{next}}, {{last}} or {{quarter}}"
    for place in _PLACE.finditer(text):
        if place[2] is not None and (place[1] == "quarter" or not _FORMAT.fullmatch(place[2])):
            yield f"{place[0]}: a period is written with %Y, %y, %m, %d, %j, %G, %V, %u and - _ / . T between them"


_WRITTEN = {
    "day": "write 2026-10-31",
    "week": "write its Monday, such as 2026-10-26",
    "month": "write 2026-10",
    "quarter": "write its first month, such as 2026-10",
    "year": "write 2026",
}
