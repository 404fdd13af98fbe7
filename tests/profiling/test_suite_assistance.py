"""`odp suite --propose` and `--try`: what the kept captures suggest, and what today's suite would have refused."""

import json

import pytest

from odpipeline import flow, profiling, quality
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from tests import commands
from tests.towns import write_town

MARCHES = """
title: Marchés
description: Marchés publics.
owner: achats@ville.example
source: {folder: "depot/marches.csv"}
fields:
  - {name: numero}
  - {name: siret}
  - {name: nature}
  - {name: montant, type: number}
  - {name: notifie, type: date}
  - {name: termine, type: date}
  - {name: remarque}
personal_data: none
"""
SIRETS = ("73282932000074", "35600000000048", "21750001600019")


def row(n, day, nature="Travaux", amount=None):
    siret = SIRETS[n % len(SIRETS)]
    remark = "vu" if n % 4 else ""
    return f"M{day}-{n:04},{siret},{nature},{amount or 100 + n},2026-0{day}-01,2026-0{day}-{2 + n % 20:02},{remark}"


def deliver(folder, day, rows=60, **more):
    natures = ("Travaux", "Fournitures", "Services")
    lines = [row(n, day, natures[n % 3], **more) for n in range(rows)]
    text = "numero,siret,nature,montant,notifie,termine,remarque\n" + "\n".join(lines) + "\n"
    (folder / "depot/marches.csv").write_text(text)


@pytest.fixture
def folder(tmp_path):
    write_town(tmp_path)
    (tmp_path / "assets/sports/marches.yaml").write_text(MARCHES)
    return tmp_path


def opened(folder):
    town = read_town(folder)
    return town, town.dataset("marches"), flow.Zones.of(town)


def nights(folder, *days, rows=60):
    for day in days:
        deliver(folder, day, rows + day)
        town, dataset, zones = opened(folder)
        list(flow.recorded(dataset, town, zones))


def proposals(folder, **more):
    _, dataset, zones = opened(folder)
    found, advice = profiling.proposed(dataset, zones, **more)
    return {(p.type, p.kwargs.get("column") or p.kwargs.get("column_A")): p for p in found}, advice


def test_what_every_capture_kept_to_is_proposed_with_its_evidence(folder):
    nights(folder, 1, 2, 3)
    found, _ = proposals(folder)
    assert found["expect_column_values_to_not_be_null", "numero"].evidence == (
        "every row was filled in 3 captures, 61 to 63 rows"
    )
    assert ("expect_column_values_to_be_unique", "numero") in found
    assert ("expect_column_values_to_be_valid_siret", "siret") in found
    natures = found["expect_column_values_to_be_in_set", "nature"].kwargs["value_set"]
    assert natures == ["Fournitures", "Services", "Travaux"]
    later = found["expect_column_pair_values_a_to_be_greater_than_b", "termine"]
    assert (later.kwargs["column_B"], later.kwargs["or_equal"]) == ("notifie", True)


def test_bounds_leave_room_around_what_was_seen_and_never_open_to_negative_amounts(folder):
    nights(folder, 1, 2)
    found, _ = proposals(folder)
    amounts = found["expect_column_values_to_be_between", "montant"]
    assert (amounts.kwargs["min_value"], amounts.kwargs["max_value"]) == (69, 200)
    assert amounts.evidence == "between 100 and 161 in 2 captures; half the range is left on each side"
    remarks = found["expect_column_values_to_not_be_null", "remarque"]
    assert 0.6 < remarks.kwargs["mostly"] < 0.75


def test_how_the_number_of_rows_moves_is_advice_for_the_declaration_since_counts_rot(folder):
    nights(folder, 1, 2, 3)
    _, advice = proposals(folder)
    assert {a.key: a.value for a in advice} == {"quality.over_time.growth": 2.1, "shrink": 0.02}
    assert proposals(folder, most=2)[1] == []


