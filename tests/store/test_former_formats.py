"""A store of format 1, as the first odpipeline wrote it (`format_1`), under today's program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from odpipeline import acts, catalogue, flow, portal
from odpipeline.declaration import read_town
from odpipeline.store.verifying import verify
from tests.towns import deliver, write_town

FORMER = Path(__file__).with_name("format_1")


@pytest.fixture
def former(tmp_path):
    """A town whose dataset has two versions in a store of format 1: 20 rows and 21."""
    folder = write_town(tmp_path, "piscines")
    shutil.copytree(FORMER, folder / ".odp/public/datasets/piscines")
    town = read_town(folder)
    return town.dataset("piscines"), town, flow.Zones.of(town)


def flaws(zones, name="piscines"):
    """What is wrong; format 1 had no `latest/` at first, which the next publication makes."""
    found = verify(zones.store.backend, name, listed=zones.store.backend).flaws
    return [flaw.what for flaw in found if flaw.grave or not flaw.where.endswith("/latest")]


def test_its_versions_are_read_and_found_whole(former):
    _, _, zones = former
    assert [(release.version, release.rows, release.format) for release in zones.store.versions("piscines")] == [
        (2, 21, 1), (1, 20, 1),
    ]  # fmt: skip
    assert flaws(zones) == []


def test_a_change_in_it_is_found(former):
    _, _, zones = former
    manifest = next(zones.store.current("piscines").folder.glob("release.json"))
    said = json.loads(manifest.read_text())
    manifest.chmod(0o644)
    manifest.write_text(json.dumps(said | {"about": said["about"] | {"title": "Autre"}}))
    assert flaws(zones) == ["its content hash is not that of its rows and description"]


def test_the_next_version_is_of_todays_format_and_leaves_the_others_as_they_are(former, tmp_path):
    dataset, town, zones = former
    before = {file: file.read_bytes() for file in tmp_path.glob(".odp/public/datasets/piscines/versions/[12]/*")}
    deliver(tmp_path, "piscines", rows=22)
    *_, made = flow.recorded(dataset, town, zones)
    assert (made.version, made.previous, made.format) == (3, 2, 2)
    assert {file: file.read_bytes() for file in before} == before
    assert (made.changes["added"], made.changes["removed"], made.changes["changed"]) == (1, 0, 0)
    assert flaws(zones) == []
    catalogue.build(zones.store, town)
    portal.build(zones.store, town, zones.journal)
    assert "versions/1/" in (tmp_path / ".odp/public/dataset/piscines.html").read_text()


def test_acts_reach_into_it(former):
    dataset, town, zones = former
    acts.Rollback.planned(dataset, zones, 1).done(town, zones, town.contact, "erreur")
    assert (zones.store.current("piscines").version, zones.store.current("piscines").rows) == (3, 20)
    assert flaws(zones) == []
    acts.Erasure.planned(dataset, zones, {"entrees": "100"}).done(town, zones, town.contact, "demande")
    assert {release.rows for release in zones.store.versions("piscines")} == {19, 20}
    assert flaws(zones) == []
    planned = acts.Withdrawal.planned("piscines", zones, 1, captures=False)
    planned.done(town, zones, town.contact, "ordre", None, captures=False)
    assert flaws(zones) == []
