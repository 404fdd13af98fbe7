"""The files of a release that are made of its Parquet: GeoJSON, GeoParquet, workbook, partitions, and CSVW beside.

Each says the same rows in the same order; each has the same bytes for the same rows and the same writer. GeoJSON is
that of RFC 7946 (WGS84, seven decimals, right-hand rule), written by GDAL; GeoParquet is 1.1 with a covering box of
each row, which lets readers skip what is elsewhere; CSVW is the W3C's metadata of the CSV (Tabular Data, 2015).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.declaration.formats import geometry
from odpipeline.duck import literal, quote, spatial, workbooks
from odpipeline.errors import StoreError
from odpipeline.geopoint import degrees

WORKBOOK_ROWS = 100_000
"""The most rows of a workbook; Excel takes a million, and nobody opens that."""
GEOJSON_ROWS = 500_000
"""The most rows of a GeoJSON, which is read whole by whoever opens it; a greater release has GeoParquet only."""
GZIP_BYTES = 50_000_000
"""From which size of the CSV on it is also published compressed, when nothing is declared."""
PARTITIONS = 200
"""The most files that a release is parted into."""
_LONGEST_CELL = 32_767
"""The most characters of a cell of Excel (its specifications and limits)."""
_CSVW = {
    "string": "string", "integer": "integer", "number": "double", "boolean": "boolean", "date": "date",
    "datetime": "dateTime", "time": "time", "year": "gYear", "yearmonth": "gYearMonth", "duration": "duration",
}  # fmt: skip
"""Type of Table Schema → datatype of CSVW; the others are texts to it."""


def packed_from(dataset: Dataset) -> int | None:
    """From how many bytes on the CSV is also published compressed; None: never."""
    if dataset.formats.gzip is None:
        return GZIP_BYTES
    return 0 if dataset.formats.gzip else None


def further(
    connection: duckdb.DuckDBPyConnection, parquet: Path, dataset: Dataset, types: Mapping[str, str]
) -> Iterator[Path]:
    """Write the further files beside `parquet`; their paths. `types` are DuckDB's, of the published columns.

    Raises: StoreError when a geometry or a partition cannot be published; duckdb.Error.
    """
    rows = f"read_parquet({literal(parquet)})"
    [(count,)] = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
    if (field := geometry(dataset)) is not None and field.name in types:
        yield from _geographic(connection, rows, field, parquet, dataset, types, count)
    if dataset.formats.xlsx and count <= WORKBOOK_ROWS and _fits(connection, rows, types):
        workbooks(connection)
        target = parquet.with_suffix(".xlsx")
        sheet = f"SHEET {literal(dataset.id[:31])}"
        connection.execute(f"COPY (FROM {rows}) TO {literal(target)} (FORMAT xlsx, HEADER true, {sheet})")
        yield target


def parted(
    connection: duckdb.DuckDBPyConnection, parquet: Path, dataset: Dataset, types: Mapping[str, str]
) -> Iterator[Path]:
    """Write one Parquet for each value of the declared column, named after it: `<id>.annee-2025.parquet`; their paths.

    Raises: as `further`.
    """
    column = dataset.formats.partition_by
    if column is None or column not in types:
        return
    rows, cell = f"read_parquet({literal(parquet)})", quote(column)
    found = connection.execute(
        f"SELECT DISTINCT CAST({cell} AS VARCHAR) FROM {rows} ORDER BY ALL LIMIT {PARTITIONS + 1}"
    ).fetchall()
    values = [value for (value,) in found]
    if len(values) > PARTITIONS or not all(value and re.fullmatch(r"[A-Za-z0-9-]{1,40}", value) for value in values):
        raise StoreError(
            f"{column} cannot part the release: it has more than {PARTITIONS} values, or some that are missing or no "
            "names of files (letters without accents, digits, hyphens)",
            where=dataset.place("formats", "partition_by"),
            mend="part it by a year, a month or a code",
        )
    for value in values:
        target = parquet.with_name(f"{dataset.id}.{column}-{value}.parquet")
        connection.execute(
            f"COPY (FROM {rows} WHERE CAST({cell} AS VARCHAR) = {literal(value)}) TO {literal(target)} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        yield target


def csvw(dataset: str, described: Mapping[str, Any], schema: Mapping[str, Any], licence: str | None) -> dict[str, Any]:
    """`<id>.csv-metadata.json`, which the W3C's readers look for beside the CSV."""
    columns = []
    for field in schema["fields"]:
        column: dict[str, Any] = {"name": field["name"], "titles": field["name"], "datatype": "string", "null": [""]}
        column["datatype"] = _CSVW.get(field["type"], "string")
        column["required"] = bool(field.get("constraints", {}).get("required"))
        told = field.get("description") or field.get("title")
        columns.append(column | ({"dc:description": told} if told else {}))
    table: dict[str, Any] = {"columns": columns}
    if key := schema.get("primaryKey"):
        table["primaryKey"] = key
    about = {"dc:title": described["title"], "dc:description": described["description"]}
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": described["language"]}],
        "url": f"{dataset}.csv",
        **about,
        **({"dc:license": {"@id": licence}} if licence else {}),
        "dialect": {"encoding": "utf-8", "delimiter": ",", "lineTerminators": ["\r\n"], "quoteChar": '"',
                    "doubleQuote": True, "header": True},
        "tableSchema": table,
    }  # fmt: skip


