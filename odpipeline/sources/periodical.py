"""Sources that deliver period by period: what is asked for now, and one whole delivery of all periods together.

The delivery is an uncompressed ZIP of `2026-09.csv`, `2026-10.csv`… in the order of time, its bytes a function of
theirs alone. What is not asked for comes from the last capture, so that a capture is always whole, and a period that
the system has deleted since is not lost.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import Periods, filled
from odpipeline.errors import NotDelivered, SourceError
from odpipeline.sources.delivery import Delivery, Order, Unchanged, Validators, intake
from odpipeline.sources.drops import add, bundled, suffix_of

_CHUNK_BYTES = 1 << 20

Ask = Callable[[Order], Delivery | Unchanged]
"""Asks the system for what the source of the order's dataset declares."""


_NOTHING: Mapping[str, Validators] = {}


@dataclass(frozen=True)
class _Part:
    """The file of one period: the suffix of its name, its bytes."""

    suffix: str
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class _New(_Part):
    """… that was delivered now: what to ask with next time, and when the source says that it was changed."""

    mark: Validators
    dated: datetime | None


def due(dataset: Dataset, known: Collection[str], now: datetime) -> list[str]:
    """The periods to ask for when nobody says which: those never delivered, and the newest `again`, the oldest first.

    `known`: those that the last capture holds; `now` with a time zone.
    """
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    names = all_due(dataset, now)
    newest = set(names[len(names) - dataset.periods.again :])
    return [name for name in names if name in newest or name not in known]


def all_due(dataset: Dataset, now: datetime) -> list[str]:
    """Every period that can be asked for at `now`, the oldest first."""
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    today = now.astimezone(ZoneInfo(dataset.timezone)).date()
    return [dataset.periods.name(span) for span in dataset.periods.due(today)]


def chosen(dataset: Dataset, names: Collection[str], now: datetime) -> list[str]:
    """The periods that a person names, each once, the oldest first; `2026-01:2026-03` is one and all up to another.

    All that can be asked for when no name is given.
    Raises: SourceError when the dataset has none, or not these.
    """
    if dataset.periods is None:
        raise SourceError("it is not delivered by period", where=dataset.place(), mend="run it without --period")
    known, wanted = all_due(dataset, now), set[str]()
    for name in names:
        first, _, last = name.partition(":")
        try:
            ends = [dataset.periods.span(one) for one in (first, last or first)]
        except ValueError as error:
            raise SourceError(str(error), where="--period", mend="or first:last for several") from None
        inside = [one for one in known if ends[0] <= dataset.periods.span(one) <= ends[1]]
        if not inside:
            reach = f"from {known[0]} to {known[-1]}" if known else f"none before {dataset.periods.first} is over"
            raise SourceError(f"there is no period {name}", where=dataset.place("periods"), mend=f"there are: {reach}")
        wanted.update(inside)
    return [name for name in known if name in wanted or not names]


def extract(order: Order, ask: Ask, names: Collection[str] | None, now: datetime) -> Delivery | Unchanged:
    """All periods up to `now` in one delivery: those of `names` (None: those that are `due`) as the system has them.

    Raises: SourceError, SourceUnavailable, SecretMissing; NotDelivered when there is no period at all.
    """
    periods = order.dataset.periods
    assert periods  # noqa: S101 - as the caller knows
    asked = hashlib.sha256(order.dataset.source.model_dump_json().encode()).hexdigest()
    known: Mapping[str, Validators] = order.since.periods if order.since and order.since.asked == asked else _NOTHING
    if known is _NOTHING and order.since and order.since.periods:  # what it holds was asked for in another way
        names = all_due(order.dataset, now)
    names = due(order.dataset, known, now) if names is None else names
    wanted = [name for name in all_due(order.dataset, now) if name in names or name in known]
    if not wanted:
        raise NotDelivered("no period is over yet", where=order.declared, mend=f"the first one is {periods.first}")
    found, missed = _asked(order, ask, periods, [name for name in wanted if name in names], known)
    kept = [name for name in wanted if name in known and name not in found]
    if not found and not kept:
        raise next(iter(missed.values()))
    if not found and len(kept) == len(known):
        return Unchanged("every period that was asked for is unchanged")
    with _earlier(order if kept else None) as earlier:
        if not set(kept) <= set(earlier):  # the last capture is gone or damaged: nothing is known
            return extract(replace(order, since=None), ask, {*names, *kept}, now)
        marks = {name: found[name].mark if name in found else known[name] for name in sorted([*found, *kept])}
        with intake(order.dataset.source, order, where=order.declared) as arriving, bundled(arriving) as bundle:
            for name in marks:
                one = found.get(name) or earlier[name]
                add(bundle, f"{name}{one.suffix}", one.read())
    dated = max((one.dated for one in found.values() if one.dated), default=None)
    return Delivery(order.path, "periods.zip", "application/zip", None, None, asked, dated, marks)


def _asked(
    order: Order, ask: Ask, periods: Periods, names: Collection[str], known: Mapping[str, Validators]
) -> tuple[dict[str, _New], dict[str, NotDelivered]]:
    """What the system delivers for each period, if it is new; and those for which it has nothing."""
    found, missed = dict[str, _New](), dict[str, NotDelivered]()
    for name in names:
        folder = order.folder / "periods" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = filled(order.dataset.source, periods.span(name))
        dataset = order.dataset.model_copy(update={"source": source})
        try:
            one = ask(replace(order, dataset=dataset, folder=folder, since=known.get(name), earlier=lambda: None))
        except NotDelivered as error:
            missed[name] = error
            continue
        if isinstance(one, Delivery):
            before, part = known.get(name), _part(one)
            if before is None or part.mark.sha256 != before.sha256:
                found[name] = part
    return found, missed


def _part(one: Delivery) -> _New:
    with one.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    mark = Validators(one.etag, one.last_modified, sha256, one.asked)
    return _New(suffix_of(one.name), partial(_chunks, partial(_opened, one.path)), mark, one.changed_at)


@contextmanager
def _earlier(order: Order | None) -> Iterator[dict[str, _Part]]:
    """The periods of the last capture, by their names; none when it is gone or damaged."""
    path = order.earlier() if order else None
    if path is None or not zipfile.is_zipfile(path):
        yield {}
        return
    with zipfile.ZipFile(path) as bundle:
        names = [] if bundle.testzip() else bundle.namelist()
        yield {
            PurePosixPath(name).stem: _Part(suffix_of(name), partial(_chunks, partial(bundle.open, name)))
            for name in names
        }


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _chunks(opened: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    with opened() as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
