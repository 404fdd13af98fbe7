"""Sources that deliver period by period: what is asked for now, and one whole delivery of all periods together.

The delivery is an uncompressed ZIP of `2026-09.csv`, `2026-10.csv`… in the order of time, its bytes a function of
theirs alone. What is not asked for comes from the last capture, so that a capture is always whole, and a period that
the system has deleted since is not lost.

What a run asks for when nobody says it (`due`): what never came; the newest periods, `again`; each of those once more
after it has ceased to be one of the newest, whenever the run before was; what the last capture has otherwise than the
release that is public; everything when the question itself has changed.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import filled
from odpipeline.declaration.source import DropSource, FolderSource
from odpipeline.declaration.town import System
from odpipeline.errors import NotDelivered, OdpError, SourceError
from odpipeline.sources.delivery import Delivery, Order, PeriodMark, Unchanged, Validators, intake
from odpipeline.sources.drops import add, bundled, suffix_of

_CHUNK_BYTES = 1 << 20
_MOST = 9_999
"""As many files as one delivery holds."""
_LIMITS = {"timeout", "deadline", "max_bytes", "max_rows", "settled", "internal", "auth"}
"""What of a source is no part of the question."""

Ask = Callable[[Order], Delivery | Unchanged]
"""Asks the system for what the source of the order's dataset declares."""


@dataclass(frozen=True)
class Asked:
    """What a run of a periodical dataset is asked for.

    `names`: the periods that a person names; None when nobody does. `public`: where the last run could not publish what
    it was delivered, period → SHA-256 in the capture that the public release was made from; else None.
    """

    names: Collection[str] | None = None
    public: Mapping[str, str] | None = None


@dataclass(frozen=True)
class _Part:
    """The file of one period: the suffix of its name, its bytes."""

    suffix: str
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class _New(_Part):
    """… that was delivered now: what to ask with next time, and when the source says that it was changed."""

    mark: PeriodMark
    dated: datetime | None


@dataclass(frozen=True)
class _Answers:
    """What the system said, by period: new files, the marks of what it has as it was, what it has not."""

    new: dict[str, _New]
    same: dict[str, PeriodMark]
    missed: dict[str, NotDelivered]


def all_due(dataset: Dataset, now: datetime) -> list[str]:
    """Every period that can be asked for at `now` (with a time zone), the oldest first.

    Raises: SourceError when there are more than one delivery holds.
    """
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    names = [dataset.periods.name(span) for span in dataset.periods.due(_today(dataset, now))]
    if len(names) > _MOST:
        raise SourceError(
            f"there are {len(names):,} periods since {dataset.periods.first}, and {_MOST:,} can be one dataset",
            where=dataset.place("periods"),
            mend="begin later, or take longer periods",
        )
    return names


def due(dataset: Dataset, since: Validators | None, system: System | None, asked: Asked, now: datetime) -> list[str]:
    """The periods to ask for when nobody says which, the oldest first. `since`: what the last capture remembers."""
    known = _known(dataset, since)
    if since is None or since.asked != question(dataset, system) or isinstance(dataset.source, FolderSource):
        return all_due(dataset, now)  # a folder of our own is looked through in no time
    newest = _newest(dataset, now)
    unpublished = {name for name in known if asked.public is not None and asked.public.get(name) != known[name].sha256}
    return [
        name
        for name in all_due(dataset, now)
        if name in newest or name in unpublished or name not in known or not known[name].settled
    ]


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


def question(dataset: Dataset, system: System | None) -> str:
    """The fingerprint of what is asked for a period, and of whom; limits, secrets and `first` are no part of it."""
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    said = dataset.source.model_dump(mode="json", exclude_defaults=True, exclude=_LIMITS)
    where = _where(system.address()) if system else []
    digest = hashlib.sha256(json.dumps([said, where], sort_keys=True).encode()).hexdigest()
    return f"{dataset.periods.every}:{digest}"  # months and quarters share names: they are no answers to each other


def _where(address: str) -> list[Any]:
    """What of an address tells a system from another: not who asks, nor with which password."""
    from sqlalchemy import make_url  # slow to import, and of use to databases only
    from sqlalchemy.exc import ArgumentError

    try:
        split = urlsplit(address)
        if split.scheme in ("http", "https", "sftp", "s3", ""):
            return [split.scheme, split.hostname, split.port, split.path]
        url = make_url(address)
    except (ValueError, ArgumentError):
        return []  # the source itself will say that it is none
    return [url.drivername, url.host, url.port, url.database]


