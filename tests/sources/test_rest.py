"""The pages of a JSON API: one line each, in their own spelling, whole, and within bounds."""

import base64
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.source import Paging, RestSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import Unchanged, Validators, rest
from odpipeline.sources.rest import Page
from tests.servers import http_server
from tests.towns import write_town


def source(address, more=None, **paging):
    return RestSource(rest=address, internal=True, paging=paging or {"next": "next"}, **(more or {}))


def serve(server, *documents):
    """Serve each document at /1, /2…"""
    for number, document in enumerate(documents, 1):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        server.answers[f"/{number}"] = lambda visit, body=body: visit.say(200, body, ETag='"v1"')


def serve_list(server, records, answer):
    """Serve /liste: `answer(query, records)` gives the document and the headers."""

    def visited(visit):
        query = {key: values[0] for key, values in parse_qs(urlsplit(visit.path).query).items()}
        document, headers = answer(query, records)
        visit.say(200, json.dumps(document), **headers)

    server.answers["/liste"] = visited


def read(delivery, path="lignes"):
    pages = [json.loads(line) for line in delivery.path.read_text().splitlines()]
    return [record for page in pages for record in page[path]]


def test_each_page_becomes_one_line(server, order):
    serve(server, {"next": "/2?page=2", "lignes": [1]}, {"next": server.at("/3"), "lignes": [2]}, {"lignes": ["é"]})
    delivery = rest.extract(source(server.at("/1")), order(records="lignes"))
    assert read(delivery) == [1, 2, "é"]
    assert (delivery.name, delivery.media_type) == ("pages.ndjson", "application/x-ndjson")


def test_numbers_keep_their_spelling(server, order):
    serve(server, b'\xef\xbb\xbf{\r\n "l": [12345678901234567890.10],\n "next": null}\n')
    delivery = rest.extract(source(server.at("/1")), order(records="l"))
    assert delivery.path.read_bytes() == b'{   "l": [12345678901234567890.10],  "next": null}\n'


def test_the_next_page_may_be_nested(server, order):
    serve(server, {"links": {"suite": "/2"}, "l": [1]}, {"links": {"suite": None}, "l": [2]})
    assert read(rest.extract(source(server.at("/1"), next="links.suite"), order(records="l")), "l") == [1, 2]


@pytest.mark.parametrize(
    ("paging", "answer"),
    [
        ({"page": "page", "size": "par_page", "of": 2},
         lambda q, r: ({"l": r[2 * int(q["page"]) - 2 : 2 * int(q["page"])]}, {})),
        ({"offset": "debut", "size": "limite", "of": 4}, lambda q, r: ({"l": r[int(q["debut"]) :][:2]}, {})),
        ({"cursor": "apres", "key": "meta.suite"},
         lambda q, r: ({"l": r[int(q.get("apres", 0)) :][:2],
                        "meta": {"suite": n if (n := int(q.get("apres", 0)) + 2) < len(r) else None}}, {})),
        ({"link": True},
         lambda q, r: ({"l": r[int(q.get("p", 0)) :][:2]},
                       {"Link": f'<?p={n}>; rel="next"'} if (n := int(q.get("p", 0)) + 2) < len(r) else {})),
        ({"page": "page", "first": 0, "total": "n"},
         lambda q, r: ({"n": len(r), "l": r[2 * int(q["page"]) :][:2]}, {})),
    ],
    ids=["page", "offset of a system that gives fewer than asked", "cursor", "Link", "page with a total"],
)  # fmt: skip
def test_every_way_of_paging_reads_every_record_once(server, order, paging, answer):
    records = list(range(7))
    serve_list(server, records, answer)
    assert read(rest.extract(source(server.at("/liste"), **paging), order(records="l")), "l") == records


