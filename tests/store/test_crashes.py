"""Whatever dies at whatever instant, a reader sees all of the old release or all of the new one.

Publishers race and disks fill up here; `test_every_change.py` kills publishers at every change to a file.
"""

import hashlib
import json
import os
import resource
import subprocess
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import SimpleQueue

import pytest

from odpipeline.errors import PublicationRace, StoreError
from odpipeline.store import Release, Staged, Store, assembling, stage
from odpipeline.store.local import LocalFolder
from tests.killing import FORK, in_child
from tests.store.making import DUCK, a_dataset, a_staged, a_town, facts, parkings, published, rows, yes


def whole(store: Store, at: Path | None = None) -> Release:
    """The current release, every byte of it compared with its manifest."""
    release = store.current("parkings")
    assert release is not None
    for file in release.files:
        content = ((at or release.folder) / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
    return release


def latest_is_whole(store: Store) -> int:
    """The version that `latest` shows, which is whole as well."""
    latest = store.root / "datasets/parkings/latest"
    manifest = json.loads((latest / "release.json").read_text())
    for file in manifest["files"]:
        assert hashlib.sha256((latest / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    return int(manifest["version"])


def logged(store: Store) -> list[int]:
    text = (store.root / "datasets/parkings/changelog.jsonl").read_text()
    return [json.loads(line)["version"] for line in text.splitlines()]


def test_a_reader_never_sees_a_mixture_while_versions_come(tmp_path):
    store = Store(tmp_path / "public")
    contents = [a_staged(tmp_path / str(n), parkings(places=n)) for n in range(25)]
    store.publish(contents[0], yes(contents[0]))

    def publish_all() -> None:
        for staged in contents[1:]:
            store.publish(staged, yes(staged))

    writer = FORK.Process(target=publish_all)
    writer.start()
    seen = {whole(store).version}
    while writer.is_alive():
        seen.add(whole(store).version)
        latest_is_opened_once(store)
    writer.join()
    assert writer.exitcode == 0
    assert whole(store).version == 25
    assert len(seen) > 1


def latest_is_opened_once(store: Store) -> None:
    """A single file by its stable address is whole: it is that of some version."""
    content = (store.root / "datasets/parkings/latest/parkings.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in {
        file.sha256 for release in store.versions("parkings") for file in release.files
    } | {file.sha256 for file in whole(store).files}


def test_of_two_publishers_one_wins_and_the_other_is_told(tmp_path):
    store = Store(tmp_path / "public")
    base = published(store, tmp_path / "base")
    contents = [a_staged(tmp_path / str(n), parkings(places=50 + n)) for n in range(2)]
    barrier, told = FORK.Barrier(2), FORK.SimpleQueue()
    writers = [FORK.Process(target=compete, args=(store, s, base, barrier, told)) for s in contents]
    for writer in writers:
        writer.start()
    outcomes = sorted((told.get() for _ in writers), key=len)
    for writer in writers:
        writer.join()
    assert outcomes[0] == "won"
    assert "nothing was published by this run; run again" in outcomes[1]
    assert whole(store).previous == 1
    assert latest_is_whole(store) == whole(store).version
    assert logged(store) == [1, whole(store).version]


def compete(store: Store, staged: Staged, base: Release, barrier: Barrier, told: "SimpleQueue[str]") -> None:
    barrier.wait()
    try:
        store.publish(staged, yes(staged), over=base)
        told.put("won")
    except PublicationRace as error:
        told.put(str(error))


class Overtaken(LocalFolder):
    """A backend on which someone else publishes just before the pointer is swapped."""

    def __init__(self, root: Path, other: Callable[[], object]) -> None:
        super().__init__(root)
        self._other = other

    def swap(self, key: str, content: bytes, expected: bytes | None) -> None:
        self._other()
        super().swap(key, content, expected)


def test_who_is_overtaken_before_the_swap_is_told_and_leaves_nothing(tmp_path):
    store = Store(tmp_path / "public")
    published(store, tmp_path / "base")
    mine, theirs = (a_staged(tmp_path / name, parkings(places=n)) for n, name in ((50, "mine"), (60, "theirs")))
    overtaken = Store(store.root, Overtaken(store.root, lambda: store.publish(theirs, yes(theirs))))
    with pytest.raises(PublicationRace) as caught:
        overtaken.publish(mine, yes(mine))
    assert str(caught.value) == (
        "parkings: someone published version 3 meanwhile; nothing was published by this run; "
        "run again: what is published now is then compared with what the source delivers"
    )
    assert whole(store).content_hash == theirs.content_hash
    assert list((store.root / "datasets/parkings/versions/2").iterdir()) == []
    assert [release.version for release in store.versions("parkings")] == [3, 1]


class Crowded(LocalFolder):
    """A backend on which someone else takes the same number first."""

    def create(self, key: str, content: Path | bytes, sha256: str, like: str | None = None) -> None:
        if key.endswith("versions/2/datapackage.json"):
            super().create(key, b"theirs", hashlib.sha256(b"theirs").hexdigest())
        super().create(key, content, sha256, like)


def test_who_finds_the_number_taken_is_told_and_touches_nothing(tmp_path):
    store = Store(tmp_path / "public")
    published(store, tmp_path / "base")
    staged = a_staged(tmp_path / "mine", parkings(places=50))
    with pytest.raises(PublicationRace, match="someone is publishing version 2 at this moment"):
        Store(store.root, Crowded(store.root)).publish(staged, yes(staged))
    assert (store.root / "datasets/parkings/versions/2/datapackage.json").read_bytes() == b"theirs"


BIG = "SELECT i AS id, md5(i::VARCHAR) AS nom, i AS places, TIMESTAMP '2026-01-01' AS releve_le FROM range(60000) t(i)"


def disk_is_full(store: Store, folder: Path, publish: Callable[[Staged], str]) -> None:
    before = published(store, folder / "small")
    kept = {path: path.read_bytes() for path in before.folder.iterdir()}
    file, told = publish(a_staged(folder / "big", BIG)).split(": ", 1)
    # two at a time want the last of the room: whichever gets none says so
    assert file.removeprefix("datasets/parkings/versions/2/") in ("parkings.csv", "parkings.parquet")
    assert told == (
        "the store's disk is full; nothing was published, version 1 is still served; free at least 6 MB on it, then "
        "run again"
    )
    assert whole(store) == before
    assert {path: path.read_bytes() for path in before.folder.iterdir()} == kept
    assert list((store.root / "datasets/parkings/versions/2").iterdir()) == []
    after = published(store, folder / "other", parkings(places=50))
    assert (after.version, whole(store).version) == (3, 3)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs; the limit on file sizes is tested instead")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def refused(store: Store, staged: Staged) -> str:
    with pytest.raises(StoreError) as caught:
        store.publish(staged, yes(staged))
    return str(caught.value)


@pytest.mark.parametrize("long_from", [assembling.LONG_BYTES, 0])
def test_a_full_disk_publishes_nothing(tmp_path, tiny_disk, long_from, monkeypatch):
    monkeypatch.setattr(assembling, "LONG_BYTES", long_from)  # from there on, two files are written at a time
    store = Store(tiny_disk / "public")
    disk_is_full(store, tmp_path, lambda staged: refused(store, staged))


@pytest.mark.parametrize("count", [42_000, 60_000, 220_000])
def test_a_release_for_which_there_is_no_room_is_not_staged(tmp_path, tiny_disk, count):
    """The disk is full at the compressed CSV, at the CSV, and already at the Parquet."""
    dataset = a_dataset(formats={"gzip": True})
    parquet = rows(tmp_path, parkings(count).replace("'Parking ' || i", "md5(CAST(i AS VARCHAR))"), dataset)
    with pytest.raises(StoreError, match="there is no room to stage the release; free some space"):
        stage(parquet, dataset, a_town(tmp_path), tiny_disk, DUCK, facts=facts())


def test_a_limit_on_file_sizes_counts_as_a_full_disk(tmp_path):
    store = Store(tmp_path / "public")
    told = FORK.SimpleQueue()

    def under_a_limit(staged: Staged) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_500_000, 3_500_000))
        told.put(refused(store, staged))

    def publish(staged: Staged) -> str:
        assert in_child(lambda: under_a_limit(staged)) == 0
        return str(told.get())

    disk_is_full(store, tmp_path, publish)
