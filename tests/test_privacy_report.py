"""What the public, the data protection officer and the register are told of a dataset about persons."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from odpipeline.catalogue.register import register
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.duck import DuckSettings
from odpipeline.errors import OdpError, PrivacyError
from odpipeline.privacy.risk import risk
from tests.towns import write_town

AIDES = """
title: Aides aux familles
description: Aides accordées par quartier.
owner: social@ville.example
source: {folder: "depot/aides.csv"}
fields:
  - {name: numero}
  - {name: nom, title: Nom}
  - {name: quartier}
  - {name: age, type: integer}
shrink: 90 %
personal_data: present
legal_basis: CASF L123-5
privacy:
  columns: {numero: {pseudonymise: {secret: ODP_SEL}}, nom: drop, quartier: keep, age: {generalise: {bands: 10}}}
  quasi_identifiers: [quartier, age]
  k: 5
  suppression: 20 %
  population: allocataires
  allowed: {quartier: [{identifier: name, because: "noms de quartiers, pas de personnes"}]}
"""


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ODP_SEL", "57c575554daeb11378d322b7e06f5bebba8ad581a8b88bab8b1e9f072a224df2")
    root = write_town(tmp_path)
    (root / "assets/sports/aides.yaml").write_text(AIDES)
    _deliver(root, nord=7, sud=12, est=3)
    assert _odp(root, "run", "aides").exit_code == 0
    return root


def _deliver(root: Path, **classes: int) -> None:
    rows = [place for place, n in classes.items() for _ in range(n)]
    lines = [f"{n},Dupont-Canari,{place},{30 + n % 9}" for n, place in enumerate(rows)]
    (root / "depot/aides.csv").write_text("\n".join(["numero,nom,quartier,age", *lines]) + "\n")


def _odp(root: Path, *words: str):
    return CliRunner().invoke(app, [*words, "--town", str(root)])


def test_the_risk_is_that_of_the_classes(tmp_path: Path, town: Path) -> None:
    told = json.loads(_odp(town, "privacy", "aides", "--json").output)
    assert told["risk"]["rows"] == 19
    assert told["risk"]["classes"] == 2
    assert told["risk"]["sizes"] == {"5-10": 1, "11-19": 1}
    assert told["risk"]["risks"] == {
        "prosecutor": round(1 / 7, 6), "journalist_at_most": round(1 / 7, 6), "marketer": round(2 / 19, 6)
    }  # fmt: skip
    assert told["version before"] == {}
    assert told["techniques"]["age"] == {"generalise": {"bands": 10}}
    assert told["techniques"]["numero"] == {"pseudonymise": {}}
    assert "nom" not in told["techniques"]


def test_it_is_compared_with_the_version_before_and_read_as_a_table(town: Path) -> None:
    _deliver(town, nord=17, sud=12, est=3)
    assert _odp(town, "run", "aides").exit_code == 0
    told = json.loads(_odp(town, "privacy", "aides", "--json").output)
    assert (told["version"], told["risk"]["smallest"], told["version before"]["smallest"]) == (2, 12, 7)
    read = _odp(town, "privacy", "aides").output
    assert "prosecutor" in read
    assert "Canari" not in read + json.dumps(told)
    assert "ODP_SEL" not in json.dumps(told)


def test_what_another_k_would_do_is_told_and_nothing_is_published(town: Path) -> None:
    before = sorted(path.name for path in (town / ".odp/public").rglob("*"))
    told = json.loads(
        _odp(town, "privacy", "aides", "--what-if", "k=11", "--what-if", "suppression=50 %", "--json").output
    )
    assert told["rows"] == {"read": 22, "published": 12, "suppressed": 10}
    assert told["risk"]["smallest"] == 12
    assert told["would refuse"] == {}
    refused = json.loads(_odp(town, "privacy", "aides", "--what-if", "k=11", "--json").output)
    assert list(refused["would refuse"]) == ["suppression_limit"]
    assert sorted(path.name for path in (town / ".odp/public").rglob("*")) == before


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("l=2", "knows no 'l'"),
        ("k", "is no change"),
        ("k=1", "k: expected at least 2"),
        ("score=beauty", "score"),
        ("k=", "is no change"),
    ],
)
def test_a_change_that_is_none_is_refused(town: Path, asked: str, why: str) -> None:
    failed = _odp(town, "privacy", "aides", "--what-if", asked)
    assert isinstance(failed.exception, OdpError)
    assert why in str(failed.exception)


def test_the_register_holds_what_is_declared_and_no_value(town: Path) -> None:
    [entry] = register(read_town(town))
    assert entry["Base légale"] == "CASF L123-5"
    assert entry["Catégories de personnes"] == "allocataires"
    assert entry["Catégories de données"] == (
        "numero (pseudonymisée), Nom (non publiée), quartier (publiée), age (généralisée)"
    )
    assert "k-anonymat, k = 5, sur quartier, age" in entry["Mesures de sécurité"]
    [row] = csv.DictReader(io.StringIO(_odp(town, "register").stdout))
    assert row["Délégué à la protection des données"] == "dpo@ville.example"
    assert json.loads(_odp(town, "register", "--json").output) == [entry]


def test_the_public_reads_how_persons_are_protected_in_two_languages(town: Path) -> None:
    page = (town / ".odp/public/privacy/aides.html").read_text()
    assert "compte au moins <strong>5</strong> lignes ; la plus petite en a 7" in page.replace("\u00a0", " ").replace(
        "\u202f", " "
    )
    assert "rendue moins précise (tranches de 10)" in page
    assert "quartier (nom de personne)" in page
    assert "noms de quartiers, pas de personnes" in page
    assert "Canari" not in page
    english = (town / ".odp/public/privacy/aides.en.html").read_text()
    assert "replaced by a pseudonym" in english
    assert 'lang="en"' in english
    assert "privacy/aides.html" in (town / ".odp/public/dataset/aides.html").read_text()


def test_the_public_reads_that_a_table_is_published_and_by_which_rules(tmp_path: Path) -> None:
    root = write_town(tmp_path)
    said = AIDES.split("  columns:")[0] + (
        "  rules: social\n  columns: {numero: drop, nom: drop, quartier: keep, age: keep}\n  table: {by: [quartier]}\n"
    )
    (root / "assets/sports/aides.yaml").write_text(said)
    _deliver(root, nord=40, sud=30)
    assert _odp(root, "run", "aides").exit_code == 0
    page = (root / ".odp/public/privacy/aides.html").read_text()
    assert "une case de moins de 11" in page.replace("\u00a0", " ").replace("\u202f", " ")
    assert "Règles suivies" in page
    assert "rounded" not in page


def test_a_file_without_its_quasi_identifiers_has_no_risk_that_can_be_told(town: Path, tmp_path: Path) -> None:
    dataset = read_town(town).dataset("aides")
    file = tmp_path / "other.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS quartier) TO '{file}' (FORMAT parquet)")
    with pytest.raises(PrivacyError, match="does not hold the declared quasi-identifiers"):
        risk(file, dataset, DuckSettings())


def test_a_dataset_without_persons_has_no_page_and_no_entry(tmp_path: Path) -> None:
    root = write_town(tmp_path, "piscines")
    assert _odp(root, "run").exit_code == 0
    assert not (root / ".odp/public/privacy").exists()
    assert register(read_town(root)) == []
    assert json.loads(_odp(root, "privacy", "piscines", "--json").output)["risk"] == {}