def _geographic(
    connection: duckdb.DuckDBPyConnection, rows: str, field: TableField, parquet: Path, dataset: Dataset,
    types: Mapping[str, str], count: int,
) -> Iterator[Path]:  # fmt: skip
    spatial(connection)
    cell = quote(field.name)
    shape = f"TRY(ST_GeomFromGeoJSON({cell}))"
    if field.type == "geopoint":
        shape = "ST_Point({}, {})".format(*degrees(cell, field.format))
        shape = f"CASE WHEN {cell} IS NOT NULL THEN {shape} END"
    [(broken, *box)] = connection.execute(
        f"SELECT count_if(g IS NULL AND c IS NOT NULL), min(ST_XMin(g)), min(ST_YMin(g)), max(ST_XMax(g)), "
        f"max(ST_YMax(g)) FROM (SELECT {cell} AS c, {shape} AS g FROM {rows})"
    ).fetchall()
    if broken or (box[0] is not None and not (box[0] >= -180 and box[2] <= 180 and box[1] >= -90 and box[3] <= 90)):
        raise StoreError(
            f"{broken} cells of {field.name} are no geometry, or some lie beyond the degrees of WGS84",
            where=dataset.place("formats"),
            mend="correct them at the source, or publish neither GeoJSON nor GeoParquet: `formats: {geometry: false}`",
        )
    if count <= GEOJSON_ROWS:
        yield _geojson(connection, rows, field.name, shape, parquet.with_suffix(".geojson"), types)
    yield _geoparquet(connection, rows, field.name, shape, parquet.with_name(f"{dataset.id}.geo.parquet"), box, types)


def _geojson(
    connection: duckdb.DuckDBPyConnection, rows: str, name: str, shape: str, target: Path, types: Mapping[str, str]
) -> Path:
    spelled = {"TIMESTAMP": "strftime({}, '%Y-%m-%dT%H:%M:%SZ')", "TIME": "CAST({} AS VARCHAR)"}
    others = {quote(other): spelled.get(kind, "{}") for other, kind in types.items() if other != name}
    chosen = ", ".join([*(f"{text.format(cell)} AS {cell}" for cell, text in others.items()), f"{shape} AS geometry"])
    options = "('RFC7946=YES', 'WRITE_NAME=NO', 'AUTODETECT_JSON_STRINGS=NO')"
    connection.execute(
        f"COPY (SELECT {chosen} FROM {rows}) TO {literal(target)} "
        f"(FORMAT gdal, DRIVER 'GeoJSON', LAYER_CREATION_OPTIONS {options})"
    )
    return target


def _geoparquet(
    connection: duckdb.DuckDBPyConnection, rows: str, name: str, shape: str, target: Path, box: list[float | None],
    types: Mapping[str, str],
) -> Path:  # fmt: skip
    """The rows with the geometry as WKB and its box; GeoParquet 1.1.0, in OGC:CRS84 as GeoJSON is."""
    found = connection.execute(
        f"SELECT DISTINCT replace(lower(CAST(ST_GeometryType({shape}) AS VARCHAR)), 'st_', '') FROM {rows} "
        f"WHERE {quote(name)} IS NOT NULL ORDER BY ALL"
    ).fetchall()
    kinds = {kind.lower(): kind for kind in ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString",
                                             "MultiPolygon", "GeometryCollection")}  # fmt: skip
    covering = next(f"bbox{n or ''}" for n in range(len(types) + 1) if f"bbox{n or ''}" not in types)
    geo = {
        "version": "1.1.0",
        "primary_column": name,
        "columns": {
            name: {
                "encoding": "WKB",
                "geometry_types": [kinds[kind] for (kind,) in found if kind in kinds],
                **({"bbox": box} if box[0] is not None else {}),
                "covering": {"bbox": {side: [covering, side] for side in ("xmin", "ymin", "xmax", "ymax")}},
            }
        },
    }
    sides = ", ".join(f"'{side}': ST_{side}(g)" for side in ("xmin", "ymin", "xmax", "ymax"))
    others = [f"ST_AsWKB(g)::BLOB AS {quote(name)}" if other == name else quote(other) for other in types]
    chosen = ", ".join([*others, f"{{{sides}}} AS {quote(covering)}"])
    connection.execute(
        f"COPY (SELECT {chosen} FROM (SELECT *, {shape} AS g FROM {rows})) TO {literal(target)} "
        f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{geo: {literal(json.dumps(geo))}}})"
    )
    return target


def _fits(connection: duckdb.DuckDBPyConnection, rows: str, types: Mapping[str, str]) -> bool:
    """Whether every text is short enough for a cell."""
    texts = [f"coalesce(max(length({quote(name)})), 0)" for name, kind in types.items() if kind == "VARCHAR"]
    if not texts:
        return True
    [longest] = connection.execute(f"SELECT greatest({', '.join(texts)}) FROM {rows}").fetchall()
    return int(longest[0]) <= _LONGEST_CELL
