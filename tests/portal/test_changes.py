"""What changed is told to people and to machines, in the catalogue, on a page and in feeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import pytest
from typer.testing import CliRunner

from odpipeline import catalogue, flow, portal
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.towns import write_town

DECLARED = """
title: Arbres <remarquables>
description: Arbres.
owner: arbres@ville.example
source: {folder: depot/arbres.csv}
fields:
  - {name: id, type: integer}
  - {name: nom}
  - {name: hauteur, type: number}
key: [id]
shrink: 90 %
personal_data: none
"""
ATOM = "{http://www.w3.org/2005/Atom}"


class Town:
    def __init__(self, root: Path) -> None:
        self.root, self.public = write_town(root), root / ".odp/public"
        self.declare(DECLARED)

    def declare(self, text: str) -> None:
        (self.root / "assets/sports/arbres.yaml").write_text(text)

    def deliver(self, *lines: str, header: str = "id,nom,hauteur") -> Verdict | Release:
        (self.root / "depot/arbres.csv").write_text("\n".join([header, *lines]) + "\n")
        town = read_town(self.root)
        zones = flow.Zones.of(town)
        *_, last = flow.publication(town.dataset("arbres"), town, zones)
        catalogue.build(zones.store, town)
        portal.build(zones.store, town, zones.journal)
        assert isinstance(last, Verdict | Release)
        return last

    def page(self, name: str) -> str:
        return (self.public / name).read_text()


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.deliver("1,chêne,20", "2,hêtre,18")
    town.deliver("1,chêne,21", "3,if,7.5")
    return town


def test_the_release_says_what_changed(town: Town) -> None:
    folder = town.public / "datasets/arbres/versions/2"
    manifest = json.loads((folder / "release.json").read_text())
    assert manifest["changes"] == {"kind": "data", "added": 1, "removed": 1, "changed": 1}
    said = json.loads((folder / "changes.json").read_text())
    assert (said["since"], said["by_column"]) == (1, {"hauteur": 1})
    rows = duckdb.execute(f"SELECT _change, id FROM '{folder}/changes.parquet' ORDER BY ALL").fetchall()
    assert rows == [("added", 3), ("after", 1), ("before", 1), ("removed", 2)]
    assert {"changes.json", "changes.parquet"} <= {file["name"] for file in manifest["files"]}


def test_people_read_it_in_french_and_english(town: Town) -> None:
    french, english = town.page("changes/arbres.html"), town.page("changes/arbres.en.html")
    plain = french.replace("\u00a0", " ").replace("\u202f", " ")
    assert "1 ligne ajoutée, 1 ligne supprimée, 1 ligne modifiée" in plain
    assert "1 row added, 1 row removed, 1 row changed" in english
    assert "nouvelle livraison" in french
    assert "Arbres &lt;remarquables&gt;" in french
    assert "changes/arbres.html" in town.page("dataset/arbres.html")


def test_feed_readers_follow_a_dataset_and_the_whole_town(town: Town) -> None:
    for name in ("feeds/arbres.atom", "changes.atom"):
        feed = ET.parse(town.public / name).getroot()
        entries = feed.findall(f"{ATOM}entry")
        assert len(entries) == 2
        ids = [entry.findtext(f"{ATOM}id") for entry in entries]
        assert len(set(ids)) == 2
        assert str(ids[0]).endswith("/changes/arbres.html#v2")
        assert feed.findtext(f"{ATOM}updated") == entries[0].findtext(f"{ATOM}updated")
    said = json.loads(town.page("feeds/arbres.json"))
    assert said["version"] == "https://jsonfeed.org/version/1.1"
    assert said["items"][0]["title"].endswith("version 2")
    assert "application/atom+xml" in town.page("dataset/arbres.html")


def test_the_catalogue_names_the_version_before_and_what_changed(town: Town) -> None:
    graph = json.loads(town.page("catalogue.jsonld"))["@graph"]
    [dataset] = [node for node in graph if node["@type"] == "dcat:Dataset"]
    assert dataset["dcat:version"] == "2"
    assert dataset["dcat:previousVersion"]["@id"].endswith("/datasets/arbres/versions/1/release.json")
    assert dataset["adms:versionNotes"]["@language"] == "fr"


def test_rows_about_persons_are_counted_and_not_shown(tmp_path: Path) -> None:
    town = Town(tmp_path)
    persons = "personal_data: present\nlegal_basis: essai\nprivacy: {columns: {id: keep, nom: keep, hauteur: keep}}"
    town.declare(DECLARED.replace("personal_data: none", persons))
    town.deliver("1,chêne,20", "2,hêtre,18")
    release: Any = town.deliver("1,chêne,21")
    assert release.changes["removed"] == 1
    assert release.file("changes.parquet") is None


def test_a_change_that_breaks_readers_waits_for_a_yes(town: Town) -> None:
    town.declare(DECLARED.replace("key: [id]\n", ""))
    refused = town.deliver("1,chêne,21", "3,if,7.5", "4,orme,3")
    assert isinstance(refused, Verdict)
    [reason] = refused.reasons
    assert "whoever reads version 2 stumbles over the key (id → none); if this is right, accept it" in reason


def test_the_command_tells_any_two_versions_apart(town: Town) -> None:
    act = ["--town", str(town.root)]
    told = CliRunner().invoke(app, ["diff", "arbres", *act])
    assert "arbres, version 1 to 2: data; 1 rows added, 1 removed, 1 changed" in told.output
    rows = town.root / "rows.parquet"
    said = CliRunner().invoke(app, ["diff", "arbres", "1", "2", "--parquet", str(rows), "--json", *act])
    assert json.loads(said.output)["drift"]["hauteur"]["sum"] == [38.0, 28.5]
    assert duckdb.execute(f"SELECT count(*) FROM '{rows}'").fetchone() == (4,)
    missing = CliRunner().invoke(app, ["diff", "arbres", "9", *act])
    assert "version 9 is not there; there are: 1, 2" in str(missing.exception)
