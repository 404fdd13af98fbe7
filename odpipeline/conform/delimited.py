"""CSV: encoding, delimiter and header found or declared, lines that do not fit set aside.

DuckDB reads strictly, and reports the lines that it cannot cut into columns instead of rows. To keep their place in
the numbering, such a delivery is read once more from a copy in which each of them is a row that only holds a mark.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from odpipeline.conform.columns import folded
from odpipeline.conform.delivered import Delivered, header, unnamed
from odpipeline.conform.encoding import as_utf8, chunks, with_plain_line_ends
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import literal, quote
from odpipeline.errors import ConformError

_DELIMITERS = (";", ",", "\t", "|")
_SAMPLE_BYTES = 1 << 20
"""The header and the lines that tell the delimiter are looked for in the first mebibyte."""
_MOST_BAD_LINES = 100_000
_LONGEST_LINE, _BUFFER = 16_000_000, 32_000_000
"""In bytes. A row with a geometry may be long; the buffer, of which each thread has one, keeps DuckDB's usual size."""
_NOTHING_MISSING = "\ue000"
"""What stands for "no spelling of a missing value", since DuckDB wants at least one: a private character."""


@dataclass(frozen=True)
class _Form:
    """How the UTF-8 file `path` is read: its data begins after `header` records, or at its first byte when False."""

    path: Path
    folder: Path
    delimiter: str
    names: tuple[str, ...]
    header: bool
    dataset: Dataset
    copies: int = 0

    @property
    def rejects(self) -> str:
        """The table in which DuckDB reports the lines without form of this reading."""
        return f"rejects_{self.copies}"


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The CSV at `path` as text columns; row numbers count the data rows after the header, malformed ones included.

    Raises: ConformError when encoding, delimiter or header cannot be made out.
    """
    text = as_utf8(path, dataset, folder)
    _refuse_endless_line(text, dataset)
    with text.open("rb") as stream:
        sample = stream.read(_SAMPLE_BYTES)
    if b"\r" in sample and b"\n" not in sample:
        text = with_plain_line_ends(text, folder / "lines.csv")
        sample = sample.replace(b"\r", b"\n")
    start = _after_lines(sample, dataset.format.header_row - 1)
    lines = sample[start:].decode("utf-8-sig", "ignore")
    if not lines.strip():
        raise ConformError("the delivery is empty", where=dataset.place("source"), mend="ask the source what happened")
    delimiter = dataset.format.delimiter or _delimiter(lines, dataset)
    rows, length = _top(lines, delimiter, dataset)
    names = _with_unnamed(tuple(header(rows, dataset)), lines[length:], delimiter)
    plain = start == 0 and len(rows) == 1
    form = _Form(text, folder, delimiter, names, plain, dataset)
    if not plain:
        body = folder / "body.csv"
        mark = len(sample[start:]) - len(sample[start:].removeprefix(b"\xef\xbb\xbf"))
        _copy(text, body, [(0, start + mark + len(lines[:length].encode()), b"")])
        form = replace(form, path=body)
    return _delivered(connection, form)


def _refuse_endless_line(text: Path, dataset: Dataset) -> None:
    """DuckDB leaves a line out that does not fit its buffer, and does not always say so."""
    if text.stat().st_size <= _LONGEST_LINE:
        return
    line, length = 1, 0
    for chunk in chunks(text, 0):
        ends = chunk.count(b"\n") or chunk.count(b"\r")
        length = len(chunk) - max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) - 1 if ends else length + len(chunk)
        line += ends
        if length > _LONGEST_LINE:
            raise ConformError(
                f"line {line} of the delivery is longer than {_LONGEST_LINE:,} bytes",
                where=dataset.place("source"),
                mend="ask the source for a sound file; a line that does not end is most often an export that broke off",
            )


def _with_unnamed(names: tuple[str, ...], lines: str, delimiter: str) -> tuple[str, ...]:
    """`names`, with a label for a column without a name that holds data in the first rows, lest it be lost unseen."""
    rows = _some_rows(lines, delimiter) if "" in names else []
    filled = {place for row in rows for place, cell in enumerate(row) if cell.strip()}
    return tuple(name or (unnamed(place) if place in filled else "") for place, name in enumerate(names))


def _after_lines(sample: bytes, count: int) -> int:
    """The offset of the first byte after `count` lines."""
    offset = 0
    for _ in range(count):
        offset = (sample.find(b"\n", offset) + 1) or len(sample)
    return offset


def _top(lines: str, delimiter: str, dataset: Dataset) -> tuple[list[list[str | None]], int]:
    """(the header's rows, the number of characters they take)."""
    taken: list[str] = []

    def noted() -> Iterator[str]:
        for line in io.StringIO(lines, newline=""):
            taken.append(line)
            yield line

    try:
        rows = list(itertools.islice(csv.reader(noted(), delimiter=delimiter), dataset.format.header_rows))
    except csv.Error:
        rows = []
    if not rows or not any(rows[0]):
        raise ConformError(
            f"line {dataset.format.header_row} of the delivery is no header",
            where=dataset.place("format"),
            mend="say where the column names are with format: {header_row: …}",
        )
    return [list(row) for row in rows], sum(map(len, taken))


def _delimiter(lines: str, dataset: Dataset) -> str:
    """The candidate that finds most of the declared columns, then cuts the most lines into as many cells.

    Raises: ConformError when none cuts anything, unless one column is all that is declared.
    """
    wanted = {folded(column, dataset) for _, column in dataset.delivered_fields}
    best, merit = ",", (0, 0.0, 1)
    for candidate in _DELIMITERS:
        rows = [row for row in _some_rows(lines, candidate) if row]
        found = len(wanted & {folded(cell, dataset) for cell in rows[0]}) if rows else 0
        [(width, times)] = Counter(map(len, rows)).most_common(1) or [(0, 0)]
        if width > 1 and (found, times / len(rows), width) > merit:
            best, merit = candidate, (found, times / len(rows), width)
    if merit[2] == 1 and len(dataset.fields) + len(dataset.ignored_columns) > 1:
        raise ConformError(
            "no delimiter cuts the delivery into columns (tried ; , tab |)",
            where=dataset.place("format"),
            mend="say which one under format: {delimiter: …}, and where the header is with header_row",
        )
    return best


def _some_rows(lines: str, delimiter: str) -> list[list[str]]:
    """The first rows, as far as the standard reader goes: it stops at a cell of 128 KiB."""
    rows = []
    with contextlib.suppress(csv.Error):
        for row in itertools.islice(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter), 100):
            rows.append(row)  # noqa: PERF402 - what came before an error counts
    return rows


