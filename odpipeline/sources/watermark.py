"""Incremental SQL: only rows beyond the last capture's watermark are read, and added to it, so that it is whole.

A row that comes again replaces its earlier version, by the dataset's key. What the database deletes stays: leave
`incremental` out where rows are deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from odpipeline.declaration.source import Watermark
from odpipeline.duck import DuckSettings, columns, connect, literal, no_room, quote
from odpipeline.errors import OdpError, SourceError
from odpipeline.sources.delivery import Order
from odpipeline.sources.rows import Query


def demand(names: Iterable[str], watermark: Watermark, query: Query, order: Order) -> None:
    """Refuse a result without the watermark's column or the key, which the next night could not be added to.

    Raises: SourceError.
    """
    there = set(names)
    if missing := [name for name in (watermark.column, *_keys(order)) if name not in there]:
        raise SourceError(
            f"the query gives no column {', '.join(missing)}",
            where=query.where,
            mend=f"select it in {query.declared}, or correct `incremental.column` and `key`",
        )


def newest(watermark: Watermark, before: Path, order: Order) -> Any:
    """The value of the watermark's column from which on rows are asked for: the greatest known, less the overlap.

    A time in the future is left aside: nothing would ever be newer. None when the last capture holds no value, had no
    rows, or was captured under another declaration: everything is then read.
    """
    column = quote(watermark.column)
    try:
        with connect(_settings(order)) as connection:
            found = connection.execute(
                f"SELECT max({column}) FILTER (coalesce(TRY_CAST({column}::VARCHAR AS TIMESTAMPTZ) <= now(), true)) "
                f"FROM read_parquet({literal(before)})"
            ).fetchone()
    except duckdb.Error:
        return None
    value = found[0] if found else None
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
    return f"SELECT * FROM (\n{sql}\n) odp_all WHERE {column} >= {_spelled(since, mark)}"


def _spelled(value: Any, mark: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
        return literal(text.replace("\\", "\\\\") if mark == "`" else text)  # MySQL takes \' for a quote in a text
    return repr(value)


def merge(watermark: Watermark, order: Order, before: Path) -> bool:
    """Add to the delivery the rows of `before` that it does not replace; False when their columns are not the same.

    Of several new rows with one key, the one with the greatest watermark stays.
    """
    keys = _keys(order)
    new, old = (f"read_parquet({literal(path)})" for path in (order.path, before))
    merged = order.folder / "merged.parquet"
    with connect(_settings(order)) as connection:
        said = [connection.execute(f"DESCRIBE SELECT * FROM {part}").fetchall() for part in (new, old)]
        if [row[:2] for row in said[0]] != [row[:2] for row in said[1]]:
            return False
        same = " AND ".join(f"n.{quote(key)} IS NOT DISTINCT FROM o.{quote(key)}" for key in keys)
        try:
            connection.execute(
                f"COPY (SELECT o.* FROM {old} o WHERE NOT EXISTS (SELECT 1 FROM {new} n WHERE {same}) "
                f"UNION ALL SELECT * FROM (SELECT DISTINCT ON ({columns(keys)}) * FROM {new} "
                f"ORDER BY {columns(keys)}, {quote(watermark.column)} DESC) ORDER BY {columns(keys)}"
                f") TO {literal(merged)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )
        except duckdb.Error as error:
            if not no_room(error):
                raise
            raise OdpError(
                "there is no room to join the new rows with those of the last capture",
                mend="free some space in the private zone, then run again",
            ) from None
    merged.chmod(0o600)
    merged.replace(order.path)
    return True


def _keys(order: Order) -> list[str]:
    """The delivered columns of the dataset's key."""
    return [column for field, column in order.dataset.delivered_fields if field.name in order.dataset.key]


def _settings(order: Order) -> DuckSettings:
    return DuckSettings(spill=order.folder / "spill")
