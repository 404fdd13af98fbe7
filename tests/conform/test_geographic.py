"""Geographic files: any usual format and projection becomes GeoJSON in WGS 84; what is unsound is set aside."""

import csv
import http.server
import io
import json
import sqlite3
import threading
import zipfile
from pathlib import Path

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.duck import connect, spatial
from odpipeline.errors import ConformError
from odpipeline.store import Release
from tests.towns import write_town

FIELDS = ["nom", {"name": "places", "type": "integer"}, {"name": "geometry", "type": "geojson"}]
PARIS = {"type": "Point", "coordinates": [2.345812, 48.8562481]}
"""Where 652000, 6862000 in Lambert-93 is, by PROJ's cs2cs."""


@pytest.fixture
def written(tmp_path):
    """The bytes of two places at given coordinates, as GDAL writes them in a format."""

    def write(driver, ending, crs="EPSG:2154", shapes=("POINT(652000 6862000)", "POINT(652100 6862100)")):
        folder = tmp_path / "gdal"
        folder.mkdir()
        with connect() as connection:
            spatial(connection)
            rows = ", ".join(f"('Hôtel {n}', {n}, ST_GeomFromText('{shape}'))" for n, shape in enumerate(shapes))
            srs = f", SRS '{crs}'" if crs else ""
            connection.execute(
                f"COPY (SELECT * FROM (VALUES {rows}) t(nom, places, geom)) TO '{folder}/lieux{ending}' "
                f"WITH (FORMAT gdal, DRIVER '{driver}', LAYER_NAME 'lieux'{srs})"
            )
        if ending != ".shp":
            return (folder / f"lieux{ending}").read_bytes()
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return write


