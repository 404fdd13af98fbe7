"""A capture and its declared schema → typed rows, and a quarantine of what could not be read.

One pass types everything; only when something was unreadable are the rows passed over again to set it aside. In the
first pass `_row` is NULL for a row with an unreadable cell and negative for one that the declaration ignores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from odpipeline.conform import columnar, delimited, tree, workbook
from odpipeline.conform.casting import Reading, reading
from odpipeline.conform.columns import ignored_rows, match
from odpipeline.conform.delivered import Delivered, unreadable
from odpipeline.conform.encoding import unpacked
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import ConformError
from odpipeline.landing import Capture
from odpipeline.verdict import Finding

_READERS = {"csv": delimited.read, "excel": workbook.read, "json": tree.read, "parquet": columnar.read}
_CODEC = "(FORMAT parquet, COMPRESSION lz4_raw)"


@dataclass(frozen=True)
class QuarantineReason:
    """How many `rows` have a cell of `column` that cannot be read as `rule` says; `line` for lines without form."""

    column: str
    rule: str
    rows: int


@dataclass(frozen=True)
class Conformed:
    """Typed rows in `parquet` (`_row`, then the declared fields); `quarantine` holds row, column, rule and value.

    `rows_in` = `rows` + `quarantined` + `ignored`. Both files are private.
    """

    parquet: Path
    quarantine: Path
    rows_in: int
    rows: int
    quarantined: int
    ignored: int
    reasons: tuple[QuarantineReason, ...]
    findings: tuple[Finding, ...]


def conform(capture: Capture, dataset: Dataset, folder: Path, duck: DuckSettings) -> Conformed:
    """Read `capture` as `dataset` declares it and write `conformed.parquet` and `quarantine.parquet` into `folder`.

    Raises: ConformError when it cannot be read at all, is empty, or its columns are not the declared ones.
    """
    path = unpacked(capture.path, dataset, folder)
    kind = dataset.format.type or _kind(path, dataset)
    with connect(duck) as connection:
        try:
            delivered = _READERS[kind](connection, path, dataset, folder)
            columns, findings = match(delivered, dataset)
            readings = [reading(field, columns[field.name], dataset) for field in dataset.fields]
            return _written(connection, delivered, readings, dataset, folder, findings)
        except duckdb.Error as error:
            raise unreadable(error, kind, dataset) from None


def _kind(path: Path, dataset: Dataset) -> str:
    """The family of formats, by the first bytes: the name and the media type of a delivery lie more often."""
    with path.open("rb") as stream:
        start = stream.read(512)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise ConformError("the delivery is empty", where=dataset.place("source"), mend="ask the source what happened")
    if text[:1] == b"<":
        raise ConformError(
            "the delivery is HTML or XML instead of data (a login or an error page?)",
            where=dataset.place("source"),
            mend="open the address in a browser and see what it answers",
        )
    if start[:4] == b"PAR1":
        return "parquet"
    if start[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        return "excel"
    return "json" if text[:1] in (b"[", b"{") else "csv"


def _written(
    connection: duckdb.DuckDBPyConnection,
    delivered: Delivered,
    readings: list[Reading],
    dataset: Dataset,
    folder: Path,
    findings: tuple[Finding, ...],
) -> Conformed:
    parquet, quarantine, typed = folder / "conformed.parquet", folder / "quarantine.parquet", folder / "typed.parquet"
    ignore = ignored_rows(delivered, dataset)
    connection.execute(f"COPY ({_typing(delivered, readings, ignore)}) TO {literal(typed)} {_CODEC}")
    good, ignored, bad = _counts(connection, typed)
    lines = _rejected(connection, delivered)
    if good + ignored + bad + lines == 0:
        raise ConformError("the delivery has no rows", where=dataset.place("source"), mend="ask the source why")
    if ignored or bad:
        kept = f"SELECT * FROM read_parquet({literal(typed)}) WHERE _row > 0"
        connection.execute(f"COPY ({kept}) TO {literal(parquet)} {_CODEC}")
        typed.unlink()
    else:
        typed.replace(parquet)
    reasons = _set_aside(connection, delivered, readings, ignore, quarantine, bad=bad, lines=lines)
    rows_in, quarantined = good + ignored + bad + lines, bad + lines
    ceiling = _ceiling(dataset, rows_in - ignored, quarantined, reasons)
    return Conformed(parquet, quarantine, rows_in, good, quarantined, ignored, reasons, (ceiling, *findings))


def _typing(delivered: Delivered, readings: list[Reading], ignore: list[tuple[str, str]]) -> str:
    values = ", ".join(
        f"{r.text} AS {quote('t_' + r.field.name)}, {r.value} AS {quote('v_' + r.field.name)}" for r in readings
    )
    flag = _ignored(ignore)
    names = ", ".join(f"{quote('v_' + r.field.name)} AS {quote(r.field.name)}" for r in readings)
    row = f"CASE WHEN _ignored THEN -_row WHEN {_bad(readings)} THEN NULL ELSE _row END AS _row"
    return f"SELECT {row}, {names} FROM (SELECT _row, {flag} AS _ignored, {values} FROM {delivered.relation})"


def _ignored(ignore: list[tuple[str, str]]) -> str:
    patterns = [f"coalesce(regexp_matches({text}, {literal(pattern)}), false)" for text, pattern in ignore]
    return " OR ".join(patterns) or "false"


def _bad(readings: list[Reading]) -> str:
    """True for a row with a cell that has a text and no value."""
    failed = [
        f"({quote('v_' + r.field.name)} IS NULL AND {quote('t_' + r.field.name)} IS NOT NULL)"
        for r in readings
        if r.text != r.value
    ]
    return " OR ".join(failed) or "false"


def _counts(connection: duckdb.DuckDBPyConnection, typed: Path) -> tuple[int, int, int]:
    found = connection.execute(
        "SELECT count(*) FILTER (_row > 0), count(*) FILTER (_row < 0), count(*) FILTER (_row IS NULL) "
        f"FROM read_parquet({literal(typed)})"
    ).fetchone()
    good, ignored, bad = found or (0, 0, 0)
    return int(good), int(ignored), int(bad)


def _rejected(connection: duckdb.DuckDBPyConnection, delivered: Delivered) -> int:
    if delivered.rejects is None:
        return 0
    found = connection.execute(
        f"CREATE TEMP TABLE bad_lines AS SELECT line, min(error_type) AS error FROM {delivered.rejects} GROUP BY line"
    ).execute("SELECT count(*) FROM bad_lines")
    counted = found.fetchone()
    return int(counted[0]) if counted else 0


def _set_aside(
    connection: duckdb.DuckDBPyConnection,
    delivered: Delivered,
    readings: list[Reading],
    ignore: list[tuple[str, str]],
    quarantine: Path,
    *,
    bad: int,
    lines: int,
) -> tuple[QuarantineReason, ...]:
    """Write the quarantine: one line for each unreadable cell, with its value, and one for each line without form."""
    parts = ["SELECT NULL::BIGINT AS _row, '' AS \"column\", '' AS rule, NULL::VARCHAR AS value WHERE false"]
    if bad:
        cells = ", ".join(
            f"CASE WHEN {r.value} IS NULL AND {r.text} IS NOT NULL THEN "
            f"{{'column': {literal(r.field.name)}, 'rule': {literal(r.rule)}, 'value': {r.text}}} END"
            for r in readings
            if r.text != r.value
        )
        parts.append(
            f'SELECT _row, cell."column", cell.rule, cell.value FROM (SELECT _row, unnest([{cells}]) AS cell '
            f"FROM {delivered.relation} WHERE NOT ({_ignored(ignore)})) WHERE cell IS NOT NULL"
        )
    if lines:
        parts.append("SELECT line, '', 'line: ' || lower(CAST(error AS VARCHAR)), NULL FROM bad_lines")
    connection.execute(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(quarantine)} {_CODEC}")
    quarantine.chmod(0o600)
    found = connection.execute(
        f'SELECT "column", rule, count(*) FROM read_parquet({literal(quarantine)}) GROUP BY ALL ORDER BY 3 DESC, 1, 2'
    ).fetchall()
    return tuple(QuarantineReason(column, rule, int(rows)) for column, rule, rows in found)


def _ceiling(dataset: Dataset, rows: int, quarantined: int, reasons: tuple[QuarantineReason, ...]) -> Finding:
    share = quarantined / rows if rows else 1.0
    ceiling = dataset.quality.quarantine
    passed = share <= ceiling and quarantined < rows
    told = ", ".join(f"{r.column or 'the whole'} not readable as {r.rule}: {r.rows}" for r in reasons)
    message = f"{quarantined} of {rows} rows in quarantine ({share:.2%}, ceiling {ceiling:.2%})"
    message += f": {told}" if told else ""
    if not passed:
        message += (
            f"; correct them in the source system, or change the field's type or format at {dataset.place('fields')}"
        )
    counts = {"rows": rows, "quarantined": quarantined, "share": round(share, 6)}
    return Finding("quarantine", "quarantine_ceiling", passed, message, counts=counts)
