"""What drips, never ends, unpacks without end or leads inside: each ends, in time, and nobody else is contacted."""

import gzip
import json
import socket
import time

import pytest

from odpipeline.declaration.source import HttpSource, RestSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import guard, rest, web

INSIDE = "the host resolves to an address inside the network"


def source(address, **more):
    return HttpSource(http=address, **({"internal": True} | more))


def drip(visit, head):
    """Send `head`, then a byte every 20 ms, for longer than anybody waits."""
    visit.wfile.write(head)
    for _ in range(200):
        visit.wfile.write(b"x")
        visit.wfile.flush()
        time.sleep(0.02)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: ",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000000\r\n\r\n",
    ],
    ids=["body", "chunk", "body without length", "header", "body of an error"],
)
def test_what_drips_ends_at_the_deadline(server, order, head):
    server.answers["/p.csv"] = lambda visit: drip(visit, head)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable) as error:
        web.extract(source(server.at("/p.csv"), deadline="1 s"), order())
    assert time.monotonic() - started < 3.5  # the body of an error is followed by another try
    assert "before its `deadline`; raise `deadline` in assets/mobilite/" in str(error.value)


def test_pages_that_drip_share_one_deadline(server, order):
    server.answers["/liste"] = lambda visit: (time.sleep(0.3), visit.say(200, f'{{"l": ["{visit.path}"]}}'))
    declared = RestSource(rest=server.at("/liste"), internal=True, deadline="1 s", paging={"page": "p"})
    with pytest.raises(SourceUnavailable, match="`deadline`"):
        rest.extract(declared, order(records="l"))
    assert 2 <= len(server.visits) <= 4


def test_a_body_that_never_ends_stops_at_the_limit(server, order):
    def endless(visit):
        visit.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            visit.wfile.write(b"id;places\n" * 1000)

    server.answers["/p.csv"] = endless
    made = order()
    with pytest.raises(SourceError, match="larger than the 1,000,000 bytes"):
        web.extract(source(server.at("/p.csv"), max_bytes=1_000_000), made)
    assert made.path.stat().st_size <= 1_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n",
        b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
        b"200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\n\r\nabc",
        b"200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\nabc",
        b"999999 ?\r\n\r\n",
        b"206 Partial Content\r\nContent-Length: 3\r\n\r\nabc",
        b"302 Found\r\n\r\n",
        b"302 Found\r\nLocation: \xff\xfe//\r\n\r\n",
    ],
)
def test_what_is_not_http_is_an_error_in_words(server, order, answer):
    def say(visit):
        visit.wfile.write(b"HTTP/1.1 " + answer)
        visit.connection.shutdown(socket.SHUT_RDWR)

    server.answers["/p.csv"] = say
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/p.csv?cle=secrete")), order())
    assert error.value.mend
    assert "secrete" not in str(error.value)


def test_a_bomb_is_known_by_its_ratio_long_before_the_limit(server, order):
    bomb = gzip.compress(bytes(80_000_000))
    server.answers["/p.csv"] = lambda visit: visit.say(200, bomb, Content_Encoding="gzip")
    with pytest.raises(SourceError, match="the answer unpacks to more than 300 times its size; ask the system's"):
        web.extract(source(server.at("/p.csv")), order())


def test_a_page_that_is_a_bomb_stops(server, order):
    bomb = gzip.compress(b'{"l": [' + b" " * 70_000_000 + b"]}", 1)
    server.answers["/1"] = lambda visit: visit.say(200, bomb, Content_Encoding="gzip")
    with pytest.raises(SourceError, match="one page is larger than 64,000,000 bytes; ask for smaller pages"):
        rest.extract(RestSource(rest=server.at("/1"), internal=True), order(records="l"))


def test_a_login_page_in_the_place_of_a_page_of_json(server, order):
    server.answers["/1"] = lambda visit: visit.say(200, "<!doctype html><form>", Content_Type="application/json")
    with pytest.raises(SourceError, match="the system answered an HTML page instead of data"):
        rest.extract(RestSource(rest=server.at("/1"), internal=True), order(records="l"))


