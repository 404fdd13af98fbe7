"""The rows of an answer as JSON, CSV, GeoJSON or Parquet; at most ten thousand of them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FORMATS: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "geojson": "application/geo+json",
    "parquet": "application/vnd.apache.parquet",
}
"""Format → media type."""
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_json(rows: pa.Table, about: Mapping[str, Any]) -> bytes:
    """`about` and the rows, as objects."""
    found = [{name: plain(value) for name, value in row.items()} for row in rows.to_pylist()]
    return json.dumps({**about, "rows": found}, ensure_ascii=False, allow_nan=False).encode()


def as_csv(rows: pa.Table) -> bytes:
    """The rows as the CSV of a release; text that a spreadsheet would run gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(_cell, rows.column_names))
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()


def as_parquet(rows: pa.Table) -> bytes:
    """The rows, typed."""
    out = io.BytesIO()
    pq.write_table(rows, out, compression="zstd")
    return out.getvalue()


def as_geojson(rows: pa.Table, geometry: str, spelled: str) -> bytes:
    """The rows as features (RFC 7946); `geometry` is the column of the geometry, `spelled` its type and format."""
    features = [
        {"type": "Feature", "geometry": _shape(row.pop(geometry), spelled),
         "properties": {name: plain(value) for name, value in row.items()}}
        for row in rows.to_pylist()
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def plain(value: Any) -> Any:
    """A value for JSON: dates as texts, no number that JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = f"{value:f}"  # each digit of it; `normalize` would round to 28
        return text.rstrip("0").rstrip(".") if "." in text else text
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUN_BY_SPREADSHEETS) else value


def _shape(text: str | None, spelled: str) -> Any:
    if text is None:
        return None
    if spelled == "geojson":
        return json.loads(text)
    if spelled == "geopoint/object":
        point = json.loads(text)
        pair = [point["lon"], point["lat"]]
    else:
        pair = text.strip().strip("[]").split(",")
    return {"type": "Point", "coordinates": [float(one) for one in pair]}