def extract(order: Order, ask: Ask, asked: Asked, now: datetime) -> Delivery | Unchanged:
    """All periods up to `now` in one delivery, those that are asked for as the system has them.

    Raises: SourceError, SourceUnavailable, SecretMissing; NotDelivered when nothing is there of what was asked for.
    """
    dataset, known, asks = order.dataset, _known(order.dataset, order.since), question(order.dataset, order.system)
    every, anew = all_due(dataset, now), order.since is None or order.since.asked != asks
    if not every:
        raise NotDelivered("no period is over yet", where=order.declared, mend="wait, or say running: true")
    names = due(dataset, order.since, order.system, asked, now)
    if asked.names is not None and known and not anew:
        names = [name for name in every if name in asked.names]
    moment = _Moment(now, _newest(dataset, now), _today(dataset, now))
    answers = _asked(order, ask, names, known, moment)
    _refuse_silence(dataset, asked, answers, known, anew=anew)
    kept = [name for name in every if name in known and name not in answers.new]
    marks = {name: answers.same.get(name, known[name]) for name in kept}
    for name in set(names) & set(kept) - set(answers.same):  # the system has said that it has it no more
        former = known[name].former or anew
        marks[name] = replace(known[name], settled=not former and moment.settles(dataset, name), former=former)
    if not answers.new and len(kept) == len(known) and not anew:
        return Unchanged("every period that was asked for is unchanged", marks)
    with _earlier(order if kept else None) as earlier:
        new = answers.new | _found_again(order, ask, [name for name in kept if name not in earlier], moment)
        marks = dict(sorted((marks | {name: one.mark for name, one in new.items()}).items()))
        with intake(dataset.source, order, where=order.declared) as arriving, bundled(arriving) as bundle:
            for name in marks:
                one = new.get(name) or earlier[name]
                add(bundle, f"{name}{one.suffix}", one.read())
    dated = max((one.dated for one in new.values() if one.dated), default=None)
    return Delivery(order.path, "periods.zip", "application/zip", None, None, asks, dated, marks)


def _known(dataset: Dataset, since: Validators | None) -> Mapping[str, PeriodMark]:
    """The periods that the last capture holds; none when they were others, such as months instead of quarters."""
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    return since.periods if since and since.asked.startswith(f"{dataset.periods.every}:") else {}


def _today(dataset: Dataset, now: datetime) -> date:
    return now.astimezone(ZoneInfo(dataset.timezone)).date()


def _newest(dataset: Dataset, now: datetime) -> set[str]:
    names = all_due(dataset, now)
    return set(names[len(names) - min(dataset.periods.again if dataset.periods else 0, len(names)) :])


@dataclass(frozen=True)
class _Moment:
    """When it is asked: the newest periods then, and the day in the town."""

    now: datetime
    newest: set[str]
    today: date

    def settles(self, dataset: Dataset, name: str) -> bool:
        """Whether a period that is asked for now need not be asked for again."""
        assert dataset.periods  # noqa: S101 - asked of periodical datasets only
        return name not in self.newest and dataset.periods.span(name).next <= self.today


def _asked(
    order: Order, ask: Ask, names: Collection[str], known: Mapping[str, PeriodMark], moment: _Moment
) -> _Answers:
    """What the system answers for each of `names`.

    Raises: as it does, naming the period.
    """
    answers, periods = _Answers({}, {}, {}), order.dataset.periods
    assert periods  # noqa: S101 - as the caller knows
    for name in names:
        folder = order.folder / "periods" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        dataset = order.dataset.model_copy(update={"source": filled(order.dataset.source, periods.span(name))})
        since = known.get(name)
        try:
            one = ask(replace(order, dataset=dataset, folder=folder, since=since, earlier=lambda: None))
        except NotDelivered as error:
            answers.missed[name] = error
            continue
        except OdpError as error:
            error.what = f"period {name}: {error.what}"
            raise
        delivered = None if isinstance(one, Unchanged) else _mark(one)
        same = delivered is None or (since is not None and since.sha256 == delivered.sha256)
        empty = same and since is not None and since.empty
        settled = not empty and moment.settles(order.dataset, name)
        mark = replace(delivered or known[name], at=moment.now.isoformat(), settled=settled, empty=empty, former=False)
        if same or isinstance(one, Unchanged):
            answers.same[name] = mark
        else:
            read = partial(_chunks, partial(_opened, one.path))
            answers.new[name] = _New(suffix_of(one.name), read, mark, one.changed_at)
    return answers


def _mark(one: Delivery) -> PeriodMark:
    with one.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return PeriodMark(one.etag, one.last_modified, sha256, one.asked)


def _refuse_silence(
    dataset: Dataset, asked: Asked, answers: _Answers, known: Mapping[str, PeriodMark], *, anew: bool
) -> None:
    """An address where nothing is any more, of what was there a run ago, is no source without news.

    A drop folder may be emptied by who fills it: there only what a person named, a beginning, or the answer to a new
    question must be there.
    """
    if answers.new or answers.same or not answers.missed:
        return
    gone = [name for name in answers.missed if name in known]
    if asked.names is not None or not known or anew or (gone and not isinstance(dataset.source, DropSource)):
        raise answers.missed[next(iter(gone or answers.missed))]


def _found_again(order: Order, ask: Ask, names: Collection[str], moment: _Moment) -> dict[str, _New]:
    """Periods that the last capture was to hold and does not: it is damaged.

    Raises: SourceError when the system has not all of them any more.
    """
    answers = _asked(order, ask, names, {}, moment)
    if answers.missed:
        raise SourceError(
            f"the last capture is damaged, and the system has no more of it: {', '.join(sorted(answers.missed))}",
            where=order.declared,
            mend="restore the private zone from a backup; or delete the capture, and do without these periods",
        )
    return answers.new


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