def test_a_wait_that_is_too_long_is_left_to_another_night(server, order):
    server.answers["/p.csv"] = lambda visit: visit.say(429, Retry_After="3600")
    with pytest.raises(SourceUnavailable, match=r"\(HTTP 429, and asks to come again later\); wait for the next run"):
        web.extract(source(server.at("/p.csv")), order())
    assert len(server.visits) == 1


def test_a_wait_is_as_long_as_the_system_asks(server, order):
    server.answers["/p.csv"] = lambda visit: (
        visit.say(503, Retry_After="1") if len(server.visits) < 2 else visit.say(200, "id\n1\n")
    )
    web.extract(source(server.at("/p.csv")), order())
    first, second = (visit.arrived for visit in server.visits)
    assert second - first >= 1


@pytest.mark.parametrize("asked", ["bientôt", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_that_cannot_be_read_or_kept_is_none(server, order, asked):
    server.answers["/p.csv"] = lambda visit: visit.say(503, Retry_After=asked)
    with pytest.raises(SourceUnavailable, match="HTTP 503"):
        web.extract(source(server.at("/p.csv")), order())


def test_no_log_shows_what_an_address_asks(server, order, caplog):
    caplog.set_level(0)
    server.answers["/p.csv"] = lambda visit: visit.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(SourceUnavailable) as error:
        web.extract(source(server.at("/p.csv?cle=secrete")), order())
    assert len(server.visits) == 3
    assert "secrete" not in caplog.text + str(error.value)


@pytest.fixture
def network(monkeypatch):
    """A resolver that answers what the test says, and a connector that fails it: `network(host, answer, answer…)`."""
    known = {}
    really = socket.getaddrinfo

    def resolve(host, port, *args, **more):
        if host not in known:
            return really(host, port, *args, **more)
        found = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    def connect(address, *_args, **_more):
        if address[0] in allowed:
            raise ConnectionRefusedError
        pytest.fail(f"{address} was about to be contacted")

    allowed = {"203.0.113.7", "8.8.8.8"}
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(guard, "create_connection", connect)
    return lambda host, *answers: known.update({host: list(answers)})


@pytest.mark.parametrize(
    "answer",
    [["10.0.0.7"], ["169.254.169.254"], ["127.0.0.1"], ["8.8.8.8", "192.168.1.1"], ["::ffff:169.254.169.254"], ["::1"]],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_resolves_inside_is_never_contacted(network, order, answer, scheme):
    network("donnees.example", answer)
    with pytest.raises(SourceError, match=f"^{scheme}://donnees.example: {INSIDE}"):
        web.extract(source(f"{scheme}://donnees.example/p.csv", internal=False), order())


def test_a_name_that_resolves_inside_the_second_time_is_not_contacted(network, order):
    network("donnees.example", ["8.8.8.8"], ["169.254.169.254"])
    with pytest.raises(SourceError, match=INSIDE):
        web.extract(source("http://donnees.example/p.csv", internal=False), order())


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/"]
)
def test_the_metadata_service_is_never_contacted(network, order, address):
    network("2852039166", ["169.254.169.254"])
    with pytest.raises(SourceError, match=INSIDE):
        web.extract(source(address, internal=False), order())


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://x/"])
def test_no_answer_leads_to_the_metadata_service_or_a_file(server, order, monkeypatch, target):
    server.answers |= {
        "/p.csv": lambda visit: visit.say(302, Location=target),
        "/1": lambda visit: visit.say(200, json.dumps({"l": [1], "next": target})),
    }
    really = guard.create_connection

    def connect(address, *args, **more):
        assert address == ("127.0.0.1", server.server_port)
        return really(address, *args, **more)

    monkeypatch.setattr(guard, "create_connection", connect)
    with pytest.raises(SourceError):
        web.extract(source(server.at("/p.csv")), order())
    with pytest.raises(SourceError):
        rest.extract(RestSource(rest=server.at("/1"), internal=True, paging={"next": "next"}), order(records="l"))
    assert len(server.visits) == 2
