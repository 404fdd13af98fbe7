"""One round of the watch: look, open and close incidents, send what is due, prove that the way works.

Rounds are made by a sensor of Dagster each minute, and by `odp watch`; several at once do no harm. When the journal
refuses, nothing can be recorded: engineers are told of that directly, and the dead man's switch is not asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import requests

from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.monitoring import channels, digest, expiries, outbox, texts
from odpipeline.monitoring.incidents import Change, Policy, Telling, step
from odpipeline.monitoring.looking import look
from odpipeline.monitoring.problems import Cause, Problem
from odpipeline.monitoring.records import Message, Records
from odpipeline.monitoring.routing import destinations, engineers

LOGGER = logging.getLogger("odpipeline.watch")
ROUND = "round"
"""The mark of the last round."""
_DIGEST, _DAILY = "digest", "daily"
_DAY, _KEPT = timedelta(days=1), timedelta(days=400)
_BETWEEN_CRIES = timedelta(hours=6)
_PATIENCE_SECONDS = 5.0
_SENDING_SECONDS = 30.0
"""How long one round may send: Dagster gives a sensor's tick 60 seconds."""


@dataclass(frozen=True)
class Round:
    """What one round did: how many incidents it opened and closed, are open, and how many messages it sent or left.

    `late` are the datasets whose promises are broken.
    """

    opened: int
    closed: int
    open: int
    sent: int
    waiting: int
    late: tuple[str, ...]


def watch(town: Town, now: datetime | None = None) -> Round:
    """Make one round at `now`, by default this moment (UTC).

    Raises: OdpError when the journal cannot be read or written; engineers have been told then, at most every six hours.
    """
    now = now or datetime.now(UTC)
    try:
        zones = Zones.of(town)
        records = Records(zones.journal)
        made = _round(town, zones, records, now)
        records.mark(ROUND, now)
    except OdpError as error:
        _cry(town, error, now)
        raise
    except OSError as error:
        told = OdpError(f"the watch cannot write ({error.strerror})", where="private zone", mend="look at its disk")
        _cry(town, told, now)
        raise told from None
    if not any(message.attempts > 1 for message in records.waiting()):
        _alive(town)
    return made


def _round(town: Town, zones: Zones, records: Records, now: datetime) -> Round:
    _daily(town, records, now)
    problems = look(town, zones, records, now)
    alerts, local = town.alerts, now.astimezone(ZoneInfo(town.timezone)).replace(tzinfo=None)
    windows = [window for window in alerts.quiet if window.holds(local)]

    def quiet(problem: Problem) -> bool:
        names = {problem.name, *problem.datasets}
        return any(not window.of or names <= {*window.of, *_delivered(window.of, town)} for window in windows)

    policy = Policy(alerts.reminders, alerts.settle, bool(alerts.escalation))
    changes = step(problems, records.open(), now, policy, quiet)
    done = records.apply((change, _messages(change, town, zones, records, now)) for change in changes)
    still = records.open()
    if digest.due(town, records.marked(_DIGEST), now):
        records.queue(digest.messages(town, zones, still, now))
        records.mark(_DIGEST, now)
    sent = outbox.deliver(records, town, now, _SENDING_SECONDS)
    return Round(
        opened=sum(not change.incident.id for change in done),
        closed=sum(change.incident.closed_at is not None for change in done),
        open=len(still),
        sent=sent,
        waiting=len(records.waiting()),
        late=_late(problems),
    )


def _late(problems: list[Problem]) -> tuple[str, ...]:
    """The datasets whose promises are broken."""
    broken = [problem for problem in problems if problem.cause in (Cause.STALE, Cause.UNCHECKED)]
    return tuple(sorted({name for problem in broken for name in problem.datasets}))


def _delivered(names: tuple[str, ...], town: Town) -> list[str]:
    """The datasets of the systems among `names`."""
    return [dataset.id for dataset in town.datasets if dataset.source.system in names]


def _messages(change: Change, town: Town, zones: Zones, records: Records, now: datetime) -> list[Message]:
    """The messages that a change makes: one for each destination."""
    if change.telling is None:
        return []
    incident, telling = change.incident, change.telling
    to = destinations(incident.problem, telling, town)
    if telling is Telling.CLOSED:  # who was told of it is told of its end, and nobody else
        told = set(records.told(incident.id))
        to = {name: text for name, text in to.items() if name in told} | {
            name: "engineer" for name in town.alerts.escalation if name in told
        }
    written: dict[str, tuple[str, str]] = {}
    for text in set(to.values()):
        written[text] = (texts.for_owners(incident, telling, town, zones) if text == "owner"
                         else texts.for_engineers(incident, telling, town, zones, now))  # fmt: skip
    return [
        Message(f"{{incident}}/{telling}/{incident.told}/{name}", name, *written[text], str(telling), incident.id, now)
        for name, text in to.items()
    ]


def _daily(town: Town, records: Records, now: datetime) -> None:
    """What changes slowly: certificates and keys are looked at, old records go."""
    last = records.marked(_DAILY)
    if last and timedelta() <= now - last < _DAY:
        return
    for subject, cause, what in expiries.look(town, now):
        records.sign(subject, cause, what, now)
    records.forget(now - _KEPT)
    records.mark(_DAILY, now)


def _alive(town: Town) -> None:
    """Ask the dead man's switch; whoever watches it notices when nobody does."""
    declared = town.alerts.dead_man
    if declared is None:
        return
    address = os.environ.get(declared.env, "").strip()
    try:
        requests.get(address, timeout=_PATIENCE_SECONDS).raise_for_status()
    except (requests.RequestException, ValueError):
        LOGGER.warning("the dead man's switch does not answer", extra={"facts": {"switch": declared.env}})


def _cry(town: Town, error: OdpError, now: datetime) -> None:
    """Tell engineers directly that nothing can be recorded; once in six hours, as far as a file can be written."""
    mark = (
        Path(tempfile.gettempdir())
        / f"odp-cry-{os.getuid()}-{hashlib.sha256(str(town.root).encode()).hexdigest()[:12]}"
    )
    if not _may_cry(mark, now):
        return
    title = texts.plain(f"[odp {town.publisher.name}] the watch is blind")
    body = f"Incidents cannot be recorded, and nobody will be told of them: {texts.plain(str(error))}\n"
    for destination in engineers(town):
        try:
            channels.send(town, destination, title, body)
        except channels.Undelivered:
            LOGGER.error("a message is not taken", extra={"facts": {"destination": destination}})


_LAST_CRY: dict[Path, float] = {}


def _may_cry(mark: Path, now: datetime) -> bool:
    """Whether six hours have passed since the last time, in this process or another."""
    seen = _LAST_CRY.get(mark, 0.0)
    with contextlib.suppress(OSError):
        seen = max(seen, mark.stat().st_mtime)
    if 0 <= now.timestamp() - seen < _BETWEEN_CRIES.total_seconds():
        return False
    _LAST_CRY[mark] = now.timestamp()
    with contextlib.suppress(OSError):  # a full disk: this process remembers it
        mark.touch()
        os.utime(mark, (now.timestamp(), now.timestamp()))
    return True


__all__ = ["ROUND", "Round", "watch"]
