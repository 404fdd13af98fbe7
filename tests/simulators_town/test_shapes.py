"""What the systems deliver looks like the real thing, dirt included."""

from collections import Counter
from pathlib import Path

import pytest

from tests.simulators.night import siret, town_siret
from tests.simulators_town import reading


@pytest.fixture
def first(night):
    return night(1)


def check_sum(number):
    digits = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(number))]
    return sum(sum(divmod(d, 10)) for d in digits) % 10


def test_siret_numbers_have_right_check_digits(first):
    sql = "SELECT DISTINCT siret_fournisseur FROM mandats"
    numbers = [row[0] for row in reading.query(first, "ODP_FINANCES_URL", sql)] + [town_siret(), siret(12345678)]
    assert {(len(n), check_sum(n), check_sum(n[:9])) for n in numbers} == {(14, 0, 0)}


def test_the_budget_is_balanced_in_both_sections(first):
    sql = 'SELECT "BGT_SECTION", "BGT_CODRD", round(sum("BGT_MTPREV"), 2) FROM scdl_budget GROUP BY 1, 2'
    sums = {row[:2]: row[2] for row in reading.query(first, "ODP_FINANCES_URL", sql)}
    for section in ("fonctionnement", "investissement"):
        assert sums[section, "dépense"] == pytest.approx(sums[section, "recette"])


def test_the_energy_file_is_no_utf8_and_ends_with_a_total(first):
    newest = next((Path(first["ODP_DEPOT"]) / "energie").iterdir()).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        newest.decode()
    rows = reading.readings(first)
    assert rows[0][0] == "N° compteur"
    assert rows[-1][1] == "TOTAL GÉNÉRAL"
    assert "\xa0" in rows[-1][4]
    assert rows[-1][4][-2] == ","


def test_buildings_use_more_energy_in_winter(first):
    used = Counter()
    for row in reading.readings(first)[1:-1]:
        if row[4] != "n.d.":
            used[row[3][3:5]] += float(row[4].replace("\xa0", "").replace(",", "."))
    assert used["10"] > 1.3 * used["08"]


def test_the_workbook_has_a_title_a_merged_header_and_a_total(first):
    sheet = reading.sheet(first)
    assert sheet["A1"].value.startswith("Ville d’Aubrelle")
    assert [c.value for c in sheet[3]] == ["Équipement", "Type", "Date", "Entrées", None, None, "Scolaires"]
    assert [c.value for c in sheet[4]] == [None, None, None, "plein tarif", "tarif réduit", "gratuites", None]
    assert {"D3:F3", "A3:A4"} <= {str(merged) for merged in sheet.merged_cells.ranges}
    assert sheet[sheet.max_row][0].value == "Total"


def test_few_first_names_are_frequent_and_many_are_rare(first):
    counts = [int(line.split(";")[3]) for line in reading.first_names(first).decode().splitlines()[1:]]
    assert 0.3 < sum(count < 5 for count in counts) / len(counts) < 0.7
    assert max(counts) > 40


def test_no_grant_names_a_person_as_its_beneficiary(first):
    sql = (
        'SELECT "categorieBeneficiaire", count("nomBeneficiaire"), count("idBeneficiaire"), count("nomPersonne") '
        "FROM subventions GROUP BY 1 ORDER BY 1"
    )
    (association, named, numbered, persons), (person, *others, surnames) = reading.query(first, "ODP_FINANCES_URL", sql)
    assert (association, named, persons) == ("association", numbered, 0)
    assert (person, others) == ("personne physique", [0, 0])
    assert surnames > 100


@pytest.mark.parametrize("number", [1, 2, 3])
def test_social_cases_reach_k_11_within_two_per_cent_of_suppression(night, number):
    sql = "SELECT count(*) FROM dossiers GROUP BY sexe, age / 10, substr(iris, 1, 7)"
    classes = [row[0] for row in reading.query(night(number), "ODP_ACTION_SOCIALE_URL", sql)]
    suppressed = sum(rows for rows in classes if rows < 11) / sum(classes)
    assert 0 < suppressed < 0.02
