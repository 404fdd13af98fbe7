"""GBFS: the records of one feed, spelled alike in every version of the specification.

1.x and 2.x write times as POSIX seconds, 3.0 in ISO 8601 and texts as `[{text, language}]`: times become ISO 8601 in
UTC, texts the one in the declared language, in French, or the first. Everything else is read like any other JSON.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import duckdb

from odpipeline.conform import tree
from odpipeline.conform.delivered import Delivered
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import GbfsSource
from odpipeline.duck import literal

_RECORDS = {
    "station_information": "data.stations",
    "station_status": "data.stations",
    "free_bike_status": "data.bikes",
    "vehicle_status": "data.vehicles",
    "vehicle_types": "data.vehicle_types",
    "system_regions": "data.regions",
    "system_pricing_plans": "data.plans",
    "system_alerts": "data.alerts",
    "system_hours": "data.rental_hours",
    "system_calendar": "data.calendars",
    "geofencing_zones": "data.geofencing_zones.features",
}
"""Feed → the path to its list of records, by the specification."""

_TIMES = ("last_reported", "last_updated")
FEED_TIME = "feed_timestamp"
"""The column that holds when the feed was last updated, for those who declare it."""


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The records as text columns, as `tree.read` names them; `feed_timestamp` if it is declared.

    Raises: ConformError when it is no JSON, or holds no such list.
    """
    source = cast("GbfsSource", dataset.source)
    form = dataset.format.model_copy(update={"records": dataset.format.records or _RECORDS[source.feed]})
    delivered = tree.read(connection, path, dataset.model_copy(update={"format": form}), folder)
    columns = {
        name: _time(text) if name.rpartition(".")[2] in _TIMES else _text(text, source.language or "fr")
        for name, text in delivered.columns.items()
    }
    if FEED_TIME in {column for _, column in dataset.delivered_fields}:
        columns.setdefault(FEED_TIME, _time("(SELECT json ->> '$.last_updated' FROM documents)"))
    return replace(delivered, columns=columns)


def _time(text: str) -> str:
    """POSIX seconds as ISO 8601; whatever else it is stays as it is."""
    iso = f"strftime(make_timestamp(CAST({text} AS BIGINT) * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
    return rf"CASE WHEN regexp_full_match({text}, '\d{{1,11}}') THEN {iso} ELSE {text} END"


def _text(text: str, language: str) -> str:
    """The best text of a list of `{{text, language}}`; whatever else it is stays as it is."""
    of = f"CAST(json_extract_string({text}, '$[*].language') AS VARCHAR[])"
    place = f"coalesce(list_position({of}, {literal(language)}), list_position({of}, 'fr'), 1)"
    best = f"json_extract_string({text}, '$[*].text')[{place}]"
    localised = f"starts_with({text}, '[{{') AND json_valid({text}) AND json_exists({text}, '$[0].text')"
    return f"CASE WHEN {localised} AND json_exists({text}, '$[0].language') THEN {best} ELSE {text} END"