def test_parameters_go_with_every_page(server, order):
    serve_list(server, [1, 2, 3], lambda q, r: ({"l": r[int(q["debut"]) :][:2], "q": q}, {}))
    rest.extract(
        source(server.at("/liste"), {"params": {"tri": "id", "actif": True}}, offset="debut"), order(records="l")
    )
    asked = [parse_qs(urlsplit(visit.path).query) for visit in server.visits]
    assert [(q["tri"], q["actif"]) for q in asked] == [(["id"], ["true"])] * 3


def test_an_etag_counts_for_an_answer_of_one_page_only(server, order):
    serve(server, {"l": [1]})
    one = RestSource(rest=server.at("/1"), internal=True)
    first = rest.extract(one, order(records="l"))
    since = Validators(first.etag, first.last_modified, "0" * 64, first.asked)
    server.answers["/1"] = lambda visit: visit.say(304 if visit.headers["If-None-Match"] == '"v1"' else 500)
    assert rest.extract(one, order(since, records="l")) == Unchanged("304 by ETag")

    serve(server, {"next": "/2", "l": [1]}, {"l": [2]})
    paged = rest.extract(source(server.at("/1")), order(since, records="l"))
    assert (paged.etag, paged.last_modified) == (None, None)
    assert all(visit.headers["If-None-Match"] is None for visit in server.visits[-2:])


def test_a_list_that_changes_while_it_is_read_is_read_again(server, order):
    totals = iter([4, 3, 3, 3])
    serve_list(server, [1, 2, 3], lambda q, r: ({"n": next(totals), "l": r[int(q["debut"]) :][:2]}, {}))
    assert read(rest.extract(source(server.at("/liste"), offset="debut", total="n"), order(records="l")), "l") == [
        1,
        2,
        3,
    ]


def test_a_list_that_never_stands_still_delivers_nothing(server, order):
    serve_list(server, [1, 2, 3], lambda q, r: ({"n": 9, "l": r[int(q["debut"]) :][:2]}, {}))
    with pytest.raises(
        SourceUnavailable, match="the list changed while it was read, twice; fetch it at a quieter hour"
    ):
        rest.extract(source(server.at("/liste"), offset="debut", total="n"), order(records="l"))


@pytest.mark.parametrize("body", [b"id;places", b'{"next": NaN}', b'{"a":' * 100_000, b"\xff\xfe\xff", b"12"])
def test_a_page_that_is_no_json_is_named_by_number(server, order, body):
    serve(server, {"next": "/2", "l": [1]}, body)
    with pytest.raises(SourceError, match=rf"^{server.at('/1')}: page 2 is not (JSON|text); see what it answers"):
        rest.extract(source(server.at("/1")), order(records="l"))


def test_a_page_without_the_records_says_where_they_were_looked_for(server, order):
    serve(server, {"next": None, "rows": [1]})
    with pytest.raises(SourceError, match=r"page 1 holds no list at lignes; give the dotted path with format"):
        rest.extract(source(server.at("/1")), order(records="lignes"))


def test_a_circle_is_seen(server, order):
    serve(server, {"next": "/2", "l": [1]}, {"next": "/1", "l": [2]})
    with pytest.raises(SourceError, match="page 2 leads back to a page that was read already; ask the system's owner"):
        rest.extract(source(server.at("/1")), order(records="l"))


def test_a_cursor_that_stands_still_is_a_circle(server, order):
    serve_list(server, [1], lambda q, r: ({"l": r, "suite": "a"}, {}))
    with pytest.raises(SourceError, match="page 2 leads back to a page that was read already"):
        rest.extract(source(server.at("/liste"), cursor="apres", key="suite"), order(records="l"))


def test_too_many_pages_end(server, order):
    serve_list(server, [1], lambda q, r: ({"l": [q["p"]]}, {}))
    with pytest.raises(SourceError, match=r"page 3 still names a next one; raise `paging.most` in assets/mobilite/"):
        rest.extract(source(server.at("/liste"), page="p", most=3), order(records="l"))


