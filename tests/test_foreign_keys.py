"""What a dataset refers to must be public in the dataset that it names, when it is about to be published itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors
from odpipeline.store import Release
from odpipeline.verdict import Finding, Verdict
from tests.towns import write_town

STATIONS = """
title: Stations
description: Stations de comptage.
owner: mobilite@ville.example
source: {folder: "depot/NAME.csv"}
fields:
  - {name: 'arrêt"select', source: code}
  - {name: ligne, type: integer}
key: [ligne]
personal_data: none
"""
PASSAGES = """
title: Passages
description: Passages par station.
owner: mobilite@ville.example
source: {folder: "depot/NAME.csv"}
fields:
  - {name: numero, type: integer}
  - {name: station}
  - {name: ligne, type: integer}
  - {name: apres, type: integer}
key: [numero]
personal_data: none
foreign_keys:
  - {fields: [station], dataset: stations, references: ['arrêt"select']SEVERITY}
"""


@pytest.fixture
def town(tmp_path: Path) -> Path:
    root = write_town(tmp_path)
    _declare(root, "stations", STATIONS)
    _declare(root, "passages", PASSAGES.replace("SEVERITY", ""))
    _deliver(root, "stations", "code,ligne", "A,1", "B,2")
    return root


def _declare(root: Path, name: str, said: str) -> None:
    (root / "assets/sports" / f"{name}.yaml").write_text(said.replace("NAME", name))


def _deliver(root: Path, name: str, *lines: str) -> None:
    (root / "depot" / f"{name}.csv").write_text("\n".join(lines) + "\n")


def _passages(root: Path, *rows: str) -> None:
    _deliver(root, "passages", "numero,station,ligne,apres", *rows)


def _run(root: Path, name: str) -> tuple[Verdict | Release, ...]:
    town = read_town(root)
    stages = flow.publication(town.dataset(name), town, flow.Zones.of(town))
    return tuple(stage for stage in stages if isinstance(stage, Verdict | Release))


def _key(verdict: Verdict | Release) -> Finding:
    assert isinstance(verdict, Verdict)
    return next(finding for finding in verdict.findings if finding.rule == "foreign_key")


def test_rows_that_refer_to_what_is_public_are_published(town: Path) -> None:
    _passages(town, "1,A,1,", "2,B,2,", "3,,2,")
    _run(town, "stations")
    verdict, release = _run(town, "passages")
    assert isinstance(release, Release)
    assert _key(verdict).counts == {"orphan_rows": 0, "referring_rows": 2, "unknown_keys": 0}


def test_an_unknown_key_refuses_with_counts_and_without_the_key(town: Path) -> None:
    _passages(town, "1,A,1,", "2,Zinzin,2,", "3,Zinzin,1,", "4,Zoé,1,")
    _run(town, "stations")
    [verdict] = _run(town, "passages")
    found = _key(verdict)
    assert found.blocks
    assert found.counts == {"orphan_rows": 3, "referring_rows": 4, "unknown_keys": 2}
    assert "assets/sports/passages.yaml:14" in found.message
    assert "Z" not in found.message


def test_nothing_to_compare_with_refuses_whatever_the_severity(town: Path) -> None:
    _declare(town, "passages", PASSAGES.replace("SEVERITY", ", severity: info"))
    _passages(town, "1,A,1,")
    [verdict] = _run(town, "passages")
    assert _key(verdict).blocks
    assert "odp run stations" in _key(verdict).message


def test_a_share_of_unknown_keys_or_a_milder_severity_may_be_allowed(town: Path) -> None:
    _run(town, "stations")
    _passages(town, "1,A,1,", "2,Zinzin,2,")
    for said, passed in ((", most: 50 %", True), (", most: 49 %, severity: warning", False)):
        _declare(town, "passages", PASSAGES.replace("SEVERITY", said))
        verdict, *_ = _run(town, "passages")
        assert _key(verdict).passed is passed
        assert verdict.accepted


def test_a_dataset_may_refer_to_itself(town: Path) -> None:
    own = PASSAGES.replace("SEVERITY", "").replace(
        "  - {fields: [station], dataset: stations, references: ['arrêt\"select']}",
        '  - {fields: [apres], dataset: "", references: [numero]}',
    )
    _declare(town, "passages", own)
    _passages(town, "1,A,1,2", "2,A,1,3", "3,A,1,")
    assert _key(_run(town, "passages")[0]).passed
    _passages(town, "1,A,1,2", "2,A,1,4", "3,A,1,")
    assert _key(_run(town, "passages")[0]).counts["orphan_rows"] == 1


def test_the_foreign_keys_of_a_table_schema_are_read(town: Path) -> None:
    schema = {
        "fields": [{"name": "numero", "type": "integer"}, {"name": "ligne", "type": "integer"}],
        "primaryKey": ["numero"],
        "foreignKeys": [{"fields": "ligne", "reference": {"resource": "stations", "fields": "ligne"}}],
    }
    (town / "schema.json").write_text(json.dumps(schema, indent=1))
    before, _ = PASSAGES.split("fields:", 1)
    _declare(town, "passages", before + "schema: schema.json\npersonal_data: none\n")
    _deliver(town, "passages", "numero,ligne", "1,1", "2,7")
    _run(town, "stations")
    assert _key(_run(town, "passages")[0]).counts["orphan_rows"] == 1
    schema["foreignKeys"] = [{"fields": "ligne", "reference": {"resource": "station", "fields": "ligne"}}]
    (town / "schema.json").write_text(json.dumps(schema, indent=1))
    with pytest.raises(DeclarationErrors, match=r"schema\.json:\d+: unknown dataset 'station'.*stations"):
        read_town(town)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{fields: [gare], dataset: stations, references: [ligne]}", "unknown published column 'gare'"),
        ("{fields: [ligne], dataset: station, references: [ligne]}", "did you mean 'stations'"),
        ("{fields: [ligne], dataset: stations, references: [lignes]}", "unknown published column 'lignes' in stations"),
        ("{fields: [station], dataset: stations, references: [ligne]}", "give both the same type"),
        ("{fields: [ligne, apres], dataset: stations, references: [ligne]}", "2 fields refer to 1"),
        ("{fields: [ligne, ligne], dataset: stations, references: [ligne, ligne]}", "stands twice"),
        ("{fields: [], dataset: stations, references: []}", "at least"),
        ("{fields: [ligne], dataset: stations, references: [ligne], mostly: 1}", "mostly"),
    ],
)
def test_a_foreign_key_that_nobody_can_answer_is_refused_with_its_line(town: Path, said: str, why: str) -> None:
    at = PASSAGES.index("  - {fields: [station]")
    _declare(town, "passages", PASSAGES[:at] + f"  - {said}\n")
    with pytest.raises(DeclarationErrors, match=r"passages\.yaml:1[45]") as refused:
        read_town(town)
    assert why in str(refused.value), str(refused.value)


def test_what_is_pseudonymised_cannot_be_joined(town: Path) -> None:
    personal = STATIONS.replace(
        "personal_data: none",
        "personal_data: present\nlegal_basis: essai\nprivacy:\n  columns:\n    'arrêt\"select': "
        "{pseudonymise: {secret: ODP_SEL}}\n    ligne: keep",
    )
    _declare(town, "stations", personal)
    with pytest.raises(DeclarationErrors, match="is pseudonymised in stations"):
        read_town(town)
