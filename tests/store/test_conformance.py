"""What every backend promises; a new one adds its factory here."""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odpipeline.errors import StoreError
from odpipeline.store.backend import AlreadyThere, Altered, Backend, Changed
from odpipeline.store.local import LocalFolder

FACTORIES: dict[str, Callable[[pytest.FixtureRequest, Path], Backend]] = {
    "local": lambda _, folder: LocalFolder(folder / "store"),
    "bucket": lambda request, _: request.getfixturevalue("bucket")(),
}


@pytest.fixture(params=FACTORIES)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return FACTORIES[request.param](request, tmp_path)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def raced(work: Callable[[int], object], writers: int = 8) -> list[object]:
    """What each of several writers, started together, got: a result or an error."""
    outcomes: list[object] = [None] * writers
    start = threading.Barrier(writers)

    def write(n: int) -> None:
        start.wait()
        try:
            outcomes[n] = work(n)
        except StoreError as error:
            outcomes[n] = error

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_what_does_not_exist_reads_as_none(backend):
    assert backend.read("a/b") is None
    assert backend.names("a") == []
    assert backend.aliased("a/latest") is None


def test_created_bytes_are_read_back(backend, tmp_path):
    backend.create("a/memory", b"one", sha256(b"one"))
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    backend.create("a/file", tmp_path / "file", sha256(b"x" * 3_000_000))
    assert backend.read("a/memory") == b"one"
    assert backend.read("a/file") == b"x" * 3_000_000
    assert backend.names("a") == ["file", "memory"]


def test_a_key_is_created_once(backend):
    backend.create("a/b", b"one", sha256(b"one"))
    with pytest.raises(AlreadyThere):
        backend.create("a/b", b"two", sha256(b"two"))
    assert backend.read("a/b") == b"one"


def test_bytes_with_another_hash_never_appear(backend):
    with pytest.raises(Altered):
        backend.create("a/b", b"two", sha256(b"one"))
    assert backend.read("a/b") is None
    assert backend.names("a") == []


def test_of_several_creators_one_wins(backend):
    outcomes = raced(lambda n: backend.create("a/b", b"%d" % n, sha256(b"%d" % n)))
    winners = [n for n, outcome in enumerate(outcomes) if outcome is None]
    assert len(winners) == 1
    assert backend.read("a/b") == b"%d" % winners[0]
    assert sum(isinstance(outcome, AlreadyThere) for outcome in outcomes) == 7


def test_swap_needs_what_was_read(backend):
    backend.swap("a/p", b"1", None)
    with pytest.raises(Changed):
        backend.swap("a/p", b"2", None)
    with pytest.raises(Changed):
        backend.swap("a/p", b"2", b"0")
    backend.swap("a/p", b"2", b"1")
    assert backend.read("a/p") == b"2"


def test_no_swap_is_lost_in_a_race(backend):
    backend.swap("a/counter", b"0", None)

    def count(_: int) -> int:
        wins = 0
        while wins < 20:
            seen = backend.read("a/counter")
            assert seen is not None
            try:
                backend.swap("a/counter", b"%d" % (int(seen) + 1), seen)
            except Changed:
                continue
            wins += 1
        return wins

    assert raced(count, writers=4) == [20] * 4
    assert backend.read("a/counter") == b"80"


def test_put_replaces_the_whole(backend):
    backend.put("page.html", b"a long first text")
    backend.put("page.html", b"short")
    assert backend.read("page.html") == b"short"


def test_an_alias_follows(backend):
    for n in (b"1", b"2"):
        backend.create(f"d/versions/{n.decode()}/f", n, sha256(n))
    backend.alias("d/latest", "d/versions/1")
    assert backend.aliased("d/latest") == "d/versions/1"
    assert backend.read("d/latest/f") == b"1"
    backend.alias("d/latest", "d/versions/2")
    assert backend.read("d/latest/f") == b"2"


def test_a_discarded_object_is_gone_and_its_folder_stays(backend):
    backend.create("d/versions/1/f", b"1", sha256(b"1"))
    backend.discard(["d/versions/1/f", "d/versions/1/never"])
    assert backend.read("d/versions/1/f") is None
    assert backend.names("d/versions") == ["1"]


