"""Reads an SQLite file through ADBC, opened read-only.

A column of SQLite holds values of any type, whereas the driver takes the types of the first batch for those of all
and fails, or types a column by its missing values, when later ones differ. So the types are counted first, in the
same transaction, and a first row of ours, dropped again, tells them to the driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa
from sqlalchemy import URL

from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.rows import Query, Rows, chained, failed, refuse_twins, refused

_MAGIC = b"SQLite format 3\x00"
_INTEGER, _REAL, _TEXT, _BLOB = 1, 2, 4, 8
_BATCH = {"adbc.sqlite.query.batch_rows": "65536"}
_PREPARING = re.compile(r"Failed to prepare query: (.+)")


@contextmanager
def rows(url: URL, root: Path, query: Query) -> Iterator[Rows]:
    """The rows of `query`; see `rows.Dialect`. Columns that mix types become text."""
    path = _file(url, root, query)
    try:
        with (
            adbc_driver_sqlite.dbapi.connect(f"{path.as_uri()}?mode=ro") as connection,
            connection.cursor(adbc_stmt_kwargs=_BATCH) as cursor,
        ):
            cursor.execute(_typed(cursor, query))
            with cursor.fetch_record_batch() as reader:
                yield Rows(reader.schema, _without_first_row(reader))
    except adbc_driver_manager.Error as error:
        raise _worded(str(error), query) from None
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # our disk, not their file
        raise failed(query) from None


def _file(url: URL, root: Path, query: Query) -> Path:
    path = (root / (url.database or "")).resolve()
    mend = "correct the path in the system's address; `sqlite:///name.db` is relative to the town"
    if not path.is_file():
        raise SourceUnavailable("there is no such SQLite file", where=query.where, mend=mend)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SourceError("the file is not an SQLite database", where=query.where, mend=mend)
    return path


def _typed(cursor: Any, query: Query) -> str:
    """The query behind a row that shows the driver each column's type."""
    cursor.execute(query.sql)
    with cursor.fetch_record_batch() as reader:
        names = reader.schema.names
    refuse_twins(names, query)
    bits = (("integer", _INTEGER), ("real", _REAL), ("text", _TEXT), ("blob", _BLOB))
    counts = ", ".join(
        " + ".join(f"{bit} * coalesce(max(typeof({_quote(name)}) = '{word}'), 0)" for word, bit in bits)
        for name in names
    )  # fmt: skip
    cursor.execute(f"SELECT {counts} FROM (\n{query.sql}\n)")
    types = dict(zip(names, cursor.fetchone(), strict=True))
    if binary := [name for name, mask in types.items() if mask & _BLOB]:
        raise SourceError(
            f"the query gives binary values in {', '.join(binary)}",
            where=query.where,
            mend=f"leave them out, or write them as text with hex() or CAST(… AS TEXT) in {query.declared}",
        )
    first = ", ".join(f"{_example(mask)} AS {_quote(name)}" for name, mask in types.items())
    rest = ", ".join(_column(name, mask) for name, mask in types.items())
    return f"SELECT {first} UNION ALL SELECT {rest} FROM (\n{query.sql}\n)"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _example(mask: int) -> str:
    return {_INTEGER: "0", _REAL: "0.0", _INTEGER | _REAL: "0.0"}.get(mask, "''")


def _column(name: str, mask: int) -> str:
    # SQLite writes a REAL as text with 15 significant digits.
    mixed = mask & _TEXT and mask != _TEXT
    return f"CAST({_quote(name)} AS TEXT)" if mixed else _quote(name)


def _without_first_row(reader: Any) -> Iterator[Any]:
    batches = iter(reader)
    first = next(batches)
    if any(value not in (0, 0.0, "") for value in first.slice(0, 1).to_pylist()[0].values()):
        raise RuntimeError("SQLite did not give the first row first")
    return chained(first.slice(1), batches)


def _worded(message: str, query: Query) -> SourceError:
    """What SQLite says while it prepares a query is about names and syntax; other messages are not shown."""
    if "readonly" in message:
        return refused("it writes, and the file is opened read-only", query)
    if "locked" in message or "busy" in message:
        return SourceUnavailable(
            "the SQLite file is locked by a program that writes to it",
            where=query.where,
            mend="read it at another hour, or read a copy; the next run tries again",
        )
    if found := _PREPARING.search(message):
        return refused(found[1], query)
    return failed(query)