def zipped(members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return target.getvalue()


def collection(*features, **more):
    return {"type": "FeatureCollection", **more, "features": list(features)}


def feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(*coordinates):
    return {"type": "Point", "coordinates": list(coordinates)}


def refusal(read, *args, **said):
    with pytest.raises(ConformError) as error:
        read(*args, **said)
    return str(error.value)


def first(found):
    name, places, geometry = found.values[0]
    return name, places, json.loads(geometry)


@pytest.mark.parametrize(("driver", "ending"), [("GPKG", ".gpkg"), ("GML", ".gml"), ("GeoJSON", ".json")])
def test_a_file_in_lambert_93_becomes_geojson_in_wgs_84(read, written, driver, ending):
    found = read(written(driver, ending), FIELDS, ignored_columns=["gml_id"])
    assert first(found) == ("Hôtel 0", 0, PARIS)
    assert found.counts == (2, 2, 0, 0)
    assert [f.message for f in found.conformed.findings if not f.passed] == []


def test_a_zipped_shapefile_is_read_whatever_the_case_of_its_names(read, written):
    members = {f"Export/{name.upper()}": content for name, content in written("ESRI Shapefile", ".shp").items()}
    assert first(read(zipped(members), FIELDS)) == ("Hôtel 0", 0, PARIS)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_dbf_that_does_not_say_its_encoding_is_utf_8_or_windows_1252(read, written, encoding):
    members = written("ESRI Shapefile", ".shp")
    members.pop("lieux.cpg", None)
    table = members["lieux.dbf"]
    for n in "01":
        written_so = next(c for e in ("utf-8", "latin-1") if (c := f"Hôtel {n}".encode(e)) in table)
        cell = f"Hôtel {n}".encode(encoding)
        table = table.replace(written_so.ljust(8), cell.ljust(8))
    members["lieux.dbf"] = table[:29] + b"\0" + table[30:]
    assert first(read(zipped(members), FIELDS))[0] == "Hôtel 0"


@pytest.mark.parametrize(
    ("crs", "x", "y", "lon", "lat"),
    [("EPSG:3945", 1700000, 4200000, 3, 45), ("EPSG:3950", 1700000, 9200000, 3, 50), ("EPSG:5490", 500000, 0, -63, 0),
     ("EPSG:2975", 500000, 10000000, 57, 0), ("EPSG:2972", 500000, 0, -51, 0), ("EPSG:4471", 500000, 10000000, 45, 0)],
)  # fmt: skip
def test_conic_zones_and_overseas_systems_are_known(read, crs, x, y, lon, lat):
    text = json.dumps(collection(feature(point(x, y), nom="x", places=1)))
    _, _, geometry = first(read(text, FIELDS, format={"crs": crs}))
    assert geometry["coordinates"] == [lon, lat]  # the origin of each, by definition


FEATURES = [feature(point(-0.57, 44.84), nom="é", places=1), feature(None, nom="b", places=None)]


@pytest.mark.parametrize(
    "delivery",
    [
        json.dumps(collection(*FEATURES)),
        json.dumps(collection(*FEATURES, name="x"), indent=1),
        "\n".join(map(json.dumps, FEATURES)),
        "\n".join(json.dumps(collection(one)) for one in FEATURES),
    ],
)
def test_geojson_is_a_collection_or_features_or_collections_one_a_line(read, delivery):
    found = read(delivery, FIELDS)
    assert first(found) == ("é", 1, point(-0.57, 44.84))
    assert found.values[1] == ("b", None, None)


def test_a_field_may_ask_for_points(read):
    text = json.dumps(collection(feature(point(-0.57, 44.84), nom="x"), feature(point(-0.579, 44.8), nom="y")))
    position = {"name": "position", "source": "geometry", "type": "geopoint"}
    assert read(text, ["nom", position]).values == [("x", "-0.57,44.84"), ("y", "-0.579,44.8")]


def test_what_is_invalid_or_out_of_range_goes_to_quarantine(read):
    crossed = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    bad = [point(44.84, 190.0), point(652000, 6862000), crossed, {"type": "Point"}, {"type": "Cercle"}, "ici"]
    delivery = collection(feature(point(2, 48), nom="x", places=1), *(feature(g, nom="y", places=2) for g in bad))
    found = read(json.dumps(delivery), FIELDS, quality={"quarantine": "100 %"})
    assert [row[0] for row in found.rows] == [1]
    assert [row[:3] for row in found.quarantine] == [(n, "geometry", "geojson") for n in range(2, 8)]


def test_the_bytes_of_coordinates_are_stable(read):
    text = json.dumps(collection(feature(point(2.35222190000001, 48.8566140000009, 35.2), nom="x", places=1)))
    assert read(text, FIELDS).values[0][2] == '{"type":"Point","coordinates":[2.3522219,48.856614]}'


def test_a_file_without_coordinate_system_is_refused_until_it_is_declared(read, written):
    members = written("ESRI Shapefile", ".shp", crs=None)
    assert "the delivery does not say its coordinate system; say it with format: {crs: …}" in refusal(
        read, zipped(members), FIELDS
    )
    assert first(read(zipped(members), FIELDS, format={"crs": "EPSG:2154"}))[2] == PARIS


def test_a_declared_coordinate_system_that_is_not_the_delivered_one_is_told(read, written):
    said = refusal(read, written("GPKG", ".gpkg"), FIELDS, format={"crs": "EPSG:3949"})
    assert said.startswith("assets/x.yaml:4: the delivery is in EPSG:2154, but is declared to be in EPSG:3949")


def test_one_of_several_layers_is_declared(read, written):
    parts = written("ESRI Shapefile", ".shp")
    bundle = zipped(parts | {name.replace("lieux", "zones"): content for name, content in parts.items()})
    assert "the delivery has 2 layers; say which with format: {layer: …}; its layers are: lieux, zones" in refusal(
        read, bundle, FIELDS
    )
    assert len(read(bundle, FIELDS, format={"layer": "zones"}).rows) == 2


def test_new_attributes_are_told(read, written):
    found = read(written("GPKG", ".gpkg"), FIELDS[1:])
    assert [f.counts for f in found.conformed.findings if not f.passed] == [{"new_columns": 1}]


def test_columns_of_coordinates_in_lambert_93_become_a_geometry(read):
    text = "nom;places;X;Y\na;1;652000;6862000\nb;2;652 100,5;6862100\nc;3;;\nd;4;ici;6862100\n"
    said = {"crs": "EPSG:2154", "x": "X", "y": "Y"}
    found = read(text, FIELDS, format=said, quality={"quarantine": "50 %"})
    assert first(found) == ("a", 1, PARIS)
    assert [row[2] is None for row in found.values] == [False, False, True]
    assert [row[:3] for row in found.quarantine] == [(4, "geometry", "geojson")]


@pytest.fixture
def listener():
    """A server on loopback, and the paths that were asked of it."""
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_what_gml_names_elsewhere_is_never_fetched(read, written, listener):
    address, asked = listener
    gml = written("GML", ".gml").decode()
    schema = f'xsi:schemaLocation="http://ogr.maptools.org/ {address}/wfs?REQUEST=DescribeFeatureType&amp;x=lieux"'
    hostile = gml.replace('xsi:schemaLocation="http://ogr.maptools.org/ lieux.xsd"', schema)
    hostile = hostile.replace("</ogr:places>", f'</ogr:places><ogr:l xlink:href="{address}/l#x"/>', 1)
    hostile = hostile.replace(
        "<ogr:FeatureCollection", '<ogr:FeatureCollection xmlns:xlink="http://www.w3.org/1999/xlink"'
    )
    assert hostile.count(address) == 2
    read(hostile, FIELDS, ignored_columns=["gml_id", "l"])
    assert asked == []


@pytest.mark.parametrize("root", ["OGRVRTDataSource", "OGRWFSDataSource"])
def test_no_other_driver_of_gdal_is_ever_asked(read, root, listener, tmp_path):
    address, asked = listener
    (tmp_path / "secret.csv").write_text("nom,places\nsecret,1\n")
    hostile = (
        f'<{root}><!-- http://www.opengis.net/gml --><OGRVRTLayer name="secret"><URL>{address}</URL>'
        f"<SrcDataSource>{tmp_path}/secret.csv</SrcDataSource></OGRVRTLayer>"
        f"<OGRVRTLayer name='r'><SrcDataSource>/vsicurl/{address}/x.csv</SrcDataSource></OGRVRTLayer></{root}>"
    )
    assert "the delivery cannot be read as GML" in refusal(read, hostile, FIELDS)
    assert asked == []


def test_gml_with_entities_is_refused(read):
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "a">]><x xmlns:gml="http://www.opengis.net/gml">&a;</x>'
    assert "the XML has a document type" in refusal(read, bomb, FIELDS)


