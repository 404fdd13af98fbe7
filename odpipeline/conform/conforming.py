"""A capture and its declared schema → typed rows, and a quarantine of what could not be read.

One pass types everything and keeps what it could read; only when something was unreadable are the rows passed over
again to set it aside. `_row` counts the data rows of the source from 1, after the header; the empty lines of a CSV
are no rows.
"""

from __future__ import annotations

import importlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from odpipeline.conform.casting import Reading, Spelling, reading, trimmed
from odpipeline.conform.columns import ignored_rows, match
from odpipeline.conform.computed import with_computed
from odpipeline.conform.containers import is_shapefile, unpacked
from odpipeline.conform.delivered import Delivered, NoRecords, passed, unreadable
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import ConformError
from odpipeline.landing import Capture
from odpipeline.verdict import Finding

_READERS = {
    "csv": "delimited.read",
    "excel": "workbook.read",
    "json": "tree.read",
    "parquet": "columnar.read",
    "gbfs": "gbfs.read",
    "gtfs": "gtfs.read",
    "gtfs_rt": "gtfs_rt.read",
    "geojson": "geographic.geojson",
    "geopackage": "geographic.geopackage",
    "shapefile": "geographic.shapefile",
    "gml": "geographic.gml",
    "xml": "xml.read",
    "totem": "totem.read",
}
"""Format → the module beside this one and its function `(connection, path, dataset, folder) -> Delivered`.

Imported when a delivery has that format: most deliveries are CSV, and protobuf is none of their business.
"""
_DECLARED = ("xml", "totem")
"""Formats that nothing but the declaration tells: an error page may be XML too."""
_FEATURES = re.compile(rb'\{[^][{}]*"type"\s*:\s*"Feature(Collection)?"')
_MAGIC = {
    b"PAR1": "parquet", b"SQLite format 3\0": "geopackage", b"PK\x03\x04": "excel", b"\xd0\xcf\x11\xe0": "excel",
}  # fmt: skip
_HTML = re.compile(rb"<!doctype\s+html|<html", re.IGNORECASE)
_AT_ONCE = 200
CODEC = "(FORMAT parquet, COMPRESSION lz4_raw)"
"""How private Parquet files are written: for speed."""


@dataclass(frozen=True)
class QuarantineReason:
    """How many `rows` have a cell of `column` that cannot be read as `rule` says; `line` for lines without form.

    The name of an expectation as `rule` tells of rows that could be read and fail it.
    """

    column: str
    rule: str
    rows: int


@dataclass(frozen=True)
class Conformed:
    """Typed rows in `parquet` (`_row`, then the declared fields); `quarantine` holds row, column, rule and value.

    `rows_in` = `rows` + `quarantined` + `ignored`. Both files are private. `empty`: the periods without rows.
    """

    parquet: Path
    quarantine: Path
    rows_in: int
    rows: int
    quarantined: int
    ignored: int
    reasons: tuple[QuarantineReason, ...]
    findings: tuple[Finding, ...]
    empty: tuple[str, ...] = ()


def conform(capture: Capture, dataset: Dataset, folder: Path, duck: DuckSettings) -> Conformed:
    """Read `capture` as `dataset` declares it and write `conformed.parquet` and `quarantine.parquet` into `folder`.

    Raises: ConformError when it cannot be read at all, is empty, or its columns are not the declared ones.
    """
    files = unpacked(capture.path, dataset, folder)
    names = sorted(capture.periods) or [""] * len(files)
    parts: dict[str, Conformed] = {}
    nothing = _no_rows(dataset)
    for number, (file, name) in enumerate(zip(files, names, strict=True), 1):
        try:
            with _of_period(name):
                part = _part(file, dataset, folder, duck, len(parts) + 1)
        except NoRecords as error:
            if dataset.periods is None:
                raise
            part, nothing = None, error
        if part:
            parts[name or str(number)] = part
    if not parts:
        raise nothing
    if (rows := sum(part.rows_in for part in parts.values())) > dataset.source.max_rows:
        raise ConformError(
            f"the delivery has {rows:,} rows, and {dataset.source.max_rows:,} are taken at most",
            where=dataset.place("source"),
            mend="raise max_rows if that is right",
        )
    whole = next(iter(parts.values())) if len(parts) == 1 else _joined(list(parts.values()), dataset, folder, duck)
    findings = (*whole.findings, *_unreadable_periods(parts, dataset))
    return replace(whole, findings=findings, empty=tuple(name for name in capture.periods if name not in parts))


@contextmanager
def _of_period(name: str) -> Iterator[None]:
    """Say of which period it is that something cannot be read; without a name, nothing."""
    try:
        yield
    except ConformError as error:
        error.what = f"period {name}: {error.what}" if name else error.what
        raise


