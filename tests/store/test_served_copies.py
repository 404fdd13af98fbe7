"""What `odp serve` keeps of a bucket: each file comes once, and nothing stays of what was withdrawn or erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from odpipeline import acts
from odpipeline.portal.mirror import Mirror
from odpipeline.store import Release, Store, Tombstone, releases, rewriting
from odpipeline.store.bucket import Bucket
from tests.portal.conftest import served
from tests.store.making import DUCK, a_dataset, parkings, published

FILE = "datasets/parkings/versions/1/parkings.csv"


@pytest.fixture
def store(bucket: Callable[[], Bucket], tmp_path: Path) -> Store:
    """Two versions of parkings, of 3 rows and of 4, in a bucket."""
    store = Store(tmp_path / "copies", bucket())
    published(store, tmp_path / "a")
    published(store, tmp_path / "b", parkings(4))
    return store


@pytest.fixture
def brought(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were read from the bucket, as they are."""
    keys: list[str] = []
    read, chunks = store.backend.read, store.backend.chunks

    def noted_read(key: str) -> bytes | None:
        keys.append(key)
        return read(key)

    def noted_chunks(key: str) -> Iterator[bytes] | None:
        keys.append(key)
        return chunks(key)

    monkeypatch.setattr(store.backend, "read", noted_read)
    monkeypatch.setattr(store.backend, "chunks", noted_chunks)
    return keys


def tombstone(store: Store) -> Tombstone:
    return acts.Withdrawal("parkings", None, tuple(store.versions("parkings")), 0)._tombstone("arrêté", None)


def erase_from(store: Store, release: Release, folder: Path) -> None:
    """Rewrite `release` without its row of identifier 2."""
    files = store.fetched(release, folder / "files")
    gone = rewriting.without(release, files, [{"id": "2"}], a_dataset(), folder / "without", DUCK)
    store.rewrite(gone, "demande")


def test_a_file_is_brought_once_for_pages_and_queries(store: Store, brought: list[str]) -> None:
    with served(store) as address:
        for _ in range(2):
            assert len(requests.get(f"{address}/{FILE}", timeout=20).text.splitlines()) == 4
            answer = requests.get(f"{address}/api/v1/parkings/records", timeout=20)
            assert len(answer.json()["rows"]) == 4
            table = requests.get(f"{address}/datasets/parkings/latest/parkings.parquet", timeout=20)
            assert table.content.startswith(b"PAR1")
    for key in (FILE, "datasets/parkings/versions/2/parkings.parquet"):
        assert brought.count(key) == 1, key


def test_an_erased_row_is_served_no_more_and_leaves_the_copies(store: Store, tmp_path: Path) -> None:
    first = store.version("parkings", 1)
    with served(store) as address:
        before = requests.get(f"{address}/{FILE}", timeout=20)
        erase_from(store, first, tmp_path / "e")
        after = requests.get(f"{address}/{FILE}", headers={"If-None-Match": before.headers["ETag"]}, timeout=20)
    assert (len(before.text.splitlines()), len(after.text.splitlines())) == (4, 3)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert len((store.root / FILE).read_text().splitlines()) == 3


def test_copies_of_what_was_erased_or_withdrawn_go_also_when_nobody_asks(store: Store, tmp_path: Path) -> None:
    first, mirror = store.version("parkings", 1), Mirror(store)
    mirror.bring(FILE)
    mirror.bring("datasets/parkings/latest/parkings.csv")
    erase_from(store, first, tmp_path / "e")
    mirror.sweep()
    assert not (store.root / FILE).exists()
    assert (store.root / "datasets/parkings/versions/2/parkings.csv").exists()
    page = store.root / "dataset/parkings.html"
    page.parent.mkdir()
    page.write_text("a page that told of it")
    store.withdraw(tombstone(store))
    mirror.sweep()
    left = {file.relative_to(store.root).as_posix() for file in store.root.rglob("*") if file.is_file()}
    assert left == {"datasets/parkings/tombstone.json", "datasets/parkings/current.json"}


def test_no_file_is_served_that_no_readable_manifest_vouches_for(store: Store) -> None:
    store.backend.put("datasets/parkings/versions/1/release.json", b"{")
    with served(store) as address:
        assert requests.get(f"{address}/{FILE}", timeout=20).status_code == 503


def test_a_bucket_that_does_not_answer_is_said_and_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(store) as address:
        assert requests.get(f"{address}/{FILE}", timeout=20).status_code == 200
        monkeypatch.setenv("ODP_S3_SECRET", "wrong")
        store.backend._client = None
        answer = requests.get(f"{address}/{FILE}", timeout=20)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        assert requests.get(f"{address}/api/v1/parkings/records", timeout=20).status_code == 500


def test_a_withdrawal_cut_short_after_its_tombstone_answers_nothing_more(store: Store) -> None:
    with served(store) as address:
        assert requests.get(f"{address}/api/v1/parkings/records", timeout=20).status_code == 200
        grave = tombstone(store)
        store.backend.swap("datasets/parkings/tombstone.json", releases.as_json(grave), None)
        for path in ("api/v1/parkings/records", FILE, "datasets/parkings/latest/parkings.csv"):
            assert requests.get(f"{address}/{path}", timeout=20).status_code == 410, path


@pytest.mark.parametrize(
    "path", ["/%00.json", "/a%01.json", "/a%7f.json", f"/{'a' * 300}.json", f"/{'a/' * 3000}b.json",
             f"/datasets/parkings/versions/1/{'é' * 130}.csv", "/datasets/parkings/versions/1/a%00.csv",
             f"/datasets/{'c' * 300}/latest/x.csv"],
)  # fmt: skip
def test_what_no_object_can_be_called_is_not_asked_for(store: Store, brought: list[str], path: str) -> None:
    with served(store) as address:
        brought.clear()
        assert requests.get(address + path, timeout=20).status_code == 404
    assert not [key for key in brought if not key.endswith((".json", ".sig"))]
