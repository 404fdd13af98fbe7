"""What is wrong now: read from journal, store, private zone and machine, all anew at each round.

A system that does not answer is one problem, whatever number of datasets it delivers. What follows from another problem
(data grows old because its system is down) is not told beside it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from odpipeline.declaration.alerts import MAIL
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.freshness import Freshness, freshness
from odpipeline.journal import DIED, RunRecord
from odpipeline.monitoring.machine import ROOM_FAULT, room
from odpipeline.monitoring.problems import MACHINE, Cause, Problem
from odpipeline.monitoring.records import Records, Sighting
from odpipeline.monitoring.sightings import Sightings
from odpipeline.quality import run_reports

_BY_ERROR = {
    "SourceError": Cause.SOURCE, "NotDelivered": Cause.SOURCE, "ConformError": Cause.UNREADABLE,
    "SecretMissing": Cause.SECRET, "PrivacyError": Cause.PRIVACY, "StoreError": Cause.STORE, DIED: Cause.DIED,
}  # fmt: skip
"""Type of the error that ended a run → its cause; any other is `failed`."""
_BY_GROUP = (("privacy", Cause.PRIVACY), ("schema", Cause.SCHEMA), ("quarantine", Cause.QUARANTINE))
"""Group of a blocking finding → cause, the gravest first; any other is `refused`."""
_OTHERS_WON = "PublicationRace"
_TRYING = timedelta(minutes=1)
"""How long one more try of the night may take."""
_SLOW_TIMES, _SLOW_SECONDS, _SLOW_RUNS, _SLOW_LEAST = 3.0, 60.0, 20, 5
"""A run is slow that takes so many times the median of so many runs, and so many seconds more, if enough are known."""


def look(town: Town, zones: Zones, records: Records, now: datetime) -> list[Problem]:
    """Everything that is wrong at `now`; `records` hold what others have noticed, and what was seen before.

    Raises: OdpError when the journal cannot be read; a dataset that cannot be looked at is a problem of its own.
    """
    ended = zones.journal.newest()
    found: list[Problem] = [sign for sign in records.signs() if _known(sign, town)]
    down: dict[str, list[tuple[Dataset, Problem]]] = defaultdict(list)
    for dataset in town.datasets:
        if problem := _of_run(dataset, ended.get(dataset.id), town, zones, now):
            if problem.cause is Cause.DOWN:
                down[problem.subject].append((dataset, problem))
            else:
                found.append(problem)
    found += [_of_system(subject, suffering, town) for subject, suffering in down.items()]
    suffers = {name for problem in found for name in problem.datasets}
    found += _of_releases(
        town, Sightings([dataset.id for dataset in town.datasets], zones, records, ended, now), suffers
    )
    for dataset in town.datasets:
        found += _slow(dataset, ended.get(dataset.id), zones)
    return _ours(found) + list(_disks(town, now))


def _ours(found: Sequence[Problem]) -> list[Problem]:
    """`found` with one problem for each cause that lies with us: a dead daemon or a lost key holds up every dataset."""
    others = [problem for problem in found if problem.subject != MACHINE]
    for cause in dict.fromkeys(problem.cause for problem in found if problem.subject == MACHINE):
        same = [problem for problem in found if (problem.subject, problem.cause) == (MACHINE, cause)]
        told = [problem for problem in same if not problem.follows] or same
        first = min(told, key=lambda problem: problem.since)
        names = tuple(sorted({name for problem in told for name in problem.datasets}))
        others.append(replace(first, datasets=names, follows=all(problem.follows for problem in same)))
    return others


def _known(sign: Problem, town: Town) -> bool:
    """A sign about what is declared no more says nothing."""
    kind, _, name = sign.subject.partition(":")
    ways = {*town.alerts.channels, *([MAIL] if town.alerts.mail else [])}
    names = {"dataset": {dataset.id for dataset in town.datasets}, "system": set(town.systems), "channel": ways}
    return kind not in names or name in names[kind]


def _of_run(dataset: Dataset, last: RunRecord | None, town: Town, zones: Zones, now: datetime) -> Problem | None:
    """What is wrong with how the last run ended."""
    if last is None or last.ended_at is None or last.error == _OTHERS_WON:
        return None
    told = "; ".join(last.reasons) or last.outcome
    subject = f"dataset:{dataset.id}"
    if last.outcome == "failed":
        since = zones.journal.failing_since(dataset.id) or last.ended_at
        if last.error == "SourceUnavailable":
            awaited = timedelta() <= now - since < _patience(dataset, town)
            return Problem(system_of(dataset), Cause.DOWN, told, since, (dataset.id,), run=last.run, follows=awaited)
        cause = _BY_ERROR.get(last.error or "", Cause.FAILED)
        subject = MACHINE if cause in (Cause.SECRET, Cause.STORE) else subject
        return Problem(subject, cause, told, since, (dataset.id,), run=last.run)
    if last.outcome == "held":
        if _only_keeps_back(dataset, zones):
            return None  # as it was decided; whoever must say yes has said it, or is not asked
        return Problem(subject, Cause.APPROVAL, told, last.ended_at, (dataset.id,), run=last.run)
    if last.outcome == "refused":
        cause, since, times = _refusal(dataset, last, zones)
        return Problem(subject, cause, told, since, (dataset.id,), times, last.run)
    return None


def _patience(dataset: Dataset, town: Town) -> timedelta:
    """How long a system may not answer before that is told; in the night until it was asked for the last time."""
    if dataset.schedule != "nightly":
        return town.alerts.patience
    return town.night.retries * (town.night.pause + _TRYING)


def _only_keeps_back(dataset: Dataset, zones: Zones) -> bool:
    """Whether nothing but an embargo or an announced day keeps back what the last run judged."""
    report = next(iter(run_reports(zones.journal, dataset.id)), None)
    return report is not None and {entry.finding.rule for entry in report.blocking} == {"embargo"}


def _refusal(dataset: Dataset, last: RunRecord, zones: Zones) -> tuple[Cause, datetime, int]:
    """Why the gate refused, since when, how often on end."""
    assert last.ended_at  # noqa: S101 - the caller looked
    report = next(iter(run_reports(zones.journal, dataset.id)), None)
    blocking = report.blocking if report else ()
    groups = {entry.finding.group for entry in blocking}
    cause = next((cause for group, cause in _BY_GROUP if group in groups), Cause.REFUSED)
    since = min((entry.since for entry in blocking if entry.since), default=last.ended_at)
    return cause, since, max((entry.runs for entry in blocking), default=1)


def _of_system(subject: str, suffering: list[tuple[Dataset, Problem]], town: Town) -> Problem:
    """One problem for all datasets that one system does not deliver."""
    problems = [problem for _, problem in suffering]
    first = min(problems, key=lambda problem: problem.since)
    names = tuple(sorted(dataset.id for dataset, _ in suffering))
    system = town.systems.get(subject.removeprefix("system:"))
    who = f"“{system.title}” does not answer" if system else f"{first.name} does not answer"
    runs = [problem.run for problem in problems if problem.run]
    return Problem(subject, Cause.DOWN, f"{who}: {first.what}", first.since, names, len(problems),
                   runs[-1] if runs else None, follows=all(problem.follows for problem in problems))  # fmt: skip


def system_of(dataset: Dataset) -> str:
    """The subject of problems of whatever delivers `dataset`: its system, its host, or the dataset itself."""
    if dataset.source.system:
        return f"system:{dataset.source.system}"
    host = urlsplit(str(getattr(dataset.source, dataset.source.kind, ""))).hostname
    return f"system:{host}" if host else f"dataset:{dataset.id}"


def _of_releases(town: Town, sightings: Sightings, suffers: Container[str]) -> Iterator[Problem]:
    """Promises that are broken now, whatever ran or did not; a store that does not answer is asked once."""
    try:
        sightings.zones.store.backend.ready()
    except OdpError as error:
        names = tuple(dataset.id for dataset in town.datasets)
        yield Problem(MACHINE, Cause.STORE, str(error), sightings.now, names)
        return
    for dataset in town.datasets:
        yield from _of_ages(dataset, sightings, follows=dataset.id in suffers)


def _of_ages(dataset: Dataset, sightings: Sightings, *, follows: bool) -> Iterator[Problem]:
    subject, datasets, now = f"dataset:{dataset.id}", (dataset.id,), sightings.now
    try:
        ages = _ages(dataset, seen := sightings.of(dataset.id), now)
        if seen.checked_at and ages.late and seen.seen_at != now:  # the only news that could end it is in the store
            ages = _ages(dataset, seen := sightings.of(dataset.id, anew=True), now)
    except OdpError as error:  # broken, or a bucket that stopped answering: no promise can be told
        yield Problem(MACHINE, Cause.STORE, str(error), now, datasets)
        return
    if seen.checked_at is None:
        return  # never published, or withdrawn: its runs tell
    for finding in ages.findings:
        if finding.passed:
            continue
        if finding.rule == "run_age":
            since = seen.checked_at + dataset.freshness.run
            yield Problem(MACHINE, Cause.UNCHECKED, finding.message, since, datasets, follows=follows)
        else:
            yield Problem(subject, Cause.STALE, finding.message, ages.data_due or now, datasets, follows=follows)


def _ages(dataset: Dataset, seen: Sighting, now: datetime) -> Freshness:
    return freshness(dataset, checked_at=seen.checked_at, data_date=seen.data_date, now=now)


def _slow(dataset: Dataset, last: RunRecord | None, zones: Zones) -> Iterator[Problem]:
    if last is None or last.outcome != "published" or last.ended_at is None or last.seconds < _SLOW_SECONDS:
        return
    before = zones.journal.lengths(dataset.id, _SLOW_RUNS + 1)[1:]
    if len(before) < _SLOW_LEAST:
        return
    usual = statistics.median(before)
    if last.seconds > max(_SLOW_TIMES * usual, usual + _SLOW_SECONDS):
        what = f"the last run took {last.seconds:.0f} s, its usual time is {usual:.0f} s"
        yield Problem(f"dataset:{dataset.id}", Cause.SLOW, what, last.ended_at, (dataset.id,), run=last.run)


def _disks(town: Town, now: datetime) -> Iterator[Problem]:
    short = [f"{name}: {free / (1 << 30):.1f} GiB free" for name, free in room(town).items() if free < ROOM_FAULT]
    if short:
        yield Problem(MACHINE, Cause.DISK, "; ".join(short), now)


__all__ = ["look", "system_of"]