def test_a_next_page_that_is_no_address_is_an_error(server, order):
    serve(server, {"next": 2, "l": []})
    with pytest.raises(SourceError, match=r"page 1 holds no address under `next`; correct `paging` in assets/"):
        rest.extract(source(server.at("/1")), order(records="l"))


def test_the_next_page_is_on_the_same_host(server, order):
    serve(server, {"next": f"http://localhost:{server.server_port}/2", "l": [1]}, {})
    with pytest.raises(SourceError, match="which is not declared"):
        rest.extract(source(server.at("/1")), order(records="l"))
    assert len(server.visits) == 1


def test_a_missing_later_page_delivers_nothing(server, order):
    serve(server, {"next": "/2", "l": [1]})
    with pytest.raises(SourceError, match="there is nothing at this address"):
        rest.extract(source(server.at("/1")), order(records="l"))


def test_all_pages_together_keep_to_the_limit(server, order):
    serve(server, {"next": "/2", "l": ["y" * 600]}, {"l": ["y" * 600]})
    with pytest.raises(SourceError, match="larger than the 1,000 bytes"):
        rest.extract(source(server.at("/1"), {"max_bytes": 1000}), order(records="l"))


NEWER = {"parameter": "depuis", "field": "maj", "overlap": "1 h"}


def test_only_what_is_new_is_asked_for_and_the_capture_stays_whole(server, order, tmp_path):
    before = tmp_path / "before"
    old = [{"id": 1, "maj": "2026-03-01T10:00:00Z", "n": 1.10}, {"id": 2, "maj": "2026-03-02T10:00:00+02:00", "n": 2}]
    before.write_text(f'{{"l": {json.dumps(old[:1])}}}\n{{"l": {json.dumps(old[1:])}}}\n')
    new = [{"id": 2, "maj": "2026-03-03T09:00:00Z", "n": 20}, {"id": 3, "maj": "2026-03-03T10:00:00Z", "n": 3}]
    serve_list(server, new, lambda q, r: ({"l": r[int(q["debut"]) :]}, {}))
    declared = source(server.at("/liste"), {"incremental": NEWER}, offset="debut")
    delivery = rest.extract(declared, order(earlier=before, key=("id",), records="l"))
    assert parse_qs(urlsplit(server.visits[0].path).query)["depuis"] == ["2026-03-02T07:00:00Z"]
    assert read(delivery, "l") == [old[0], *new]


def test_the_first_time_everything_is_asked_for(server, order):
    serve_list(server, [{"id": 1, "maj": "2026-03-01"}], lambda q, r: ({"l": r}, {}))
    declared = RestSource(rest=server.at("/liste"), internal=True, incremental=NEWER)
    delivery = rest.extract(declared, order(key=("id",), records="l"))
    assert "depuis" not in server.visits[0].path
    assert read(delivery, "l") == [{"id": 1, "maj": "2026-03-01"}]


def test_nothing_new_gives_the_same_bytes(server, order, tmp_path):
    serve_list(server, [{"id": 1, "maj": "2026-03-01"}], lambda q, r: ({"l": [] if "depuis" in q else r}, {}))
    declared = RestSource(rest=server.at("/liste"), internal=True, incremental=NEWER)
    first = rest.extract(declared, order(key=("id",), records="l")).path.read_bytes()
    before = tmp_path / "before"
    before.write_bytes(first)
    assert rest.extract(declared, order(earlier=before, key=("id",), records="l")).path.read_bytes() == first


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (
            {"basic": {"user": "ODP_A", "password": "ODP_B"}},
            "Authorization",
            "Basic " + base64.b64encode(b"a:b").decode(),
        ),
        ({"header": {"name": "X-Api-Key", "value": "ODP_A"}}, "X-Api-Key", "a"),
        ({"bearer": "ODP_B"}, "Authorization", "Bearer b"),
    ],
)
def test_each_way_in_sends_its_header(server, order, monkeypatch, auth, header, value):
    monkeypatch.setenv("ODP_A", "a")
    monkeypatch.setenv("ODP_B", "b")
    serve(server, {"l": [1]})
    rest.extract(source(server.at("/1"), {"auth": auth}), order(records="l"))
    assert server.visits[0].headers[header] == value


