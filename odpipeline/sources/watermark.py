"""Incremental SQL: only rows beyond the last capture's watermark are read, and added to it, so that it is whole.

A row that comes again replaces its earlier version, by the dataset's key. What the database deletes stays: leave
`incremental` out where rows are deleted.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from odpipeline.declaration.source import Watermark
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import SourceError
from odpipeline.sources.delivery import Order


def newest(watermark: Watermark, before: Path, order: Order) -> Any:
    """The value of the watermark's column from which on rows are asked for: the greatest known, less the overlap.

    Raises: SourceError when the last capture has no such column, or nothing in it.
    """
    try:
        with connect(_settings(order)) as connection:
            found = connection.execute(
                f"SELECT max({quote(watermark.column)}) FROM read_parquet({literal(before)})"
            ).fetchone()
    except duckdb.Error:
        found = None
    if not found or found[0] is None:
        raise SourceError(
            f"the last capture holds no value of {watermark.column}",
            where=order.declared,
            mend="correct `incremental.column`: a column of the query's result that grows with each change",
        )
    value = found[0]
    overlap = watermark.overlap
    if isinstance(value, datetime):
        return value - overlap
    if isinstance(value, date):
        return value - timedelta(days=-(-overlap // timedelta(days=1)))
    return _earlier_text(value, overlap) if isinstance(value, str) else value


def _earlier_text(text: str, overlap: timedelta) -> str:
    """A time that the database keeps as ISO 8601 text, earlier by the overlap; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text) - overlap
    except ValueError:
        return text
    return f"{moment.date()}" if len(text) == len("2026-01-01") else moment.isoformat("T" if "T" in text else " ")


def narrowed(sql: str, watermark: Watermark, since: Any, mark: str) -> str:
    """The query for rows at or beyond `since`; `mark` is the dialect's sign around a column's name."""
    column = f"{mark}{watermark.column.replace(mark, mark * 2)}{mark}"
    return f"SELECT * FROM (\n{sql}\n) odp_all WHERE {column} >= {_spelled(since)}"


def _spelled(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
        return literal(text)
    return repr(value)


def merge(order: Order, before: Path) -> bool:
    """Add to the delivery the rows of `before` that it does not replace; False when their columns are not the same."""
    keys = [column for field, column in order.dataset.delivered_fields if field.name in order.dataset.key]
    new, old = (f"read_parquet({literal(path)})" for path in (order.path, before))
    merged = order.folder / "merged.parquet"
    with connect(_settings(order)) as connection:
        said = [connection.execute(f"DESCRIBE SELECT * FROM {part}").fetchall() for part in (new, old)]
        if [row[:2] for row in said[0]] != [row[:2] for row in said[1]]:
            return False
        same = " AND ".join(f"n.{quote(key)} IS NOT DISTINCT FROM o.{quote(key)}" for key in keys)
        connection.execute(
            f"COPY (SELECT o.* FROM {old} o WHERE NOT EXISTS (SELECT 1 FROM {new} n WHERE {same}) "
            f"UNION ALL SELECT * FROM (SELECT DISTINCT ON ({columns(keys)}) * FROM {new}) ORDER BY {columns(keys)}) "
            f"TO {literal(merged)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
    merged.chmod(0o600)
    merged.replace(order.path)
    return True


def _settings(order: Order) -> DuckSettings:
    return DuckSettings(spill=order.folder / "spill")
