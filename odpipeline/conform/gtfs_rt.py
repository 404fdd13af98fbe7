"""GTFS-Realtime: the entities of a feed as rows, their columns named as in the specification, dotted.

Columns come from the message descriptors of the bindings: nested messages are joined by dots, 64-bit integers are
POSIX seconds and become ISO 8601 in UTC, translated texts the French one or else the first, enumerations their names,
repeated messages JSON. A row of `stop_time_update` also has the columns of its trip update. `feed_timestamp` is the
header's time. A column that the feed fills and nobody declares is a signal, one that it leaves empty is not.

The library parses a feed as a whole, into many times its size. So its top level (field numbers and lengths of the wire
format) is walked here, and each entity is parsed by itself: memory stays flat.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no stubs of its own
from google.transit import gtfs_realtime_pb2 as realtime

from odpipeline.conform.delivered import ERROR_CELL, Delivered
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import GtfsRtSource
from odpipeline.duck import literal, quote
from odpipeline.errors import ConformError

_BATCH = 10_000
_HEADER, _ENTITY = 1, 2
"""The field numbers of FeedMessage."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""The wire types of protobuf."""

_HELD_BY = {
    "vehicle_position": "vehicle",
    "trip_update": "trip_update",
    "stop_time_update": "trip_update",
    "alert": "alert",
}
"""Kind of row → the field of FeedEntity that holds it."""
_STOPS = "stop_time_update"
_FIELD = realtime.FeedEntity.DESCRIPTOR.fields_by_name["id"]
_KINDS = {
    _FIELD.TYPE_FLOAT: pa.float32(),
    _FIELD.TYPE_DOUBLE: pa.float64(),
    _FIELD.TYPE_INT32: pa.int64(),
    _FIELD.TYPE_UINT32: pa.int64(),
    _FIELD.TYPE_BOOL: pa.bool_(),
}
"""The protobuf types that are no text once they are written."""
_ALWAYS = ("feed_timestamp", "entity_id")

Row = dict[str, Any]


def columns(entity: str) -> dict[str, Any]:
    """Every column that a row of `entity` can have, and its Arrow type."""
    held = realtime.FeedEntity.DESCRIPTOR.fields_by_name[_HELD_BY[entity]].message_type
    found = dict.fromkeys(_ALWAYS, pa.string())
    found |= dict(_columns(held))
    return found | (dict(_columns(held.fields_by_name[_STOPS].message_type)) if entity == _STOPS else {})


