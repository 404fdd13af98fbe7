"""Acts and publications at the same time: each is done whole or told that it was not, and the store stays sound."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from odpipeline import acts
from odpipeline.declaration.keeping import Keep
from odpipeline.errors import OdpError, PublicationRace, StoreError
from odpipeline.store import Release, Store, retention
from odpipeline.store.verifying import verify
from odpipeline.verdict import Verdict
from tests.store.making import a_staged, parkings, published, yes
from tests.test_acts import Town, erase

CLEAR = ("another run of this dataset is under way", "someone published version", "someone is publishing version")


def at_once(*works: Callable[[], object]) -> tuple[list[object], list[OdpError]]:
    """What became of `works`, which start together: the results, and what losers were told."""
    barrier, done, told = threading.Barrier(len(works)), list[object](), list[OdpError]()

    def start(work: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            done.append(work())
        except OdpError as error:
            told.append(error)

    threads = [threading.Thread(target=start, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) + len(told) == len(works)  # nothing but results and errors of ours
    assert all(any(words in str(error) for words in CLEAR) for error in told), told
    return done, told


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.deliver("un", "secretum", "tertium")
    made.deliver("un", "secretum", "tertium", "quatre")
    return made


def test_of_two_rollbacks_at_once_one_is_done(town: Town) -> None:
    planned = [acts.Rollback.planned(town.dataset, town.zones, 1) for _ in range(2)]
    done, told = at_once(*(partial(one.done, town.town, town.zones, town.who, "erreur") for one in planned))
    assert (len(done), len(told)) == (1, 1)
    assert [release.version for release in town.zones.store.versions("aides")] == [3, 2, 1]
    assert len(town.zones.journal.acts("aides", "rollback")) == 1
    assert town.flaws == []


def test_of_two_erasures_at_once_the_loser_runs_again_and_both_are_done(town: Town) -> None:
    planned = [acts.Erasure.planned(town.dataset, town.zones, {"nom": name}) for name in ("secretum", "tertium")]
    works = [partial(one.done, town.town, town.zones, town.who, "demande") for one in planned]
    done, told = at_once(*works)
    assert (len(done), len(told)) == (1, 1)
    assert town.flaws == []
    with pytest.raises(PublicationRace, match="version 3 since this was planned; nothing was done"):
        works[0]()
    with pytest.raises(PublicationRace, match="version 3 since this was planned; nothing was done"):
        works[1]()  # the plan of neither counts any more
    for name in ("secretum", "tertium"):
        erase(town, nom=name)
        assert town.holding(name.encode()) == []
    assert town.flaws == []
    assert {release.rows for release in town.zones.store.versions("aides")} == {1, 2}


def test_a_rollback_against_a_run(town: Town) -> None:
    planned = acts.Rollback.planned(town.dataset, town.zones, 1)
    done, told = at_once(
        lambda: planned.done(town.town, town.zones, town.who, "erreur"),
        lambda: town.deliver("un", "deux", "trois", "4"),
    )
    assert done
    assert [one for one in done if not isinstance(one, Release | Verdict)] == []
    assert len(done) + len(told) == 2
    numbers = [release.version for release in town.zones.store.versions("aides")]
    assert numbers == list(range(2 + sum(isinstance(one, Release) for one in done), 0, -1))
    assert town.flaws == []


@pytest.mark.parametrize("names", [("un", "secretum", "cinq"), ("un", "six")])
def test_what_was_published_after_the_plan_is_not_left_out(town: Town, names: tuple[str, ...]) -> None:
    erasure = acts.Erasure.planned(town.dataset, town.zones, {"nom": "secretum"})
    withdrawal = acts.Withdrawal.planned("aides", town.zones, None, captures=False)
    assert isinstance(town.deliver(*names), Release)
    for done in (
        lambda: erasure.done(town.town, town.zones, town.who, "demande"),
        lambda: withdrawal.done(town.town, town.zones, town.who, "décision", None, captures=False),
    ):
        with pytest.raises(PublicationRace, match="someone published version 3 since this was planned; nothing was"):
            done()
    assert town.zones.journal.acts("aides") == []
    assert town.zones.erasures.of("aides") == []
    erase(town, nom="secretum")
    assert town.holding(b"secretum") == []
    assert town.flaws == []


# --- publishers of other machines, which only the store keeps apart -------------------------------------------------


def test_rollbacks_and_publications_of_several_machines_at_once(store: Store, tmp_path: Path) -> None:
    first = published(store, tmp_path / "first")
    base = published(store, tmp_path / "base", parkings(places=20))
    staged = [a_staged(tmp_path / f"new{n}", parkings(places=30 + n)) for n in range(2)]
    done, told = at_once(
        *(lambda: Store(store.root).republish(first, first.folder, base, "rollback", {}) for _ in range(2)),
        *(lambda one=one: Store(store.root).publish(one, yes(one), over=base) for one in staged),
    )
    assert (len(done), len(told)) == (1, 3)
    assert all(isinstance(error, PublicationRace) for error in told)
    current = store.current("parkings")
    assert current is not None
    assert (current.previous, [current.version]) == (2, [one.version for one in done if isinstance(one, Release)])
    assert [flaw for flaw in verify(store.backend, "parkings", listed=store.backend).flaws if flaw.grave] == []


def test_versions_go_while_others_come(store: Store, tmp_path: Path) -> None:
    staged = [a_staged(tmp_path / f"s{n}", parkings(places=n)) for n in range(3)]
    over = threading.Event()

    def publish() -> Release | None:
        try:
            for n in range(15):
                last = store.publish(staged[n % 3], yes(staged[n % 3]))
        finally:
            over.set()
        return last

    def collect() -> None:
        while not over.is_set():
            now = datetime.now(UTC)
            for release in retention.surplus(store.backend, "parkings", Keep(last=1), now, UTC):
                retention.remove(store.backend, release, now, None)
            assert retention.orphans(store.backend, "parkings", now) == []

    done, told = at_once(publish, collect, collect)
    assert (len(done), told) == (3, [])
    for release in retention.surplus(store.backend, "parkings", Keep(last=1), datetime.now(UTC), UTC):
        retention.remove(store.backend, release, datetime.now(UTC), None)
    assert [release.version for release in store.versions("parkings")] == [15]
    assert verify(store.backend, "parkings", listed=store.backend).flaws == []


# --- readers ---------------------------------------------------------------------------------------------------------


def mixed(store: Store, release: Release) -> list[str]:
    """The files of `release` that are not what its manifest says, though it is still the current one as it was read."""
    wrong = []
    for file in release.files:
        content = store.backend.read(f"datasets/aides/versions/{release.version}/{file.name}")
        if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
            wrong.append(file.name)
    return wrong if wrong and store.current("aides") == release else []


def polled(store: Store, work: Callable[[], object]) -> tuple[set[int | None], list[str]]:
    """What a reader sees who looks again and again while `work` is done: versions (None: withdrawn), and mixtures."""
    seen, wrong, over = set[int | None](), list[str](), threading.Event()

    def read() -> None:
        while True:
            last = over.is_set()
            try:
                release = store.current("aides")
                if release is None and store.tombstone("aides") is None:
                    wrong.append("nothing at all")
                seen.add(release.version if release else None)
                wrong.extend(mixed(store, release) if release else [])
            except StoreError as error:
                with suppress(StoreError):
                    if store.tombstone("aides") is None:
                        wrong.append(str(error))
            if last:
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        work()
    finally:
        over.set()
        reader.join(60)
    return seen, wrong


def test_who_reads_during_an_erasure_sees_one_whole_version_or_the_next(town: Town) -> None:
    seen, wrong = polled(town.zones.store, lambda: erase(town, nom="secretum"))
    assert (wrong, seen - {2}) == ([], {3})
    assert town.flaws == []


def test_who_reads_while_a_row_of_the_past_is_erased_sees_the_same_rows_whole(town: Town) -> None:
    town.deliver("un", "deux", "trois", "quatre")
    seen, wrong = polled(town.zones.store, lambda: erase(town, nom="secretum"))
    assert (wrong, seen) == ([], {3})
    assert town.holding(b"secretum") == []
    assert town.flaws == []


def test_who_reads_during_a_withdrawal_sees_the_whole_version_or_the_tombstone(town: Town) -> None:
    seen, wrong = polled(town.zones.store, town.withdraw)
    assert (wrong, seen - {2}) == ([], {None})
    assert town.flaws == []


def test_who_reads_while_one_version_is_withdrawn_sees_the_current_one_whole(town: Town) -> None:
    seen, wrong = polled(town.zones.store, lambda: town.withdraw(1))
    assert (wrong, seen) == ([], {2})
    assert town.flaws == []
