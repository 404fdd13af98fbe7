"""A query on the current version of a dataset → rows, on a DuckDB that can read that one file and nothing else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from odpipeline.api.grammar import PLACE, Misunderstood, Query
from odpipeline.duck import literal, quote

MOST_ROWS = 10_000
"""The most rows of one answer."""
SECONDS = 10.0
"""How long one query may take."""
AT_ONCE = 4
"""How many queries are answered at a time; the next ones wait for so many seconds, then are told to come back."""
PATIENCE = 5.0
_OPEN = 32
_MEMORY = "256MB"
_AGAIN = 0.05
"""Seconds after which a query that goes on is interrupted again."""
_AT_A_TIME, _MOST_BYTES = 1_000, 64_000_000
"""Rows that come at a time, and how much an answer may take in memory."""


class Busy(Exception):
    """Too many queries at a time, or one that takes too long."""


@dataclass(frozen=True)
class Answer:
    """The rows of one page, and how many there are in all; None where rows were gathered."""

    rows: pa.Table
    total: int | None


class Tables:
    """The open databases, one for each version that was asked for lately; each sees its own file only."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, duckdb.DuckDBPyConnection] = OrderedDict()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def answer(self, parquet: Path, query: Query, limit: int, offset: int) -> Answer:
        """The page of `query` on the rows of `parquet`.

        Raises: Misunderstood when values do not go together, Busy.
        """
        where = f" WHERE {query.where}" if query.where else ""
        try:
            with self._place(), _in_time(self._cursor(parquet)) as cursor:
                rows = _bounded(cursor.execute(query.sql(limit, offset)).to_arrow_reader(_AT_A_TIME))
                total = None if query.aggregated else cursor.execute(f"SELECT count(*) FROM rows{where}").fetchone()
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # the last two while the rows come
            raise _refused(str(error)) from None
        return Answer(rows, int(total[0]) if total else None)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=PATIENCE):
            raise Busy("too many queries at a time; try again in a moment")
        try:
            yield
        finally:
            self._places.release()

    def _cursor(self, parquet: Path) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if (connection := self._open.get(parquet)) is None:
                connection = self._open[parquet] = _locked(parquet)
                while len(self._open) > _OPEN:
                    self._open.popitem(last=False)  # closed when its last cursor is
            self._open.move_to_end(parquet)
            return connection.cursor()


def _refused(said: str) -> Exception:
    """What to tell instead of what DuckDB said, which may quote the request; its first words are the kind of error."""
    for start, refusal in (
        ("INTERRUPT", Busy(f"the query takes longer than {SECONDS:g} s; ask for less")),
        ("Out of Memory", Busy("the query needs more memory than one may have; ask for less")),
        ("IO", Busy("the version was taken away in this instant; ask again")),
        ("Out of Range", Misunderstood("select", "a number becomes too large")),
    ):
        if said.startswith(f"{start} Error"):
            return refusal
    return Misunderstood("where", "values and columns do not go together: compare texts with texts, numbers with "
                         "numbers, dates with '2026-01-31'")  # fmt: skip


def _bounded(reader: pa.RecordBatchReader) -> pa.Table:
    """What `reader` gives.

    Raises: Misunderstood when it is too much for one answer.
    """
    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > _MOST_BYTES:
            raise Misunderstood("limit", "the answer is too large; ask for fewer rows, or fewer columns")
    return pa.Table.from_batches(batches, reader.schema)


def _locked(parquet: Path) -> duckdb.DuckDBPyConnection:
    """A database with the view `rows` of the file, which from then on reads nothing else and changes no setting."""
    connection = duckdb.connect(
        ":memory:",
        config={"memory_limit": _MEMORY, "threads": "1", "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false", "temp_directory": ""},
    )  # fmt: skip
    connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    place = f"file_row_number AS {quote(PLACE)}"
    connection.execute(f"CREATE VIEW {quote('rows')} AS SELECT *, {place} FROM read_parquet({literal(parquet)})")
    connection.execute(f"SET allowed_paths = [{literal(parquet)}]; SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def _in_time(cursor: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    ended = threading.Event()

    def interrupt() -> None:
        ended.wait(SECONDS)
        while not ended.is_set():  # an interruption between two statements is lost
            cursor.interrupt()
            ended.wait(_AGAIN)

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        yield cursor
    finally:
        ended.set()
        watch.join()
        cursor.close()
