# ruff: noqa: E501 - declarations and answers read better whole
"""Open-data platforms and OGC services, each as it answers on loopback: everything once, and only what has moved."""

import csv
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.source import (
    CkanSource,
    NgsiLdSource,
    OgcApiSource,
    OpendatasoftSource,
    SensorThingsSource,
    WfsSource,
)
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import Unchanged, Validators, ckan, complaints, ngsild, ogcapi, opendatasoft, sensorthings, wfs
from tests.servers import http_server
from tests.towns import write_town

CSV = b"id;places\nA;12\n"


def query(visit):
    return {key: values[0] for key, values in parse_qs(urlsplit(visit.path).query).items()}


def as_since(delivery):
    return Validators(delivery.etag, delivery.last_modified, "0" * 64, delivery.asked)


def feature(number):
    return {"type": "Feature", "id": f"arbres.{number}", "geometry": {"type": "Point", "coordinates": [-1.5, 47.2]},
            "properties": {"id": number, "essence": "Tilleul"}}  # fmt: skip


def pages(delivery, path):
    return [record for line in delivery.path.read_text().splitlines() for record in json.loads(line)[path]]


@pytest.fixture
def portal(server):
    """An Opendatasoft portal with one dataset; the test moves its date."""
    metas = {"metas": {"default": {"data_processed": "2026-03-01T02:00:00+00:00", "records_count": 1}}}
    dataset = "/api/explore/v2.1/catalog/datasets/parkings"
    server.answers |= {
        dataset: lambda visit: visit.say(200, json.dumps(metas)),
        f"{dataset}/exports/csv": lambda visit: visit.say(200, CSV, Content_Type="text/csv"),
    }
    return server, metas


def ods(server, **more):
    return OpendatasoftSource(opendatasoft=server.at(""), dataset="parkings", export="csv", internal=True, **more)


def test_an_opendatasoft_export_is_asked_for_when_its_date_has_moved(portal, order):
    server, metas = portal
    first = opendatasoft.extract(ods(server, where="places > 0"), order())
    assert first.path.read_bytes() == CSV
    asked = query(server.visits[-1])
    assert (asked["where"], asked["delimiter"], asked["use_labels"]) == ("places > 0", ";", "false")

    visits = len(server.visits)
    again = opendatasoft.extract(ods(server, where="places > 0"), order(as_since(first)))
    assert again == Unchanged("same data_processed")
    assert len(server.visits) == visits + 1

    metas["metas"]["default"]["data_processed"] = "2026-03-02T02:00:00+00:00"
    assert (
        opendatasoft.extract(ods(server, where="places > 0"), order(as_since(first))).last_modified
        != first.last_modified
    )


def test_another_question_is_no_unchanged_export(portal, order):
    server, _ = portal
    first = opendatasoft.extract(ods(server), order())
    assert not isinstance(opendatasoft.extract(ods(server, select="id"), order(as_since(first))), Unchanged)


def test_what_is_no_opendatasoft_portal_is_told(server, order):
    server.answers["/api/explore/v2.1/catalog/datasets/parkings"] = lambda visit: visit.say(200, "{}")
    with pytest.raises(SourceError, match="the portal does not describe the dataset as Opendatasoft does"):
        opendatasoft.extract(ods(server), order())


def resource(server, **more):
    said = {
        "id": "r1",
        "url": server.at("/f/parkings.csv"),
        "last_modified": "2026-03-01",
        "hash": "",
        "url_type": "upload",
    }
    body = json.dumps({"success": True, "result": said | more})
    server.answers |= {
        "/api/3/action/resource_show": lambda visit: visit.say(200, body),
        "/f/parkings.csv": lambda visit: visit.say(200, CSV),
        "/datastore/dump/r1": lambda visit: visit.say(200, CSV + b"B;3\n"),
    }


