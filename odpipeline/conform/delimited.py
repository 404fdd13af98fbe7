"""CSV: encoding, delimiter and header found or declared, lines that do not fit set aside."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from pathlib import Path

import duckdb

from odpipeline.conform.delivered import Delivered, header
from odpipeline.conform.encoding import as_utf8
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import literal, quote
from odpipeline.errors import ConformError

_DELIMITERS = (";", ",", "\t", "|")
_REJECTS = "odp_rejects"


def read(_connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The CSV at `path` as text columns; row numbers count the readable data lines after the header."""
    text = as_utf8(path, dataset, folder)
    lines = _first_lines(text, dataset.format.header_row - 1, dataset.format.header_rows + 100)
    if not lines:
        raise ConformError("the delivery is empty", where=dataset.place("source"), mend="ask the source what happened")
    delimiter = dataset.format.delimiter or _delimiter(lines, dataset)
    top = list(itertools.islice(csv.reader(lines, delimiter=delimiter), dataset.format.header_rows))
    names = header([list(row) for row in top], dataset)
    kinds = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(names)))
    skip = dataset.format.header_row - 1 + dataset.format.header_rows
    relation = (
        f"(SELECT row_number() OVER () AS _row, * FROM read_csv({literal(text)}, columns={{{kinds}}}, header=false, "
        f"skip={skip}, auto_detect=false, delim={literal(delimiter)}, quote='\"', escape='\"', strict_mode=true, "
        f"store_rejects=true, rejects_table='{_REJECTS}', rejects_scan='{_REJECTS}_scans', rejects_limit=0, "
        f"max_line_size=10000000))"
    )
    return Delivered(relation, {name: quote(f"c{n}") for n, name in enumerate(names) if name}, _REJECTS)


def _first_lines(text: Path, skip: int, most: int) -> list[str]:
    with text.open(encoding="utf-8-sig", newline="") as stream:
        return [line[:100_000] for line in itertools.islice(stream, skip, skip + most) if line.strip()]


def _delimiter(lines: list[str], dataset: Dataset) -> str:
    """The candidate that cuts the most lines into as many cells as the header, and into the most of them.

    Raises: ConformError when none cuts anything, unless one column is all that is declared.
    """
    best, merit = ",", (0.0, 1)
    for candidate in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=candidate)]
        [(width, times)] = Counter(widths).most_common(1)
        if width > 1 and (times / len(widths), width) > merit:
            best, merit = candidate, (times / len(widths), width)
    if merit[1] == 1 and len(dataset.fields) + len(dataset.ignored_columns) > 1:
        raise ConformError(
            "no delimiter cuts the delivery into columns (tried ; , tab |)",
            where=dataset.place("format"),
            mend="say which one under format: {delimiter: …}, and where the header is with header_row",
        )
    return best