def begun(backend: Backend) -> int:
    """How many files are on their way below `a`."""
    if isinstance(backend, LocalFolder):
        return len(list(backend.place("a").rglob(".tmp-*")))
    with backend._of_versions("a") as client:
        listed = client.list_multipart_uploads(Bucket=backend._said.bucket, Prefix=backend._at("a"))
    return len(listed.get("Uploads", ()))


def test_what_dead_writers_left_goes_and_nothing_else(backend, monkeypatch):
    monkeypatch.setattr("odpipeline.store.local._STILL", 0.1)
    backend.put("a/versions/1/file", b"one")
    if isinstance(backend, LocalFolder):
        backend.place("a/versions/1/.tmp-00ff").write_bytes(b"part")
    else:
        with backend._of_versions("a") as client:
            client.create_multipart_upload(Bucket=backend._said.bucket, Key=backend._at("a/versions/1/large"))
    backend.forget_dead("a", datetime.now(UTC) - timedelta(days=1))
    assert begun(backend) == 1
    backend.forget_dead("a")
    assert begun(backend) == 0
    assert backend.read("a/versions/1/file") == b"one"


@pytest.mark.parametrize("key", ["/etc/passwd", "a/../../b", "..", ""])
def test_a_key_never_leaves_the_store(backend, key):
    with pytest.raises(StoreError, match="a key stays below the store's folder"):
        backend.read(key)


def test_nothing_temporary_is_left_and_created_files_are_read_only(tmp_path):
    backend = LocalFolder(tmp_path)
    backend.create("a/b", b"one", sha256(b"one"))
    with pytest.raises(AlreadyThere):
        backend.create("a/b", b"one", sha256(b"one"))
    backend.put("a/c", b"one")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b", "c"]
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o444


def test_bytes_are_not_shared_with_a_file_that_holds_others(tmp_path):
    folder = LocalFolder(tmp_path)
    folder.create("1/part", b"rows", sha256(b"rows"))
    (tmp_path / "1/part").chmod(0o644)
    (tmp_path / "1/part").write_bytes(b"rots")
    folder.create("2/part", b"rows", sha256(b"rows"), "1/part")
    assert folder.read("2/part") == b"rows"
    folder.create("3/part", b"rows", sha256(b"rows"), "2/part")
    assert (tmp_path / "3/part").samefile(tmp_path / "2/part")


def test_a_refusal_of_the_system_names_the_key_and_the_remedy(tmp_path):
    (tmp_path / "a").write_text("a file where a folder should be")
    with pytest.raises(StoreError) as caught:
        LocalFolder(tmp_path).put("a/b", b"one")
    assert str(caught.value).startswith("a/b: it cannot be written (")
    assert str(caught.value).endswith("look at the store's disk, and at the owner and rights of its folders")


def test_who_is_writing_is_waited_for_and_who_died_just_now_too(tmp_path, monkeypatch):
    monkeypatch.setattr("odpipeline.store.local._STILL", 0.3)
    backend = LocalFolder(tmp_path / "store")
    backend.put("a/file", b"one")
    left = tmp_path / "store/a/.tmp-00ff"
    left.write_bytes(b"a writer that was killed in this instant")
    backend.forget_dead("a")
    assert not left.exists()
    left.write_bytes(b"a writer that is done in a moment")
    done = threading.Timer(0.1, left.rename, [tmp_path / "store/a/other"])
    done.start()
    backend.forget_dead("a")
    done.join()
    assert backend.names("a") == ["file", "other"]


def test_nothing_is_taken_from_a_writer_that_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("odpipeline.store.local._PATIENCE", 0.2)
    backend = LocalFolder(tmp_path / "store")
    backend.put("a/file", b"one")
    left = tmp_path / "store/a/.tmp-00ff"
    left.write_bytes(b"at work")
    with pytest.raises(StoreError):
        backend.forget_dead("a")
    assert left.exists()