def test_a_ckan_resource_is_its_file_or_its_datastore(server, order):
    resource(server)
    source = CkanSource(ckan=server.at(""), resource="r1", internal=True)
    first = ckan.extract(source, order())
    assert first.path.read_bytes() == CSV
    assert ckan.extract(source, order(as_since(first))) == Unchanged("same date and hash of the resource")
    dump = ckan.extract(source.model_copy(update={"datastore": True}), order(as_since(first)))
    assert dump.path.read_bytes() == CSV + b"B;3\n"


def test_a_ckan_file_at_another_host_is_not_fetched(server, order):
    resource(server, url="https://stockage.example/parkings.csv")
    with pytest.raises(SourceError, match="which is not declared"):
        ckan.extract(CkanSource(ckan=server.at(""), resource="r1", internal=True), order())


@pytest.mark.parametrize(("names", "told"), [([], "no resources"), (["Parkings", "Parkings"], "2 resources")])
def test_a_ckan_file_is_found_by_its_name_in_its_dataset(server, order, names, told):
    source = CkanSource(ckan=server.at(""), dataset="stationnement", file="Parkings", internal=True)
    resource(server)

    def serve(*names):
        listed = [{"id": f"r{n}", "name": name, "url": server.at("/f/parkings.csv")} for n, name in enumerate(names)]
        body = json.dumps({"success": True, "result": {"resources": listed}})
        server.answers["/api/3/action/package_show"] = lambda visit: visit.say(200, body)

    serve("Notice", "Parkings")
    assert ckan.extract(source, order()).path.read_bytes() == CSV
    serve("Notice", *names)
    with pytest.raises(SourceError, match=f"the dataset has {told} of that name"):
        ckan.extract(source, order())


def test_a_ckan_resource_is_named_in_one_way():
    with pytest.raises(ValueError, match="name `resource`, or `dataset` and `file`"):
        CkanSource(ckan="https://data.ville.example", dataset="stationnement")


def test_a_ckan_refusal_is_told(server, order):
    server.answers["/api/3/action/resource_show"] = lambda visit: visit.say(200, '{"success": false, "error": {}}')
    with pytest.raises(SourceError, match="the portal does not describe the resource as CKAN does"):
        ckan.extract(CkanSource(ckan=server.at(""), resource="r1", internal=True), order())


HITS = b'<?xml version="1.0"?><wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" numberMatched="%d" numberReturned="0"/>'
REFUSAL = (b'<?xml version="1.0"?><ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" version="2.0.0">'
           b'<ows:Exception exceptionCode="InvalidParameterValue" locator="typeName"><ows:ExceptionText>Feature type ville:arbre '
           b"unknown</ows:ExceptionText></ows:Exception></ows:ExceptionReport>")  # fmt: skip


def serve_wfs(server, count, told=None, most=2):
    def answer(visit):
        asked = query(visit)
        if asked.get("resultType") == "hits":
            return visit.say(200, HITS % (told if told is not None else count), Content_Type="text/xml")
        if "json" not in asked["outputFormat"]:
            return visit.say(200, b"<wfs:FeatureCollection/>", Content_Type="application/gml+xml")
        start = int(asked["startIndex"])
        found = [feature(n) for n in range(start, min(count, start + min(most, int(asked["count"]))))]
        return visit.say(200, json.dumps({"type": "FeatureCollection", "features": found}))

    server.answers["/wfs"] = answer


def layer(server, **more):
    return WfsSource(wfs=server.at("/wfs"), layer="ville:arbres", internal=True, **more)


def test_a_wfs_gives_every_feature_although_it_gives_fewer_than_asked(server, order):
    serve_wfs(server, 5)
    delivery = wfs.extract(
        layer(server, srs="EPSG:4326", filter="essence='Tilleul'", sort="id", size=3), order(records="features")
    )
    assert [f["properties"]["id"] for f in pages(delivery, "features")] == list(range(5))
    asked = query(server.visits[-1])
    assert (asked["srsName"], asked["sortBy"], unquote(asked["cql_filter"])) == ("EPSG:4326", "id", "essence='Tilleul'")


def test_a_wfs_that_gives_fewer_than_it_told_delivers_nothing(server, order):
    serve_wfs(server, 5, told=7)
    with pytest.raises(SourceUnavailable, match="the service told of 7 features, and 5 came"):
        wfs.extract(layer(server), order(records="features"))