def read(_connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The declared kind of entity as text columns: those that are declared, and those that the feed fills.

    Raises: ConformError when the feed is truncated or none, tells differences only, or holds other entities only.
    """
    entity = cast("GtfsRtSource", dataset.source).entity
    target, kinds, filled = folder / "entities.parquet", columns(entity), set[str]()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as feed:
        try:
            rows = _rows(feed, entity, dataset)
            with pq.ParquetWriter(
                target, pa.schema(list(kinds.items())), compression="zstd", compression_level=1
            ) as to:
                while batch := list(islice(rows, _BATCH)):
                    filled.update(*batch)
                    to.write_batch(pa.RecordBatch.from_pylist(batch, schema=to.schema))
        except (DecodeError, EOFError):
            raise _broken(dataset) from None
    declared = {column for _, column in dataset.delivered_fields}
    shown = [name for name in kinds if name in declared or name in filled - {"feed_timestamp"}]
    relation = f"(SELECT row_number() OVER () AS _row, * FROM read_parquet({literal(target)}))"
    return Delivered(relation, {name: f"CAST({quote(name)} AS VARCHAR)" for name in shown}, native=True)


def _rows(feed: mmap.mmap, entity: str, dataset: Dataset) -> Iterator[Row]:
    header = _header(feed, dataset)
    same = {"feed_timestamp": _time(header.timestamp)} if header.timestamp else {}
    held, kept, others = _HELD_BY[entity], 0, set[str]()
    for number, start, end in _fields(feed):
        if number != _ENTITY:
            continue
        message = realtime.FeedEntity.FromString(feed[start:end])
        others.update(field.name for field, _ in message.ListFields())
        if not message.HasField(held) or message.is_deleted:
            continue
        kept += 1
        update = getattr(message, held)
        row = {**same, "entity_id": _plain(message.id), **dict(_flat(update))}
        if entity == _STOPS:
            yield from ({**row, **dict(_flat(stop))} for stop in update.stop_time_update)
        else:
            yield row
    if not kept and (instead := sorted(others & set(_HELD_BY.values()) - {held})):
        raise ConformError(
            f"the feed holds no {entity}, but {', '.join(instead)}",
            where=dataset.place("source", "entity"),
            mend="correct `entity`, or the address: operators have one for each kind",
        )


def _header(feed: mmap.mmap, dataset: Dataset) -> Any:
    found = next((feed[start:end] for number, start, end in _fields(feed) if number == _HEADER), None)
    if found is None:
        raise _broken(dataset)
    header = realtime.FeedHeader.FromString(found)
    if header.incrementality == realtime.FeedHeader.DIFFERENTIAL:
        raise ConformError(
            "the feed tells differences only (incrementality DIFFERENTIAL), which nobody can publish as a whole",
            where=dataset.place("source"),
            mend="ask the operator for the address of the full dataset",
        )
    return header


def _fields(feed: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """(number, first byte, byte after the last) of each message at the top level.

    Raises: EOFError when the feed ends within one, or is no protobuf.
    """
    at = 0
    while at < len(feed):
        tag, at = _varint(feed, at)
        wire, number = tag & 7, tag >> 3
        if wire == _BYTES:
            length, at = _varint(feed, at)
            end = at + length
        elif wire == _VARINT:
            end = _varint(feed, at)[1]
        elif wire in (_FIXED64, _FIXED32):
            end = at + (8 if wire == _FIXED64 else 4)
        else:
            raise EOFError
        if end > len(feed) or not number:
            raise EOFError
        if wire == _BYTES:
            yield number, at, end
        at = end


def _varint(feed: mmap.mmap, at: int) -> tuple[int, int]:
    """(the number that begins at `at`, the place after it)."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(feed):
            raise EOFError
        byte = feed[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
    raise EOFError


def _columns(message: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The columns that a message of this descriptor can fill, and their types."""
    for field in message.fields:
        if field.name == _STOPS:
            continue
        if field.message_type and not field.is_repeated and field.message_type.name != "TranslatedString":
            yield from _columns(field.message_type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, pa.string() if field.is_repeated else _KINDS.get(field.type, pa.string())


def _flat(message: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The columns that `message` fills, and their values."""
    for field, value in message.ListFields():
        if field.name == _STOPS or field.is_extension:
            continue
        if field.is_repeated:
            yield prefix + field.name, json.dumps([_nested(one) for one in value], ensure_ascii=False)
        elif field.message_type and field.message_type.name != "TranslatedString":
            yield from _flat(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, _value(field, value)


def _nested(message: Any) -> Any:
    """A repeated message as JSON holds it: nested as it is, with the same spellings as columns have."""
    if not hasattr(message, "ListFields"):
        return _plain(message)
    return {
        field.name: [_nested(one) for one in value] if field.is_repeated
        else _nested(value) if field.message_type and field.message_type.name != "TranslatedString"
        else _value(field, value)
        for field, value in message.ListFields()
        if not field.is_extension
    }  # fmt: skip


def _value(field: Any, value: Any) -> Any:
    if field.message_type:
        return _text(value)
    if field.enum_type:
        return field.enum_type.values_by_number[value].name
    return _time(value) if field.type in (field.TYPE_INT64, field.TYPE_UINT64) else _plain(value)


def _plain(value: Any) -> Any:
    """A text that is no UTF-8 comes as bytes: an error of the source, which goes to quarantine."""
    return ERROR_CELL if isinstance(value, bytes) else value


def _text(translated: Any) -> str | None:
    """The French text, else one without a language, else the first."""
    texts = [
        (one.language.lower() if isinstance(one.language, str) else "", one.text) for one in translated.translation
    ]
    ranked = sorted(texts, key=lambda said: (said[0].partition("-")[0] != "fr", said[0] != ""))
    return _plain(ranked[0][1]) if ranked else None


def _time(seconds: int) -> str:
    """ISO 8601 in UTC; a number that is no time in seconds stays as it is, for the quarantine."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _broken(dataset: Dataset) -> ConformError:
    return ConformError(
        "the feed is truncated, or is no GTFS-Realtime feed",
        where=dataset.place("source"),
        mend="look at what the address answers; wait for the next run if it was cut",
    )
