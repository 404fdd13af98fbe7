"""Anybody verifies a store over HTTP: no town, no secret, a key that they trust, servers that mean harm."""

from __future__ import annotations

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


def broken(visit: Visit) -> None:
    visit.say(500)


@pytest.fixture
def hostile() -> Server:
    with http_server() as server:
        yield server


@pytest.mark.parametrize(
    ("answer", "why"),
    [(moved, "status 302"), (endless, "more than 64000000 bytes"), (packed, "compressed against our wish"),
     (broken, "status 500")],
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