@pytest.mark.parametrize("when", ["hits", "features"])
def test_an_exception_report_with_status_200_is_an_error(server, order, when):
    serve_wfs(server, 5)
    good = server.answers["/wfs"]
    server.answers["/wfs"] = lambda visit: (
        visit.say(200, REFUSAL) if (query(visit).get("resultType") == "hits") == (when == "hits") else good(visit)
    )
    with pytest.raises(SourceError, match=r"page 1 is a refusal \(InvalidParameterValue\); correct what assets/"):
        wfs.extract(layer(server), order(records="features"))


def test_gml_comes_in_one_answer(server, order):
    serve_wfs(server, 5)
    assert (
        wfs.extract(layer(server, output="text/xml; subtype=gml/3.2"), order()).path.read_bytes()
        == b"<wfs:FeatureCollection/>"
    )


def test_an_ogc_api_is_followed_by_its_links(server, order):
    def answer(visit):
        start = int(query(visit).get("offset", 0))
        links = [{"rel": "self", "href": "?"}, {"rel": "next", "href": f"?limit=2&offset={start + 2}"}]
        found = {"type": "FeatureCollection", "features": [feature(n) for n in range(start, min(5, start + 2))],
                 "links": links if start + 2 < 5 else links[:1]}  # fmt: skip
        visit.say(200, json.dumps(found), Content_Type="application/geo+json")

    server.answers["/collections/arbres/items"] = answer
    delivery = ogcapi.extract(
        OgcApiSource(ogcapi=server.at(""), collection="arbres", internal=True, size=2), order(records="features")
    )
    assert [f["id"] for f in pages(delivery, "features")] == [f"arbres.{n}" for n in range(5)]
    assert all("json" in visit.headers["Accept"] for visit in server.visits), "links leave `f` out, as pygeoapi does"


def test_sensorthings_are_followed_by_their_next_link(server, order):
    def answer(visit):
        skip = int(query(visit).get("$skip", 0))
        found = {"value": [{"@iot.id": n, "result": n / 2} for n in range(skip, skip + 2)]}
        if skip < 4:
            found["@iot.nextLink"] = server.at(f"/v1.1/Datastreams(12)/Observations?$skip={skip + 2}")
        visit.say(200, json.dumps(found))

    server.answers["/v1.1/Datastreams(12)/Observations"] = answer
    source = SensorThingsSource(
        sensorthings=server.at("/v1.1"), entities="Datastreams(12)/Observations", since="7 d", internal=True
    )
    delivery = sensorthings.extract(source, order(records="value"))
    assert [entity["@iot.id"] for entity in pages(delivery, "value")] == list(range(6))
    assert query(server.visits[0])["$filter"].startswith("phenomenonTime ge 20")


def test_ngsi_ld_entities_come_page_by_page_with_tenant_and_context(server, order):
    def answer(visit):
        start = int(query(visit)["offset"])
        visit.say(
            200,
            json.dumps(
                [{"id": f"urn:ngsi-ld:ParkingSpot:{n}", "status": "free"} for n in range(start, min(5, start + 2))]
            ),
        )

    server.answers["/ngsi-ld/v1/entities"] = answer
    source = NgsiLdSource(ngsild=server.at("/ngsi-ld/v1"), type="ParkingSpot", attrs=("status",), tenant="ville", size=2,
                          context="https://contexte.example/c.jsonld", internal=True)  # fmt: skip
    delivery = ngsild.extract(source, order())
    found = [entity for line in delivery.path.read_text().splitlines() for entity in json.loads(line)]
    assert len(found) == 5
    assert server.visits[0].headers["NGSILD-Tenant"] == "ville"
    assert "contexte.example" in server.visits[0].headers["Link"]
    assert query(server.visits[0])["options"] == "keyValues"


def test_an_export_whose_filter_knows_the_time_is_always_asked_for(portal, order):
    server, _ = portal
    first = opendatasoft.extract(ods(server, where="date > now(days=-7)"), order())
    again = opendatasoft.extract(ods(server, where="date > now(days=-7)"), order(as_since(first)))
    assert again.path.read_bytes() == CSV


