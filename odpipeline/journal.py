"""The town's own record of what ran, what was refused and what a person accepted (SQLAlchemy).

SQLite in the private zone by default, PostgreSQL in production. Dagster's event log is never that record: it is
purged, and it knows nothing of runs made by `odp run`. No row of it holds the value of a cell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, ExceptionContext, Row, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable

from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, SecretMissing

METADATA = MetaData()
"""The tables of the journal."""
_RUNS = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset", String, nullable=False, index=True),
    Column("ended_at", DateTime, nullable=False),
    Column("outcome", String, nullable=False),
    Column("reasons", String, nullable=False),
    Column("rows_in", Integer),
    Column("quarantined", Integer),
    Column("published", Integer),
    Column("version", Integer),
    Column("content_hash", String),
    Column("capture_sha256", String),
    Column("code_version", String),
    Column("seconds", Float, nullable=False),
    Column("error", String),
    Column("run", String),
)
_REPORTS = Table(
    "reports",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset", String, nullable=False, index=True),
    Column("report", String, nullable=False),
)
_ACCEPTANCES = Table(
    "acceptances",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset", String, nullable=False, index=True),
    Column("content_hash", String, nullable=False),
    Column("accepted_at", DateTime, nullable=False),
    Column("who", String, nullable=False),
    Column("because", String, nullable=False),
    Column("until", DateTime),
)

_APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset", String, nullable=False, index=True),
    Column("content_hash", String, nullable=False),
    Column("approved_at", DateTime, nullable=False),
    Column("role", String, nullable=False),
    Column("who", String, nullable=False),
    Column("account", String, nullable=False),
    Column("because", String, nullable=False),
    Column("until", DateTime, nullable=False),
)

_ACTS = Table(
    "acts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset", String, nullable=False, index=True),
    Column("act", String, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("who", String, nullable=False),
    Column("account", String, nullable=False),
    Column("because", String, nullable=False),
    Column("details", String, nullable=False),
)

_SCHEMAS = Table(
    "schemas",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("since", DateTime, nullable=False),
)

SCHEMA = 1
"""The number of the tables' form. New tables, and new columns that may be empty, need no new number: opening adds them.
What an older odpipeline would misread does: its change goes into `_upgraded`, with a test."""

DIED = "ProcessDied"
"""The error of a run that ended without a word of its own."""
REPORTS = 30
"""How many reports of runs are kept for each dataset, the newest ones; each carries since when it fails."""


@dataclass(frozen=True)
class Approval:
    """A yes to one content: `who` (a mail address) in which `role`, under which `account`, why; times in UTC."""

    dataset: str
    content_hash: str
    role: str
    who: str
    account: str
    because: str
    approved_at: datetime
    until: datetime


@dataclass(frozen=True)
class Act:
    """What a person did to published data: `act` (`rollback`…), who, under which account, why, when (UTC).

    `details` hold versions, hashes and counts, never a value.
    """

    dataset: str
    act: str
    who: str
    account: str
    because: str
    at: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """How one run of one dataset ended.

    `outcome`: `published`, `unchanged`, `refused` (the gate said no), `held` (it waits for an approval) or `failed` (it
    could not be tried to the end).
    `rows_in`, `quarantined`, `published` count rows; None when the run did not come that far. `error` is the type of
    the error that ended a run which failed; `run` identifies who started it: the run of Dagster.
    """

    dataset: str
    outcome: str
    reasons: tuple[str, ...] = ()
    rows_in: int | None = None
    quarantined: int | None = None
    published: int | None = None
    version: int | None = None
    content_hash: str | None = None
    capture_sha256: str | None = None
    code_version: str | None = None
    seconds: float = 0.0
    ended_at: datetime | None = None
    error: str | None = None
    run: str | None = None

    @classmethod
    def died(cls, dataset: str, run: str | None = None) -> RunRecord:
        """What is said of a run whose process could not say anything: it was killed."""
        told = f"{dataset}: its process died before it could say why; look at the run in Dagster"
        return cls(dataset, "failed", (told,), error=DIED, run=run)


@dataclass(frozen=True)
class Refusals:
    """How many `times` the gate refused, and when it did so `first` and `last` (UTC)."""

    times: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Tally:
    """How many `runs` of `dataset` ended with `outcome`, and when the `last` of them did (UTC)."""

    dataset: str
    outcome: str
    runs: int
    last: datetime


class Journal:
    """The record, opened by its SQLAlchemy URL; its tables are made when they are missing."""

    def __init__(self, url: str | URL) -> None:
        apart = {"options": f"-csearch_path={_SCHEMA}"} if make_url(url).get_backend_name() == "postgresql" else {}
        self._engine: Engine = create_engine(url, poolclass=NullPool, connect_args=apart)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _patient)
        event.listen(self._engine, "handle_error", _said)
        make_tables(self._engine, METADATA)
        self._widen()
        self._upgraded()

    def _upgraded(self) -> None:
        """Note the number of this form; a journal of a newer form is refused, for it would be misread."""
        with self._engine.begin() as connection:
            found: int | None = connection.execute(select(func.max(_SCHEMAS.c.number))).scalar()
            if found is None:
                insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
                first = insert(_SCHEMAS).values(number=SCHEMA, since=_now())
                connection.execute(first.on_conflict_do_nothing())
        if found is not None and found > SCHEMA:
            raise OdpError(
                f"the journal has form {found}, and this odpipeline knows only {SCHEMA}",
                where=self._engine.url.database or "journal",
                mend="go back to the newer odpipeline, or restore the backup that was made before the upgrade",
            )

    def _widen(self) -> None:
        """Give the tables of an earlier version the columns that came since; each may be empty."""
        with self._engine.begin() as connection:
            known = inspect(connection)
            for table in METADATA.sorted_tables:
                there = {column["name"] for column in known.get_columns(table.name)}
                for column in table.columns:
                    if column.name not in there:
                        kind = column.type.compile(connection.dialect)
                        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))

    @classmethod
    def of(cls, town: Town) -> Journal:
        """The journal that `town` declares: a PostgreSQL database, or SQLite in the private zone.

        Raises: SecretMissing when the variable with its address is not set; OdpError when it is none, or not reached.
        """
        if town.journal is None:
            return cls.at(town.private_path)
        if not (address := os.environ.get(town.journal.env, "").strip()):
            raise SecretMissing(town.journal.env, needed_for="the journal", where="town.yaml, journal")
        if not address.startswith("postgresql"):
            raise OdpError(f"${town.journal.env} holds no address of PostgreSQL", where="town.yaml, journal",
                           mend="give it as postgresql://user:password@host/database")  # fmt: skip
        try:
            return cls(make_url(address).set(drivername="postgresql+psycopg"))
        except (ModuleNotFoundError, ArgumentError, ValueError):
            raise OdpError("the journal's database cannot be asked", where=f"town.yaml, journal, ${town.journal.env}",
                           mend="install odpipeline[postgres], and give postgresql://user:password@host/database"
                           ) from None  # fmt: skip

    @classmethod
    def at(cls, private: Path) -> Journal:
        """The SQLite journal of the private zone at `private`."""
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(f"sqlite:///{private / 'journal.sqlite'}")

    @property
    def engine(self) -> Engine:
        """The database, for records of others that lie in it too."""
        return self._engine

    def damage(self) -> str:
        """What SQLite finds broken in the journal's file, in its words; '' when it is whole, or not SQLite's."""
        if self._engine.dialect.name != "sqlite":
            return ""
        with self._engine.connect() as connection:
            said = str(connection.execute(text("PRAGMA quick_check(1)")).scalar())
        return "" if said == "ok" else said

    def empty(self) -> bool:
        """Whether nothing was ever recorded."""
        with self._engine.connect() as connection:
            return not any(connection.execute(select(table).limit(1)).first() for table in (_RUNS, _ACTS, _ACCEPTANCES))

    def record(self, run: RunRecord, report: Mapping[str, Any] | None = None) -> None:
        """Write one ended run, and the report of its findings if it came to any; lasting when this returns."""
        values = dict(vars(run))
        ended = run.ended_at.astimezone(UTC).replace(tzinfo=None) if run.ended_at else _now()
        values |= {"reasons": json.dumps(run.reasons, ensure_ascii=False), "ended_at": ended}
        with self._engine.begin() as connection:
            connection.execute(_RUNS.insert().values(values))
            if report is not None:
                kept = {"dataset": run.dataset, "report": json.dumps(report, ensure_ascii=False, allow_nan=False)}
                connection.execute(_REPORTS.insert().values(kept))
                newest = select(_REPORTS.c.id).where(_REPORTS.c.dataset == run.dataset).order_by(_REPORTS.c.id.desc())
                oldest = connection.execute(newest.offset(REPORTS).limit(1)).scalar()
                connection.execute(
                    _REPORTS.delete().where(_REPORTS.c.dataset == run.dataset, _REPORTS.c.id <= (oldest or 0))
                )

    def reports(self, dataset: str) -> list[dict[str, Any]]:
        """The kept reports of runs of `dataset`, the newest first."""
        query = select(_REPORTS.c.report).where(_REPORTS.c.dataset == dataset).order_by(_REPORTS.c.id.desc())
        with self._engine.connect() as connection:
            return [json.loads(report) for report in connection.execute(query).scalars()]

    def refused_since(self, dataset: str, moment: datetime) -> Refusals | None:
        """What the gate refused of `dataset` after `moment` (with a time zone); None when it refused nothing."""
        runs = _RUNS.c
        query = select(func.count(), func.min(runs.ended_at), func.max(runs.ended_at)).where(
            runs.dataset == dataset,
            runs.outcome == "refused",
            runs.ended_at > moment.astimezone(UTC).replace(tzinfo=None),
        )
        with self._engine.connect() as connection:
            times, first, last = connection.execute(query).one()
        return Refusals(times, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)) if times else None

    def last(self, dataset: str) -> RunRecord | None:
        """How the newest run of `dataset` ended, or None."""
        found = self._newest(_RUNS.c.dataset == dataset)
        return found[0] if found else None

    def newest(self) -> dict[str, RunRecord]:
        """How the newest run of each dataset ended."""
        last = select(func.max(_RUNS.c.id)).group_by(_RUNS.c.dataset)
        return {run.dataset: run for run in self._newest(_RUNS.c.id.in_(last), most=None)}

    def datasets_of(self, run: str) -> frozenset[str]:
        """The datasets that a run of `run` has ended of."""
        with self._engine.connect() as connection:
            return frozenset(connection.execute(select(_RUNS.c.dataset).where(_RUNS.c.run == run)).scalars())

    def lengths(self, dataset: str, most: int) -> list[float]:
        """How many seconds the last runs of `dataset` took that published something, the newest first."""
        query = select(_RUNS.c.seconds).where(_RUNS.c.dataset == dataset, _RUNS.c.outcome == "published")
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(_RUNS.c.id.desc()).limit(most)).scalars())

    def tallies(self) -> list[Tally]:
        """The runs of all datasets, counted by outcome."""
        runs = _RUNS.c
        query = select(runs.dataset, runs.outcome, func.count(), func.max(runs.ended_at))
        query = query.group_by(runs.dataset, runs.outcome).order_by(runs.dataset, runs.outcome)
        with self._engine.connect() as connection:
            return [Tally(name, outcome, count, last.replace(tzinfo=UTC))
                    for name, outcome, count, last in connection.execute(query)]  # fmt: skip

    def failing_since(self, dataset: str) -> datetime | None:
        """When the first run of `dataset` failed after which none came to its end (UTC); None when the last one did."""
        ended = select(func.max(_RUNS.c.id)).where(_RUNS.c.dataset == dataset, _RUNS.c.outcome != "failed")
        failed = select(func.min(_RUNS.c.ended_at)).where(
            _RUNS.c.dataset == dataset, _RUNS.c.id > func.coalesce(ended.scalar_subquery(), 0)
        )
        with self._engine.connect() as connection:
            found: datetime | None = connection.execute(failed).scalar()
        return found.replace(tzinfo=UTC) if found else None

    def since(self, moment: datetime) -> Sequence[RunRecord]:
        """The newest run of each dataset that ended at or after `moment` (with a time zone), by dataset."""
        runs = self._newest(_RUNS.c.ended_at >= moment.astimezone(UTC).replace(tzinfo=None), most=None)
        newest: dict[str, RunRecord] = {}
        for run in runs:
            newest.setdefault(run.dataset, run)
        return [newest[dataset] for dataset in sorted(newest)]

    def accept(self, dataset: str, content_hash: str, *, who: str, because: str, until: datetime | None = None) -> None:
        """Record that `who` accepts the unusual content with this hash (or its first 12 digits), why, and until when.

        `until` has a time zone; None is for good.
        """
        values = {
            "dataset": dataset, "content_hash": content_hash, "accepted_at": _now(), "who": who, "because": because,
            "until": until.astimezone(UTC).replace(tzinfo=None) if until else None,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(_ACCEPTANCES.insert().values(values))

    def accepted(self, dataset: str) -> frozenset[str]:
        """The content hashes of `dataset` that a person accepted, unless that has run out or a rollback came after."""
        query = select(_ACCEPTANCES.c.content_hash, _ACCEPTANCES.c.accepted_at).where(
            _ACCEPTANCES.c.dataset == dataset, (_ACCEPTANCES.c.until.is_(None)) | (_ACCEPTANCES.c.until > _now())
        )
        with self._engine.connect() as connection:
            said = [(str(content), _aware(at)) for content, at in connection.execute(query)]
        undone = [(str(act.details.get("undone")), act.at) for act in self.acts(dataset, "rollback")]
        return frozenset(one for one, at in said if not any(c.startswith(one) and then >= at for c, then in undone))

    def approve(self, approval: Approval) -> None:
        """Record a yes; lasting when this returns."""
        values = {name: _stored(value) for name, value in vars(approval).items()}
        with self._engine.begin() as connection:
            connection.execute(_APPROVALS.insert().values(values))

    def approvals(self, dataset: str) -> list[Approval]:
        """Every yes to a content of `dataset`, the newest first."""
        query = select(_APPROVALS).where(_APPROVALS.c.dataset == dataset).order_by(_APPROVALS.c.id.desc())
        with self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return [Approval(**{name: _aware(value) for name, value in row.items() if name != "id"}) for row in rows]

    def approved(self, dataset: str) -> frozenset[str]:
        """The content hashes of `dataset` with a yes that has not run out."""
        now = datetime.now(UTC)
        return frozenset(approval.content_hash for approval in self.approvals(dataset) if approval.until > now)

    def act(self, act: Act) -> None:
        """Record an act; lasting when this returns."""
        values = {name: _stored(value) for name, value in vars(act).items()}
        values["details"] = json.dumps(act.details, ensure_ascii=False)
        with self._engine.begin() as connection:
            connection.execute(_ACTS.insert().values(values))

    def acts(self, dataset: str, act: str | None = None) -> list[Act]:
        """The acts on `dataset`, or those of one kind, the newest first."""
        return [one for one in self._acts(_ACTS.c.dataset == dataset) if act in (None, one.act)]

    def acts_since(self, moment: datetime) -> list[Act]:
        """The acts on all datasets after `moment` (with a time zone), the newest first."""
        return self._acts(_ACTS.c.at > _stored(moment))

    def _acts(self, chosen: ColumnElement[bool]) -> list[Act]:
        query = select(_ACTS).where(chosen).order_by(_ACTS.c.id.desc())
        with self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return [Act(**{n: _aware(v) for n, v in row.items() if n not in ("id", "details")},
                    details=json.loads(row["details"])) for row in rows]  # fmt: skip

    def _newest(self, *conditions: object, most: int | None = 1) -> list[RunRecord]:
        query = select(_RUNS).order_by(_RUNS.c.id.desc()).limit(most)
        for condition in conditions:
            query = query.where(condition)  # type: ignore[arg-type]  # SQLAlchemy's own expressions
        with self._engine.connect() as connection:
            return [_run(row) for row in connection.execute(query)]


_SCHEMA = "odpipeline"
"""Where our tables lie in PostgreSQL: Dagster, whose database it may be too, has a table `runs` of its own."""
_MAKING = 0x6F6470
"""The number of the lock, in PostgreSQL, of who makes tables."""


def make_tables(engine: Engine, described: MetaData) -> None:
    """Make the tables and indexes of `described` that are missing; several processes may do so at once."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # its IF NOT EXISTS is not for two at once
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
            connection.execute(CreateSchema(_SCHEMA, if_not_exists=True))
        for table in described.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: index.name or ""):
                connection.execute(CreateIndex(index, if_not_exists=True))


def _patient(connection: object, _record: object) -> None:
    """Several datasets end at once: wait for the file instead of failing, and let readers read meanwhile."""
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DB-API connection
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _said(context: ExceptionContext) -> None:
    """The database's refusal (locked beyond our patience, full, damaged) in our words; values are in no part of it."""
    raise OdpError(
        f"the journal cannot be read or written ({context.original_exception})",
        where=(context.engine.url.database if context.engine else None) or "journal",
        mend="look at its disk, its rights, and who else holds it; if it is damaged: odp restore --help",
    ) from None


def _run(row: Row[tuple[object, ...]]) -> RunRecord:
    values = dict(row._mapping)
    del values["id"]
    values["reasons"] = tuple(json.loads(values["reasons"]))
    values["ended_at"] = values["ended_at"].replace(tzinfo=UTC)
    return RunRecord(**values)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _stored(value: Any) -> Any:
    """Times as they are stored: UTC, without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


__all__ = ["DIED", "METADATA", "REPORTS", "Act", "Approval", "Journal", "Refusals", "RunRecord", "Tally", "make_tables"]