def _unreadable_periods(parts: Mapping[str, Conformed], dataset: Dataset) -> Iterator[Finding]:
    """A whole period in quarantine is a hole in the release, however small a part of it."""
    lost = [name for name, part in parts.items() if part.quarantined == part.rows_in - part.ignored > 0]
    if dataset.periods and lost:
        message = f"of {len(lost)} periods no row could be read: {', '.join(lost[:12])}; correct them in the source"
        counts = {"rows": len(parts), "quarantined": len(lost), "share": round(len(lost) / len(parts), 6)}
        yield Finding("quarantine", "quarantine_ceiling", passed=False, message=message, counts=counts)


def read_whole(path: Path, dataset: Dataset, folder: Path, duck: DuckSettings) -> Conformed:
    """Read the one file in `path` as `conform` does, but keep rows with unreadable cells, which are missing in them.

    For validation alone: whoever looks for every fault of a file wants the other cells of such a row checked too. The
    quarantine lists the unreadable cells, `quarantined` counts lines without form, and no rows at all are no error.
    Raises: ConformError as `conform` does.
    """
    part = _part(unpacked(path, dataset, folder)[0], dataset, folder, duck, 1, whole=True)
    assert part  # noqa: S101 - without rows it would not be whole
    return part


def _part(
    path: Path, dataset: Dataset, folder: Path, duck: DuckSettings, number: int, *, whole: bool = False
) -> Conformed | None:
    """One file of the delivery; those after the first write beside it. None for a period without rows."""
    target = folder if number == 1 else folder / f"part-{number:05}"
    target.mkdir(exist_ok=True, mode=0o700)
    # Numbered rows pass one after the other: a second thread has nothing to do, and doing it costs as much again.
    with connect(replace(duck, threads=1)) as connection:
        try:
            if dataset.periods and not _text(path):
                return None
            delivered = deliver(connection, path, dataset, target)
            if dataset.periods and not whole and _empty(connection, delivered):
                return None
            return _written(connection, delivered, dataset, target, whole=whole)
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            raise unreadable(error, "a table", dataset) from None


def _empty(connection: duckdb.DuckDBPyConnection, delivered: Delivered) -> bool:
    """Whether there is no row; a line without form, which reading mends, is one."""
    try:
        return connection.execute(f"SELECT 1 FROM {delivered.relation} LIMIT 1").fetchone() is None
    except duckdb.InvalidInputException:
        return False


def _no_rows(dataset: Dataset) -> ConformError:
    return ConformError("the delivery has no rows", where=dataset.place("source"), mend="ask the source why")


def _joined(parts: Sequence[Conformed], dataset: Dataset, folder: Path, duck: DuckSettings) -> Conformed:
    """Several files as one table; `_row` counts on from file to file."""
    starts = [sum(part.rows_in for part in parts[:place]) for place in range(len(parts))]
    with connect(duck) as connection:
        for kept in ("parquet", "quarantine"):
            files = [(getattr(part, kept), start) for part, start in zip(parts, starts, strict=True)]
            aside = _stacked(connection, files, folder)
            aside.replace(files[0][0])
    for part in parts[1:]:
        shutil.rmtree(part.parquet.parent)
    counted: Counter[tuple[str, str]] = Counter()
    for part in parts:
        counted.update({(reason.column, reason.rule): reason.rows for reason in part.reasons})
    reasons = tuple(QuarantineReason(column, rule, rows) for (column, rule), rows in counted.most_common())
    rows_in, rows, bad, ignored = (
        sum(getattr(part, name) for part in parts) for name in ("rows_in", "rows", "quarantined", "ignored")
    )
    columns = {finding.message: finding for part in parts for finding in part.findings[1:]}
    findings = (ceiling(dataset, rows_in - ignored, bad, reasons), *columns.values())
    return Conformed(parts[0].parquet, parts[0].quarantine, rows_in, rows, bad, ignored, reasons, findings)


def _stacked(connection: duckdb.DuckDBPyConnection, files: Sequence[tuple[Path, int]], folder: Path) -> Path:
    """One file of all, each with what its `_row` begins after; so many at once as a process may have open."""
    lots = [files[first : first + _AT_ONCE] for first in range(0, len(files), _AT_ONCE)]
    if len(lots) > 1:
        stacks = []
        for number, lot in enumerate(lots):
            stacks.append((_stacked(connection, lot, folder).rename(folder / f"joined-{number}.parquet"), 0))
        whole = _stacked(connection, stacks, folder)
        for stack, _ in stacks:
            stack.unlink()
        return whole
    rows = " UNION ALL ".join(
        f"SELECT * REPLACE (_row + {start} AS _row) FROM read_parquet({literal(file)})" for file, start in files
    )
    aside = folder / "joined.parquet"
    connection.execute(f"COPY ({rows}) TO {literal(aside)} {CODEC}")
    aside.chmod(0o600)
    return aside


