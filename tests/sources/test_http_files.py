"""One file over HTTP: what is kept of a good answer, and what each bad one says."""

import gzip
import os
import time

import pytest

from odpipeline.declaration.source import HttpSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import Unchanged, Validators, web
from tests.servers import free_port

CSV = b"id;places\nA;12\n"


def source(address, **more):
    return HttpSource(http=address, internal=True, **more)


def test_a_file_is_delivered_as_it_came(server, order):
    server.answers["/data/parkings.csv"] = lambda visit: visit.say(
        200, CSV, Content_Type="text/csv; charset=utf-8", ETag='"v1"', Last_Modified="Mon, 05 Oct 2026 04:00:00 GMT"
    )
    delivery = web.extract(source(server.at("/data/parkings.csv?cle=secrete")), order())
    assert delivery.path.read_bytes() == CSV
    assert oct(delivery.path.stat().st_mode)[-3:] == "600"
    assert (delivery.name, delivery.media_type, delivery.etag) == ("parkings.csv", "text/csv", '"v1"')
    assert delivery.last_modified == "Mon, 05 Oct 2026 04:00:00 GMT"


def test_the_name_may_come_from_content_disposition(server, order):
    name = "attachment; filename*=UTF-8''..%2F%C3%A9t%C3%A9.xlsx"
    server.answers["/export"] = lambda visit: visit.say(200, CSV, Content_Disposition=name)
    delivery = web.extract(source(server.at("/export")), order())
    assert delivery.name == "été.xlsx"
    assert delivery.path.name == "delivery"


def test_a_path_is_below_the_systems_address(server, order):
    server.answers["/api/v1/parkings"] = lambda visit: visit.say(200, CSV)
    delivery = web.extract(HttpSource(http="/v1/parkings", system="x"), order(url=server.at("/api/"), internal=True))
    assert delivery.path.read_bytes() == CSV


def test_a_path_without_a_system_is_refused(order):
    with pytest.raises(SourceError) as error:
        web.extract(source("/v1/parkings?cle=secrete"), order())
    assert str(error.value) == (
        "assets/mobilite/parkings.yaml:6: the path /v1/parkings belongs to no address; "
        "name the `system` that it is below, or write the whole address"
    )


def conditional(header, **validators):
    """Answers 304 to whom the condition is known, else the file with its validators."""
    [value] = validators.values()
    return lambda visit: visit.say(304) if visit.headers[header] == value else visit.say(200, CSV, **validators)


def remembered(delivery):
    return Validators(delivery.etag, delivery.last_modified, "0" * 64, delivery.asked)


@pytest.mark.parametrize(
    ("header", "validators", "reason"),
    [
        ("If-None-Match", {"ETag": '"v1"'}, "304 by ETag"),
        ("If-Modified-Since", {"Last_Modified": "Mon, 05 Oct 2026 04:00:00 GMT"}, "304 by Last-Modified"),
    ],
)
def test_the_same_file_is_unchanged(server, order, header, validators, reason):
    server.answers["/p.csv"] = conditional(header, **validators)
    first = web.extract(source(server.at("/p.csv")), order())
    assert web.extract(source(server.at("/p.csv")), order(remembered(first))) == Unchanged(reason)


def test_validators_of_another_address_are_not_sent(server, order):
    server.answers |= dict.fromkeys(("/old.csv", "/p.csv"), conditional("If-None-Match", ETag='"v1"'))
    first = web.extract(source(server.at("/old.csv")), order())
    assert web.extract(source(server.at("/p.csv")), order(remembered(first))).path.read_bytes() == CSV


