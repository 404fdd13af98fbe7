"""`custom_checks` of national schemas: the rows that fail are those of Validata's rules, as its code has them."""

import json

import pytest

from odpipeline import flow, quality
from odpipeline.declaration import read_town
from odpipeline.declaration.custom_checks import COLUMNS
from odpipeline.errors import DeclarationErrors
from tests.towns import write_town

FIELDS = (
    ("nom", "string"), ("siret", "string"), ("siren", "string"), ("budget", "string"), ("debut", "date"),
    ("fin", "date"), ("reel", "integer"), ("pour", "integer"), ("contre", "integer"), ("prix", "number"),
    ("ht", "number"), ("tva", "number"),
)  # fmt: skip
NAMES = [name for name, _ in FIELDS]
DECLARATION = """
title: Délibérations
description: Délibérations.
owner: a@ville.example
source: {folder: "depot/actes.csv"}
schema: schemas/actes.json
personal_data: none
"""


def written(folder, *checks):
    write_town(folder)
    (folder / "schemas").mkdir()
    fields = [{"name": name, "type": kind} for name, kind in FIELDS]
    (folder / "schemas/actes.json").write_text(json.dumps({"fields": fields, "custom_checks": list(checks)}))
    (folder / "assets/sports/actes.yaml").write_text(DECLARATION)
    return folder


def failed(folder, check, **cells):
    """How many rows fail of one that holds `cells`; the column `nom` is filled, so that the row is one."""
    written(folder, check)
    row = [cells.get(name, "x" if name == "nom" else "") for name in NAMES]
    (folder / "depot/actes.csv").write_text(",".join(NAMES) + "\n" + ",".join(map(str, row)) + "\n")
    town = read_town(folder)
    dataset, zones = town.dataset("actes"), flow.Zones.of(town)
    kinds = [e.type for e in quality.suite_for(dataset).expectations if "multicolumn" in e.type or "valid" in e.type]
    *_, verdict = [reached for reached in flow.publication(dataset, town, zones) if hasattr(reached, "findings")]
    (found,) = [finding for finding in verdict.findings if finding.rule in kinds]
    assert found.blocks is not found.passed
    return int(found.counts["unexpected_count"])


def compare(op, first="debut", second="fin"):
    return {"name": "compare-columns-value", "params": {"column": first, "op": op, "column2": second}}


SUM = {"name": "sum-columns-value", "params": {"column": "reel", "columns": ["pour", "contre"]}}
PRICES = {"name": "sum-columns-value", "params": {"column": "prix", "columns": ["ht", "tva"]}}
TOGETHER = {"name": "cohesive-columns-value", "params": {"column": "reel", "othercolumns": ["pour", "contre"]}}
ONE = {"name": "one-of-required", "params": {"column1": "siret", "column2": "siren"}}
YEARS = {"name": "year-interval-value", "params": {"column": "budget"}}
YEAR_TOO = {"name": "year-interval-value", "params": {"column": "budget", "allow-year-only": "yes"}}


