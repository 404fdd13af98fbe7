"""The store in a real bucket, through a proxy that loses answers, cuts connections and fails: nothing half public."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import requests
from botocore.config import Config

from odpipeline import acts, catalogue, flow, portal
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors, PublicationRace, SecretMissing, StoreError
from odpipeline.store import Release, Staged, Store
from odpipeline.store.bucket import Bucket
from odpipeline.store.verifying import verify
from tests.faulty_proxy import Proxy, faulty_proxy
from tests.portal.conftest import served
from tests.s3_server import KEY, SECRET, S3Server
from tests.store.making import a_staged, parkings, published, yes
from tests.towns import deliver, write_town

Make = Callable[..., Bucket]


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    with faulty_proxy(s3.endpoint) as running:
        yield running


def stored(tmp_path: Path, backend: Bucket) -> Store:
    return Store(tmp_path / "copies", backend)


def whole(store: Store) -> Release:
    """The current release, every byte of it compared with its manifest."""
    release = store.current("parkings")
    assert release is not None
    for file in release.files:
        content = store.backend.read(f"datasets/parkings/versions/{release.version}/{file.name}")
        assert content is not None
        assert hashlib.sha256(content).hexdigest() == file.sha256
    return release


def sound(store: Store) -> list[str]:
    return [flaw.what for flaw in verify(store.backend, "parkings", listed=store.backend).flaws]


def test_versions_follow_each_other_as_in_a_folder(bucket: Make, tmp_path: Path) -> None:
    store = stored(tmp_path, bucket())
    first = published(store, tmp_path / "a")
    second = published(store, tmp_path / "b", parkings(places=20))
    assert (first.version, second.version, second.previous) == (1, 2, 1)
    assert published(store, tmp_path / "c", parkings(places=20)).version == 2
    assert whole(store).version == 2
    assert sound(store) == []
    assert (
        store.backend.read("datasets/parkings/latest/parkings.csv")
        == a_staged(tmp_path / "d", parkings(places=20)).csv.read_bytes()
    )
    assert store.parquet(first, tmp_path / "p").read_bytes() == store.backend.read(
        "datasets/parkings/versions/1/parkings.parquet"
    )


def test_a_file_goes_up_in_parts_when_it_is_large(
    bucket: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odpipeline.store.bucket._WHOLE", 1000)
    monkeypatch.setattr("odpipeline.store.bucket._CHUNK", 5 << 20)
    file = tmp_path / "large"
    file.write_bytes(os.urandom(11 << 20))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    backend = bucket()
    backend.create("d/large", file, digest)
    assert hashlib.sha256(b"".join(backend.chunks("d/large") or ())).hexdigest() == digest
    with pytest.raises(StoreError, match="exists already"):
        backend.create("d/large", file, digest)
    with pytest.raises(StoreError, match="not those that were hashed"):
        backend.create("d/other", file, "0" * 64)
    assert backend.read("d/other") is None


@pytest.mark.parametrize("fault", ["lost", "cut", "500", "slow"])
def test_whatever_fails_once_on_the_way_the_release_is_whole(
    bucket: Make, proxy: Proxy, tmp_path: Path, fault: str
) -> None:
    store = stored(tmp_path, bucket(endpoint=proxy.endpoint))
    published(store, tmp_path / "a")
    writes: set[str] = set()

    def once(method: str, path: str) -> str | None:
        told = path.endswith((".parquet", "release.json", "current.json", "changelog.jsonl"))
        if method == "PUT" and told and path not in writes:
            writes.add(path)
            return fault
        return None

    proxy.faults = once
    release = published(store, tmp_path / "b", parkings(places=20))
    assert release.version == 2
    assert len(writes) > 3
    assert whole(store) == store.current("parkings")
    assert sound(store) == []


def test_a_large_file_whose_parts_are_cut_is_sent_again_or_never_appears(
    bucket: Make, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odpipeline.store.bucket._WHOLE", 1000)
    monkeypatch.setattr("odpipeline.store.bucket._CHUNK", 5 << 20)
    file = tmp_path / "large"
    file.write_bytes(os.urandom(11 << 20))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    backend, cuts = bucket(endpoint=proxy.endpoint), itertools.count()
    proxy.faults = lambda _method, path: "cut" if "partNumber=2" in path and next(cuts) == 0 else None
    backend.create("d/again", file, digest)
    assert hashlib.sha256(b"".join(backend.chunks("d/again") or ())).hexdigest() == digest
    proxy.faults = lambda _method, path: "cut" if "partNumber=2" in path else None
    with pytest.raises(StoreError, match="does not answer as it should"):
        backend.create("d/never", file, digest)
    proxy.faults = lambda _method, _path: None
    assert backend.read("d/never") is None
    assert backend.names("d") == ["again"]


def test_a_clock_that_is_wrong_is_named(bucket: Make, proxy: Proxy, tmp_path: Path) -> None:
    store = stored(tmp_path, bucket(endpoint=proxy.endpoint))
    proxy.faults = lambda _method, _path: "skewed"
    with pytest.raises(StoreError, match="does not let us in") as refused:
        store.ready()
    assert "the clock of this machine" in refused.value.mend


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("Generic S3 error: retries: 4, error sending request for http://127.0.0.1:40123, after 2.403s", "not answer"),
        ("Generic S3 error: Server returned non-2xx status code: 403 Forbidden: <Error>…</Error>", "not let us in"),
    ],
)
def test_digits_in_the_clients_words_are_no_status(bucket: Make, said: str, what: str) -> None:
    backend = bucket()
    with pytest.raises(StoreError, match=what), backend._worded("d/a"):
        raise OSError(said)


def test_a_server_that_stays_down_changes_nothing(bucket: Make, proxy: Proxy, tmp_path: Path) -> None:
    backend = bucket(endpoint=proxy.endpoint)
    store = stored(tmp_path, backend)
    published(store, tmp_path / "a")
    proxy.faults = lambda method, _path: "cut" if method == "PUT" else None
    staged = a_staged(tmp_path / "b", parkings(places=20))
    with pytest.raises(StoreError, match="the server does not answer as it should"):
        store.publish(staged, yes(staged))
    proxy.faults = lambda _method, _path: None
    assert whole(store).version == 1
    assert published(store, tmp_path / "c", parkings(places=20)).rows == 3
    assert sound(store) == []


def test_a_publisher_killed_at_any_request_leaves_the_old_or_the_new_release(
    bucket: Make, proxy: Proxy, tmp_path: Path
) -> None:
    seen: set[int] = set()
    contents = itertools.count(1)
    store = stored(tmp_path, bucket())
    published(store, tmp_path / "first", parkings(places=next(contents)))
    for instant in range(2, 60, 11):
        before = whole(store).version
        staged = a_staged(tmp_path / f"k{instant}", parkings(places=1000 + next(contents)))
        ended = killed_at(proxy, instant, bucket(endpoint=proxy.endpoint), staged, tmp_path)
        current = whole(store)
        assert current.version == before or current.content_hash == staged.content_hash
        seen.add(current.version - before)
        after = published(store, tmp_path / f"n{instant}", parkings(places=5000 + instant))
        assert whole(store).version == after.version
        assert [flaw for flaw in sound(store) if "never public" not in flaw] == []
        if ended == 0:
            break
    assert len(seen) == 2


DOOMED = """
import pickle, sys
from pathlib import Path
from odpipeline.store import Store
staged, verdict, backend, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
Store(folder, backend).publish(staged, verdict)
"""


def killed_at(proxy: Proxy, instant: int, backend: Bucket, staged: Staged, folder: Path) -> int:
    """The exit status of a publisher, a process of its own, whose request number `instant` is its last."""
    told = folder / "told.pickle"
    told.write_bytes(pickle.dumps((staged, yes(staged), backend, folder / "copies")))
    count, child = itertools.count(1), subprocess.Popen([sys.executable, "-c", DOOMED, told])

    def fault(_method: str, _path: str) -> str | None:
        if next(count) != instant:
            return None
        child.send_signal(signal.SIGKILL)
        return "cut"

    proxy.faults = fault
    ended = child.wait(60)
    proxy.faults = lambda _method, _path: None
    return ended


def test_of_two_publishers_at_once_one_wins_and_one_is_told(bucket: Make, tmp_path: Path) -> None:
    store = stored(tmp_path, bucket())
    published(store, tmp_path / "a")
    staged = [a_staged(tmp_path / f"s{n}", parkings(places=100 * n)) for n in (1, 2, 3)]
    outcomes: list[Any] = [None] * 3
    start = threading.Barrier(3)

    def publish(n: int) -> None:
        mine = stored(tmp_path, bucket())
        start.wait()
        try:
            outcomes[n] = mine.publish(staged[n], yes(staged[n]))
        except PublicationRace as race:
            outcomes[n] = race

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [one for one in outcomes if isinstance(one, Release)]
    assert winners
    assert all(isinstance(one, Release | PublicationRace) for one in outcomes)
    assert whole(store).version == max(one.version for one in winners)
    assert [flaw for flaw in sound(store) if "never public" not in flaw] == []


def test_old_versions_of_objects_go_as_well_where_the_bucket_keeps_them(s3: S3Server, bucket: Make) -> None:
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=s3.endpoint, region_name="fr-test", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    s3.bucket("versions").put("here", b"the first object makes the bucket")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    backend = bucket(bucket="versions")
    for content in (b"one", b"secretum", b"three"):
        backend.put("d/versions/1/f", content)
    backend.discard(["d/versions/1/f"])
    prefix = backend._at("d/versions/1")
    kept = client.list_object_versions(Bucket="versions", Prefix=prefix)
    assert len(kept.get("Versions", [])) == 3
    backend.purge("d/versions/1")
    left = client.list_object_versions(Bucket="versions", Prefix=prefix)
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])
    client.close()


def test_what_is_wrong_with_the_server_or_the_key_is_said(
    bucket: Make, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="there is no bucket inconnu"):
        bucket(bucket="inconnu").ready()
    with pytest.raises(StoreError, match="does not answer as it should"):
        bucket(endpoint="http://127.0.0.1:9").ready()
    monkeypatch.setenv("ODP_S3_SECRET", "un autre secret")
    with pytest.raises(StoreError, match="does not let us in"):
        bucket().ready()
    monkeypatch.delenv("ODP_S3_SECRET")
    with pytest.raises(SecretMissing, match="ODP_S3_SECRET"):
        bucket().ready()


def test_a_town_whose_store_is_a_bucket(s3: S3Server, bucket: Make, tmp_path: Path) -> None:
    prefix = bucket()._said.prefix
    root = write_town(tmp_path, "piscines")
    town_file = root / "town.yaml"
    said = f"""store:
  bucket: opendata
  endpoint: {s3.endpoint}
  prefix: {prefix}
  internal: true
  access_key: {{id: ODP_S3_ID, secret: ODP_S3_SECRET}}