def test_nothing_that_quotes_a_value_is_proposed_of_a_dataset_about_persons(folder):
    file = folder / "assets/sports/marches.yaml"
    roles = "".join(f"    {name}: keep\n" for name in ("numero", "siret", "nature", "montant", "notifie", "termine"))
    privacy = f"personal_data: present\nlegal_basis: CRPA L312-1-2\nprivacy:\n  columns:\n{roles}    remarque: drop\n"
    file.write_text(MARCHES.replace("personal_data: none", privacy))
    nights(folder, 1)
    found, _ = proposals(folder)
    quoting = {"expect_column_values_to_be_in_set", "expect_column_values_to_be_between"}
    assert found
    assert not quoting & {kind for kind, _ in found}


def test_what_the_suite_asks_already_is_not_proposed_again_and_the_file_keeps_its_own(folder):
    nights(folder, 1, 2)
    _, dataset, zones = opened(folder)
    (folder / "expectations").mkdir()
    own = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "numero"}, "severity": "critical"}
    (folder / "expectations/marches.json").write_text(json.dumps({"name": "marches", "expectations": [own]}))
    _, dataset, zones = opened(folder)
    found, _ = profiling.proposed(dataset, zones)
    assert "expect_column_values_to_be_unique" not in {p.type for p in found}
    whole = profiling.with_own(dataset, found)
    assert whole["expectations"][0] == own
    (folder / "expectations/marches.json").write_text(json.dumps(whole))
    _, dataset, zones = opened(folder)
    assert quality.suite_faults(dataset) == ()
    assert [t.refused for t in profiling.tried(dataset, zones)] == [False, False]
    assert profiling.proposed(dataset, zones)[0] == []


def test_trying_says_which_kept_captures_would_be_refused_and_why(folder):
    nights(folder, 1, 2)
    (folder / "expectations").mkdir()
    asked = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "montant", "max_value": 160}}
    (folder / "expectations/marches.json").write_text(json.dumps({"expectations": [asked]}))
    _, dataset, zones = opened(folder)
    newest, oldest = profiling.tried(dataset, zones)
    assert (newest.refused, oldest.refused) == (True, False)
    assert newest.reasons[0].startswith("montant: 1 of 62 values are above the maximum")
    assert not list(zones.work.rglob("reread"))


def test_a_capture_that_cannot_be_read_today_is_said_to_be_refused(folder):
    nights(folder, 1)
    file = folder / "assets/sports/marches.yaml"
    file.write_text(file.read_text().replace("{name: numero}", "{name: reference}"))
    _, dataset, zones = opened(folder)
    (only,) = profiling.tried(dataset, zones)
    assert only.refused
    assert "reference" in only.why
    with pytest.raises(OdpError, match="no kept capture has rows to learn from"):
        profiling.proposed(dataset, zones)


def test_without_a_capture_it_says_to_fetch_one(folder):
    _, dataset, zones = opened(folder)
    with pytest.raises(OdpError, match="no capture is kept; fetch one first: odp run marches"):
        profiling.proposed(dataset, zones)


def test_the_commands_speak_to_people_and_to_machines(folder, monkeypatch):
    nights(folder, 1)
    monkeypatch.setenv("COLUMNS", "200")

    def odp(*words):
        return commands.odp("suite", "marches", "--town", str(folder), *words)

    assert "expect_column_values_to_be_valid_siret" in odp("--propose").stdout
    said = json.loads(odp("--propose", "--json").stdout)
    assert {entry["severity"] for entry in said["expectations"]} == {"warning"}
    assert "0 of 1 captures would be refused" in odp("--try").stdout
    assert json.loads(odp("--try", "--json").stdout)[0]["verdict"] == "accepted"
    both = odp("--try", "--propose")
    assert (both.returncode, both.stderr.strip()) == (
        1,
        "--propose and --try are two things; save what is proposed, then try it",
    )
