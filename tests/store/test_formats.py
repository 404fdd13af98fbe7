"""The further files of a release: each says the same rows, in the same bytes every time, and opens in its readers."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import openpyxl
import pyarrow.parquet as pq
import pytest

from odpipeline.declaration import formats as declared
from odpipeline.duck import connect, spatial
from odpipeline.errors import StoreError
from odpipeline.store import Staged, Store
from odpipeline.store.verifying import verify
from tests.store.making import DUCK, a_dataset, a_staged, yes

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "integer", "constraints": {"required": True}},
    {"name": "nom", "title": "Nom", "description": "Le nom affiché."},
    {"name": "ouvert_le", "type": "date"},
    {"name": "releve_le", "type": "datetime"},
    {"name": "gratuit", "type": "boolean"},
    {"name": "position", "type": "geopoint"},
]
ROWS = """SELECT i AS id, CASE i WHEN 2 THEN '=SOMME(A1)' WHEN 3 THEN '{"a": 1}' ELSE 'Parking ' || i END AS nom,
    DATE '2026-01-01' + i::INT AS ouvert_le, TIMESTAMP '2026-03-29 01:00:00' AS releve_le, i % 2 = 0 AS gratuit,
    CASE WHEN i < 4 THEN (2 + i / 10) || ', ' || (48 + i / 10) END AS position FROM range(1, 5) t(i)"""


def _staged(folder: Path, select: str = ROWS, **changes: Any) -> Staged:
    dataset = a_dataset(**{"fields": FIELDS, **changes})
    return a_staged(folder, select, dataset=dataset)


def _file(staged: Staged, ending: str) -> Path:
    return staged.folder / f"parkings.{ending}"


def test_points_become_geojson_that_any_map_reads(tmp_path: Path) -> None:
    found = json.loads(_file(_staged(tmp_path), "geojson").read_text())
    assert set(found) == {"type", "features"}
    first, second, third, last = found["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [2.1, 48.1]}
    assert first["properties"] == {
        "id": 1, "nom": "Parking 1", "ouvert_le": "2026-01-02", "releve_le": "2026-03-29T01:00:00Z", "gratuit": False,
    }  # fmt: skip
    assert second["properties"]["nom"] == "=SOMME(A1)"
    assert third["properties"]["nom"] == '{"a": 1}'  # a text stays one, whatever it looks like
    assert last["geometry"] is None


def test_geoparquet_says_its_columns_and_boxes(tmp_path: Path) -> None:
    file = _file(_staged(tmp_path), "geo.parquet")
    said = json.loads(pq.read_schema(file).metadata[b"geo"])
    assert said["version"] == "1.1.0"
    column = said["columns"]["position"]
    assert (column["encoding"], column["geometry_types"], column["bbox"]) == ("WKB", ["Point"], [2.1, 48.1, 2.3, 48.3])
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    with connect(DUCK) as connection:
        spatial(connection)
        near = f"SELECT id, ST_AsText(position) FROM '{file}' WHERE bbox.xmin > 2.25"  # read as a geometry by itself
        assert connection.execute(near).fetchall() == [(3, "POINT (2.3 48.3)")]


def test_the_parquet_says_what_its_columns_are(tmp_path: Path) -> None:
    said = json.loads(pq.read_schema(_staged(tmp_path).parquet).metadata[b"fields"])
    assert said[1] == {"name": "nom", "type": "string", "title": "Nom", "description": "Le nom affiché."}


def test_lines_and_polygons_of_geojson_text(tmp_path: Path) -> None:
    ring = '{"type":"Polygon","coordinates":[[[2,48],[2,49],[3,49],[3,48],[2,48]]]}'  # clockwise: the wrong way round
    fields = [FIELDS[0], {"name": "forme", "type": "geojson"}]
    staged = _staged(tmp_path, f"SELECT 1 AS id, '{ring}' AS forme", fields=fields)
    [feature] = json.loads(_file(staged, "geojson").read_text())["features"]
    assert feature["geometry"]["coordinates"] == [[[2, 48], [3, 48], [3, 49], [2, 49], [2, 48]]]
    assert json.loads(pq.read_schema(_file(staged, "geo.parquet")).metadata[b"geo"])["columns"]["forme"][
        "geometry_types"
    ] == ["Polygon"]


def test_what_is_no_geometry_is_refused_unless_none_is_wanted(tmp_path: Path) -> None:
    fields = [FIELDS[0], {"name": "forme", "type": "geojson"}]
    rows = """SELECT 1 AS id, '{"type":"Point","coordinates":[2]}' AS forme"""
    with pytest.raises(StoreError, match="cells of forme are no geometry"):
        _staged(tmp_path, rows, fields=fields)
    with pytest.raises(StoreError, match="beyond the degrees of WGS84"):
        _staged(
            tmp_path, """SELECT 1 AS id, '{"type":"Point","coordinates":[652000, 6862000]}' AS forme""", fields=fields
        )
    staged = _staged(tmp_path, rows, fields=fields, formats={"geometry": False})
    assert not _file(staged, "geojson").exists()


def test_a_workbook_holds_values_and_no_formula(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(_file(_staged(tmp_path, formats={"xlsx": True}), "xlsx")).active
    assert sheet is not None
    assert sheet.title == "parkings"
    header, first, second, *_ = sheet.iter_rows()
    assert [cell.value for cell in header] == [field["name"] for field in FIELDS]
    assert (first[0].value, first[4].value, str(first[2].value)) == (1, False, "2026-01-02 00:00:00")
    assert second[1].data_type in ("s", "inlineStr")


def test_a_workbook_that_excel_could_not_open_is_not_made(tmp_path: Path) -> None:
    staged = _staged(tmp_path, "SELECT 1 AS id, repeat('a', 40000) AS nom", fields=FIELDS[:2], formats={"xlsx": True})
    assert [file.name for file in staged.files if file.name.endswith("xlsx")] == []


def test_the_compressed_csv_is_the_csv(tmp_path: Path) -> None:
    staged = _staged(tmp_path, formats={"gzip": True})
    assert gzip.decompress(_file(staged, "csv.gz").read_bytes()) == staged.csv.read_bytes()


def test_a_byte_order_mark_is_there_when_it_is_declared_and_read_over(tmp_path: Path) -> None:
    plain, marked = (_staged(tmp_path / str(bom), formats={"bom": bom}) for bom in (False, True))
    assert marked.csv.read_bytes() == b"\xef\xbb\xbf" + plain.csv.read_bytes()
    assert marked.content_hash != plain.content_hash
    with marked.csv.open(encoding="utf-8-sig", newline="") as text:
        assert next(csv.reader(text))[0] == "id"
    assert duckdb.execute(f"SELECT id FROM read_csv('{marked.csv}') ORDER BY id").fetchone() == (1,)


def test_one_file_for_each_value_of_a_declared_column(tmp_path: Path) -> None:
    fields = [FIELDS[0], {"name": "annee", "type": "year"}]
    select = "SELECT i AS id, 2020 + i % 3 AS annee FROM range(9) t(i)"
    staged = _staged(tmp_path, select, fields=fields, formats={"partition_by": "annee"})
    parts = [_file(staged, f"annee-{year}.parquet") for year in (2020, 2021, 2022)]
    assert duckdb.execute(f"SELECT id FROM '{parts[1]}'").fetchall() == [(1,), (4,), (7,)]
    assert sorted(duckdb.execute(f"FROM read_parquet({[str(p) for p in parts]})").fetchall()) == sorted(
        duckdb.execute(f"FROM '{staged.parquet}'").fetchall()
    )
    for rows in ("SELECT 1 AS id, NULL::BIGINT AS annee", "SELECT i AS id, i AS annee FROM range(300) t(i)"):
        with pytest.raises(StoreError, match="annee cannot part the release"):
            _staged(tmp_path, rows, fields=fields, formats={"partition_by": "annee"})


def test_every_file_has_the_same_bytes_for_the_same_rows(tmp_path: Path) -> None:
    wanted = {"xlsx": True, "gzip": True, "partition_by": "id"}
    one, two = (_staged(tmp_path / name, formats=wanted) for name in "ab")
    assert one.files == two.files
    assert {file.name for file in one.files} >= {
        "parkings.csv", "parkings.parquet", "parkings.geojson", "parkings.geo.parquet", "parkings.xlsx",
        "parkings.csv.gz", "parkings.id-1.parquet", "parkings.csv-metadata.json", "datapackage.json",
    }  # fmt: skip


def test_the_rows_alone_decide_the_content_hash(tmp_path: Path) -> None:
    assert _staged(tmp_path / "a").content_hash == _staged(tmp_path / "b", formats={"xlsx": True}).content_hash


def test_csvw_says_what_the_table_schema_says(tmp_path: Path) -> None:
    said = json.loads(_file(_staged(tmp_path), "csv-metadata.json").read_text())
    assert said["@context"][0] == "http://www.w3.org/ns/csvw"
    assert said["url"] == "parkings.csv"
    columns = said["tableSchema"]["columns"]
    assert [column["datatype"] for column in columns] == ["integer", "string", "date", "dateTime", "boolean", "string"]
    assert columns[0]["required"]
    assert columns[1]["dc:description"] == "Le nom affiché."
    assert said["tableSchema"]["primaryKey"] == ["id"]


def test_the_data_package_names_every_file_of_rows(tmp_path: Path) -> None:
    wanted = {"xlsx": True, "gzip": True}
    package = json.loads(_file(_staged(tmp_path, formats=wanted), "csv").with_name("datapackage.json").read_text())
    by_path = {resource["path"]: resource for resource in package["resources"]}
    assert set(by_path) == {f"parkings.{e}" for e in ("csv", "parquet", "geojson", "geo.parquet", "xlsx", "csv.gz")}
    assert "schema" not in by_path["parkings.geojson"]
    assert by_path["parkings.csv.gz"]["compression"] == "gz"
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names)
    jsonschema.validate(names, {"items": {"pattern": "^[a-z0-9._-]+$"}})


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"geometry": "nom"}, "unknown published geometry 'nom'"),
        ({"partition_by": "rue"}, "unknown published field 'rue'"),
    ],
)
def test_formats_that_cannot_be_are_refused(said: dict[str, Any], why: str) -> None:
    [(place, what)] = declared.faults(a_dataset(fields=FIELDS, formats=said))
    assert place[0] == "formats"
    assert why in what


def test_partitions_to_which_nothing_was_added_are_shared_with_the_version_before(store: Store, tmp_path: Path) -> None:
    dataset = a_dataset(fields=[FIELDS[0], {"name": "annee", "type": "year"}], formats={"partition_by": "annee"})
    for n, count in enumerate((9, 10)):
        select = f"SELECT i AS id, 2020 + i % 3 AS annee FROM range({count}) t(i)"
        staged = a_staged(tmp_path / str(n), select, dataset=dataset)
        store.publish(staged, yes(staged))
    one, two = (store.root / f"datasets/parkings/versions/{n}" for n in (1, 2))
    same = {year: (one / f"parkings.annee-{year}.parquet").samefile(two / f"parkings.annee-{year}.parquet")
            for year in (2020, 2021, 2022)}  # fmt: skip
    assert same == {2020: False, 2021: True, 2022: True}
    store.backend.purge("datasets/parkings/versions/1/parkings.annee-2021.parquet")
    assert verify(store.backend, "parkings", sample=0).flaws == []  # the other name of the file is still there
