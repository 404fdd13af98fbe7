"""What every SQL dialect takes and gives: a query, and its rows as Arrow batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL

from odpipeline.errors import SourceError


@dataclass(frozen=True)
class Query:
    """One SELECT: `sql` without a final semicolon, how long the server may take, and places for messages."""

    sql: str
    seconds: float
    where: str
    declared: str


@dataclass(frozen=True)
class Rows:
    """The answer: a `pyarrow.Schema` and an iterator of `pyarrow.RecordBatch`, alive inside the dialect's block."""

    schema: Any
    batches: Iterable[Any]


class Dialect(Protocol):
    """How one kind of database is read, in a session that cannot write."""

    def __call__(self, url: URL, root: Path, query: Query) -> AbstractContextManager[Rows]:
        """Run `query` at `url`; a file is relative to the town's `root`.

        Raises: SourceError, SourceUnavailable, whenever the database fails, also inside the block.
        """


def refuse_twins(names: Iterable[str], query: Query) -> None:
    """Refuse columns that share a name, which one table cannot hold.

    Raises: SourceError.
    """
    twins = [name for name, times in Counter(names).items() if times > 1]
    if twins:
        raise SourceError(
            f"the query gives more than one column the name {', '.join(twins)}",
            where=query.where,
            mend=f"name them apart with AS in {query.declared}",
        )


def refused(what: str, query: Query) -> SourceError:
    """The error for a query that the database refuses."""
    return SourceError(f"the database refuses the query: {what}", where=query.where, mend=f"correct {query.declared}")


def failed(query: Query) -> SourceError:
    """The error for a failure in the midst of the rows, whose message may quote a value and is not shown."""
    return SourceError(
        "the query failed while it was read (the database's message may quote data and is not shown)",
        where=query.where,
        mend=f"run the query of {query.declared} by hand to see why",
    )


def chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """`first`, then the `rest`."""
    yield first
    yield from rest
