"""Killed before any change to any file, whatever is done to what is public leaves it whole, and can be done again.

Each walk kills its work (SIGKILL) before every single write, rename, link and removal; the acts that take long, which
also write in the private zone, at some of them only (all with ODP_EVERY_CHANGE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from odpipeline import acts
from odpipeline.declaration.keeping import Keep
from odpipeline.errors import StoreError
from odpipeline.store import Release, Staged, Store, assembling, retention, rewriting, signing, withdrawing
from odpipeline.store.signing import Signer
from odpipeline.store.verifying import verify
from tests.killing import walked
from tests.store.making import DUCK, a_dataset, a_staged, parkings, yes
from tests.test_acts import Town, erase

AT_LEAST = {
    "first publication": 90, "publication": 85, "confirmation": 10, "collection": 50, "remade": 5, "republication": 70,
    "rewriting": 100, "rollback": 5, "withdrawal": 50, "withdrawal of one": 19, "readmission": 3, "erasure": 15,
}  # fmt: skip
"""How often each walk kills, at the least; if a step of the store is given up, its number is lowered by hand."""


def test_there_are_at_least_five_hundred_points_at_which_something_is_killed() -> None:
    assert sum(AT_LEAST.values()) >= 500


def assert_whole(release: Release | None) -> Release:
    """The release, every byte of it compared with its manifest."""
    assert release is not None
    for file in release.files:
        assert hashlib.sha256((release.folder / file.name).read_bytes()).hexdigest() == file.sha256
    return release


def assert_nothing_grave(store: Store, dataset: str = "parkings") -> None:
    assert [flaw for flaw in verify(store.backend, dataset, listed=store.backend).flaws if flaw.grave] == []


# --- the store by itself ---------------------------------------------------------------------------------------------


def store_at(folder: Path) -> Store:
    return Store(folder / "public", signer=Signer("ODP_SIGNATURE"))


def publish(staged: Staged, folder: Path) -> Release:
    return store_at(folder).publish(staged, yes(staged))


@pytest.fixture(autouse=True)
def _nobody_else_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was killed is dead at once, and not waited for."""
    monkeypatch.setattr("odpipeline.store.local._STILL", 0)


@pytest.fixture
def contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Staged]:
    """Four releases of one dataset in several formats, which a signing town publishes."""
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    dataset = a_dataset(formats={"xlsx": True, "gzip": True, "partition_by": "places"})
    return [a_staged(tmp_path / f"s{n}", parkings(places=n), dataset=dataset) for n in range(4)]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "prepared"
    folder.mkdir()
    return folder


def test_a_first_publication(contents: list[Staged], prepared: Path) -> None:
    def check(folder: Path) -> None:
        store = store_at(folder)
        if store.current("parkings") is not None:
            assert_whole(store.current("parkings"))
            assert_nothing_grave(store)
        assert assert_whole(publish(contents[0], folder)).previous is None
        assert_nothing_grave(store)

    assert walked(prepared, partial(publish, contents[0]), check) >= AT_LEAST["first publication"]


@pytest.mark.parametrize("long_from", [assembling.LONG_BYTES, 0])
def test_a_publication(contents: list[Staged], prepared: Path, long_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembling, "LONG_BYTES", long_from)  # from there on, two files are written at a time
    publish(contents[0], prepared)
    seen = set()

    def check(folder: Path) -> None:
        seen.add(assert_whole(store_at(folder).current("parkings")).content_hash)
        assert_nothing_grave(store_at(folder))
        after = publish(contents[1], folder)
        assert (after.previous, assert_whole(after).content_hash) == (1, contents[1].content_hash)
        assert_nothing_grave(store_at(folder))

    assert walked(prepared, partial(publish, contents[1]), check) >= AT_LEAST["publication"]
    assert seen == {contents[0].content_hash, contents[1].content_hash}


def test_a_confirmation_that_mends_what_a_dead_publisher_left(contents: list[Staged], prepared: Path) -> None:
    publish(contents[0], prepared)
    publish(contents[1], prepared)
    home = prepared / "public/datasets/parkings"
    (home / "latest").unlink()
    (home / "latest").symlink_to("versions/1")
    log = home / "changelog.jsonl"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])

    def check(folder: Path) -> None:
        assert assert_whole(store_at(folder).current("parkings")).version == 2
        assert_nothing_grave(store_at(folder))
        assert publish(contents[1], folder).version == 2
        assert verify(store_at(folder).backend, "parkings", listed=store_at(folder).backend).flaws == []

    assert walked(prepared, partial(publish, contents[1]), check) >= AT_LEAST["confirmation"]


def collect(folder: Path) -> None:
    backend, now = store_at(folder).backend, datetime.now(UTC)
    for release in retention.surplus(backend, "parkings", Keep(last=2), now, ZoneInfo("Europe/Paris")):
        retention.remove(backend, release, now, None)
    for grave in retention.unfinished(backend, "parkings"):
        withdrawing.finish(backend, grave, None)


def test_a_collection(contents: list[Staged], prepared: Path) -> None:
    for staged in contents:
        publish(staged, prepared)

    def check(folder: Path) -> None:
        store = store_at(folder)
        assert assert_whole(store.current("parkings")).version == 4
        collect(folder)
        assert [assert_whole(release).version for release in store.versions("parkings")] == [4, 3]
        assert verify(store.backend, "parkings", listed=store.backend).flaws == []

    assert walked(prepared, collect, check) >= AT_LEAST["collection"]


