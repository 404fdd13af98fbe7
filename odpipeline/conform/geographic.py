"""Geographic files: attributes as text columns, and `geometry` in WGS 84, longitude before latitude.

GeoPackage, shapefile and GML are read by GDAL, as DuckDB's spatial extension brings it: each by the one driver of its
format, in a process of its own. That one driver is what holds GDAL to the delivery: DuckDB's lock on files and hosts,
which is set besides, does not bind it. GeoJSON is read as the JSON it is.
Coordinates are rounded to seven decimals (a centimetre), heights are left out.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

import duckdb

from odpipeline.conform import containers, markup, tree
from odpipeline.conform.delivered import ERROR_CELL, Delivered, unreadable
from odpipeline.conform.encoding import chunks
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.words import spell_duration
from odpipeline.duck import literal, quote, spatial
from odpipeline.errors import ConformError

_WGS84 = ("EPSG:4326", "OGC:CRS84", "EPSG:4171")
"""What needs no reprojection; RGF93 (4171) is WGS 84 but for less than a metre, and PROJ takes them for equal."""
_FARTHEST = 40_100_000
"""In metres, the length of the equator: no coordinate of any French projection is beyond."""
_PROCESS = Path(__file__).with_name("gdal_process.py")
"""Run by its path: importing this package would take a second."""
_OF_GDAL = ("fid", "OGC_FID", "lowerCorner", "upperCorner")
"""Columns that number the rows or enclose them: no data, left out unless they are declared."""
_MEMBERS = (("member",), ("featureMember",))
"""What holds one feature in GML 3.2 and in GML 2 and 3.1 (OGC 07-036, 10.4)."""
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_DBF_PAGES = {b"\x01": "cp437", b"\x02": "cp850", b"\x03": "cp1252"}
_POINT = {"array": "'[' || {} || ',' || {} || ']'", "object": "'{{\"lon\":' || {} || ',\"lat\":' || {} || '}}'"}
"""How a point is written for the formats of Table Schema's geopoint; by default `lon,lat`."""


