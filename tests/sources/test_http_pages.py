"""The pages of a JSON answer: one line each, in their own spelling, within bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.declaration.source import HttpSource, Pages
from odpipeline.errors import SourceError
from odpipeline.sources import Unchanged, Validators, pages, web


def source(address, key="next", **more):
    return HttpSource(http=address, internal=True, pages={"next": key, **more})


def serve(server, *documents):
    """Serve each document at /1, /2…"""
    for number, document in enumerate(documents, 1):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        server.answers[f"/{number}"] = lambda visit, body=body: visit.say(200, body, ETag='"v1"')


def test_each_page_becomes_one_line(server, order):
    serve(server, {"next": "/2?page=2", "lignes": [1]}, {"next": server.at("/3"), "lignes": [2]}, {"lignes": ["é"]})
    delivery = web.extract(source(server.at("/1")), order())
    lines = [json.loads(line) for line in delivery.path.read_text().splitlines()]
    assert [line["lignes"] for line in lines] == [[1], [2], ["é"]]
    assert (delivery.name, delivery.media_type, delivery.etag) == ("pages.ndjson", "application/x-ndjson", '"v1"')


def test_numbers_keep_their_spelling(server, order):
    serve(server, b'\xef\xbb\xbf{\r\n "montant": 12345678901234567890.10,\n "next": null}\n')
    delivery = web.extract(source(server.at("/1")), order())
    assert delivery.path.read_bytes() == b'{   "montant": 12345678901234567890.10,  "next": null}\n'


def test_the_next_page_may_be_nested(server, order):
    serve(server, {"links": {"suite": "/2"}}, {"links": {"suite": None}})
    assert len(web.extract(source(server.at("/1"), "links.suite"), order()).path.read_text().splitlines()) == 2


def test_the_first_pages_etag_stands_for_the_whole(server, order):
    serve(server, {"next": "/2"}, {})
    first = web.extract(source(server.at("/1")), order())
    server.answers["/1"] = lambda visit: visit.say(304 if visit.headers["If-None-Match"] == '"v1"' else 500)
    since = Validators(first.etag, first.last_modified, "0" * 64, first.asked)
    assert web.extract(source(server.at("/1")), order(since)) == Unchanged("304 by ETag")


@pytest.mark.parametrize(
    "body", [b"[1, 2]", b"id;places", b'{"next": NaN}', b'{"a":' * 100_000, b"\xff\xfe\xff", b"12"]
)
def test_a_page_that_is_no_object_is_named_by_number(server, order, body):
    serve(server, {"next": "/2"}, body)
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/1")), order())
    assert str(error.value).startswith(f"{server.at('/1')}: page 2 is not a JSON object; see what it answers; `pages`")


def test_a_circle_is_seen(server, order):
    serve(server, {"next": "/2"}, {"next": "/1"})
    with pytest.raises(SourceError, match="page 2 leads back to a page that was read already; ask the system's owner"):
        web.extract(source(server.at("/1")), order())


def test_too_many_pages_end(server, order):
    serve(server, {"next": "/2"}, {"next": "/3"}, {})
    with pytest.raises(SourceError, match=r"page 2 still names a next one; raise `pages.most` in assets/mobilite/"):
        web.extract(source(server.at("/1"), most=2), order())


def test_a_next_page_that_is_no_address_is_an_error(server, order):
    serve(server, {"next": 2})
    with pytest.raises(SourceError, match=r"page 1 holds no address under `next`; correct `pages.next` in assets/"):
        web.extract(source(server.at("/1")), order())


def test_the_next_page_is_on_the_same_host(server, order):
    serve(server, {"next": f"http://localhost:{server.server_port}/2"}, {})
    with pytest.raises(SourceError, match="which is not declared"):
        web.extract(source(server.at("/1")), order())
    assert len(server.visits) == 1


def test_a_missing_later_page_delivers_nothing(server, order):
    serve(server, {"next": "/2"})
    with pytest.raises(SourceError, match="there is nothing at this address"):
        web.extract(source(server.at("/1")), order())


def test_all_pages_together_keep_to_the_limit(server, order):
    serve(server, {"next": "/2", "x": "y" * 600}, {"x": "y" * 600})
    limited = HttpSource(http=server.at("/1"), internal=True, pages={"next": "next"}, max_bytes=1000)
    with pytest.raises(SourceError, match="larger than the 1,000 bytes"):
        web.extract(limited, order())


class Lines:
    def __init__(self):
        self.written = []

    def write(self, chunk):
        self.written.append(chunk)


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "next"),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)),
    ),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_object_is_one_line_with_the_same_meaning(document, indent, ascii_only):
    lines = Lines()
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert pages.Trail(Pages(next="next"), "", "").follow("http://a.fr/", body, lines) is None
    [line] = lines.written
    assert line.count(b"\n") == 1
    assert json.loads(line) == document
