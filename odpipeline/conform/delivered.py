"""A delivery as one relation of text columns, whatever its format was."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import ConformError

ERROR_CELL = "\ue000#error"
"""What a reader writes for a cell that the source itself calls an error, such as #DIV/0! in a workbook."""


@dataclass(frozen=True)
class Delivered:
    """`relation` is SQL after FROM: `_row` (BIGINT, from 1, in the order of the source), then VARCHAR columns.

    `columns` maps each delivered column's name, in order, to the SQL expression of its text. `native`, `nulls_read`:
    see `casting.Spelling`. `first` is the expression of a row's first cell, which begins with `bad_line` in a line
    without form; the whole cell is then a `mark` of the connection's table `bad_lines`. `mended`, called after each
    pass over the relation with the error that ended it, gives what to read instead, or None when all was well.
    """

    relation: str
    columns: dict[str, str]
    native: bool = False
    nulls_read: bool = False
    first: str = "NULL"
    bad_line: str | None = None
    mended: Callable[[duckdb.DuckDBPyConnection, duckdb.InvalidInputException | None], Delivered | None] | None = None


class NoRecords(ConformError):
    """A document in which nothing is where its records should be: of one period of many, that may be so."""


T = TypeVar("T")


def passed(
    connection: duckdb.DuckDBPyConnection, delivered: Delivered, once: Callable[[Delivered], T]
) -> tuple[Delivered, T]:
    """Pass over the rows with `once`, again and again until the reader finds nothing more to mend in their form.

    The delivery as it was read in the end, and what `once` made of it. Raises: whatever `once` raises otherwise.
    """
    while True:
        error, made = None, None
        try:
            made = once(delivered)
        except duckdb.InvalidInputException as raised:
            if delivered.mended is None:
                raise
            error = raised
        mended = delivered.mended(connection, error) if delivered.mended else None
        if mended is None:
            assert made is not None  # noqa: S101 - `mended` raises what it cannot mend
            return delivered, made
        delivered = mended


def header(cells: list[list[str | None]], dataset: Dataset) -> list[str]:
    """The names of the columns from the header's rows: merged cells are repeated to the right, rows joined by a blank.

    Raises: ConformError for a name that stands twice.
    """
    width = max(map(len, cells), default=0)
    rows = [[(cell or "").strip().strip("\ufeff") for cell in row] + [""] * (width - len(row)) for row in cells]
    for row, below in itertools.pairwise(rows):
        for place in range(1, width):
            # A cell merged to the right has something beneath itself; one merged downwards has not.
            row[place] = row[place] or (row[place - 1] if below[place] and below[place - 1] else "")
    names = [re.sub(r"\s+", " ", " ".join(dict.fromkeys(filter(None, column)))) for column in zip(*rows, strict=True)]
    folded = Counter(name.casefold() for name in names if name)
    if twice := sorted({name for name in names if folded[name.casefold()] > 1}):
        raise ConformError(
            f"the delivery has two columns called {', '.join(twice)}",
            where=dataset.place("source"),
            mend="ask the source for distinct names, or say where the header is with format.header_row",
        )
    return names


def unnamed(place: int) -> str:
    """What a column without a name is called in messages; `place` counts from 0."""
    return f"(column {place + 1}, without a name)"


def unreadable(error: duckdb.Error, what: str, dataset: Dataset) -> ConformError:
    """`error` without its text, which may hold cells: only the line is taken from it."""
    line = re.search(r"\b[Ll]ine:? (\d+)", str(error))
    return ConformError(
        f"the delivery cannot be read as {what}" + (f", line {line[1]}" if line else ""),
        where=dataset.place("format") or dataset.place("source"),
        mend="look at the delivery, and say under format: what it is if the detection is wrong",
    )