def test_of_a_file_that_ckan_only_links_to_its_own_host_tells(server, order):
    resource(server, url_type=None)
    server.answers["/f/parkings.csv"] = lambda visit: (
        visit.say(304) if visit.headers["If-None-Match"] == '"v1"' else visit.say(200, CSV, ETag='"v1"')
    )
    source = CkanSource(ckan=server.at(""), resource="r1", internal=True)
    first = ckan.extract(source, order())
    assert ckan.extract(source, order(as_since(first))) == Unchanged("304 by ETag")


def test_a_declared_host_of_ckan_files_gets_no_secret(server, order, monkeypatch):
    monkeypatch.setenv("ODP_CLE", "secret")
    with http_server() as other:
        other.answers["/parkings.csv"] = lambda visit: visit.say(200, CSV)
        resource(server, url=other.at("/parkings.csv"))
        source = CkanSource(
            ckan=server.at(""), resource="r1", internal=True, hosts=(other.at("/"),), auth={"bearer": "ODP_CLE"}
        )
        assert ckan.extract(source, order()).path.read_bytes() == CSV
        assert server.visits[0].headers["Authorization"] == "Bearer secret"
        assert other.visits[0].headers["Authorization"] is None


def test_a_part_of_a_layer_in_gml_is_told(server, order):
    body = b'<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" numberMatched="12000" numberReturned="10000"/>'
    server.answers["/wfs"] = lambda visit: visit.say(200, body, Content_Type="application/gml+xml")
    with pytest.raises(SourceUnavailable, match="the service gives 10,000 of 12,000 features in one answer"):
        wfs.extract(layer(server, output="application/gml+xml; version=3.2"), order())


def test_a_gml_that_is_an_exception_report_is_an_error(server, order):
    server.answers["/wfs"] = lambda visit: visit.say(200, REFUSAL, Content_Type="application/xml")
    with pytest.raises(SourceError, match="InvalidParameterValue"):
        wfs.extract(layer(server, output="application/gml+xml; version=3.2"), order())


def test_an_ngsi_ld_list_that_does_not_hold_what_was_counted_delivers_nothing(server, order):
    found = json.dumps([{"id": "a"}])
    server.answers["/entities"] = lambda visit: visit.say(
        200, found if query(visit)["offset"] == "0" else "[]", NGSILD_Results_Count="3"
    )
    with pytest.raises(SourceUnavailable, match="the service told of 3 entities, and 1 came"):
        ngsild.extract(NgsiLdSource(ngsild=server.at(""), type="ParkingSpot", internal=True), order())


def test_a_filter_and_a_window_of_time_hold_together(server, order):
    server.answers["/Observations"] = lambda visit: visit.say(200, '{"value": [{"result": 1}]}')
    source = SensorThingsSource(
        sensorthings=server.at(""), entities="Observations", since="7 d", internal=True,
        params={"$filter": "result gt 1 or result lt 0"},
    )  # fmt: skip
    sensorthings.extract(source, order(records="value"))
    asked = query(server.visits[0])
    assert asked["$filter"].startswith("(result gt 1 or result lt 0) and phenomenonTime ge 20")
    assert asked["$orderby"] == "phenomenonTime asc"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error_code": "ODSQLError", "message": "Unknown field: plces"}', "ODSQLError: Unknown field: plces"),
        (b'{"success": false, "error": {"__type": "Not Found Error", "message": "Not found"}}', "Not Found Error: Not found"),
        (b'{"code": "InvalidParameterValue", "description": "bbox is wrong"}', "InvalidParameterValue: bbox is wrong"),
        (b'{"type": "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", "title": "Bad request", "detail": "no type"}',
         "Bad request: no type"),
        (b'{"code": 400, "type": "error", "message": "Not a path"}', "400: Not a path"),
        (REFUSAL, "InvalidParameterValue: Feature type ville:arbre unknown"),
        (b'{"message": "see https://data.ville.example/x?apikey=abc"}', "see https://data.ville.example/x"),
        (b"[]", ""), (b"", ""), (b"<ExceptionReport>", ""),
    ],
)  # fmt: skip
def test_a_platform_that_refuses_is_heard(body, told):
    assert complaints.said(body) == told