def test_a_304_that_nobody_asked_for_is_an_error(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(304)
    with pytest.raises(SourceError, match="the system answers HTTP 304 instead of data"):
        web.extract(source(server.at("/p.csv")), order())


@pytest.mark.parametrize(
    ("status", "what", "mend"),
    [
        (404, "there is nothing at this address (HTTP 404)", "correct the address in assets/mobilite/"),
        (401, "the system wants to know who asks (HTTP 401)", "check `auth` (none is declared) in assets/mobilite/"),
        (403, "the system does not let us in (HTTP 403)", "check `auth` (none is declared) in assets/mobilite/"),
        (410, "the system has removed what was here (HTTP 410)", "find its new address"),
        (204, "the delivery is empty (HTTP 204)", "ask the system's owner why it delivers nothing"),
        (418, "the system answers HTTP 418 instead of data", "ask its owner why"),
    ],
)  # fmt: skip
def test_a_refusal_names_status_place_and_remedy(server, order, status, what, mend):
    server.answers["/p.csv"] = lambda visit: visit.say(status)
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/p.csv?cle=secrete")), order())
    assert str(error.value).startswith(f"{server.at('/p.csv')}: {what}; {mend}")
    assert "secrete" not in str(error.value)
    assert len(server.visits) == 1


def test_500_thrice_is_unavailable(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(500)
    with pytest.raises(SourceUnavailable) as error:
        web.extract(source(server.at("/p.csv")), order())
    assert str(error.value) == (
        f"{server.at('/p.csv')}: the system cannot deliver now (HTTP 500, at the third try too); "
        "wait for the next run; if it goes on, ask the system's owner"
    )
    assert len(server.visits) == 3


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_fault_is_overcome(server, order, status):
    def recovering(visit):
        visit.say(status, Retry_After="0") if len(server.visits) < 3 else visit.say(200, CSV)

    server.answers["/p.csv"] = recovering
    assert web.extract(source(server.at("/p.csv")), order()).path.read_bytes() == CSV


def test_a_system_that_is_down_is_unavailable(order):
    address = f"http://127.0.0.1:{free_port()}/p.csv"
    with pytest.raises(SourceUnavailable) as error:
        web.extract(source(address), order())
    assert str(error.value).startswith(f"{address}: the system cannot be reached, at the third try neither; wait")


def test_an_unknown_host_is_named(order):
    with pytest.raises(
        SourceUnavailable, match=r"http://nulle-part.invalid/p.csv: the host's name is unknown; correct"
    ):
        web.extract(source("http://nulle-part.invalid/p.csv"), order())


def test_silence_is_not_waited_for_without_end(server, order):
    server.answers["/p.csv"] = lambda visit: time.sleep(1.5)
    with pytest.raises(SourceUnavailable) as error:
        web.extract(source(server.at("/p.csv"), timeout="1 s"), order())
    assert "the system stayed silent for more than 1 s; raise `timeout` in assets/mobilite/" in str(error.value)


def test_silence_in_the_midst_of_the_body(server, order):
    def stall(visit):
        visit.say(200, CSV, Content_Length="1000")
        visit.wfile.flush()
        time.sleep(1.5)

    server.answers["/p.csv"] = stall
    with pytest.raises(SourceUnavailable, match="the system stayed silent for more than 1 s"):
        web.extract(source(server.at("/p.csv"), timeout="1 s"), order())


def test_a_body_shorter_than_its_length_broke_off(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(200, CSV, Content_Length="1000")
    with pytest.raises(SourceUnavailable, match="the answer broke off before its end"):
        web.extract(source(server.at("/p.csv")), order())


def test_a_chunked_body_without_its_end_broke_off(server, order):
    def cut(visit):
        visit.send_response(200)
        visit.send_header("Transfer-Encoding", "chunked")
        visit.send_header("Connection", "close")
        visit.end_headers()
        visit.wfile.write(b"f\r\n" + CSV + b"\r\n1000\r\nid;pl")

    server.answers["/p.csv"] = cut
    with pytest.raises(SourceUnavailable, match="the answer broke off before its end"):
        web.extract(source(server.at("/p.csv")), order())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<p>Connexion</p>", "text/html; charset=utf-8"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html><title>Erreur</title>", "text/csv"),
        (b"<HTML><body>", "application/octet-stream"),
    ],
)
def test_a_web_page_is_no_data(server, order, body, kind):
    server.answers["/p.csv"] = lambda visit: visit.say(200, body, Content_Type=kind)
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/p.csv")), order())
    assert str(error.value) == (
        f"{server.at('/p.csv')}: the system answered an HTML page instead of data (a login or error page?); "
        "open the address in a browser and correct assets/mobilite/parkings.yaml:6 to the download itself"
    )


def test_an_empty_body_is_an_error(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(200, b"")
    with pytest.raises(SourceError, match="the delivery is empty"):
        web.extract(source(server.at("/p.csv")), order())


def test_gzip_is_unpacked_on_the_way(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(200, gzip.compress(CSV), Content_Encoding="gzip")
    assert web.extract(source(server.at("/p.csv")), order()).path.read_bytes() == CSV


def test_a_bomb_stops_at_the_limit(server, order):
    bomb = gzip.compress(b"0" * 50_000_000)
    server.answers["/p.csv"] = lambda visit: visit.say(200, bomb, Content_Encoding="gzip")
    made = order()
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/p.csv"), max_bytes=1_000_000), made)
    assert "the delivery is larger than the 1,000,000 bytes that are taken; raise `max_bytes`" in str(error.value)
    assert made.path.stat().st_size <= 1_000_000


@pytest.mark.parametrize(("encoding", "what"), [("br", "compressed in a way"), ("gzip", "says gzip but is not")])
def test_a_compression_that_cannot_be_undone(server, order, encoding, what):
    server.answers["/p.csv"] = lambda visit: visit.say(200, os.urandom(500), Content_Encoding=encoding)
    with pytest.raises(SourceError, match=what):
        web.extract(source(server.at("/p.csv")), order())
