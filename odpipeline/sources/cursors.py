"""Reads MariaDB, MySQL, SQL Server and Oracle through SQLAlchemy, from a cursor that the server keeps open.

Their drivers give Python objects: rows come in batches, each made Arrow at once, so that memory stays flat. DuckDB's
own scanner of MySQL would be lighter, but its session can write through a function and knows no time limit. On SQL
Server no session is read-only: give the user no more than SELECT there.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy
import stamina
from sqlalchemy import URL, Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.rows import Query, Rows, chained, failed, refuse_twins, refused

_BATCH = 10_000
_DRIVERS = {
    "mysql": ("mysql+pymysql", "pymysql", ""),
    "mariadb": ("mysql+pymysql", "pymysql", ""),
    "mssql": ("mssql+pymssql", "pymssql", "odpipeline[sqlserver]"),
    "oracle": ("oracle+oracledb", "oracledb", "odpipeline[oracle]"),
}
"""The name before `://` → SQLAlchemy's name, the driver's module, and the extra that brings it."""

_TYPES: tuple[tuple[type, pa.DataType], ...] = (
    (bool, pa.bool_()), (int, pa.int64()), (float, pa.float64()), (Decimal, pa.string()),
    (datetime, pa.timestamp("us")), (date, pa.date32()), (clock, pa.time64("us")), (timedelta, pa.string()),
    (str, pa.string()),
)  # fmt: skip
"""Python type → Arrow type, the narrower first: a bool is an int, a datetime a date. Decimals stay exact as text."""

_BINARY = frozenset({bytes, bytearray, memoryview})

_AWAY = frozenset({2002, 2003, 2006, 2013, 1040, 1053, 1077, 1927})
"""Error numbers of MariaDB when nobody answers, or no more."""
_LATE, _WRITES, _RIGHTS, _SYNTAX = {1969, 3024, 1317}, {1792}, {1044, 1142, 1143, 1370}, {1049, 1054, 1064, 1146, 1305}


@contextmanager
def rows(url: URL, root: Path, query: Query) -> Iterator[Rows]:  # noqa: ARG001 - a server needs no root
    """The rows of `query`; see `rows.Dialect`."""
    started = time.monotonic()
    engine = _engine(url, query)
    try:
        with _connection(engine, query) as connection:
            try:
                with _closed(connection.execution_options(no_parameters=True).exec_driver_sql(query.sql)) as result:
                    refuse_twins(result.keys(), query)
                    batches = _batches(result, query)
                    first = next(batches)
                    yield Rows(first.schema, chained(first, batches))
            except SQLAlchemyError as error:
                raise _worded(error, query, started) from None
    finally:
        engine.dispose()


@contextmanager
def _closed(result: CursorResult[Any]) -> Iterator[CursorResult[Any]]:
    """`result`, and what is left of it thrown away at the end; a broken connection has nothing left."""
    try:
        yield result
    finally:
        with contextlib.suppress(SQLAlchemyError, OSError, AttributeError):
            result.close()


def _engine(url: URL, query: Query) -> Engine:
    name, module, extra = _DRIVERS[url.get_backend_name()]
    try:
        importlib.import_module(module)
    except ImportError:
        raise SourceError(
            f"the driver {module} is not installed",
            where=query.where,
            mend=f"install it with: pip install '{extra or module}'",
        ) from None
    options: dict[str, Any] = {}
    if module == "pymysql":
        options = {"connect_timeout": 10, "read_timeout": query.seconds + 5, "charset": "utf8mb4"}
    elif module == "pymssql":
        options = {"login_timeout": 10, "timeout": int(query.seconds)}
    return sqlalchemy.create_engine(url.set(drivername=name), connect_args=options, pool_pre_ping=False)


@contextmanager
def _connection(engine: Engine, query: Query) -> Iterator[Connection]:
    """A session that streams, cannot write where the server knows such, and ends in time; asked for three times."""
    connection: Connection | None = None
    try:
        for attempt in stamina.retry_context(on=_Away, attempts=3, wait_initial=0.2, wait_max=2.0, timeout=30.0):
            with attempt:
                connection = _opened(engine, query)
    except _Away:
        raise SourceUnavailable(
            "the database server does not answer",
            where=query.where,
            mend="ask its owner whether it is up and lets this machine in; the next run tries again",
        ) from None
    assert connection is not None  # noqa: S101 - opened, or an error was raised
    with connection:
        yield connection


class _Away(Exception):
    """Nobody answers: worth another try."""


def _opened(engine: Engine, query: Query) -> Connection:
    try:
        connection = engine.connect().execution_options(stream_results=True, yield_per=_BATCH)
        for statement in _session(engine, query):
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if _number(error) in _AWAY:
            raise _Away from None
        raise SourceError(
            "the database server refuses the login",
            where=query.where,
            mend="check user, password and database name in the environment variable that holds the address",
        ) from None
    return connection


def _session(engine: Engine, query: Query) -> Sequence[str]:
    """What makes the session read-only and bounds its time, where the server knows such."""
    if engine.dialect.name == "oracle":
        return ("SET TRANSACTION READ ONLY",)
    if engine.dialect.name == "mssql":
        return ()
    seconds = max(1, round(query.seconds))
    mariadb = bool(getattr(engine.dialect, "is_mariadb", False))
    limit = f"max_statement_time = {seconds}" if mariadb else f"max_execution_time = {seconds * 1000}"
    return ("ROLLBACK", "SET SESSION time_zone = '+00:00'", f"SET SESSION {limit}", "START TRANSACTION READ ONLY")


def _batches(result: CursorResult[Any], query: Query) -> Iterator[pa.RecordBatch]:
    """The rows as Arrow; the first batch gives the types, an empty result columns of text."""
    names = list(result.keys())
    schema: pa.Schema | None = None
    for part in result.partitions(_BATCH):
        columns = list(zip(*part, strict=True))
        schema = schema or pa.schema(
            [(name, _type(name, column, query)) for name, column in zip(names, columns, strict=True)]
        )
        yield pa.record_batch(
            [_array(column, field, query) for column, field in zip(columns, schema, strict=True)], schema=schema
        )
    if schema is None:
        empty = pa.schema([(name, pa.string()) for name in names])
        yield pa.record_batch([pa.array([], pa.string()) for _ in names], schema=empty)


def _type(name: str, column: Sequence[Any], query: Query) -> pa.DataType:
    """The Arrow type of a column by its first values; one that is empty so far is text."""
    kinds = {type(value) for value in column if value is not None}
    if kinds & _BINARY:
        raise _binary(name, query)
    if {int, Decimal} <= kinds or {int, float} <= kinds:
        return pa.string()
    found = next((arrow for python, arrow in _TYPES if any(issubclass(kind, python) for kind in kinds)), pa.string())
    if found == pa.int64() and any(value is not None and abs(value) >= 2**63 for value in column):
        return pa.string()  # an unsigned number beyond ours
    return found


def _binary(name: str, query: Query) -> SourceError:
    return SourceError(
        f"the query gives binary values in {name}",
        where=query.where,
        mend=f"leave them out, or write them as text in {query.declared}; a geometry with ST_AsGeoJSON({name})",
    )


def _array(column: Sequence[Any], field: pa.Field, query: Query) -> pa.Array:
    cells = column
    if field.type == pa.string():
        if any(type(value) in _BINARY for value in column):  # after a first batch of missing values
            raise _binary(field.name, query)
        cells = [value if value is None or isinstance(value, str) else _text(value) for value in column]
    try:
        return pa.array(cells, field.type)
    except (pa.ArrowException, OverflowError, TypeError):
        raise SourceError(
            f"the column {field.name} changes its type on the way",
            where=query.where,
            mend=f"cast it to one type in {query.declared}: CAST({field.name} AS CHAR)",
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, timedelta):  # a TIME of MariaDB, which may pass 24 hours
        seconds, fraction = divmod(abs(value), timedelta(seconds=1))
        told = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        part = f".{fraction.microseconds:06}".rstrip("0") if fraction else ""
        return ("-" if value < timedelta(0) else "") + told + part
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _number(error: SQLAlchemyError) -> int:
    """The server's error number, or 0."""
    arguments = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def _worded(error: SQLAlchemyError, query: Query, started: float) -> SourceError:
    """Our words for it: the server's own may quote a value, but for names and syntax of the declared query."""
    number = _number(error)
    if number in _LATE or time.monotonic() - started >= query.seconds:
        return SourceUnavailable(
            f"the query was not done after {query.seconds:.0f} s",
            where=query.where,
            mend=f"raise `timeout` in {query.declared}, or have an index made",
        )
    if number in _AWAY:
        return SourceUnavailable(
            "the database broke the connection off half way",
            where=query.where,
            mend="the next run tries again; if it goes on, ask its owner",
        )
    if number in _WRITES:
        return refused("it writes, and the session is read-only", query)
    if number in _RIGHTS:
        return SourceError(
            "the database user may not read what the query asks for",
            where=query.where,
            mend="GRANT SELECT on these tables to it",
        )
    if number in _SYNTAX:
        said = str(getattr(getattr(error, "orig", None), "args", ("", ""))[1]).splitlines()[0]
        return refused(said, query)
    return failed(query)
