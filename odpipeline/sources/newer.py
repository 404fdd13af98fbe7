"""Incremental JSON: only what is new is asked for, and what was captured before is added, so that a capture is whole.

A record that comes again replaces its earlier version, by the dataset's key. What the system has deleted stays: an
API that is asked for changes does not tell. The merged records are spelled by DuckDB, as is what is conformed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import duckdb

from odpipeline.declaration.source import Newer
from odpipeline.duck import DuckSettings, connect, literal, no_room
from odpipeline.errors import OdpError, SourceError
from odpipeline.sources.delivery import Order

_LARGEST = 64_000_000


def before(order: Order) -> Path | None:
    """The last capture, if it holds records where the source now says; else all of them are asked for."""
    if (found := order.earlier()) is None:
        return None
    try:
        with _connected(order) as connection:
            return found if connection.execute(f"FROM {_records(found, order)} LIMIT 1").fetchone() else None
    except duckdb.Error:  # it was captured under another declaration
        return None


def question(incremental: Newer, order: Order, before: Path | None) -> dict[str, str]:
    """The query parameter that asks for what changed since the capture `before`, less the overlap; {} without one.

    A time in the future is left aside: nothing would ever be newer.
    Raises: SourceError when the capture holds no such time.
    """
    if before is None:
        return {}
    at, moment = _at(incremental.field), f"TRY_CAST({_at(incremental.field)} AS TIMESTAMPTZ)"
    query = (
        f"SELECT strftime(max({moment}) FILTER ({moment} <= now()) - to_seconds(?), CASE WHEN max(length({at})) = 10 "
        f"THEN '%Y-%m-%d' WHEN bool_or(regexp_matches({at}, '[Zz]$|[+-]\\d\\d:?\\d*$')) THEN '%Y-%m-%dT%H:%M:%SZ' "
        f"ELSE '%Y-%m-%dT%H:%M:%S' END) FROM {_records(before, order)}"
    )
    with _connected(order) as connection:
        found = connection.execute(query, [int(incremental.overlap.total_seconds())]).fetchone()
    if found is None or found[0] is None:
        raise SourceError(
            f"the last capture holds no time under `{incremental.field}`",
            where=order.declared,
            mend="correct `incremental.field`: a key of each record that holds an ISO 8601 time",
        )
    return {incremental.parameter: str(found[0])}


def merge(order: Order, before: Path | None) -> None:
    """Add the records of the capture `before` that the delivery does not replace to the delivery, one a line.

    Raises: SourceError when it is no list of records.
    """
    keys = [column for field, column in order.dataset.delivered_fields if field.name in order.dataset.key]
    by = ", ".join(map(_at, keys))
    sources = [(0, order.path), *([(1, before)] if before else [])]
    everything = " UNION ALL ".join(
        f"SELECT {age} AS age, row_number() OVER () AS place, record FROM {_records(path, order)}"
        for age, path in sources
    )
    head = "".join(f'{{"{step}":' for step in _steps(order)) + "["
    tail = "]" + "}" * len(_steps(order))
    merged = order.folder / "merged.ndjson"
    try:
        with _connected(order) as connection:
            connection.execute(
                f"COPY (SELECT {literal(head)} || record::VARCHAR || {literal(tail)} FROM ({everything}) "
                f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY age, place DESC) = 1 ORDER BY age DESC, place) "
                f"TO {literal(merged)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')"
            )
    except duckdb.Error as error:
        if no_room(error):
            raise OdpError(
                "there is no room to join the new records with those of the last capture",
                mend="free some space in the private zone, then run again",
            ) from None
        raise SourceError(
            "the new records could not be joined with those of the last capture",
            where=order.declared,
            mend="look whether `format.records` and the key are right for what the system answers",
        ) from None
    merged.chmod(0o600)
    merged.replace(order.path)


def _connected(order: Order) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection that spills into the private zone; the folder goes with it."""
    return connect(DuckSettings(spill=order.folder / "spill"))


def _steps(order: Order) -> list[str]:
    return [step for step in (order.dataset.records or "").split(".") if step]


def _records(path: Path, order: Order) -> str:
    """The records of a delivery of pages, as a relation of one column `record`."""
    there = "$" + "".join(f'."{step}"' for step in _steps(order))
    return (
        f"(SELECT unnest(from_json(json_extract(json, {literal(there)}), '[\"JSON\"]')) AS record FROM "
        f"read_json_objects({literal(path)}, format='newline_delimited', maximum_object_size={_LARGEST}))"
    )


def _at(key: str) -> str:
    return f"(record ->> {literal('$' + ''.join(f'.{chr(34)}{step}{chr(34)}' for step in key.split('.')))})"
