"""Anybody verifies a store over HTTP: no town, no secret, a key that they trust, servers that mean harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odpipeline.cli import app
from odpipeline.errors import StoreError
from odpipeline.store import Store, over_http
from odpipeline.store.verifying import verify
from tests.servers import Server, Visit, http_server


def test_a_served_store_is_verified_by_anybody(address: str, store: Store) -> None:
    told = CliRunner().invoke(app, ["verify", "--public", address])
    assert told.exit_code == 0, told.output
    reader = over_http.Published(address)
    assert reader.datasets() == ["budget", "parkings"]
    found = verify(reader, "parkings")
    assert (found.versions, found.flaws) == (2, [])
    file = store.root / "datasets/parkings/versions/1/parkings.csv"
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[:-3] + b"9\r\n")
    told = CliRunner().invoke(app, ["verify", "parkings", "--public", address])
    assert told.exit_code == 1
    assert "its bytes are not those that were published" in told.output


def test_an_unsigned_store_is_not_what_a_trusted_key_vouches_for(address: str, tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["signing-key"])
    pem = tmp_path / "ville.pem"
    pem.write_text(made.output[made.output.index("-----BEGIN") :])
    told = CliRunner().invoke(app, ["verify", "budget", "--public", address, "--key", str(pem)])
    assert told.exit_code == 1
    assert "the version is not signed" in told.output


def moved(visit: Visit) -> None:
    visit.say(302, Location="http://127.0.0.1:1/current.json")


def endless(visit: Visit) -> None:
    visit.say(200, b" " * 65_000_000)


def packed(visit: Visit) -> None:
    visit.say(200, b"\x1f\x8b", Content_Encoding="gzip")


def failing(visit: Visit) -> None:
    visit.say(500)


@pytest.fixture
def hostile() -> Server:
    with http_server() as server:
        yield server


@pytest.mark.parametrize(
    ("answer", "why"),
    [(moved, "status 302"), (endless, "more than 64000000 bytes"), (packed, "compressed against our wish"),
     (failing, "status 500")],
)  # fmt: skip
def test_servers_that_mean_harm_are_left_in_words(hostile: Server, answer, why: str) -> None:
    hostile.answers["/datasets/parkings/tombstone.json"] = answer
    found = verify(over_http.Published(hostile.at("")), "parkings")
    assert [why in flaw.what for flaw in found.flaws] == [True]


def test_what_is_no_address_or_no_store_is_refused(hostile: Server) -> None:
    for address in ("ftp://ville.example", "https://moi:secret@ville.example", "ville.example"):
        with pytest.raises(StoreError, match="is no address of a store"):
            over_http.Published(address)
    with pytest.raises(StoreError, match="no catalogue that can be read"):
        over_http.Published(hostile.at("")).datasets()


@contextmanager
def broken(file: Path, break_it: Callable[[Path], object]) -> Iterator[None]:
    """One file of the store that all tests share, for a moment."""
    before = file.read_bytes()
    file.chmod(0o644)
    break_it(file)
    assert not file.exists() or file.read_bytes() != before
    try:
        yield
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"@graph": 5}', b'{"@graph": [1, null]}', b"[" * 200_000])
def test_what_is_no_catalogue_is_told(still: str, still_store: Store, content: bytes) -> None:
    with (
        broken(still_store.root / "catalogue.jsonld", lambda file: file.write_bytes(content)),
        pytest.raises(StoreError, match="no catalogue that can be read"),
    ):
        over_http.Published(still).datasets()


def gone(file: Path) -> None:
    file.unlink()


def garbage(file: Path) -> None:
    file.write_bytes(b"\xff{")


def of_another_kind(file: Path) -> None:
    file.write_bytes(b"[1]\n5\nnull\n")


def of_tomorrow(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"format": 2', b'"format": 99', 1))


def after_itself(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"previous": null', b'"previous": 2', 1))


@pytest.mark.parametrize(
    ("name", "break_it"),
    [("current.json", gone), ("current.json", garbage), ("current.json", of_another_kind),
     ("current.json", of_tomorrow), ("versions/2/release.json", gone), ("versions/2/release.json", garbage),
     ("versions/1/release.json", of_another_kind), ("versions/1/release.json", after_itself),
     ("versions/1/parkings.parquet", gone), ("versions/1/parkings.csv", garbage),
     ("changelog.jsonl", garbage), ("changelog.jsonl", of_another_kind)],
)  # fmt: skip
def test_a_broken_store_is_wrong_in_words(
    still: str, still_store: Store, name: str, break_it: Callable[[Path], object]
) -> None:
    with broken(still_store.root / "datasets/parkings" / name, break_it):
        told = CliRunner().invoke(app, ["verify", "--public", still])
    assert (told.exit_code, type(told.exception)) == (1, SystemExit), told.output
    assert "WRONG" in told.output
    assert f"datasets/parkings/{name}" in told.output