def test_a_way_in_of_another_protocol_is_refused(server, order, monkeypatch):
    monkeypatch.setenv("ODP_A", "a")
    with pytest.raises(SourceError, match=r"`auth: \{password: …\}` is no way in over HTTP"):
        rest.extract(source(server.at("/1"), {"auth": {"password": "ODP_A"}}), order(records="l"))
    assert server.visits == []


def test_the_system_is_asked_no_faster_than_declared_whoever_asks(server, order, tmp_path):
    serve(server, {"next": "/2", "l": [1]}, {"next": "/3", "l": [2]}, {"l": [3]})
    paced = order(records="l", url=server.at(""), internal=True)
    system = paced.system.model_copy(update={"pause": timedelta(seconds=0.1)})
    declared = RestSource(rest="/1", system="x", paging={"next": "next"})

    def run(dataset):
        (folder := tmp_path / dataset).mkdir()
        return rest.extract(declared, replace(paced, system=system, folder=folder))

    with ThreadPoolExecutor() as pool:
        assert [read(delivery, "l") for delivery in pool.map(run, ("a", "b"))] == [[1, 2, 3]] * 2
    arrived = sorted(visit.arrived for visit in server.visits)
    assert min(later - earlier for earlier, later in itertools.pairwise(arrived)) >= 0.08


def test_a_system_that_does_not_know_the_parameter_gives_the_same_page_again(server, order):
    serve_list(server, [1, 2], lambda q, r: ({"l": r}, {}))
    with pytest.raises(SourceError, match="page 2 is the page before once more; see which parameters the system knows"):
        rest.extract(source(server.at("/liste"), page="p"), order(records="l"))
    assert len(server.visits) == 2


def test_a_list_that_shrinks_while_it_is_read_is_read_again(server, order):
    records, gone = list(range(6)), iter([False, True, False, False, False])

    def answer(query, records):
        if next(gone):
            del records[0]
        start = int(query["debut"])
        return {"n": len(records), "l": records[start : start + 2]}, {}

    serve_list(server, records, answer)
    delivery = rest.extract(source(server.at("/liste"), offset="debut", total="n"), order(records="l"))
    assert read(delivery, "l") == [1, 2, 3, 4, 5]
    assert len(server.visits) == 5


OAUTH = {"token_url": "/jeton", "client_id": "ODP_ID", "client_secret": "ODP_SECRET", "scope": "lecture"}


@pytest.fixture
def granting(server, monkeypatch):
    """Serves /1 behind a token; `granting(answer)` says how /jeton answers, and gives the source."""
    monkeypatch.setenv("ODP_ID", "odp")
    monkeypatch.setenv("ODP_SECRET", "secret-€")

    def serve_token(answer, token_url=""):
        server.posts["/jeton"] = answer
        oauth2 = {**OAUTH, "token_url": token_url or server.at("/jeton")}
        return RestSource(rest=server.at("/1"), internal=True, auth={"oauth2": oauth2})

    return serve_token


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda v: v.say(401), SourceError, r"gives no token \(HTTP 401\); check ODP_ID, ODP_SECRET and the scope"),
        (lambda v: v.say(200, "bonjour"), SourceError, "gives no token"),
        (lambda v: v.say(200, '{"access_token": "a\\nb"}'), SourceError, "gives no token"),
        (lambda v: v.say(200, b"[" * 60_000), SourceError, "gives no token"),
        (lambda v: v.say(200, b"x" * 200_000), SourceError, "gives no token"),
        (lambda v: v.say(302, Location="http://127.0.0.2/"), SourceError, r"gives no token \(HTTP 302\)"),
        (lambda v: v.say(200, b"{", Content_Length="100"), SourceUnavailable, "no token can be had"),
        (lambda v: v.say(503, Retry_After="60"), SourceUnavailable, r"can give no token now \(HTTP 503\)"),
    ],
)
def test_without_a_token_nothing_is_asked_and_no_secret_is_shown(server, order, granting, answer, error, message):
    declared = granting(answer)
    with pytest.raises(error, match=message) as told:
        rest.extract(declared, order(records="l"))
    assert server.visits == []
    assert "secret-" not in str(told.value)