def test_remaking_the_changelog_and_latest(contents: list[Staged], prepared: Path) -> None:
    publish(contents[0], prepared)
    publish(contents[1], prepared)

    log = prepared / "public/datasets/parkings/changelog.jsonl"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])

    def check(folder: Path) -> None:
        assert assert_whole(store_at(folder).current("parkings")).version == 2
        assert_nothing_grave(store_at(folder))
        store_at(folder).remade("parkings")
        assert verify(store_at(folder).backend, "parkings", listed=store_at(folder).backend).flaws == []

    assert walked(prepared, lambda folder: store_at(folder).remade("parkings"), check) >= AT_LEAST["remade"]


def test_a_republication(contents: list[Staged], prepared: Path) -> None:
    old, over = publish(contents[0], prepared), publish(contents[1], prepared)

    def republish(folder: Path) -> None:
        store_at(folder).republish(old, old.folder, over, "rollback", {})

    seen = set()

    def check(folder: Path) -> None:
        store = store_at(folder)
        seen.add(assert_whole(store.current("parkings")).content_hash)
        assert_nothing_grave(store)
        if assert_whole(store.current("parkings")).version == over.version:
            republish(folder)
        store.follow("parkings")
        assert assert_whole(store.current("parkings")).content_hash == old.content_hash
        assert_nothing_grave(store)

    assert walked(prepared, republish, check) >= AT_LEAST["republication"]
    assert seen == {old.content_hash, over.content_hash}


def test_rewriting_two_versions(contents: list[Staged], prepared: Path, tmp_path: Path) -> None:
    dataset, gone = a_dataset(), [{"id": "2"}]
    releases = [publish(staged, prepared) for staged in contents[:2]]
    first, second = (
        rewriting.without(one, one.folder, gone, dataset, tmp_path / f"without-{one.version}", DUCK) for one in releases
    )

    def erased(folder: Path) -> None:
        store = store_at(folder)
        if assert_whole(store.current("parkings")).version == 2:
            store.correct(second, "rows erased")
        store.follow("parkings")
        store.rewrite(first, "demande")
        store.rewrite(second, "demande")

    def check(folder: Path) -> None:
        store = store_at(folder)
        assert assert_whole(store.current("parkings")).rows in (2, 3)
        erased(folder)
        assert [assert_whole(release).rows for release in store.versions("parkings")] == [2, 2, 2]
        assert_nothing_grave(store)

    assert walked(prepared, erased, check) >= AT_LEAST["rewriting"]


# --- acts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Two versions; the first one holds a row that the second one shows as removed."""
    made = Town(tmp_path / "town")
    made.deliver("un", "secretum", "trois")
    made.deliver("un", "deux", "trois")
    return made


def act(done: Callable[[Town], object]) -> Callable[[Path], object]:
    return lambda folder: done(Town(folder))


def test_a_rollback(town: Town) -> None:
    seen = set()

    def check(folder: Path) -> None:
        after = Town(folder)
        seen.add(assert_whole(after.zones.store.current("aides")).version)
        assert_nothing_grave(after.zones.store, "aides")

    assert walked(town.root, act(lambda one: one.roll_back(1)), check, every=9) >= AT_LEAST["rollback"]
    assert seen == {2, 3}


def test_a_withdrawal(town: Town) -> None:
    def check(folder: Path) -> None:
        after = Town(folder)
        store = after.zones.store
        if store.tombstone("aides") is None:
            assert_whole(store.current("aides"))
        else:
            assert store.current("aides") is None
            with pytest.raises(StoreError, match="was withdrawn"):
                store.standing("aides")
            assert after.holding(b"secretum") == []
        after.withdraw(captures=True)
        assert after.flaws == []
        assert after.holding(b"secretum", ".odp") == []

    done = act(lambda one: one.withdraw(captures=True))
    assert walked(town.root, done, check) >= AT_LEAST["withdrawal"]


def test_a_withdrawal_of_one_version(town: Town) -> None:
    def check(folder: Path) -> None:
        after = Town(folder)
        assert assert_whole(after.zones.store.current("aides")).version == 2
        after.withdraw(1)
        assert after.holding(b"secretum") == []
        assert after.flaws == []

    done = act(lambda one: one.withdraw(1))
    assert walked(town.root, done, check, every=2) >= AT_LEAST["withdrawal of one"]


def test_a_readmission(town: Town) -> None:
    town.withdraw()

    def readmit(one: Town) -> None:
        acts.Readmission.planned("aides", one.zones).done(one.town, one.zones, one.who, "arrêté")

    def check(folder: Path) -> None:
        after = Town(folder)
        assert after.flaws in ([], ["datasets/aides: nothing of it was ever published"])
        if after.zones.store.tombstone("aides") is not None:
            readmit(after)
        assert after.zones.store.current("aides") is None

    assert walked(town.root, act(readmit), check) >= AT_LEAST["readmission"]


def test_an_erasure(town: Town) -> None:
    town.deliver("un", "secretum", "trois")  # the third version holds the row again, as the first one does

    def done(one: Town) -> int:
        return erase(one, nom="secretum")

    def check(folder: Path) -> None:
        after = Town(folder)
        assert_whole(after.zones.store.current("aides"))
        done(after)
        assert after.holding(b"secretum") == []
        assert after.flaws == []

    assert walked(town.root, act(done), check, every=9) >= AT_LEAST["erasure"]