def _delivered(connection: duckdb.DuckDBPyConnection, form: _Form, mark: str | None = None) -> Delivered:
    kinds = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(form.names)))
    missing = ", ".join(map(literal, form.dataset.missing_values or (_NOTHING_MISSING,)))
    relation = (
        f"(SELECT row_number() OVER () AS _row, * FROM read_csv({literal(form.path)}, columns={{{kinds}}}, "
        f"header={str(form.header).lower()}, auto_detect=false, delim={literal(form.delimiter)}, quote='\"', "
        f"escape='\"', strict_mode=true, nullstr=[{missing}], store_rejects=true, rejects_table='{form.rejects}', "
        f"rejects_scan='{form.rejects}_scans', rejects_limit=0, max_line_size={_LONGEST_LINE}, "
        f"buffer_size={_BUFFER}))"
    )
    columns = {name: quote(f"c{place}") for place, name in enumerate(form.names) if name}
    connection.execute(f"DROP TABLE IF EXISTS {form.rejects}; DROP TABLE IF EXISTS {form.rejects}_scans")
    return Delivered(relation, columns, nulls_read=True, first="c0", bad_line=mark,
                     mended=lambda connection, error: _mended(connection, form, error))  # fmt: skip


def _mended(
    connection: duckdb.DuckDBPyConnection, form: _Form, error: duckdb.InvalidInputException | None
) -> Delivered | None:
    """What to read instead after a pass over `form` that ended in `error`, or reported lines without form.

    Raises: ConformError when a quotation mark is never closed, or when hardly anything has a form.
    """
    if error is not None:
        # DuckDB stops at the first line that ends in another way than the one before, and says no more than this.
        if "state machine" not in str(error) or form.copies:
            raise error
        return _with_plain_line_ends(connection, form)
    bad = connection.execute(
        f"SELECT line_byte_position - 1, any_value(csv_line), bool_or(error_type = 'LINE SIZE OVER MAXIMUM') "
        f"FROM {form.rejects} GROUP BY line_byte_position ORDER BY 1 LIMIT {_MOST_BAD_LINES + 1}"
    ).fetchall()
    if not bad:
        return None
    if not form.copies and any(line and line.endswith("\r") for _, line, _ in bad):
        return _with_plain_line_ends(connection, form)
    if len(bad) > _MOST_BAD_LINES or form.copies > 1:
        raise ConformError(
            f"more than {_MOST_BAD_LINES} lines of the delivery cannot be cut into {len(form.names)} columns",
            where=form.dataset.place("format"),
            mend="say which delimiter it has under format: {delimiter: …}, or ask the source for a sound file",
        )
    return _with_marks(connection, form, bad)


