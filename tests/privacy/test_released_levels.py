"""What was chosen is told in release.json, and the next version reads it there."""

from odpipeline import flow
from odpipeline.declaration import read_town
from tests.towns import write_town

AIDES = """
title: Aides
description: Aides accordées.
owner: ccas@ville.example
source: {folder: "depot/aides.csv"}
fields:
  - {name: age, type: integer}
  - {name: quartier}
personal_data: present
legal_basis: CRPA L312-1-2
privacy:
  columns:
    age: {generalise: {hierarchy: age.csv, level: optimal, weight: 300}}
    quartier: {generalise: {hierarchy: quartier.csv, level: optimal}}
  quasi_identifiers: [age, quartier]
  k: 5
"""


def deliver(folder, people):
    lines = ["age,quartier", *(f"{age},{area}" for age, area in people)]
    (folder / "depot/aides.csv").write_text("\n".join(lines) + "\n")


def test_the_next_version_keeps_the_levels_of_the_last_one(tmp_path):
    write_town(tmp_path, "aides", declaration=AIDES)
    (tmp_path / "age.csv").write_text("\n".join(f"{n};{n // 10 * 10};*" for n in range(100)))
    (tmp_path / "quartier.csv").write_text("A;*\nB;*")
    town = read_town(tmp_path)
    stages = (town.dataset("aides"), town, flow.Zones.of(town))
    deliver(tmp_path, [(20 + n, "A" if n < 2 else "B") for n in range(10)])  # two in A: quartiers cannot be told
    *_, first = flow.publication(*stages)
    told = first.privacy["generalisation"]
    assert told["levels"] == {"age": 1, "quartier": 1}
    assert (told["optimal"], told["gap"], told["classes"], told["suppressed_rows"]) == (True, 0.0, 1, 0)
    assert not told["kept_from_last_release"]
    deliver(tmp_path, [(20 + n % 10, "AB"[n % 2]) for n in range(20)])  # they could be told now, for little
    *_, second = flow.publication(*stages)
    assert second.version == 2
    told = second.privacy["generalisation"]
    assert told["levels"] == {"age": 1, "quartier": 1}
    assert told["kept_from_last_release"]