def test_the_declared_host_that_gives_tokens_may_be_another(server, order, granting):
    serve(server, {"l": [1]})
    with http_server() as other:
        other.posts["/jeton"] = lambda visit: visit.say(200, '{"access_token": "jeton"}')
        rest.extract(granting(None, f"http://localhost:{other.server_port}/jeton"), order(records="l"))
    assert [visit.headers["Authorization"] for visit in server.visits] == ["Bearer jeton"]


@pytest.mark.parametrize("token_url", ["/jeton", "file:///etc/passwd", "http://odp:secret@127.0.0.1/jeton"])
def test_an_address_that_cannot_give_tokens(server, order, granting, token_url):
    with pytest.raises(SourceError, match=r"this is not an http|holds a user name"):
        rest.extract(granting(None, token_url), order(records="l"))
    assert server.visits == []


def test_tokens_do_not_come_from_inside_the_network_unless_declared(order, granting):
    with http_server() as other:
        auth = granting(None, other.at("/jeton")).auth
        declared = RestSource(rest="https://ville.example/1", auth=auth)
        with pytest.raises(SourceError, match="resolves to an address inside the network"):
            rest.extract(declared, order(records="l"))


def test_a_token_that_expires_midway_is_asked_for_anew(server, order, granting):
    tokens = iter(["jeton-1", "jeton-2"])

    def grant(visit):
        assert base64.b64decode(visit.headers["Authorization"].removeprefix("Basic ")).decode() == "odp:secret-€"
        visit.say(200, json.dumps({"access_token": next(tokens)}))

    def second(visit):
        expired = visit.headers["Authorization"] == "Bearer jeton-1"
        visit.say(401) if expired else visit.say(200, '{"l": [2]}')

    declared = granting(grant).model_copy(update={"paging": Paging(next="next")})
    serve(server, {"next": "/2", "l": [1]})
    server.answers["/2"] = second
    assert read(rest.extract(declared, order(records="l")), "l") == [1, 2]
    assert [visit.headers["Authorization"][-1] for visit in server.visits] == ["1", "1", "2"]


def test_a_token_that_is_refused_twice_is_an_error(server, order, granting):
    declared = granting(lambda visit: visit.say(200, '{"access_token": "jeton"}'))
    server.answers["/1"] = lambda visit: visit.say(401)
    with pytest.raises(SourceError, match="check what ODP_ID and ODP_SECRET holds, for `auth` in assets/mobilite/"):
        rest.extract(declared, order(records="l"))
    assert len(server.visits) == 2


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        (["2026-03-01", "2026-03-02"], "2026-03-01"),
        (["2026-03-02T10:00:00+02:00", "2026-03-02T09:00:00Z"], "2026-03-02T08:00:00Z"),
        (["2026-03-02T10:00:00", "2026-03-02 11:30:00.5"], "2026-03-02T10:30:00"),
        (["2026-03-02T10:00:00Z", "9999-12-31T00:00:00Z"], "2026-03-02T09:00:00Z"),
    ],
    ids=["days", "moments of several zones", "moments that name no zone", "a moment to come"],
)
def test_the_time_is_asked_for_as_it_is_delivered(server, order, tmp_path, times, asked):
    before = tmp_path / "before"
    before.write_text(json.dumps([{"id": n, "maj": time} for n, time in enumerate(times)]))
    server.answers["/liste"] = lambda visit: visit.say(200, "[]")
    declared = RestSource(rest=server.at("/liste"), internal=True, incremental=NEWER)
    rest.extract(declared, order(earlier=before, key=("id",)))
    assert parse_qs(urlsplit(server.visits[0].path).query)["depuis"] == [asked]


