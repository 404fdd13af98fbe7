import os
import shutil
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests

from odpipeline.portal import serving
from odpipeline.store import Tombstone
from tests.store.making import parkings, published


def test_the_index_is_at_the_root(still):
    answer = requests.get(still, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Jeux de données" in answer.text


def test_a_csv_says_what_it_is(still, still_store):
    answer = requests.get(f"{still}/datasets/parkings/latest/parkings.csv", timeout=10)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Location"] == "/datasets/parkings/versions/2/parkings.csv"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.content == (still_store.current("parkings").folder / "parkings.csv").read_bytes()


@pytest.mark.parametrize("path", ["/", "/datasets/parkings/latest/parkings.csv", "/catalogue.jsonld", "/missing"])
def test_every_answer_has_the_protecting_headers(still, path):
    answer = requests.get(still + path, headers={"Origin": "https://elsewhere.example"}, timeout=10)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/datasets/parkings/versions/1/parkings.csv", "/datasets/parkings/versions/99/parkings.csv",
        "/api/v1/parkings/records", "/api/v1/missing/records",
    ],
)  # fmt: skip
def test_no_cache_keeps_what_may_be_withdrawn_or_erased_without_asking_again(still, path):
    answer = requests.get(still + path, timeout=10)
    assert answer.headers["Cache-Control"] == "no-cache"
    if "ETag" in answer.headers:
        again = requests.get(still + path, headers={"If-None-Match": answer.headers["ETag"]}, timeout=10)
        assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-cache")


