"""Incidents, messages on their way, signs that others leave, and what was seen last, in the journal's database.

An incident and the messages made of it are written together or not at all. Two rounds at once (the daemon's and a
person's) cannot open one incident twice or make one message twice: both have a key that the database keeps unique.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row
from sqlalchemy.sql.dml import Insert

from odpipeline.errors import OdpError
from odpipeline.journal import Journal, make_tables
from odpipeline.monitoring.incidents import Change, Incident
from odpipeline.monitoring.problems import Cause, Problem

METADATA = MetaData()
"""The tables of incidents and messages."""
_INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("subject", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("what", String, nullable=False),
    Column("datasets", String, nullable=False),
    Column("since", DateTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("run", String),
    Column("opened_at", DateTime, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_at", DateTime),
    Column("absent_since", DateTime),
    Column("closed_at", DateTime),
    Column("acknowledged_by", String),
    Column("because", String),
    Index("open_incident", "subject", "cause", unique=True, sqlite_where=text("closed_at IS NULL"),
          postgresql_where=text("closed_at IS NULL")),
)  # fmt: skip
_MESSAGES = Table(
    "messages",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("token", String, nullable=False, unique=True),
    Column("incident", Integer),
    Column("kind", String, nullable=False),
    Column("destination", String, nullable=False),
    Column("title", String, nullable=False),
    Column("body", String, nullable=False),
    Column("made_at", DateTime, nullable=False),
    Column("due_at", DateTime, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("ended_at", DateTime),
)
_SIGNS = Table(
    "signs",
    METADATA,
    Column("subject", String, primary_key=True),
    Column("cause", String, primary_key=True),
    Column("what", String, nullable=False),
    Column("since", DateTime, nullable=False),
)
_MARKS = Table(
    "marks", METADATA, Column("name", String, primary_key=True), Column("at", DateTime, nullable=False)
)  # fmt: skip
_SIGHTINGS = Table(
    "sightings",
    METADATA,
    Column("dataset", String, primary_key=True),
    Column("run_at", DateTime),
    Column("checked_at", DateTime),
    Column("data_date", DateTime),
    Column("seen_at", DateTime, nullable=False),
)

_LONGEST_PAUSE = timedelta(hours=1)
WAITING, SENT, HANDED_ON, DROPPED = "waiting", "sent", "handed on", "dropped"
"""How a message stands: on its way, delivered, given to the next channel, given up."""


@dataclass(frozen=True)
class Message:
    """One text for one destination. `token` is the same for what must not be sent twice; times are in UTC.

    `incident` is 0 for what belongs to none; `kind` is a `Telling`, `digest` or `handed on`.
    """

    token: str
    destination: str
    title: str
    body: str
    kind: str
    incident: int = 0
    made_at: datetime | None = None
    attempts: int = 0
    id: int = 0


@dataclass(frozen=True)
class Sighting:
    """What the store said of the current release of `dataset` at `seen_at`, when its newest run had ended at `run_at`.

    `checked_at` and `data_date` are the release's; None when there was none. Times are in UTC.
    """

    dataset: str
    run_at: datetime | None
    checked_at: datetime | None
    data_date: datetime | None
    seen_at: datetime


class Records:
    """The tables of one town, in its journal; they are made when they are missing."""

    def __init__(self, journal: Journal) -> None:
        self._engine = journal.engine
        make_tables(self._engine, METADATA)

    def open(self) -> list[Incident]:
        """The incidents that are not closed, the oldest first."""
        return self._incidents(select(_INCIDENTS).where(_INCIDENTS.c.closed_at.is_(None)).order_by(_INCIDENTS.c.id))

    def newest(self, most: int) -> list[Incident]:
        """The last incidents, closed or not, the newest first."""
        return self._incidents(select(_INCIDENTS).order_by(_INCIDENTS.c.id.desc()).limit(most))

    def incident(self, number: int) -> Incident:
        """The incident `number`.

        Raises: OdpError when there is none.
        """
        found = self._incidents(select(_INCIDENTS).where(_INCIDENTS.c.id == number))
        if not found:
            raise OdpError(f"there is no incident {number}", mend="see them all: odp incidents --all")
        return found[0]

    def apply(self, changes: Iterable[tuple[Change, Sequence[Message]]]) -> list[Change]:
        """Record `changes` with the messages of each; which of them were recorded.

        One that somebody else recorded meanwhile is left out, with its messages.
        """
        done = []
        with self._engine.begin() as connection:
            for change, messages in changes:
                number = self._recorded(connection, change.incident)
                if number is not None:
                    done.append(change)
                    self._queue(connection, messages, number)
        return done

    def acknowledge(self, number: int, who: str, because: str) -> Incident:
        """Note that `who` looks after the incident: no reminder of it is sent any more.

        Raises: OdpError when there is none, or it is closed.
        """
        if self.incident(number).closed_at:
            raise OdpError(f"the incident {number} is closed already", mend="see those that are open: odp incidents")
        with self._engine.begin() as connection:
            known = update(_INCIDENTS).where(_INCIDENTS.c.id == number)
            connection.execute(known.values(acknowledged_by=who, because=because))
        return self.incident(number)

    def queue(self, messages: Iterable[Message]) -> None:
        """Put messages on their way that belong to no incident; those whose token is known are not sent again."""
        with self._engine.begin() as connection:
            self._queue(connection, messages, 0)

    def take(self, now: datetime, lease: timedelta) -> Message | None:
        """The next message that is due, which nobody else gets until `lease` has passed; None when there is none.

        One that is due in more than an hour was put off by a clock that was ahead: no pause is that long.
        """
        with self._engine.begin() as connection:
            due = (_MESSAGES.c.due_at <= _stored(now)) | (_MESSAGES.c.due_at > _stored(now + _LONGEST_PAUSE))
            waits = (_MESSAGES.c.state == WAITING) & due
            row = connection.execute(select(_MESSAGES).where(waits).order_by(_MESSAGES.c.id).limit(1)).first()
            if row is None:
                return None
            mine = update(_MESSAGES).where(_MESSAGES.c.id == row.id, _MESSAGES.c.due_at == row.due_at)
            claimed = connection.execute(mine.values(due_at=_stored(now + lease), attempts=row.attempts + 1))
            if not claimed.rowcount:
                return None
        return _message(row, attempts=row.attempts + 1)

    def ended(self, message: Message, state: str, now: datetime) -> None:
        """Note that `message` needs no more attempts, and why."""
        self._of_message(message, state=state, ended_at=_stored(now))

    def again(self, message: Message, due: datetime) -> None:
        """Note that `message` is to be tried again at `due`."""
        self._of_message(message, due_at=_stored(due))

    def waiting(self) -> list[Message]:
        """The messages that are on their way, the oldest first."""
        query = select(_MESSAGES).where(_MESSAGES.c.state == WAITING).order_by(_MESSAGES.c.id)
        with self._engine.connect() as connection:
            return [_message(row) for row in connection.execute(query)]

    def told(self, number: int) -> list[str]:
        """The destinations that got messages of the incident `number`, each once."""
        query = select(_MESSAGES.c.destination).where(_MESSAGES.c.incident == number).distinct()
        with self._engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def sign(self, subject: str, cause: Cause, what: str | None, now: datetime) -> None:
        """Leave a sign that something is wrong, for the next rounds; with None that it is well again."""
        here = (_SIGNS.c.subject == subject, _SIGNS.c.cause == str(cause))
        with self._engine.begin() as connection:
            if what is None:
                connection.execute(_SIGNS.delete().where(*here))
            elif not connection.execute(update(_SIGNS).where(*here).values(what=what)).rowcount:
                values = {"subject": subject, "cause": str(cause), "what": what, "since": _stored(now)}
                connection.execute(_ignoring(connection, _SIGNS, values))

    def signs(self) -> list[Problem]:
        """The signs that stand, as problems."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_SIGNS).order_by(_SIGNS.c.subject, _SIGNS.c.cause)).all()
        return [
            Problem(row.subject, Cause(row.cause), row.what, _aware(row.since),
                    (row.subject.removeprefix("dataset:"),) if row.subject.startswith("dataset:") else ())
            for row in rows
        ]  # fmt: skip

    def sightings(self) -> dict[str, Sighting]:
        """What was last seen of each dataset's release."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_SIGHTINGS)).all()
        return {row.dataset: _sighting(row) for row in rows}

    def saw(self, seen: Sighting) -> None:
        """Note what was seen, in the place of what was seen before."""
        times = (seen.run_at, seen.checked_at, seen.data_date, seen.seen_at)
        names = ("run_at", "checked_at", "data_date", "seen_at")
        values = {name: _stored(at) if at else None for name, at in zip(names, times, strict=True)}
        with self._engine.begin() as connection:
            here = update(_SIGHTINGS).where(_SIGHTINGS.c.dataset == seen.dataset)
            if not connection.execute(here.values(**values)).rowcount:
                connection.execute(_ignoring(connection, _SIGHTINGS, {"dataset": seen.dataset, **values}))

    def unseen(self, dataset: str) -> None:
        """Forget what was seen of `dataset`."""
        with self._engine.begin() as connection:
            connection.execute(_SIGHTINGS.delete().where(_SIGHTINGS.c.dataset == dataset))

    def mark(self, name: str, now: datetime) -> None:
        """Note that `name` was done at `now`."""
        with self._engine.begin() as connection:
            if not connection.execute(update(_MARKS).where(_MARKS.c.name == name).values(at=_stored(now))).rowcount:
                connection.execute(_ignoring(connection, _MARKS, {"name": name, "at": _stored(now)}))

    def marked(self, name: str) -> datetime | None:
        """When `name` was last done (UTC); None when it never was."""
        with self._engine.connect() as connection:
            found = connection.execute(select(_MARKS.c.at).where(_MARKS.c.name == name)).scalar()
        return _aware(found) if found else None

    def forget(self, before: datetime) -> None:
        """Delete messages that have ended, and incidents that were closed, before that time."""
        with self._engine.begin() as connection:
            connection.execute(_MESSAGES.delete().where(_MESSAGES.c.ended_at < _stored(before)))
            connection.execute(_INCIDENTS.delete().where(_INCIDENTS.c.closed_at < _stored(before)))

    def _recorded(self, connection: Connection, incident: Incident) -> int | None:
        """Write one incident; its number, or None when another round was first."""
        values = _row(incident)
        if not incident.id:
            said = _ignoring(connection, _INCIDENTS, values).returning(_INCIDENTS.c.id)
            number: int | None = connection.execute(said).scalar()
            return number
        as_read = update(_INCIDENTS).where(_INCIDENTS.c.id == incident.id, _INCIDENTS.c.closed_at.is_(None),
                                           _INCIDENTS.c.told <= incident.told)  # fmt: skip
        return incident.id if connection.execute(as_read.values(**values)).rowcount else None

    def _queue(self, connection: Connection, messages: Iterable[Message], number: int) -> None:
        for message in messages:
            made = _stored(message.made_at or datetime.now(UTC))
            values = {
                "token": message.token.replace("{incident}", str(number)), "incident": number, "kind": message.kind,
                "destination": message.destination, "title": message.title, "made_at": made, "due_at": made,
                "body": message.body.replace("{incident}", str(number)), "attempts": 0, "state": WAITING,
            }  # fmt: skip
            connection.execute(_ignoring(connection, _MESSAGES, values))

    def _of_message(self, message: Message, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(_MESSAGES).where(_MESSAGES.c.id == message.id).values(**values))

    def _incidents(self, query: Any) -> list[Incident]:
        with self._engine.connect() as connection:
            return [_incident(row) for row in connection.execute(query)]


def _ignoring(connection: Connection, table: Table, values: dict[str, Any]) -> Insert:
    """An insertion that does nothing when its key is there already."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).values(**values).on_conflict_do_nothing()