@given(st.binary() | st.recursive(st.none() | st.text(), lambda e: st.lists(e) | st.dictionaries(
    st.sampled_from(["error", "message", "code", "description"]), e)).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_no_answer_makes_a_message_long_or_breaks_it(body):
    told = complaints.said(body)
    assert len(told) <= 200
    assert told.isprintable()


def test_the_refusal_of_a_query_reaches_the_message(portal, order):
    server, _ = portal
    server.answers["/api/explore/v2.1/catalog/datasets/parkings/exports/csv"] = lambda visit: visit.say(
        400, '{"error_code": "ODSQLError", "message": "Unknown field: plces"}'
    )
    with pytest.raises(SourceError) as error:
        opendatasoft.extract(ods(server, where="plces > 0"), order())
    assert str(error.value) == (
        f"{server.at('/api/explore/v2.1/catalog/datasets/parkings/exports/csv')}: the platform refuses (HTTP 400): "
        "ODSQLError: Unknown field: plces; correct what assets/mobilite/parkings.yaml:6 asks for"
    )


KIND = """
title: Essai
description: Un essai.
owner: sig@ville.example
source: SOURCE
fields: FIELDS
personal_data: none
"""


GEOGRAPHIC = "[{name: id, type: integer}, {name: essence}, {name: geometry, type: geojson}]"


@pytest.mark.parametrize(
    ("source", "fields", "first"),
    [
        ('{opendatasoft: "ADDRESS", dataset: parkings, export: csv, internal: true}', "[{name: id}, {name: places, type: integer}]",
         ["A", "12"]),
        ('{ckan: "ADDRESS", resource: r1, internal: true}', "[{name: id}, {name: places, type: integer}]", ["A", "12"]),
        ('{sensorthings: "ADDRESS/v1.1", entities: Observations, internal: true}',
         '[{name: id, type: integer, source: "@iot.id"}, {name: valeur, type: number, source: result}]', ["1", "0.5"]),
        ('{ngsild: "ADDRESS/ngsi-ld/v1", type: ParkingSpot, internal: true}', "[{name: id}, {name: status}]",
         ["urn:ngsi-ld:ParkingSpot:1", "free"]),
        ('{wfs: "ADDRESS/wfs", layer: "ville:arbres", internal: true}', GEOGRAPHIC, ["0", "Tilleul"]),
        ('{ogcapi: "ADDRESS", collection: arbres, internal: true}', GEOGRAPHIC, ["0", "Tilleul"]),
    ],
)  # fmt: skip
def test_each_platform_goes_the_whole_way(server, portal, tmp_path, source, fields, first):
    resource(server)
    serve_wfs(server, 5)
    collection = {"type": "FeatureCollection", "features": [feature(0)], "links": [], "numberMatched": 1}
    server.answers["/collections/arbres/items"] = lambda v: v.say(200, json.dumps(collection))
    server.answers["/v1.1/Observations"] = lambda v: v.say(200, json.dumps({"value": [{"@iot.id": 1, "result": 0.5}]}))
    server.answers["/ngsi-ld/v1/entities"] = lambda v: v.say(
        200,
        json.dumps(
            [{"id": "urn:ngsi-ld:ParkingSpot:1", "type": "ParkingSpot", "status": "free"}]
            if "offset=0" in v.path
            else []
        ),
    )
    declaration = KIND.replace("SOURCE", source.replace("ADDRESS", server.at(""))).replace("FIELDS", fields)
    write_town(tmp_path, "essai", declaration=declaration)
    town = read_town(tmp_path)
    *_, last = flow.publication(town.dataset("essai"), town, flow.Zones.of(town))
    with (last.folder / "essai.csv").open(newline="") as text:
        assert list(csv.reader(text))[1][:2] == first