def geojson(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, _folder: Path) -> Delivered:
    """A FeatureCollection, or collections or features one a line; the properties are the columns.

    Raises: ConformError when it is no GeoJSON, or when its collections name two coordinate systems.
    """
    spatial(connection)
    tree.documents(connection, path, dataset)
    try:
        named = connection.execute(
            "SELECT DISTINCT json ->> '$.crs.properties.name' FROM documents WHERE json ->> '$.type' != 'Feature'"
        ).fetchall()
        if len(named) > 1:
            raise _unsound("names more than one coordinate system", dataset)
        crs = _crs(_authority(named[0][0] if named else None), dataset) or "OGC:CRS84"
        connection.execute(
            "CREATE TEMP TABLE lists AS SELECT CASE json ->> '$.type' WHEN 'FeatureCollection' THEN "
            "from_json(json -> '$.features', '[\"JSON\"]') WHEN 'Feature' THEN [json] END AS features FROM documents"
        )
        if connection.execute("FROM lists WHERE features IS NULL LIMIT 1").fetchone():
            raise _unsound("holds something else than features", dataset)
        given = "record -> '$.geometry'"
        text = _text(f"TRY(ST_GeomFromGeoJSON({given}))", f"nullif(json_type({given}), 'NULL')", crs, dataset)
        connection.execute(
            f"CREATE TEMP TABLE records AS SELECT row_number() OVER () AS _row, record, {text} AS geometry FROM "
            "(SELECT unnest(features) AS record FROM lists)"
        )
        keys = connection.execute(
            "SELECT key FROM (SELECT unnest(json_keys(record, '$.properties')) AS key, _row FROM records) "
            "GROUP BY key ORDER BY min(_row)"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(error, "GeoJSON", dataset) from None
    columns = {key: f"(record ->> {literal(f'$.properties.{quote(key)}')})" for (key,) in keys if '"' not in key}
    if "id" in _wanted(dataset) and "id" not in columns:
        columns["id"] = "(record ->> '$.id')"
    _refuse_second_geometry(columns, dataset)
    return Delivered("records", columns | {"geometry": "geometry"}, native=True)


def geopackage(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The declared layer of a GeoPackage, or its only one.

    Raises: ConformError when it is broken, has no such layer, or computes a layer instead of holding it.
    """
    home = _home(folder)
    file = home / "delivery.gpkg"
    shutil.copyfile(path, file)
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as package:
            # GDAL lends SQL some functions that reach for files and hosts, and a view may call them.
            computed = package.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'view' OR upper(sql) LIKE '%GENERATED ALWAYS%' OR "
                "(upper(sql) LIKE 'CREATE VIRTUAL TABLE%' AND upper(sql) NOT LIKE '%USING%RTREE%')"
            ).fetchone()
            layers = [str(row[0]) for row in package.execute("SELECT table_name FROM gpkg_contents ORDER BY 1")]
    except sqlite3.Error:
        raise _unsound("is no GeoPackage, or a broken one", dataset) from None
    if computed:
        raise _unsound("computes tables by SQL of its own", dataset)
    return _read(connection, file, "GPKG", _layer(layers, dataset), (), dataset)


def shapefile(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """A zipped shapefile: `.shp` and `.dbf`, `.prj` for the coordinate system, `.cpg` for the encoding.

    Raises: ConformError when a part is missing, or when several shapefiles are there and none is declared.
    """
    home = _home(folder)

    def parts(names: list[str]) -> dict[str, Path]:
        stems = {name[:-4]: PurePosixPath(name).stem for name in names if name.lower().endswith(".shp")}
        layer = _layer(list(stems.values()), dataset)
        stem = next(stem for stem, called in stems.items() if called == layer).casefold()
        wanted = {stem + end: home / f"delivery{end}" for end in _PARTS}
        return {name: wanted[name.casefold()] for name in names if name.casefold() in wanted}

    containers.write(path, dataset, parts)
    file, table = home / "delivery.shp", home / "delivery.dbf"
    if not table.is_file():
        raise _unsound("is a shapefile without its .dbf", dataset)
    encoding = _dbf_encoding(table, dataset)
    wide = encoding in ("utf-8", "utf-16")
    options = ("ENCODING=UTF-8",) if wide else ("ENCODING=ISO-8859-1",)
    read = _read(connection, file, "ESRI Shapefile", None, options, dataset)
    return read if wide else replace(read, columns={n: _decoded(n, t, encoding) for n, t in read.columns.items()})


def gml(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """GML, as a WFS answers; a schema or a link that it names elsewhere is not fetched.

    Raises: ConformError when it is broken, declares entities of its own, or holds several types of features and none
    is declared.
    """
    kinds = sorted({markup.local(child) for found, _ in markup.records(path, _MEMBERS, dataset) for child in found})
    if dataset.format.layer is None and len(kinds) > 1:
        raise _unsound(f"holds {len(kinds)} types of features ({', '.join(kinds[:9])}); name one with layer", dataset)
    file = _home(folder) / "delivery.gml"
    shutil.copyfile(path, file)
    options = ("DOWNLOAD_SCHEMA=NO", "READ_MODE=SEQUENTIAL_LAYERS")
    return _read(connection, file, "GML", dataset.format.layer, options, dataset)


def with_point(connection: duckdb.DuckDBPyConnection, delivered: Delivered, dataset: Dataset) -> Delivered:
    """`delivered` with the column `geometry`, from its columns `format.x` and `format.y`, if they are declared.

    Raises: ConformError when there are no such columns.
    """
    form = dataset.format
    assert form.x and form.y  # noqa: S101, PT018 - for the type checker: the model has seen that they go together
    spatial(connection)
    missing = [name for name in (form.x, form.y) if name not in delivered.columns]
    if missing:
        raise ConformError(
            f"the delivery has no column {', '.join(missing)} (it has: {', '.join(delivered.columns)})",
            where=dataset.place("format"),
            mend="say in which columns the coordinates are with format: {x: …, y: …}",
        )
    columns = {name: text for name, text in delivered.columns.items()
               if name not in (form.x, form.y) or name in _wanted(dataset)}  # fmt: skip
    _refuse_second_geometry(columns, dataset)
    x, y = (f"nullif(trim({delivered.columns[name]}), '')" for name in (form.x, form.y))
    numbers = (rf"TRY_CAST(replace(regexp_replace({side}, '[ \x{{a0}}\x{{202f}}]', '', 'g'), ',', '.') AS DOUBLE)"
               for side in (x, y))  # fmt: skip
    text = _text(f"ST_Point({', '.join(numbers)})", f"coalesce({x}, {y})", form.crs or "EPSG:4326", dataset)
    return replace(delivered, columns=columns | {"geometry": text})


def _read(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    driver: str,
    layer: str | None,
    options: tuple[str, ...],
    dataset: Dataset,
) -> Delivered:
    """The layer as GDAL reads it, by that `driver` alone."""
    arguments = f"allowed_drivers := [{literal(driver)}]"
    arguments += f", layer := {literal(layer)}" if layer else ""
    arguments += f", open_options := [{', '.join(map(literal, options))}]" if options else ""
    target = file.with_suffix(".parquet")
    limit = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    asked = {"file": str(file), "arguments": arguments, "target": str(target), "memory_limit": limit and limit[0]}
    command = [sys.executable, "-P", str(_PROCESS)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter; the request goes by standard input
            command, input=json.dumps(asked).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=file.parent, timeout=dataset.source.deadline.total_seconds(), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _unsound(f"could not be read within {spell_duration(dataset.source.deadline)}", dataset) from None
    if done.returncode:
        raise _unsound(f"cannot be read as {driver}", dataset)
    target.chmod(0o600)
    spatial(connection)
    texts = _columns([(name, kind) for name, kind in json.loads(done.stdout)], dataset)
    return Delivered(f"read_parquet({literal(target)})", texts, native=True)


def _columns(described: list[tuple[str, str]], dataset: Dataset) -> dict[str, str]:
    """Column → its text. The first geometry is `geometry`."""
    texts: dict[str, str] = {}
    for name, kind in described:
        if kind.startswith("GEOMETRY"):
            crs = _crs(_authority(kind[len("GEOMETRY") :].strip("()'") or None), dataset)
            if crs is None:
                raise ConformError(
                    "the delivery does not say its coordinate system",
                    where=dataset.place("format"),
                    mend="say it with format: {crs: …}, such as EPSG:2154 for Lambert-93",
                )
            shape = f"TRY(ST_GeomFromWKB({quote(name)}))"
            called = name if "geometry" in texts else "geometry"
            texts[called] = _text(shape, quote(name), crs, dataset)
        elif name not in _OF_GDAL or name in _wanted(dataset):
            if name.casefold() == "geometry":
                _refuse_second_geometry({name: ""}, dataset)
            texts[name] = quote(name)
    return texts


def _text(shape: str, given: str, crs: str, dataset: Dataset) -> str:
    """The geometry's text: NULL where `given` is; what is invalid or out of range cannot be read by any field."""
    fields = [field for field, column in dataset.delivered_fields if column == "geometry"]
    if any(field.type not in ("geojson", "geopoint") for field in fields):
        raise ConformError(
            "the geometry is declared as something else",
            where=dataset.place("fields"),
            mend="give its field the type geojson, or geopoint if it is points",
        )
    flat = f"ST_Force2D({shape})"
    moved = flat if crs in _WGS84 else f"TRY(ST_Transform({flat}, {literal(crs)}, 'EPSG:4326', always_xy := true))"
    fine = f"TRY(ST_ReducePrecision({moved}, 1e-7))"
    within = f"ST_XMin({fine}) >= -180 AND ST_XMax({fine}) <= 180 AND ST_YMin({fine}) >= -90 AND ST_YMax({fine}) <= 90"
    here = " AND ".join(f"abs(ST_{side}({flat})) <= {_FARTHEST}" for side in ("XMin", "XMax", "YMin", "YMax"))
    sound, text = f"TRY(ST_IsValid({flat})) AND {here} AND {within}", f"CAST(ST_AsGeoJSON({fine}) AS VARCHAR)"
    if fields and fields[0].type == "geopoint":
        sound += f" AND ST_GeometryType({flat}) = 'POINT'"
        lon, lat = (f"CAST(ST_{axis}({fine}) AS VARCHAR)" for axis in "XY")
        text = _POINT.get(fields[0].format, "{} || ',' || {}").format(lon, lat)
    return f"CASE WHEN {given} IS NULL THEN NULL WHEN {sound} THEN {text} ELSE {literal(ERROR_CELL)} END"


def _authority(named: str | None) -> str | None:
    """`EPSG:2154` for what GeoJSON's old `crs` and PROJ call it; any other name as it is."""
    if named and (code := re.fullmatch(r"(?:urn:ogc:def:crs:)?(EPSG|OGC):(?:[\d.]*:)?(\w+)", named)):
        return f"{code[1]}:{code[2]}"
    return named


def _crs(said: str | None, dataset: Dataset) -> str | None:
    """The coordinate system that the delivery says, else the declared one.

    Raises: ConformError when they are not the same.
    """
    declared = dataset.format.crs
    if said and declared and said != declared and re.fullmatch(r"(EPSG|OGC):\w+", said):
        raise ConformError(
            f"the delivery is in {said}, but is declared to be in {declared}",
            where=dataset.place("format", "crs"),
            mend="leave crs out, or ask the source which is right",
        )
    return declared or said


def _layer(layers: list[str], dataset: Dataset) -> str:
    wanted = dataset.format.layer
    if wanted in layers and wanted is not None:
        return wanted
    if wanted is None and len(layers) == 1:
        return layers[0]
    raise ConformError(
        f"the delivery has no layer {wanted!r}" if wanted else f"the delivery has {len(layers)} layers",
        where=dataset.place("format", "layer"),
        mend="say which with format: {layer: …}" + (f"; its layers are: {', '.join(layers)}" if layers else ""),
    )


def _dbf_encoding(table: Path, dataset: Dataset) -> str:
    """As declared, else as the `.cpg` or the table's header says, else UTF-8 if the cells are valid, or Windows-1252.

    The header's 0x57 means no more than "not DOS"; ISO 8859-1 is read as Windows-1252, which has all of it and more.
    """
    with table.open("rb") as stream:
        start = stream.read(32)
    page = table.with_suffix(".cpg")
    named = page.read_bytes()[:40].decode("ascii", "ignore").strip().lower() if page.is_file() else ""
    code = re.fullmatch(r"(?:ansi |windows-|cp)?(\d{3,5})", named)
    said = dataset.format.encoding or (f"cp{code[1]}" if code else named) or _DBF_PAGES.get(start[29:30], "")
    with contextlib.suppress(LookupError):
        found = codecs.lookup({"cp65001": "utf-8", "cp88591": "cp1252", "latin-1": "cp1252"}.get(said, said)).name
        return "cp1252" if found == "iso8859-1" else found
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks(table, int.from_bytes(start[8:10], "little")):
            decoder.decode(chunk)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _decoded(name: str, text: str, encoding: str) -> str:
    """GDAL was built without the other encodings: what it read as ISO 8859-1 is put right, byte for character."""
    if name == "geometry":
        return text
    pairs = [(chr(byte), right) for byte in range(128, 256) if (right := bytes([byte]).decode(encoding, "ignore"))]
    before, after = ("".join(side) for side in zip(*pairs, strict=True))
    return f"translate({text}, {literal(before)}, {literal(after)})"


def _home(folder: Path) -> Path:
    home = folder / "geographic"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


def _wanted(dataset: Dataset) -> set[str]:
    return {column for _, column in dataset.delivered_fields}


def _refuse_second_geometry(columns: dict[str, str], dataset: Dataset) -> None:
    if "geometry" in map(str.casefold, columns):
        raise _unsound("has an attribute called geometry beside its geometry", dataset)


def _unsound(what: str, dataset: Dataset) -> ConformError:
    return ConformError(
        f"the delivery {what}", where=dataset.place("source"), mend="ask the source for a sound, plain export"
    )