def _row(incident: Incident) -> dict[str, Any]:
    problem = incident.problem
    times = {"since": problem.since, "opened_at": incident.opened_at, "told_at": incident.told_at,
             "absent_since": incident.absent_since, "closed_at": incident.closed_at}  # fmt: skip
    return {
        "subject": problem.subject, "cause": str(problem.cause), "what": problem.what, "times": problem.times,
        "datasets": json.dumps(problem.datasets), "run": problem.run, "told": incident.told,
        **{name: _stored(moment) if moment else None for name, moment in times.items()},
    }  # fmt: skip


def _incident(row: Row[Any]) -> Incident:
    problem = Problem(row.subject, Cause(row.cause), row.what, _aware(row.since), tuple(json.loads(row.datasets)),
                      row.times, row.run)  # fmt: skip
    times = {name: _aware(moment) if (moment := getattr(row, name)) else None
             for name in ("told_at", "absent_since", "closed_at")}  # fmt: skip
    return Incident(problem, _aware(row.opened_at), row.id, row.told, acknowledged_by=row.acknowledged_by,
                    because=row.because, **times)  # fmt: skip


def _sighting(row: Row[Any]) -> Sighting:
    run_at, checked_at, data_date = (_aware(at) if at else None for at in (row.run_at, row.checked_at, row.data_date))
    return Sighting(row.dataset, run_at, checked_at, data_date, _aware(row.seen_at))


def _message(row: Row[Any], attempts: int | None = None) -> Message:
    tried = row.attempts if attempts is None else attempts
    return Message(row.token, row.destination, row.title, row.body, row.kind, row.incident, _aware(row.made_at),
                   tried, row.id)  # fmt: skip


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


__all__ = ["DROPPED", "HANDED_ON", "METADATA", "SENT", "WAITING", "Message", "Records", "Sighting"]