def test_a_geopackage_that_computes_its_layers_is_refused(read, written, listener, tmp_path):
    address, asked = listener
    path = tmp_path / "hostile.gpkg"
    path.write_bytes(written("GPKG", ".gpkg"))
    with sqlite3.connect(path) as package:
        package.execute("ALTER TABLE lieux RENAME TO autre")
        package.execute(f"CREATE VIEW lieux AS SELECT fid, ogr_geocode('{address}') AS geom, nom, places FROM autre")
    assert "the delivery computes tables by SQL of its own" in refusal(read, path.read_bytes(), FIELDS)
    assert asked == []


@pytest.mark.parametrize(
    "delivery",
    [b"SQLite format 3\0" + b"\0" * 200, zipped({"a.shp": b"x" * 200, "a.dbf": b"y"}), zipped({"a.shp": b""}),
     b'{"type": "FeatureCollection", "features": [', b'{"type": "FeatureCollection", "features": 1}',
     b'<?xml version="1.0"?><a xmlns:gml="http://www.opengis.net/gml"><b>'],
)  # fmt: skip
def test_a_broken_file_is_told(read, delivery):
    assert refusal(read, delivery, FIELDS, format={"crs": "EPSG:2154"}).startswith("assets/x.yaml:")


DECLARATION = """
title: Lieux
description: Des lieux.
owner: sig@ville.example
themes: [REGI]
source: {folder: "depot/NAME.*"}
fields:
  - {name: nom, constraints: {required: true}}
  - {name: places, type: integer}
  - {name: geometry, type: geojson}
key: [nom]
personal_data: none
"""


@pytest.mark.parametrize(("driver", "ending"), [("GPKG", ".gpkg"), ("ESRI Shapefile", ".shp")])
def test_lambert_93_goes_through_the_whole_flow(tmp_path, written, driver, ending):
    content = written(driver, ending)
    write_town(tmp_path, "lieux", declaration=DECLARATION)
    (tmp_path / "depot/lieux.csv").unlink()
    name, content = ("lieux.zip", zipped(content)) if isinstance(content, dict) else ("lieux.gpkg", content)
    Path(tmp_path / "depot" / name).write_bytes(content)
    town = read_town(tmp_path)
    *_, last = flow.publication(town.dataset("lieux"), town, flow.Zones.of(town))
    assert isinstance(last, Release)
    with (last.folder / "lieux.csv").open(newline="") as text:
        rows = list(csv.reader(text))
    assert rows[0] == ["nom", "places", "geometry"]
    assert (rows[1][0], json.loads(rows[1][2])) == ("Hôtel 0", PARIS)
