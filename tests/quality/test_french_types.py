# ruff: noqa: E501 - lists of examples read better whole
"""French types: what is one, what is none, evaluated by Great Expectations on our engine and told without a value."""

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.fr import siren, siret

from odpipeline import quality
from odpipeline.duck import DuckSettings, literal
from odpipeline.quality import Expectation, Suite
from odpipeline.quality.french import FRENCH, PREFIX

DUCK = DuckSettings(memory_limit="300MB", threads=1)
GOOD = {
    "siren": ["732829320", "356000000"], "siret": ["73282932000074", "35600000049837", "35600000000048"], "nic": ["00074"],
    "code_commune": ["75056", "2A004", "97411", "01001", "98818"], "code_departement": ["01", "2B", "974", "75"],
    "code_region": ["53", "94"], "code_iris": ["751010101", "2A0040101"], "code_postal": ["20000", "01000", "97400"],
    "code_naf": ["62.01Z", "6201Z"], "rna": ["W751000001", "W2A1000001"], "uai": ["0750655E", "0750654D"],
    "finess": ["750100042", "2A0000014"], "telephone": ["0143223344", "01 43 22 33 44", "+33 1 43 22 33 44", "+33(0)143223344"],
    "courriel": ["mairie@ville.fr", "a.b+c@x-y.gouv.fr"], "url": ["https://ville.fr/données?x=1", "http://a.fr"],
    "nomenclature_actes": ["Urbanisme/PLU", "URBANISME/x", "Libertes publiques et pouvoirs de police/Police"],
    "intervalle_annees": ["2020/2021"], "annee_ou_intervalle": ["2020", "2020/2021"],
    "heures_ouverture": ["Mo-Fr 08:30-12:00; Sa 09:00-12:00", "24/7", "PH off"], "mois": ["2026-03"], "date_iso": ["2024-02-29"],
    "montant": ["12", "-12.5", "1200,50"], "latitude": ["48.85", "-21.1"], "longitude": ["2.35", "-179.9"],
    "x_lambert93": ["652000", "355000.5"], "y_lambert93": ["6862000"],
}  # fmt: skip
BAD = {
    "siren": ["732829321", "73282932", "73282932A", "732 829 320"], "siret": ["73282932000075", "7328293200007", "35600000049838"],
    "nic": ["74", "ABCDE"], "code_commune": ["20004", "7505", "96001", "2C004", "00000"], "code_departement": ["20", "7", "96", "2C"],
    "code_region": ["10", "7", "99"], "code_iris": ["75101", "75101010"], "code_postal": ["1000", "96000", "00100"],
    "code_naf": ["43.21", "620Z"], "rna": ["751000001", "W75100000"], "uai": ["0750655F", "0750655I", "750655E"],
    "finess": ["750100043", "75010004"], "telephone": ["143223344", "0043223344", "01 43 22 33"],
    "courriel": ["mairie", "mairie@ville", "a b@ville.fr", "@ville.fr"], "url": ["ville.fr", "ftp://a.fr", "https://a b.fr"],
    "nomenclature_actes": ["Urbanisme", "Urbanisme / PLU", "Urbanisme/ PLU", "Voirie/PLU", "/PLU"],
    "intervalle_annees": ["2020", "2021/2020", "2020/2020", "20/21"], "annee_ou_intervalle": ["20", "2021/2020"],
    "heures_ouverture": ["8h-12h", "ouvert le lundi", "x" * 2000], "mois": ["2026-13", "2026-3"], "date_iso": ["2023-02-29", "29/02/2024"],
    "montant": ["1 200", "12.345", "12 €", "NaN", "1e5"], "latitude": ["91", "48,85", "nord", "nan"], "longitude": ["181", "2,35", "inf"],
    "x_lambert93": ["6862000", "2,35", "652 000"], "y_lambert93": ["48.85", "652000", "nan"],
}  # fmt: skip


def held(folder, name, cells, mostly=1):
    """The finding of one column that holds `cells`."""
    values = ", ".join(f"({'NULL' if cell is None else literal(cell)}::VARCHAR)" for cell in cells)
    path = folder / "rows.parquet"
    duckdb.execute(f'COPY (SELECT * FROM (VALUES {values}) t("a ""b""")) TO \'{path}\' (FORMAT parquet)')
    kwargs = {"column": 'a "b"'} | ({"mostly": mostly} if mostly < 1 else {})
    [finding] = quality.check(path, Suite("d", (Expectation(PREFIX + name, kwargs),)), DUCK).findings
    return finding


@pytest.mark.parametrize("name", FRENCH)
def test_what_is_of_the_type_passes_and_a_missing_value_is_none(tmp_path, name):
    assert held(tmp_path, name, [*GOOD[name], None]).passed


@pytest.mark.parametrize(("name", "cell"), [(name, cell) for name, cells in BAD.items() for cell in cells])
def test_what_is_not_of_the_type_fails_and_is_not_shown(tmp_path, name, cell):
    finding = held(tmp_path, name, [GOOD[name][0], cell, None])
    assert not finding.passed
    assert finding.message.startswith(f'a "b": 1 of 2 values {FRENCH[name].failed}')
    assert cell not in finding.message


def test_a_share_of_them_may_be_wrong(tmp_path):
    cells = ["732829320"] * 9 + ["faux"]
    assert held(tmp_path, "siren", cells, mostly=0.9).passed
    assert not held(tmp_path, "siren", cells, mostly=0.95).passed


SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(st.lists(st.text("0123456789", min_size=9, max_size=9), min_size=1, max_size=20))
def test_siren_and_finess_agree_with_another_implementation(tmp_path, cells):
    wrong = sum(not siren.is_valid(cell) for cell in cells)
    assert held(tmp_path, "siren", cells).counts.get("unexpected_count", 0) == wrong
    assert held(tmp_path, "finess", cells).counts.get("unexpected_count", 0) == sum(not luhn.is_valid(c) for c in cells)


@SLOW
@given(st.lists(st.text("0123456789", min_size=13, max_size=13), min_size=1, max_size=20))
def test_siret_agrees_with_another_implementation(tmp_path, stems):
    cells = [stem + luhn.calc_check_digit(stem) if n % 2 else stem + "0" for n, stem in enumerate(stems)]
    wrong = sum(not luhn.is_valid(cell) for cell in cells)
    assert held(tmp_path, "siret", cells).counts.get("unexpected_count", 0) == wrong
    assert siret.is_valid("73282932000074")


def test_every_type_is_explained_in_french():
    assert all(one.explained.endswith(".") and "\n" not in one.explained for one in FRENCH.values())
