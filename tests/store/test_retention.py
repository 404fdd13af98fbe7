"""Versions that are not kept go and leave a tombstone; the current one and what a reader is led to never do."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.declaration.keeping import Keep
from odpipeline.store import Store, layout, retention, withdrawing
from odpipeline.store.verifying import verify
from tests.store.making import parkings, published

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def versions(*ages: timedelta) -> Any:
    """Made-up releases, the newest first, each published so long ago."""
    ordered = sorted(ages)
    return [SimpleNamespace(version=len(ages) - n, published_at=NOW - age) for n, age in enumerate(ordered)]


def days(*ages: float) -> Any:
    return versions(*(timedelta(days=age) for age in ages))


def test_nothing_goes_unless_it_is_declared() -> None:
    assert retention.kept(days(0, 1, 9000), Keep(), NOW, PARIS) == {1, 2, 3}


def test_the_newest_stay() -> None:
    assert retention.kept(days(0, 1, 2, 3), Keep(last=2), NOW, PARIS) == {4, 3}


def test_the_last_of_each_day_and_month_stay_over_their_time() -> None:
    keep = Keep.model_validate({"daily": "3 days", "monthly": "1 years"})
    found = days(0, 0.1, 1, 1.1, 5, 40, 41, 500)  # 8 … 1
    assert retention.kept(found, keep, NOW, PARIS) == {8, 6, 3}


def test_a_day_is_that_of_the_town() -> None:
    late = [
        NOW.replace(hour=22, minute=30, day=24),
        NOW.replace(hour=23, minute=30, day=24),
    ]  # 23:30 and 00:30 in Paris
    found = versions(*(NOW - at for at in late))
    assert retention.kept(found, Keep.model_validate({"daily": "9 days"}), NOW, PARIS) == {1, 2}
    assert retention.kept(found, Keep.model_validate({"daily": "9 days"}), NOW, ZoneInfo("UTC")) == {2}


@given(
    ages=st.lists(st.integers(0, 40_000), min_size=1, max_size=40),
    last=st.none() | st.integers(1, 10),
    daily=st.none() | st.integers(1, 60),
    monthly=st.none() | st.integers(61, 4000),
)
def test_the_current_version_always_stays_and_more_time_keeps_more(
    ages: list[int], last: int | None, daily: int | None, monthly: int | None
) -> None:
    found = versions(*(timedelta(hours=age) for age in ages))
    spans = {"daily": daily and f"{daily} days", "monthly": monthly and f"{monthly} days"}
    keep = Keep.model_validate({"last": last} | spans)
    stays = retention.kept(found, keep, NOW, PARIS)
    assert found[0].version in stays
    assert stays <= {release.version for release in found}
    longer = keep.model_copy(update={"daily": timedelta(days=(daily or 0) + 30)})
    assert keep.everything or retention.kept(found, longer, NOW, PARIS) >= stays - (set() if daily else stays)


@pytest.fixture
def four(store: Store, tmp_path: Path) -> Store:
    for n in range(4):
        published(store, tmp_path / str(n), parkings(places=n))
    return store


def collect(store: Store) -> None:
    backend, now = store.backend, datetime.now(UTC)
    for release in retention.surplus(backend, "parkings", Keep(last=2), now, PARIS):
        retention.remove(backend, release, now, None)
    for grave in retention.unfinished(backend, "parkings"):
        withdrawing.finish(backend, grave, None)


def test_what_goes_leaves_its_number_and_the_history_goes_over_it(four: Store, tmp_path: Path) -> None:
    collect(four)
    assert [release.version for release in four.versions("parkings")] == [4, 3]
    folder = four.root / "datasets/parkings/versions/1"
    assert sorted(path.name for path in folder.iterdir()) == ["tombstone.json", "withdrawal-proof.json"]
    assert verify(four.backend, "parkings", listed=four.backend).flaws == []
    assert published(four, tmp_path / "new", parkings(places=9)).version == 5
    assert published(four, tmp_path / "newer", parkings(places=8)).version == 6
    collect(four)
    lines = map(json.loads, (four.root / "datasets/parkings/changelog.jsonl").read_bytes().splitlines())
    assert [line["version"] for line in lines if "act" not in line] == [1, 2, 3, 4, 5, 6]
    assert [release.version for release in four.versions("parkings")] == [6, 5]


def test_what_was_never_public_goes_when_it_is_old_and_not_before(four: Store) -> None:
    folder = four.root / "datasets/parkings/versions/7"
    folder.mkdir()
    (folder / "parkings.csv").write_text("a")
    backend = four.backend
    assert retention.orphans(backend, "parkings", datetime.now(UTC)) == []
    old = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(folder / "parkings.csv", (old, old))
    assert retention.orphans(backend, "parkings", datetime.now(UTC)) == [7]
    backend.purge(layout.version("parkings", 7))
    assert verify(backend, "parkings", listed=backend).flaws == []


def test_sizes_add_up(four: Store) -> None:
    said = retention.size(four.backend, "parkings", datetime.now(UTC))
    total = sum(file.size_bytes for one in four.versions("parkings") for file in one.files)
    assert (said.versions, said.size_bytes) == (4, total)
    assert said.in_a_year_bytes == total + 12 * said.growth_bytes
    assert 0 < said.current_bytes < total
