"""Computed and looked-up fields, renamed and folded columns, through the whole flow."""

import csv

import pytest

from odpipeline import flow, lineage
from odpipeline.declaration import read_town
from odpipeline.errors import ConformError
from odpipeline.store import Release
from tests.towns import PISCINES, write_town

COMPUTED = PISCINES.replace(
    "  - {name: entrees, type: integer, constraints: {minimum: 0}}\n",
    """  - {name: entrees, type: integer, constraints: {minimum: 0}}
  - {name: an, type: year, derive: year(jour)}
  - {name: part, type: number, derive: entrees / (entrees - 100)}
  - {name: commune, lookup: {file: references/bassins.csv, on: piscine, key: BASSIN, value: COMMUNE}}
  - {name: lieu, derive: upper(commune) || ' ' || an}
""",
)


@pytest.fixture
def town(tmp_path):
    write_town(tmp_path, "piscines", declaration=COMPUTED)
    (tmp_path / "references").mkdir()
    (tmp_path / "references/bassins.csv").write_text("BASSIN,COMMUNE\nBassin 0,Ville\n")
    (tmp_path / "depot/piscines.csv").write_text(
        "jour,piscine,entrees\n2026-10-01,Bassin 0,100\n2026-10-02,Bassin 0,110\n2026-10-02,Bassin 9,\n"
    )
    return tmp_path


def published(folder):
    declared = read_town(folder)
    *_, last = flow.publication(declared.dataset("piscines"), declared, flow.Zones.of(declared))
    assert isinstance(last, Release)
    with (last.folder / "piscines.csv").open(newline="") as text:
        return list(csv.reader(text))


def test_fields_are_computed_and_looked_up_row_by_row(town):
    assert published(town) == [
        ["jour", "piscine", "entrees", "an", "part", "commune", "lieu"],
        ["2026-10-01", "Bassin 0", "100", "2026", "", "Ville", "VILLE 2026"],  # a division by zero is no value
        ["2026-10-02", "Bassin 0", "110", "2026", "11.0", "Ville", "VILLE 2026"],
        ["2026-10-02", "Bassin 9", "", "2026", "", "", ""],  # nor is a key that the reference does not know
    ]


def test_lineage_goes_back_to_the_delivered_columns(town):
    said = {column.column: column for column in lineage.of(read_town(town).dataset("piscines"))}
    assert said["lieu"].delivered == ("piscine", "jour")
    assert said["commune"].transformation == "looked up in references/bassins.csv by piscine"


def test_a_changed_reference_is_worked_through_although_the_source_is_unchanged(town):
    published(town)
    (town / "references/bassins.csv").write_text("BASSIN,COMMUNE\nBassin 0,Ville-Neuve\n")
    assert published(town)[1][-2] == "Ville-Neuve"


def test_a_reference_that_knows_a_key_twice_stops_the_run(town):
    (town / "references/bassins.csv").write_text("BASSIN,COMMUNE\nBassin 0,Ville\nBassin 0,Autre\n")
    with pytest.raises(ConformError, match=r"references/bassins.csv knows 1 keys twice; each value of BASSIN stands"):
        published(town)


def test_columns_are_renamed_and_compared_without_accents(tmp_path):
    write_town(
        tmp_path, "piscines", declaration=PISCINES.replace(
            "personal_data", "rename: {Nom du bassin: piscine}\nfold_accents: true\npersonal_data"
        ).replace("name: entrees", "name: nb_entrees"),
    )  # fmt: skip
    (tmp_path / "depot/piscines.csv").write_text("Jour,NOM-DU-BASSIN,Nb entrées\n2026-10-01,Bassin 0,100\n")
    assert published(tmp_path)[1] == ["2026-10-01", "Bassin 0", "100"]