def deliver(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The file at `path` as a relation of text, whatever its format; copies go into `folder`.

    Raises: ConformError when it cannot be read at all.
    """
    kind = _kind(path, dataset)
    try:
        delivered = _function(_READERS[kind])(connection, path, dataset, folder)
        if not dataset.format.x:
            return delivered
        return _function("geographic.with_point")(connection, delivered, dataset)
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        raise unreadable(error, kind, dataset) from None


def _function(name: str) -> Callable[..., Delivered]:
    module, function = name.split(".")
    found: Callable[..., Delivered] = getattr(importlib.import_module(f"odpipeline.conform.{module}"), function)
    return found


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4096)


def _text(path: Path) -> bytes:
    """How the file begins, without mark and blanks."""
    return _start(path).removeprefix(b"\xef\xbb\xbf").lstrip()


def _kind(path: Path, dataset: Dataset) -> str:
    """The family of formats, by the first bytes: the name and the media type of a delivery lie more often."""
    text, start = _text(path), _start(path)
    if not text:
        raise ConformError("the delivery is empty", where=dataset.place("source"), mend="ask the source what happened")
    if dataset.source.reads:
        return dataset.source.reads
    if dataset.format.type in _DECLARED and not _HTML.match(text):
        return dataset.format.type
    if text[:1] == b"<":
        if b"opengis.net/gml" in text and b"ExceptionReport" not in text:
            return "gml"
        raise ConformError(
            "the delivery is HTML or XML instead of data (a login or an error page?)",
            where=dataset.place("source"),
            mend="look at what the source answers; XML is read with format: {type: xml, records: …}",
        )
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return "shapefile" if kind == "excel" and is_shapefile(path) else kind
    if dataset.format.type is None and dataset.format.records is None and _FEATURES.match(text):
        return "geojson"
    return dataset.format.type or ("json" if text[:1] in (b"[", b"{") else "csv")


def _written(
    connection: duckdb.DuckDBPyConnection, delivered: Delivered, dataset: Dataset, folder: Path, *, whole: bool
) -> Conformed:
    """One pass over the rows; a second one when a line had no form, and one to set aside what could not be read."""
    parquet, quarantine = folder / "conformed.parquet", folder / "quarantine.parquet"
    columns, findings = match(delivered, dataset)
    delivered, (good, ignored, bad) = passed(
        connection, delivered, lambda d: _typed(connection, _plan(d, columns, dataset), dataset, parquet, whole=whole)
    )
    plan = _plan(delivered, columns, dataset)
    rows_in = good + ignored + bad
    if rows_in == 0 and not whole:
        raise _no_rows(dataset)
    reasons = _set_aside(connection, plan, quarantine, empty=not (bad or whole))
    limit = ceiling(dataset, rows_in - ignored, bad, reasons)
    return Conformed(parquet, quarantine, rows_in, good, bad, ignored, reasons, (limit, *findings))


@dataclass(frozen=True)
class _Plan:
    """The rows with each field's text (`t_…`) and value (`v_…`), and what is true of a row that is not kept.

    `ignored` and `line` (a line without form) look at the delivered columns, `cells` at texts and values.
    """

    delivered: Delivered
    readings: dict[str, Reading]
    ignored: str
    line: str

    def rows(self, *, needed: bool) -> str:
        """`_row`, `_ignored`, `_line`, texts and values; with `needed` only of the fields that can be unreadable."""
        kept = {name: r for name, r in self.readings.items() if r.rule or not needed}
        texts = "".join(f", {r.text} AS {quote('t_' + name)}" for name, r in kept.items())
        values = "".join(f", {r.value} AS {quote('v_' + name)}" for name, r in kept.items())
        first = f", {self.delivered.first} AS _first" if self.delivered.bad_line else ""
        flags = f"{self.ignored} AS _ignored, {self.line} AS _line{first}"
        return f"(SELECT *{values} FROM (SELECT _row, {flags}{texts} FROM {self.delivered.relation}))"

    @property
    def bad(self) -> str:
        """True for a row of which something could not be read."""
        return " OR ".join(["_line", *(r.unreadable for r in self.readings.values() if r.rule)])


def _plan(delivered: Delivered, columns: dict[str, str], dataset: Dataset) -> _Plan:
    spelling = Spelling.of(dataset, native=delivered.native, nulls_read=delivered.nulls_read)
    readings = {
        field.name: reading(field, columns[field.name], spelling, quote(f"t_{field.name}"), quote(f"v_{field.name}"))
        for field, _ in dataset.delivered_fields
    }
    patterns = [
        f"coalesce(regexp_full_match({trimmed(text)}, {literal(pattern)}), false)"
        for text, pattern in ignored_rows(delivered, dataset)
    ]
    line = "false"
    if delivered.bad_line:
        line = f"coalesce(prefix({delivered.first}, {literal(delivered.bad_line)}), false)"
    return _Plan(delivered, readings, " OR ".join(patterns) or "false", line)


def _typed(
    connection: duckdb.DuckDBPyConnection, plan: _Plan, dataset: Dataset, parquet: Path, *, whole: bool
) -> tuple[int, int, int]:
    """Write the rows that could be read; (rows written, rows ignored, rows with something unreadable).

    With `whole`, rows with unreadable cells are written too, and only lines without form are counted as unreadable.

    The last two are counted by sequences: CASE evaluates its branches for the rows of that branch only, so that one
    pass both keeps and counts.
    """
    connection.execute("CREATE OR REPLACE TEMP SEQUENCE rows_ignored; CREATE OR REPLACE TEMP SEQUENCE rows_bad")
    names = ", ".join(f"{quote('v_' + name)} AS {quote(name)}" for name in plan.readings)
    kept = (
        f"CASE WHEN _ignored THEN nextval('rows_ignored') IS NULL "
        f"WHEN {'_line' if whole else plan.bad} THEN nextval('rows_bad') IS NULL "
        "ELSE true END"
    )
    # The condition has a column of its own: in WHERE, DuckDB would push it below the values and compute them twice.
    rows = f"SELECT _row, {names} FROM (SELECT *, {kept} AS _kept FROM {plan.rows(needed=False)}) WHERE _kept"
    rows = with_computed(connection, rows, dataset)
    found = connection.execute(f"COPY ({rows}) TO {literal(parquet)} {CODEC}").fetchone()
    counted = dict(
        connection.execute("SELECT sequence_name, coalesce(last_value, 0) FROM duckdb_sequences()").fetchall()
    )
    return int(found[0]) if found else 0, int(counted["rows_ignored"]), int(counted["rows_bad"])


def _set_aside(
    connection: duckdb.DuckDBPyConnection, plan: _Plan, quarantine: Path, *, empty: bool
) -> tuple[QuarantineReason, ...]:
    """Write the quarantine: one line for each unreadable cell, or for a line without form, with its text."""
    cells = ", ".join(
        f"CASE WHEN {r.unreadable} THEN {{'column': {literal(name)}, 'rule': {literal(r.rule)}, "
        f"'value': {quote('t_' + name)}}} END"
        for name, r in plan.readings.items()
        if r.rule
    )
    nothing = "SELECT NULL::BIGINT AS _row, '' AS \"column\", '' AS rule, NULL::VARCHAR AS value WHERE false"
    parts = [nothing]
    if cells and not empty:
        parts.append(
            f'SELECT _row, cell."column", cell.rule, cell.value FROM (SELECT _row, unnest([{cells}]) AS cell '
            f"FROM {plan.rows(needed=True)} WHERE NOT _ignored AND NOT _line) WHERE cell IS NOT NULL"
        )
    if plan.delivered.bad_line and not empty:
        parts.append(
            f"SELECT _row, '', 'line', line FROM {plan.rows(needed=True)} JOIN bad_lines ON mark = _first "
            "WHERE NOT _ignored AND _line"
        )
    connection.execute(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(quarantine)} {CODEC}")
    quarantine.chmod(0o600)
    return reasons_in(connection, quarantine)


def reasons_in(connection: duckdb.DuckDBPyConnection, quarantine: Path) -> tuple[QuarantineReason, ...]:
    """The cells in the file `quarantine`, counted by column and rule, the most first."""
    found = connection.execute(
        f'SELECT "column", rule, count(*) FROM read_parquet({literal(quarantine)}) GROUP BY ALL ORDER BY 3 DESC, 1, 2'
    ).fetchall()
    return tuple(QuarantineReason(column, rule, int(rows)) for column, rule, rows in found)


def ceiling(dataset: Dataset, rows: int, quarantined: int, reasons: tuple[QuarantineReason, ...]) -> Finding:
    """Whether no more of the `rows` than declared are in quarantine, unreadable or failing an expectation."""
    share = quarantined / rows if rows else 1.0
    ceiling = dataset.quality.quarantine
    passed = share <= ceiling and quarantined < rows
    told = ", ".join(f"{r.column or 'the whole'} {_why(r.rule)}: {r.rows}" for r in reasons)
    message = f"{quarantined} of {rows} rows in quarantine ({share:.2%}, ceiling {ceiling:.2%})"
    message += f": {told}" if told else ""
    if not passed:
        message += (
            f"; correct them in the source system, or change the field's type or format at {dataset.place('fields')}"
        )
    counts = {"rows": rows, "quarantined": quarantined, "share": round(share, 6)}
    return Finding("quarantine", "quarantine_ceiling", passed, message, counts=counts)


def _why(rule: str) -> str:
    return f"fails {rule}" if rule.startswith("expect_") else f"not readable as {rule}"
