"""GBFS: the feed is found by its discovery file, at declared addresses only, and fetched only if it is new."""

import json
import time

import pytest

from odpipeline.declaration.source import GbfsSource
from odpipeline.errors import SourceError
from odpipeline.sources import Unchanged, Validators, gbfs
from odpipeline.sources.asking import fingerprint
from tests.servers import http_server

FEED = {"last_updated": 1609866247, "ttl": 0, "version": "2.2", "data": {"stations": [{"station_id": "a"}]}}


@pytest.fixture
def other():
    with http_server() as running:
        yield running


def source(server, **more):
    said = {"gbfs": server.at("/gbfs.json"), "feed": "station_status", "internal": True} | more
    return GbfsSource.model_validate(said)


def discovery(address, name="station_status"):
    return {"last_updated": 1, "ttl": 0, "data": {"feeds": [{"name": name, "url": address}]}}


def serve(server, document=FEED, path="/station_status", **headers):
    server.answers[path] = lambda visit: visit.say(200, json.dumps(document), **headers)


@pytest.fixture
def velos(server):
    serve(server, discovery(server.at("/station_status")), "/gbfs.json")
    serve(server, ETag='"v1"')
    return server


def captured(tmp_path, server, document=FEED, address="/station_status"):
    """What an order knows of the last capture."""
    earlier = tmp_path / "earlier"
    earlier.write_text(json.dumps(document))
    return {"earlier": earlier, "since": Validators('"v1"', None, "0" * 64, fingerprint(server.at(address)))}


def paths(server):
    return [visit.path for visit in server.visits]


def test_the_feed_is_delivered_as_sent(velos, order):
    spelled = json.dumps(FEED, indent=3) + "\n"
    velos.answers["/station_status"] = lambda visit: visit.say(200, spelled)
    delivery = gbfs.extract(source(velos), order())
    assert delivery.path.read_text() == spelled
    assert delivery.name == "station_status.json"


@pytest.mark.parametrize(
    ("languages", "language", "read"),
    [
        (["en", "fr"], None, "fr"),
        (["en"], None, "en"),
        (["en", "fr"], "en", "en"),
    ],
)
def test_a_discovery_file_of_version_2_has_languages(server, order, languages, language, read):
    data = {said: {"feeds": [{"name": "station_status", "url": f"/{said}"}]} for said in languages}
    serve(server, {"data": data}, "/gbfs.json")
    serve(server, path=f"/{read}")
    gbfs.extract(source(server, language=language), order())
    assert paths(server) == ["/gbfs.json", f"/{read}"]


@pytest.mark.parametrize(
    ("document", "more", "message"),
    [
        ({"data": {"fr": {"feeds": []}}}, {"language": "br"},
         "the discovery file lists no feeds in the language br; it has: fr; correct `language` in"),
        ({"data": {"de": {}, "en": {}}}, {},
         "the discovery file lists no feeds in the language fr; it has: de, en; correct `language` in"),
        ({"data": {"feeds": [{"name": "vehicle_status", "url": "/v"}, {"name": "nom d’une personne", "url": "/x"}]}},
         {}, "the discovery file has no feed station_status; it has: vehicle_status; correct `feed` in"),
        ([1], {}, "the discovery file lists no feeds in the language fr; it has: none; correct `language` in"),
        ({"data": {"feeds": {"name": 1}}}, {}, "the discovery file has no feed station_status; it has: none;"),
    ],
    ids=["language", "no French", "feed", "no object", "no list"],
)  # fmt: skip
def test_what_is_not_there_is_told_with_what_is(server, order, document, more, message):
    serve(server, document, "/gbfs.json")
    with pytest.raises(SourceError) as error:
        gbfs.extract(source(server, **more), order())
    assert message in str(error.value)
    assert "personne" not in str(error.value)


def test_another_host_must_be_declared_and_is_not_contacted_before(server, other, order):
    serve(server, discovery(other.at("/station_status?cle=secrete")), "/gbfs.json")
    with pytest.raises(SourceError) as error:
        gbfs.extract(source(server), order())
    assert str(error.value) == (
        f"{other.at('/station_status')}: the discovery file leads from {server.at('')} to {other.at('')}, "
        f"which is not declared; add `hosts: [{other.at('')}]` to assets/mobilite/parkings.yaml:6 "
        "if the operator keeps its feeds there"
    )
    assert other.visits == []


def test_a_declared_host_is_sent_no_secret(server, other, order, monkeypatch):
    monkeypatch.setenv("ODP_VELOS", "jeton")
    serve(server, discovery(other.at("/station_status")), "/gbfs.json")
    serve(other)
    auth = {"bearer": "ODP_VELOS"}
    gbfs.extract(source(server, hosts=[other.at("")], auth=auth), order(url=server.at(""), auth=auth))
    assert [visit.headers["Authorization"] for visit in (*server.visits, *other.visits)] == ["Bearer jeton", None]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ttl": 3600, "last_updated": int(time.time()) - 5}, "within the ttl of the last capture"),
        ({}, "same last_updated"),
    ],
)
def test_a_feed_that_is_not_new_is_not_delivered(velos, order, tmp_path, change, reason):
    known = captured(tmp_path, velos, FEED | change)
    assert gbfs.extract(source(velos), order(**known)) == Unchanged(reason)
    assert paths(velos) == ["/gbfs.json", "/station_status"][: 1 if "ttl" in reason else 2]


def test_a_feed_that_the_server_knows_to_be_the_same_is_not_sent(velos, order, tmp_path):
    velos.answers["/station_status"] = lambda visit: visit.say(304 if visit.headers["If-None-Match"] == '"v1"' else 500)
    assert gbfs.extract(source(velos), order(**captured(tmp_path, velos))) == Unchanged("304 by ETag")


@pytest.mark.parametrize(
    "earlier",
    [
        FEED | {"last_updated": 1609866246},
        FEED | {"ttl": 10**9, "last_updated": int(time.time()) - 4000},
        FEED | {"ttl": 60, "last_updated": int(time.time()) + 600},
        FEED | {"ttl": 60, "last_updated": "hier"},
        FEED | {"ttl": [], "last_updated": 10**30},
        [],
    ],
    ids=["older", "a promise of years", "from the future", "no time", "no number", "no object"],
)
def test_a_feed_that_may_be_new_is_delivered(velos, order, tmp_path, earlier):
    assert not isinstance(gbfs.extract(source(velos), order(**captured(tmp_path, velos, earlier))), Unchanged)


def test_the_validators_of_another_feed_mean_nothing(velos, order, tmp_path):
    known = captured(tmp_path, velos, FEED | {"ttl": 600, "last_updated": int(time.time())}, "/station_information")
    assert not isinstance(gbfs.extract(source(velos), order(**known)), Unchanged)
    assert velos.visits[-1].headers["If-None-Match"] is None


@pytest.mark.parametrize("body", [b"[]", b"{", b"[" * 100_000])
def test_a_feed_that_is_no_object_is_told(velos, order, body):
    velos.answers["/station_status"] = lambda visit: visit.say(200, body)
    with pytest.raises(SourceError, match="the feed is no JSON object"):
        gbfs.extract(source(velos), order())
