"""GTFS and GTFS-Realtime: whole files over HTTP if they changed, or a zip from a drop folder."""

import pytest

from odpipeline.declaration.source import GtfsRtSource, GtfsSource
from odpipeline.errors import SourceError
from odpipeline.sources import Unchanged, Validators, gtfs_rt, handed
from odpipeline.sources.asking import fingerprint


def zip_source(address, **more):
    return GtfsSource.model_validate({"gtfs": address, "table": "stops", "internal": True} | more)


def feed_source(address):
    return GtfsRtSource(gtfs_rt=address, entity="alert", internal=True)


@pytest.mark.parametrize(("source", "kind"), [(zip_source, handed), (feed_source, gtfs_rt)])
def test_it_is_fetched_as_sent_and_only_if_it_changed(server, order, source, kind):
    server.answers["/x"] = lambda visit: (
        visit.say(304) if visit.headers["If-None-Match"] else visit.say(200, b"\n\x01", ETag='"1"')
    )
    delivery = kind.extract(source(server.at("/x")), order())
    assert delivery.path.read_bytes() == b"\n\x01"
    since = Validators(delivery.etag, None, "0" * 64, fingerprint(server.at("/x")))
    assert kind.extract(source(server.at("/x")), order(since=since)) == Unchanged("304 by ETag")


@pytest.mark.parametrize(("source", "kind"), [(zip_source, handed), (feed_source, gtfs_rt)])
def test_a_login_page_is_no_feed(server, order, source, kind):
    server.answers["/x"] = lambda visit: visit.say(200, "<!DOCTYPE html><title>Connexion</title>")
    with pytest.raises(SourceError, match="an HTML page instead of data"):
        kind.extract(source(server.at("/x")), order())


def test_a_path_is_below_the_address_of_its_system(server, order):
    server.answers["/bus/gtfs.zip"] = lambda visit: visit.say(200, b"PK")
    delivery = handed.extract(zip_source("/gtfs.zip"), order(url=server.at("/bus")))
    assert (delivery.path.read_bytes(), delivery.name) == (b"PK", "gtfs.zip")


@pytest.mark.parametrize("system", [{}, {"folder": "depot"}])
def test_or_the_newest_zip_of_a_drop_folder(tmp_path, order, system):
    (tmp_path / "depot").mkdir()
    (tmp_path / "depot" / "gtfs_1.zip").write_bytes(b"PK1")
    (tmp_path / "depot" / "gtfs_2.zip").write_bytes(b"PK2")
    pattern = "gtfs_*.zip" if system else "depot/gtfs_*.zip"
    assert handed.extract(zip_source(pattern), order(**system)).path.read_bytes() == b"PK2"


def test_the_bound_on_bytes_holds_in_a_folder_too(tmp_path, order):
    (tmp_path / "gtfs.zip").write_bytes(b"PK" * 100)
    with pytest.raises(SourceError, match="larger than the 10 bytes"):
        handed.extract(zip_source("gtfs.zip", max_bytes=10), order())