def _with_plain_line_ends(connection: duckdb.DuckDBPyConnection, form: _Form) -> Delivered:
    """The delivery with LF at the end of each line, and of each line within a cell."""
    plain = with_plain_line_ends(form.path, form.folder / "lines.csv")
    return _delivered(connection, replace(form, path=plain, copies=1))


def _with_marks(
    connection: duckdb.DuckDBPyConnection, form: _Form, bad: Sequence[tuple[int, str | None, bool]]
) -> Delivered:
    """The delivery with a mark for each bad line; the lines themselves go to the connection's table `bad_lines`."""
    token = f"\ue000{secrets.token_hex(8)}:"
    cuts, marks = [], []
    for number, (offset, reported, endless) in enumerate(bad):
        line = (reported or "").lstrip("\r\n")
        start = offset + len((reported or "").encode()) - len(line.encode())
        line = line.rstrip("\r\n")
        if endless or not line or "\n" in line or "\r" in line:
            raise _unclosed(form, start)
        cuts.append((start, start + len(line.encode()), (f"{token}{number}" + form.delimiter * _more(form)).encode()))
        marks.append((f"{token}{number}", line))
    target = form.folder / "marked.csv"
    _copy(form.path, target, cuts)
    connection.execute("CREATE OR REPLACE TEMP TABLE bad_lines (mark VARCHAR, line VARCHAR)")
    connection.executemany("INSERT INTO bad_lines VALUES (?, ?)", marks)
    return _delivered(connection, replace(form, path=target, copies=2), token)


def _more(form: _Form) -> int:
    return len(form.names) - 1


def _copy(source: Path, target: Path, cuts: Sequence[tuple[int, int, bytes]]) -> None:
    """`source` with each cut (first byte, byte after the last) replaced by what it gives; cuts are in order."""
    at = 0
    with target.open("wb") as copy:
        for start, end, instead in (*cuts, (source.stat().st_size, 0, b"")):
            for chunk in chunks(source, at, start):
                copy.write(chunk)
            copy.write(instead)
            at = end


def _unclosed(form: _Form, offset: int) -> ConformError:
    line = 1 + sum(chunk.count(b"\n") for chunk in chunks(form.path, 0, offset))
    within = "" if form.header else " of the data, below the header"
    return ConformError(
        f"a quotation mark opened on line {line}{within} is not closed where its cell ends",
        where=form.dataset.place("source"),
        mend='have the system double each quotation mark within a cell ("")',
    )