@pytest.mark.parametrize("path", ["/", "/datasets/parkings/latest/parkings.parquet", "/datasets/parkings/current.json"])
def test_what_is_known_already_is_not_sent_again(still, path):
    first = requests.get(still + path, timeout=10)
    again = requests.get(still + path, headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    assert requests.get(still + path, headers={"If-None-Match": '"other"'}, timeout=10).status_code == 200


def test_a_range_of_a_file_is_served(still, still_store):
    path = "/datasets/parkings/latest/parkings.parquet"
    answer = requests.get(still + path, headers={"Range": "bytes=-4"}, timeout=10)
    assert (answer.status_code, answer.content) == (206, b"PAR1")


def test_the_stable_address_follows_a_publication(address, store, tmp_path):
    url = f"{address}/datasets/parkings/latest/parkings.csv"
    before = requests.get(url, timeout=10)
    published(store, tmp_path, parkings(5, places=90))
    after = requests.get(url, headers={"If-None-Match": before.headers["ETag"]}, timeout=10)
    assert after.status_code == 200
    assert after.headers["Content-Location"] == "/datasets/parkings/versions/3/parkings.csv"
    assert len(after.text.splitlines()) == 6


def status(address: str, path: str) -> int:
    """The status for a path as it stands, which no client library has cleaned up."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_what_is_not_published_does_not_exist(address, store, tmp_path):
    (tmp_path / "secret.csv").write_text("private")
    home = store.root / "datasets/parkings"
    (home / "outside.csv").symlink_to(tmp_path / "secret.csv")
    (home / ".tmp-0.csv").write_text("on its way")
    (home / "versions/2/notes.txt").write_text("of no known kind")
    hidden = store.root / ".hidden"
    hidden.mkdir()
    (hidden / "a.csv").write_text("hidden")
    for path in (
        "/.lock", "/.hidden/a.csv", "/datasets/parkings/.tmp-0.csv", "/datasets/parkings/outside.csv",
        "/datasets/parkings/versions/2/notes.txt", "/datasets/parkings/", "/datasets", "/../secret.csv",
        "/datasets/../../secret.csv", "/%2e%2e/secret.csv", "/..%2fsecret.csv", "//" + str(tmp_path / "secret.csv"),
        str(tmp_path / "secret.csv"), "/datasets/parkings/current.json%00.csv", "/" + "a" * 5000 + ".csv",
        f"/datasets/parkings/versions/{'9' * 5000}/parkings.csv",
    ):  # fmt: skip
        assert status(address, path) == 404, path


def test_only_reading_is_allowed(still):
    for method in ("POST", "PUT", "DELETE"):
        assert requests.request(method, f"{still}/index.html", timeout=10).status_code == 405


def test_an_empty_town_answers_404(address, store):
    shutil.rmtree(store.root)
    assert status(address, "/") == 404
    assert status(address, "/datasets/parkings/latest/parkings.csv") == 404


def test_a_version_file_has_the_hash_of_its_manifest_and_links(still, still_store):
    url = f"{still}/datasets/parkings/versions/1/parkings.csv"
    answer = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=10)
    [file] = [one for one in still_store.version("parkings", 1).files if one.name == "parkings.csv"]
    assert answer.headers["ETag"] == f'"{file.sha256}"'
    assert answer.links["latest-version"]["url"] == "/datasets/parkings/latest/parkings.csv"
    assert answer.links["describedby"]["url"] == "/datasets/parkings/versions/1/datapackage.json"
    assert answer.links["license"]["url"].endswith(".pdf")
    again = requests.get(url, headers={"If-None-Match": answer.headers["ETag"]}, timeout=10)
    assert again.status_code == 304


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br"])
def test_texts_are_compressed_whole_with_a_weak_tag_and_ranges_are_not(still, encoding):
    url = f"{still}/datasets/parkings/latest/parkings.csv"
    packed = requests.get(url, headers={"Accept-Encoding": encoding}, timeout=10, stream=True)
    assert packed.headers["Content-Encoding"] == encoding
    assert packed.headers["ETag"].startswith('W/"')
    known = {"Accept-Encoding": encoding, "If-None-Match": packed.headers["ETag"]}
    assert requests.get(url, headers=known, timeout=10).status_code == 304
    part = requests.get(url, headers={"Accept-Encoding": encoding, "Range": "bytes=0-1"}, timeout=10)
    assert (part.status_code, part.content, part.headers.get("Content-Encoding")) == (206, b"id", None)
    whole = requests.get(url.replace(".csv", ".parquet"), headers={"Accept-Encoding": encoding}, timeout=10)
    assert "Content-Encoding" not in whole.headers


def test_latest_follows_the_pointer_even_where_the_alias_lags_behind(address, store):
    link = store.root / "datasets/parkings/latest"
    link.unlink()
    link.symlink_to("versions/1")
    answer = requests.get(f"{address}/datasets/parkings/latest/parkings.csv", timeout=10)
    assert answer.headers["Content-Location"] == "/datasets/parkings/versions/2/parkings.csv"


def test_what_nobody_foresaw_has_the_protecting_headers_too(address, monkeypatch):
    def fails(*_):
        raise RuntimeError

    monkeypatch.setattr(serving._Published, "get_response", fails)
    answer = requests.get(f"{address}/index.html", timeout=10)
    assert answer.status_code == 500
    assert answer.json()["title"] == "Erreur / Error"
    assert {name: answer.headers[name] for name in serving.HEADERS} == serving.HEADERS
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


FILE = "datasets/parkings/versions/2/parkings.csv"


def in_the_instant_before_it_is_opened(monkeypatch, act):
    """`act` is done once, when a file of a version has been found and is not open yet."""
    made, done = serving._Published._of_version, []

    def then(self, *said):
        response = made(self, *said)
        if not done:
            done.append(act())
        return response

    monkeypatch.setattr(serving._Published, "_of_version", then)


def test_what_is_withdrawn_before_it_is_opened_is_gone(address, store, monkeypatch):
    grave = Tombstone(dataset="parkings", version=None, kind="withdrawal", at=datetime.now(UTC), reason="décision")
    in_the_instant_before_it_is_opened(monkeypatch, lambda: store.withdraw(grave))
    assert requests.get(f"{address}/{FILE}", timeout=10).status_code == 410


def test_a_version_that_is_dropped_before_its_file_is_opened_is_not_found(address, store, monkeypatch):
    in_the_instant_before_it_is_opened(monkeypatch, (store.root / FILE).unlink)
    assert requests.get(f"{address}/{FILE}", timeout=10).status_code == 404


@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=0-3"}, {"Accept-Encoding": "gzip"}])
def test_a_file_that_is_rewritten_before_it_is_opened_is_whole(address, store, monkeypatch, wanted):
    in_the_instant_before_it_is_opened(
        monkeypatch, lambda: store.backend.put(FILE, b"id\r\n1\r\n" * (1 if "Range" in wanted else 1000))
    )
    answer = requests.get(f"{address}/{FILE}", headers=wanted, timeout=10)
    assert answer.content == (b"id\r\n" if "Range" in wanted else b"id\r\n1\r\n" * 1000)


@pytest.mark.parametrize("wanted", ["lines=1-2", "bytes", "bytes=", "bytes=a-b", "bytes=1--2", "=0-3"])
def test_a_range_that_is_none_does_not_count(address, wanted):
    answer = requests.get(f"{address}/{FILE}", headers={"Range": wanted}, timeout=10)
    assert answer.status_code == 200


def test_of_a_head_no_range_counts(address):
    answer = requests.head(f"{address}/{FILE}", headers={"Range": "bytes=0-3"}, timeout=10)
    assert (answer.status_code, int(answer.headers["Content-Length"]) > 4) == (200, True)


def test_no_version_is_older_than_the_one_before_although_it_shares_its_bytes(address, store):
    latest = f"{address}/datasets/parkings/latest/parkings.csv"
    first = requests.get(latest, timeout=10).headers
    os.utime(store.root / FILE, (0, 0))  # as of a file that versions share
    again = requests.get(latest, timeout=10).headers
    assert again["Last-Modified"] == first["Last-Modified"]
    known = requests.get(latest, headers={"If-Modified-Since": first["Last-Modified"]}, timeout=10)
    assert known.status_code == 304