"""
    town_file.write_text(town_file.read_text() + said)
    town = read_town(root)
    zones, dataset = flow.Zones.of(town), town.dataset("piscines")

    def run() -> Any:
        *_, last = flow.publication(dataset, town, zones)
        catalogue.build(zones.store, town)
        portal.build(zones.store, town, zones.journal)
        return last

    assert run().version == 1
    assert run().version == 1
    deliver(root, "piscines", rows=18)
    second = run()
    assert isinstance(second, Release)
    assert second.version == 2
    back = acts.Rollback.planned(dataset, zones, 1).done(town, zones, town.contact, "erreur")
    assert back.version == 3
    assert not (root / ".odp/public").exists()
    backend = zones.store.backend
    assert b"piscines" in (backend.read("catalogue.jsonld") or b"")
    assert verify(backend, "piscines", listed=backend).flaws == []
    proof = acts.Withdrawal.planned("piscines", zones, None, captures=False).done(
        town, zones, town.contact, "arrêté", None, captures=False
    )
    assert proof["still_there"] == []
    left = {"changelog.jsonl", "tombstone.json", "withdrawal-proof.json"}
    assert set(backend.names("datasets/piscines")) - {"versions"} == left  # an empty folder, where the server has such


def test_a_bucket_is_served_like_a_folder(bucket: Make, tmp_path: Path) -> None:
    store = stored(tmp_path, bucket())
    published(store, tmp_path / "a")
    with served(store) as address:
        first = requests.get(f"{address}/datasets/parkings/latest/parkings.csv", timeout=20)
        assert first.headers["Content-Location"] == "/datasets/parkings/versions/1/parkings.csv"
        published(store, tmp_path / "b", parkings(4, places=90))
        second = requests.get(f"{address}/datasets/parkings/latest/parkings.csv", timeout=20)
        assert len(second.text.splitlines()) == 5
        rows = requests.get(f"{address}/api/v1/parkings/records?select=count(*)%20AS%20n", timeout=20).json()["rows"]
        assert rows == [{"n": 4}]
        planned = acts.Withdrawal("parkings", None, tuple(store.versions("parkings")), 0)
        store.withdraw(planned._tombstone("arrêté", None))
        assert requests.get(f"{address}/datasets/parkings/latest/parkings.csv", timeout=20).status_code == 410


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"endpoint": "http://s3.ville.example"}, "internal: true"),
        ({"endpoint": "https://moi:secret@s3.ville.example"}, "the server's address alone"),
        ({"bucket": "Majuscule"}, "bucket"),
        ({"prefix": "../x"}, "prefix"),
    ],
)
def test_a_bucket_that_cannot_be_is_refused(tmp_path: Path, said: dict[str, str], why: str) -> None:
    root = write_town(tmp_path, "piscines")
    whole = {
        "bucket": "opendata",
        "endpoint": "https://s3.ville.example",
        "access_key": "{id: ODP_A, secret: ODP_B}",
    } | said
    lines = "\n".join(f"  {name}: {value}" for name, value in whole.items())
    (root / "town.yaml").write_text((root / "town.yaml").read_text() + f"store:\n{lines}\n")
    with pytest.raises(DeclarationErrors, match=why):
        read_town(root)
