"""Kind `sql`: the rows of one query, streamed into one Parquet file.

Rows come as Arrow batches from ADBC and never become Python objects, so that memory stays flat. The session cannot
write. The address is an SQLAlchemy URL from the environment; as it is the town's own, it may be on the inside of the
network. It holds a password and is never shown; nor is what a server says, unless about the query itself.
"""

from __future__ import annotations

import importlib
import os
import time
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from odpipeline.declaration.source import SqlSource
from odpipeline.declaration.words import spell_duration
from odpipeline.errors import SourceError
from odpipeline.sources import watermark
from odpipeline.sources.delivery import Delivery, Order
from odpipeline.sources.rows import Dialect, Query, Rows, refuse_twins

_CURSORS = "odpipeline.sources.cursors"
DIALECTS = {
    "postgresql": "odpipeline.sources.postgresql", "sqlite": "odpipeline.sources.sqlite", "mysql": _CURSORS,
    "mariadb": _CURSORS, "mssql": _CURSORS, "oracle": _CURSORS,
}  # fmt: skip
"""The name before `://` (without a driver's `+name`) → the module whose `rows` reads it.

Imported when a query runs: the drivers bring pandas along, a second that no other command should pay.
"""

_WHOLE_ONLY = ("mssql", "oracle")
"""No test of ours has a server of them, and how they compare a time with a text depends on their settings."""

_PLAIN = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string,
    pa.types.is_date, pa.types.is_time, pa.types.is_timestamp, pa.types.is_decimal,
)  # fmt: skip


def extract(source: SqlSource, order: Order) -> Delivery:
    """Run the query and write its rows. A result without rows is delivered: later stages judge it.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    url = _address(order)
    mark = "`" if url.get_backend_name() in ("mysql", "mariadb") else '"'
    query = Query(_select(source, mark), source.timeout.total_seconds(), _shown(url), order.declared)
    module = DIALECTS.get(url.get_backend_name())
    if module is None:
        raise SourceError(
            f"databases of the kind {url.get_backend_name()!r} cannot be read",
            where=query.where,
            mend=f"the supported kinds are {', '.join(DIALECTS)}; have the system export files instead",
        )
    if source.incremental and url.get_backend_name() in _WHOLE_ONLY:
        raise SourceError(
            f"databases of the kind {url.get_backend_name()!r} are not read incrementally",
            where=query.where,
            mend=f"leave `incremental` out of {order.declared}; everything is then read",
        )
    dialect: Dialect = importlib.import_module(module).rows
    before = order.earlier() if source.incremental else None
    since = watermark.newest(source.incremental, before, order) if source.incremental and before else None
    joined = False
    if source.incremental and before and since is not None:
        asked = replace(query, sql=watermark.narrowed(query.sql, source.incremental, since, mark))
        with dialect(url, order.root, asked) as rows:
            _write(rows, source, order, asked)
        joined = watermark.merge(source.incremental, order, before)
    if not joined:  # everything is read: there is no watermark yet, or the columns are other ones than before
        with dialect(url, order.root, query) as rows:
            _write(rows, source, order, query)
    return Delivery(order.path, "query.parquet", "application/vnd.apache.parquet")


def _select(source: SqlSource, mark: str) -> str:
    """The declared query, or that of the declared table, with names in the dialect's own quotes."""
    if isinstance(source.sql, str):
        return source.sql.strip().rstrip(";").rstrip()

    def quoted(name: str) -> str:
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    chosen = ", ".join(map(quoted, source.sql.columns)) or "*"
    return f"SELECT {chosen} FROM {'.'.join(map(quoted, source.sql.table.split('.')))}"


def _address(order: Order) -> URL:
    if order.system is None:
        raise SourceError(
            "a query needs to know its database",
            where=order.declared,
            mend="name the `system` of town.yaml whose `url` is the SQLAlchemy URL",
        )
    try:
        return make_url(order.system.address())
    except (ArgumentError, ValueError):
        # None of the original: it quotes the URL, password included.
        raise SourceError(
            "the address is not an SQLAlchemy URL",
            where=f"the system “{order.system.title}”",
            mend="write postgresql://user:password@host:5432/database or sqlite:///path, special characters %-encoded",
        ) from None


def _shown(url: URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


def _write(rows: Rows, source: SqlSource, order: Order, query: Query) -> None:
    refuse_twins(rows.schema.names, query)
    if source.incremental:
        watermark.demand(rows.schema.names, source.incremental, query, order)
    schema = pa.schema([_stored(field, query) for field in rows.schema])
    deadline = time.monotonic() + source.deadline.total_seconds()
    descriptor = os.open(order.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        os.fdopen(descriptor, "wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as parquet,
    ):
        for batch in rows.batches:
            parquet.write_batch(_checked(batch, schema, query))
            if file.tell() > source.max_bytes or time.monotonic() > deadline:
                raise SourceError(
                    f"the rows take more than {source.max_bytes:,} bytes or {spell_duration(source.deadline)}",
                    where=query.where,
                    mend=f"select fewer rows or columns in {query.declared}, or raise `max_bytes` or `deadline`",
                )


def _stored(field: Any, query: Query) -> Any:
    """The field as it is written, without the driver's metadata.

    Raises: SourceError for a type that would be written as something that it does not mean.
    """
    kind = field.type
    if isinstance(kind, pa.OpaqueType) and pa.types.is_string(kind.storage_type):
        kind = kind.storage_type  # PostgreSQL's numeric: exact, as text
    money = (field.metadata or {}).get(b"POSTGRESQL:type") == b"money"  # comes as a number of cents
    if money or not (isinstance(kind, pa.UuidType | pa.JsonType) or any(is_it(kind) for is_it in _PLAIN)):
        raise SourceError(
            f"the column {field.name} has a type that cannot be read",
            where=query.where,
            mend=f"cast it to text in {query.declared}: CAST({field.name} AS text), or for a geometry "
            f"ST_AsGeoJSON(ST_Transform({field.name}, 4326))",
        )
    return pa.field(field.name, kind)


def _checked(batch: Any, schema: Any, query: Query) -> Any:
    columns = [column.storage if isinstance(column.type, pa.OpaqueType) else column for column in batch.columns]
    checked = pa.RecordBatch.from_arrays(columns, schema=schema)
    try:
        checked.validate(full=True)
    except pa.ArrowInvalid:
        raise SourceError(
            "a text is not valid in the encoding that the database declares",
            where=query.where,
            mend="have it mended in the database, or leave the column out",
        ) from None
    return checked
