"""An old capture goes through the flow again, and gives the same bytes while the declaration says the same."""

from __future__ import annotations

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.landing import sealing
from tests.towns import deliver, published_bytes, write_town


@pytest.fixture(params=["plain", "sealed"])
def folder(request, tmp_path, monkeypatch):
    """A town that has published two deliveries, 20 rows and 21."""
    monkeypatch.setenv("ODP_PRIVATE_KEY", sealing.new_key())
    write_town(tmp_path, "piscines")
    if request.param == "sealed":
        town = tmp_path / "town.yaml"
        town.write_text(town.read_text() + "private_key: ODP_PRIVATE_KEY\n")
    list(flow.recorded(*all_of(tmp_path)))
    deliver(tmp_path, "piscines", rows=21)
    list(flow.recorded(*all_of(tmp_path)))
    return tmp_path


def all_of(folder):
    town = read_town(folder)
    return town.dataset("piscines"), town, flow.Zones.of(town)


def first_capture(zones):
    [release] = [r for r in zones.store.versions("piscines") if r.version == 1]
    return zones.landing.get("piscines", release.capture_sha256[:12])


def files(folder, version):
    found = published_bytes(folder)
    return {
        name: found[f"piscines/versions/{version}/{name}"]
        for name in ("piscines.csv", "piscines.parquet", "datapackage.json")
    }


def test_comparing_gives_the_same_bytes_and_changes_nothing(folder):
    dataset, town, zones = all_of(folder)
    before, last = published_bytes(folder), zones.journal.last("piscines")
    looked_at = {path.name: path.stat().st_mtime_ns for path in (zones.work / "piscines").iterdir()}
    compared = flow.compared(dataset, town, zones, first_capture(zones))
    assert (compared.release.version, compared.same_bytes, compared.staged.rows) == (1, True, 20)
    assert published_bytes(folder) == before
    assert zones.journal.last("piscines") == last
    del looked_at[".lock"]
    left = {path.name: path.stat().st_mtime_ns for path in (zones.work / "piscines").iterdir()}
    assert looked_at.items() <= left.items()
    assert set(left) == {*looked_at, ".lock"}


def test_publishing_gives_the_old_files_again_as_a_new_version_until_the_next_run(folder):
    dataset, town, zones = all_of(folder)
    *_, release = flow.recorded(dataset, town, zones, first_capture(zones))
    assert (release.version, release.rows, release.why) == (3, 20, "replay of an earlier capture")
    assert files(folder, 3) == files(folder, 1)
    *_, release = flow.recorded(dataset, town, zones)
    assert (release.version, release.rows) == (4, 21)
    assert files(folder, 4) == files(folder, 2)


def test_a_declaration_that_has_changed_shows(folder):
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text().replace("title: Fréquentation", "title: La fréquentation"))
    dataset, town, zones = all_of(folder)
    compared = flow.compared(dataset, town, zones, first_capture(zones))
    assert not compared.same_bytes
    assert compared.release.code_version != dataset.code_version


def test_the_gate_judges_a_replay_as_any_delivery(folder):
    deliver(folder, "piscines", rows=3)
    dataset, town, zones = all_of(folder)
    *_, refused = flow.recorded(dataset, town, zones)
    before = published_bytes(folder)
    *_, again = flow.recorded(
        dataset, town, zones, zones.landing.get("piscines", zones.landing.latest("piscines").sha256)
    )
    assert not again.accepted
    assert again.content_hash == refused.content_hash
    assert published_bytes(folder) == before


def test_a_replay_neither_asks_the_source_nor_deletes(folder):
    (folder / "depot/piscines.csv").unlink()
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text() + "retention: 0 s\n")
    dataset, town, zones = all_of(folder)
    list(flow.recorded(dataset, town, zones, first_capture(zones)))
    assert len(zones.landing.every("piscines")) == 2


def test_a_damaged_capture_is_not_replayed(folder):
    dataset, town, zones = all_of(folder)
    capture = first_capture(zones)
    content = capture.path.read_bytes()
    capture.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(OdpError, match=r"piscines: captures/piscines/.*a capture is damaged"):
        flow.compared(dataset, town, zones, capture)