@pytest.mark.parametrize("before", ['{"l": [{"id": 1, "maj": "hier"}]}', '{"l": [{"id": 1}]}'])
def test_without_a_time_in_the_last_capture_nothing_is_asked(server, order, tmp_path, before):
    (tmp_path / "before").write_text(before)
    declared = RestSource(rest=server.at("/liste"), internal=True, incremental=NEWER)
    with pytest.raises(SourceError, match=r"the last capture holds no time under `maj`; correct `incremental.field`"):
        rest.extract(declared, order(earlier=tmp_path / "before", key=("id",), records="l"))
    assert server.visits == []


@pytest.mark.parametrize("before", ['{"l": []}', '{"x": 1}', "pas du JSON", "1;2;3"])
def test_a_last_capture_without_records_is_none(server, order, tmp_path, before):
    (tmp_path / "before").write_text(before)
    serve_list(server, [{"id": 1, "maj": "2026-03-01"}], lambda q, r: ({"l": r, "q": q}, {}))
    declared = RestSource(rest=server.at("/liste"), internal=True, incremental=NEWER)
    delivery = rest.extract(declared, order(earlier=tmp_path / "before", key=("id",), records="l"))
    assert "depuis" not in server.visits[0].path
    assert read(delivery, "l") == [{"id": 1, "maj": "2026-03-01"}]


def test_a_turn_that_was_half_written_does_not_stop_the_next(server, order):
    serve(server, {"l": [1]})
    paced = order(records="l", url=server.at(""), internal=True, pause="1 s")
    rest.extract(RestSource(rest="/1", system="x"), paced)
    [turn] = paced.folder.parent.glob(".pace-*")
    turn.write_text("17x")
    rest.extract(RestSource(rest="/1", system="x"), paced)
    assert float(turn.read_text()) > 0


INCREMENTAL = """
title: Demandes
description: Demandes des habitants.
owner: guichet@ville.example
themes: [GOVE]
source: {rest: "ADDRESS", internal: true, params: {tri: id}, paging: {page: p},
         incremental: {parameter: depuis, field: maj, overlap: 1 h}}
format: {records: l}
fields:
  - {name: id, type: integer}
  - {name: objet}
  - {name: maj, type: datetime}
key: [id]
personal_data: none
"""


def test_two_nights_of_which_the_second_brings_only_what_is_new(server, tmp_path):
    nights = [
        [
            {"id": 1, "objet": "Arbre", "maj": "2026-03-01T10:00:00Z"},
            {"id": 2, "objet": "Banc", "maj": "2026-03-02T10:00:00Z"},
        ],
        [{"id": 2, "objet": "Banc réparé", "maj": "2026-03-03T10:00:00Z"}],
    ]
    serve_list(server, nights, lambda q, r: ({"l": r[int("depuis" in q)] if q["p"] == "1" else []}, {}))
    folder = write_town(tmp_path, "demandes", declaration=INCREMENTAL.replace("ADDRESS", server.at("/liste")))
    town = read_town(folder)
    zones = flow.Zones.of(town)
    for expected in ("1,Arbre,2026-03-01T10:00:00Z\n2,Banc,2026", "1,Arbre,2026-03-01T10:00:00Z\n2,Banc réparé,2026"):
        *_, release = flow.recorded(town.dataset("demandes"), town, zones)
        assert expected in (release.folder / "demandes.csv").read_text().replace("\r", "")
    *_, again = flow.recorded(town.dataset("demandes"), town, zones)
    assert again.version == release.version == 2
    assert not (zones.work / "demandes" / "spill").exists()


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)),
    ),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_object_is_one_line_with_the_same_meaning(document, indent, ascii_only):
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    line = Page(body, 1, None, "").line
    assert line.count(b"\n") == 1
    assert json.loads(line) == document
