"""Reads PostgreSQL through ADBC, which takes the rows by a binary COPY.

Read-only and the time limit are set inside the one transaction, so that they also hold behind a connection pooler.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa
import stamina
from sqlalchemy import URL

from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.rows import Query, Rows, failed, refused

_SETTINGS = {
    "application_name": "odpipeline",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""Settings of the connection, unless the address has its own; a server that vanished is noticed after a minute."""

_AWAY = (
    "Connection refused", "timeout expired", "No route to host", "unreachable", "could not translate host name",
    "starting up", "shutting down", "too many clients", "No such file or directory", "closed the connection",
)  # fmt: skip
"""What libpq says when nobody answers, or nobody yet."""


@contextmanager
def rows(url: URL, root: Path, query: Query) -> Iterator[Rows]:  # noqa: ARG001 - a server needs no root
    """The rows of `query`; see `rows.Dialect`."""
    with _connection(url, query) as connection, connection.cursor() as cursor:
        started = time.monotonic()
        try:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = {int(query.seconds * 1000)}")
            cursor.execute(query.sql)
            with cursor.fetch_record_batch() as reader:
                yield Rows(reader.schema, reader)
        except adbc_driver_manager.Error as error:
            raise _late(query, started) or _lost(connection, query) or _worded(error, query) from None
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # our disk, not their server
            raise _late(query, started) or _lost(connection, query) or failed(query) from None


@contextmanager
def _connection(url: URL, query: Query) -> Iterator[adbc_driver_postgresql.dbapi.Connection]:
    """A connection, asked for three times while nobody answers."""
    for attempt in stamina.retry_context(on=SourceUnavailable, attempts=3, wait_initial=0.2, wait_max=2, timeout=30):
        with attempt:
            connection = _opened(url, query)
    try:
        yield connection
    finally:
        with contextlib.suppress(adbc_driver_manager.Error):  # the server may have broken it off
            connection.close()


def _opened(url: URL, query: Query) -> adbc_driver_postgresql.dbapi.Connection:
    try:
        return adbc_driver_postgresql.dbapi.connect(_address(url))
    except adbc_driver_manager.Error as error:
        raise _closed_door(str(error), query) from None


def _address(url: URL) -> str:
    """The SQLAlchemy URL as libpq reads it: without the driver's name, each part encoded."""
    user = quote(url.username or "", safe="")
    password = f":{quote(str(url.password), safe='')}" if url.password is not None else ""
    host = f"[{url.host}]" if ":" in (url.host or "") else quote(url.host or "", safe="")
    place = f"{user}{password}@{host}" if user else host
    port = f":{url.port}" if url.port else ""
    settings = urlencode({**_SETTINGS, **url.query}, doseq=True, quote_via=quote)
    return f"postgresql://{place}{port}/{quote(url.database or '', safe='')}?{settings}"


def _closed_door(message: str, query: Query) -> SourceError:
    """Why there is no connection, in our words: the server's could be in any language, libpq's quotes the address."""
    if any(sign in message for sign in _AWAY):
        return SourceUnavailable(
            "the database server does not answer",
            where=query.where,
            mend="ask its owner whether it is up and lets this machine in; the next run tries again",
        )
    known = "the database server refuses the login" if "FATAL" in message else "no connection to the database server"
    return SourceError(
        known,
        where=query.where,
        mend="check user, password and database name in the environment variable that holds the address",
    )


def _lost(connection: adbc_driver_postgresql.dbapi.Connection, query: Query) -> SourceError | None:
    """The error of a connection that is gone; one that lives still answers, whatever the language of its messages."""
    try:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
    except (adbc_driver_manager.Error, OSError):
        return SourceUnavailable(
            "the database broke the connection off half way",
            where=query.where,
            mend="the next run tries again; if it goes on, ask its owner",
        )
    return None


def _worded(error: adbc_driver_manager.Error, query: Query) -> SourceError:
    state = error.sqlstate or ""
    if state == "25006":
        return refused("it writes, and the session is read-only", query)
    if state == "42501":
        return SourceError(
            "the database user may not read what the query asks for",
            where=query.where,
            mend="GRANT SELECT on these tables to it",
        )
    if state.startswith("42"):
        return refused(_primary(error), query)
    return failed(query)


def _late(query: Query, started: float) -> SourceError | None:
    """The error of a query that used up its time: told by the clock, since mid-stream the state is lost."""
    if time.monotonic() - started < query.seconds:
        return None
    return SourceUnavailable(
        f"the query was not done after {query.seconds:.0f} s",
        where=query.where,
        mend=f"raise `timeout` in {query.declared}, or have an index made",
    )


def _primary(error: adbc_driver_manager.Error) -> str:
    """The first line of the server's message: names and syntax of the declared query."""
    for name, value in error.details:
        if name in (b"PG_DIAG_MESSAGE_PRIMARY", "PG_DIAG_MESSAGE_PRIMARY"):
            return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).splitlines()[0]
    return f"SQLSTATE {error.sqlstate}"
