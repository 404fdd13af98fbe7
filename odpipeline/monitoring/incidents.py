"""When an incident is opened, told again and closed: a function of what is open, what is wrong, and the time.

Nothing here reads or writes anything. What comes and goes is one incident; one incident is one message, at most as many
reminders as are declared, and one closing notice, whatever the clock does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from odpipeline.monitoring.problems import Problem


class Telling(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    CLOSED = "closed"


@dataclass(frozen=True)
class Incident:
    """A problem from its first sight to its end; times are in UTC.

    `opened_at`: when we first saw it; `told_at`: when it was first told, None while nobody was; `told`: how many
    messages were made of it, the closing one aside. `absent_since`: since when it was not seen any more, until it is
    closed. `id` is 0 before it is recorded.
    """

    problem: Problem
    opened_at: datetime
    id: int = 0
    told: int = 0
    told_at: datetime | None = None
    absent_since: datetime | None = None
    closed_at: datetime | None = None
    acknowledged_by: str | None = None
    because: str | None = None


@dataclass(frozen=True)
class Policy:
    """How long to wait before what; `reminders` count from the first message, `settle` from when all was well."""

    reminders: Sequence[timedelta] = (timedelta(hours=6), timedelta(hours=24))
    settle: timedelta = timedelta(minutes=15)
    escalates: bool = False


@dataclass(frozen=True)
class Change:
    """What becomes of one incident at this round, and what is told of it, if anything."""

    incident: Incident
    telling: Telling | None = None


def step(
    problems: Iterable[Problem],
    opened: Iterable[Incident],
    now: datetime,
    policy: Policy,
    quiet: Callable[[Problem], bool] = lambda _: False,
) -> list[Change]:
    """The changes of one round: `problems` are wrong now, `opened` are the incidents that are not closed.

    `quiet` says of whom nobody is told now. A consequence opens nothing, and keeps open what is. A clock that was set
    back makes nothing due.
    """
    wrong: Mapping[tuple[str, str], Problem] = {problem.key: problem for problem in problems}
    changes, known = [], set()
    for incident in opened:
        key = incident.problem.key
        known.add(key)
        changes.append(
            _seen(incident, wrong[key], now, policy, quiet) if key in wrong else _gone(incident, now, policy, quiet)
        )
    new = [problem for key, problem in wrong.items() if key not in known and not problem.follows]
    return changes + [_told(Incident(problem, now), now, policy, quiet) for problem in new]


def _seen(
    incident: Incident, problem: Problem, now: datetime, policy: Policy, quiet: Callable[[Problem], bool]
) -> Change:
    since = min(problem.since, incident.problem.since)
    return _told(replace(incident, problem=replace(problem, since=since), absent_since=None), now, policy, quiet)


def _told(incident: Incident, now: datetime, policy: Policy, quiet: Callable[[Problem], bool]) -> Change:
    """Tell what is due, once, however much of it is: after three days without us one reminder is enough."""
    if quiet(incident.problem):
        return Change(incident)
    if incident.told_at is None:
        return Change(replace(incident, told=1, told_at=now), Telling.OPENED)
    if incident.told_at > now:  # told by a clock that was ahead: reminders count from when it was put right
        return Change(replace(incident, told_at=now))
    past = sum(now - incident.told_at >= after for after in policy.reminders)
    if incident.acknowledged_by or past < incident.told:
        return Change(incident)
    last = past == len(policy.reminders)
    telling = Telling.ESCALATION if last and policy.escalates else Telling.REMINDER
    return Change(replace(incident, told=past + 1), telling)


def _gone(incident: Incident, now: datetime, policy: Policy, quiet: Callable[[Problem], bool]) -> Change:
    """Close what is over; what was told stays open in a quiet time, so that its closing notice comes afterwards."""
    if incident.absent_since is None or incident.absent_since > now:
        incident = replace(incident, absent_since=now)
    if now - incident.absent_since < policy.settle:  # type: ignore[operator]  # as set above
        return Change(incident)
    if incident.told and quiet(incident.problem):
        return Change(incident)
    return Change(replace(incident, closed_at=now), Telling.CLOSED if incident.told else None)


__all__ = ["Change", "Incident", "Policy", "Telling", "step"]