@pytest.mark.parametrize(
    ("check", "cells", "wrong"),
    [
        ({"name": "french-siret-value", "params": {"column": "siret"}}, {"siret": "73282932000074"}, 0),
        ({"name": "french-siret-value", "params": {"column": "siret"}}, {"siret": "73282932000075"}, 1),
        ({"name": "french-siret-value", "params": {"column": "siret"}}, {}, 0),
        ({"name": "french-siren-value", "params": {"column": "siren"}}, {"siren": "732829321"}, 1),
        ({"name": "nomenclature-actes-value", "params": {"column": "nom"}}, {"nom": "Urbanisme/PLU"}, 0),
        ({"name": "nomenclature-actes-value", "params": {"column": "nom"}}, {"nom": "Urbanisme / PLU"}, 1),
        ({"name": "opening-hours-value", "params": {"column": "nom"}}, {"nom": "Mo-Fr 08:00-12:00"}, 0),
        ({"name": "opening-hours-value", "params": {"column": "nom"}}, {"nom": "lundi"}, 1),
        (YEARS, {"budget": "2020/2021"}, 0),
        (YEARS, {"budget": "2020"}, 1),
        (YEAR_TOO, {"budget": "2020"}, 0),
        (YEAR_TOO, {"budget": "2021/2020"}, 1),
        (ONE, {"siren": "x"}, 0),
        (ONE, {}, 1),
        (TOGETHER, {"reel": 1, "pour": 1, "contre": 0}, 0),
        (TOGETHER, {}, 0),
        (TOGETHER, {"pour": 1}, 1),
        (SUM, {"reel": 3, "pour": 2, "contre": 1}, 0),
        (SUM, {"reel": 3, "pour": 2, "contre": 2}, 1),
        (SUM, {"reel": 3, "pour": 2}, 0),
        (PRICES, {"prix": 0.3, "ht": 0.1, "tva": 0.2}, 0),
        (PRICES, {"prix": 0.31, "ht": 0.1, "tva": 0.2}, 1),
        (compare("<="), {"debut": "2026-01-01", "fin": "2026-01-01"}, 0),
        (compare("<"), {"debut": "2026-01-01", "fin": "2026-01-01"}, 1),
        (compare(">"), {"debut": "2026-01-01"}, 0),
        (compare(">=", "reel", "pour"), {"reel": 10, "pour": 9}, 0),
        (compare("==", "reel", "pour"), {"reel": 10, "pour": 9}, 1),
        (compare("<", "nom", "budget"), {"nom": "9", "budget": "10"}, 0),
        (compare("<", "nom", "budget"), {"nom": "9a", "budget": "10a"}, 1),
    ],
)
def test_a_row_fails_as_validata_says(tmp_path, check, cells, wrong):
    assert failed(tmp_path, check, **cells) == wrong


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        ({"name": "phone-number-value", "params": {"column": "nom"}}, "unknown custom check 'phone-number-value'"),
        ({"name": "french-siret-value", "params": {}}, "the parameter 'column' is missing"),
        ({"name": "french-siret-value", "params": {"column": "siert"}}, "unknown column 'siert'"),
        ({"name": "french-siret-value", "params": {"column": "reel"}}, "declare it as string"),
        ({"name": "french-siret-value", "params": {"column": "siret", "strict": True}}, "unknown parameter 'strict'"),
        (compare("!="), "the parameter 'op' is one of"),
        (compare("<", "reel", "debut"), "a field of type integer cannot be compared with one of type date"),
        ({**SUM, "params": {"column": "reel", "columns": "pour"}}, "the parameter 'columns': expected a list"),
        ({**SUM, "params": {"column": "reel", "columns": ["nom"]}}, "it adds up numbers"),
        ({**ONE, "params": {"column1": "siret", "column2": "siret"}}, "a column stands twice"),
        ({"name": "one-of-required", "parameters": {}}, "unknown key 'parameters'"),
    ],
)  # fmt: skip
def test_a_check_that_nobody_could_make_is_refused_with_file_and_line(tmp_path, check, fault):
    with pytest.raises(DeclarationErrors, match=fault) as refused:
        read_town(written(tmp_path, check))
    assert "schemas/actes.json:1: " in str(refused.value)


def test_every_custom_check_of_the_national_schemas_is_understood(tmp_path, real):
    schemas = [file for file in sorted(real.glob("schemas/**/*.json")) if b'"custom_checks"' in file.read_bytes()]
    assert schemas
    write_town(tmp_path)
    (tmp_path / "schemas").mkdir()
    asked = 0
    for number, file in enumerate(schemas):
        said = json.loads(file.read_text())
        asked += len(said["custom_checks"])
        (tmp_path / f"schemas/s{number}.json").write_bytes(file.read_bytes())
        text = DECLARATION.replace("actes.json", f"s{number}.json").replace("depot/actes", f"depot/s{number}")
        (tmp_path / f"assets/sports/s{number}.yaml").write_text(text)
    assert asked > 50
    assert [fault for fault in faults(tmp_path) if any(name in fault for name in ("custom check", *COLUMNS))] == []


def faults(folder):
    try:
        read_town(folder)
    except DeclarationErrors as refused:
        return list(map(str, refused.faults))
    return []
