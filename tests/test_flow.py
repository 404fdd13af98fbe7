"""The flow itself: what it yields, when it ends, and what an abandoned or unforeseen run leaves behind."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from odpipeline import flow
from odpipeline.conform import Conformed
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError, SourceError, StoreError
from odpipeline.journal import RunRecord
from odpipeline.store import Release, Staged
from odpipeline.verdict import Verdict
from tests.towns import deliver, published_bytes, write_town


@pytest.fixture
def piscines(tmp_path):
    town = read_town(write_town(tmp_path, "piscines"))
    return town.dataset("piscines"), town, flow.Zones.of(town)


def names(stages) -> list[str]:
    return [type(stage).__name__ for stage in stages]


def test_a_new_delivery_goes_the_whole_way(piscines):
    assert names(flow.publication(*piscines)) == [
        "Capture", "Conformed", "QualityReport", "Anonymised", "Staged", "Verdict", "Release",
    ]  # fmt: skip


def test_an_unchanged_delivery_only_moves_checked_at(piscines):
    *_, first = flow.publication(*piscines)
    again = list(flow.publication(*piscines))
    assert names(again) == ["Capture", "Release"]
    assert again[-1].version == first.version
    assert again[-1].checked_at > first.checked_at


def test_the_same_rows_in_another_order_make_no_new_version(piscines, tmp_path):
    *_, first = flow.publication(*piscines)
    file = tmp_path / "depot/piscines.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *reversed(rows)]) + "\n")
    *_, verdict, last = flow.publication(*piscines)
    assert isinstance(verdict, Verdict)
    assert last.version == first.version


def test_a_refused_delivery_ends_before_anything_is_anonymised(piscines, tmp_path):
    deliver(tmp_path, "piscines", cell="-1")
    *_, report, verdict = flow.publication(*piscines)
    assert report.blocks
    assert not verdict.accepted
    assert verdict.reasons


@pytest.mark.parametrize("reached", [Conformed, Staged, Verdict])
def test_abandoning_half_way_touches_nothing_public(piscines, tmp_path, reached):
    list(flow.publication(*piscines))
    before = published_bytes(tmp_path)
    deliver(tmp_path, "piscines", rows=21)
    with contextlib.closing(flow.publication(*piscines)) as stages:
        next(stage for stage in stages if isinstance(stage, reached))
    assert published_bytes(tmp_path) == before
    *_, last = flow.publication(*piscines)
    assert isinstance(last, Release)
    assert last.version == 2


def test_the_store_takes_no_verdict_on_other_bytes(piscines):
    stages = list(flow.publication(*piscines))
    staged = next(stage for stage in stages if isinstance(stage, Staged))
    elsewhere = Verdict("piscines", "0" * 64, next(s for s in stages if isinstance(s, Verdict)).findings)
    with pytest.raises(StoreError):
        piscines[2].store.publish(staged, elsewhere)


def test_two_runs_of_one_dataset_do_not_meet(piscines):
    first = flow.publication(*piscines)
    next(first)
    with contextlib.closing(first), pytest.raises(OdpError, match="piscines: another run of this dataset is under way"):
        next(flow.publication(*piscines))


def test_an_accepted_shrink_is_published_and_only_that_content(piscines, tmp_path):
    zones = piscines[2]
    list(flow.publication(*piscines))
    deliver(tmp_path, "piscines", rows=5)
    *_, verdict = flow.publication(*piscines)
    assert "odp accept piscines " + verdict.content_hash[:12] in verdict.reasons[0]
    zones.journal.accept("piscines", verdict.content_hash[:12], who="moi", because="piscine fermée")
    *_, last = flow.publication(*piscines)
    assert (last.version, last.rows) == (2, 5)
    deliver(tmp_path, "piscines", rows=2)
    *_, verdict = flow.publication(*piscines)
    assert not verdict.accepted


def test_a_source_that_fails_says_since_when_and_what_is_still_served(piscines, tmp_path):
    _, town, zones = piscines
    (tmp_path / "depot/piscines.csv").rename(tmp_path / "depot/absent")
    with pytest.raises(SourceError, match=r"failing since \d{4}-\d\d-\d\d, nothing was published yet\)$"):
        list(flow.recorded(*piscines))
    (tmp_path / "depot/absent").rename(tmp_path / "depot/piscines.csv")
    *_, release = flow.recorded(*piscines)
    (tmp_path / "depot/piscines.csv").unlink()
    zones.journal.record(RunRecord("piscines", "failed", ended_at=datetime(2026, 10, 4, 23, tzinfo=UTC)))
    with pytest.raises(SourceError) as told:
        list(flow.recorded(*piscines))
    day = release.published_at.astimezone(ZoneInfo(town.timezone)).date()
    assert str(told.value).endswith(f"(failing since 2026-10-05, version 1 of {day} is still served)")
    assert zones.journal.last("piscines").reasons == (str(told.value),)


def test_an_unforeseen_fault_leaves_its_traceback_in_the_private_zone_only(piscines, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("la valeur Mme Dupont")

    monkeypatch.setattr("odpipeline.conform.conform", broken)
    with pytest.raises(OdpError) as told:
        list(flow.recorded(*piscines))
    assert str(told.value).startswith(
        "piscines: stopped by an unexpected RuntimeError; its traceback is in the private"
    )
    [file] = (piscines[1].private_path / "faults").iterdir()
    assert "Mme Dupont" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Dupont" not in str(piscines[2].journal.last("piscines"))


def test_a_traceback_is_kept_no_longer_than_the_deliveries(piscines):
    dataset, _, zones = piscines
    zones.faults.mkdir()
    old, young, other = (zones.faults / f"{name}-20260101T000000.txt" for name in ("piscines", "piscines", "musees"))
    young = young.with_name("piscines-20260102T000000.txt.age")
    for file in (old, young, other):
        file.write_text("Mme Dupont")
    long_ago = time.time() - dataset.retention.total_seconds() - 60
    for file in (old, other):
        os.utime(file, (long_ago, long_ago))
    list(flow.publication(*piscines))
    assert sorted(zones.faults.iterdir()) == sorted([young, other])  # another dataset's goes with its own run


def test_no_copy_of_the_delivery_outlives_the_run(piscines, tmp_path):
    list(flow.publication(*piscines))
    (tmp_path / "depot/piscines.csv").write_bytes("jour,piscine,entrees\n2026-10-01,Été,1\n".encode("cp1252"))
    list(flow.publication(*piscines))
    left = {path.name for path in (piscines[2].work / "piscines").iterdir() if path.is_file()}
    assert left == {".lock", "conformed.parquet", "quarantine.parquet", "quarantine.json"}


def test_retention_deletes_also_on_nights_that_publish_nothing(piscines, tmp_path):
    _, town, zones = piscines
    declared = tmp_path / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text() + "retention: 0 s\n")
    town = read_town(tmp_path)
    dataset = town.dataset("piscines")
    list(flow.publication(dataset, town, zones))
    for entries in ("-1", "-2", "-3"):
        deliver(tmp_path, "piscines", cell=entries)
        list(flow.publication(dataset, town, zones))
    kept = [path.name for path in (town.private_path / "captures/piscines").iterdir() if path.is_dir()]
    assert len(kept) == 2
    assert zones.store.current("piscines").capture_sha256 in kept


def test_a_capture_that_was_damaged_on_disk_is_never_published(piscines, tmp_path):
    dataset, town, zones = piscines
    deliver(tmp_path, "piscines", cell="-1")
    *_, refused = flow.publication(*piscines)
    assert not refused.accepted
    capture = zones.landing.latest("piscines")
    capture.path.chmod(0o600)
    capture.path.write_bytes(capture.path.read_bytes().replace(b"-1", b"21"))
    stages = []
    with contextlib.suppress(OdpError):
        stages = list(flow.publication(dataset, town, zones))
    assert not any(isinstance(stage, Release) for stage in stages)
