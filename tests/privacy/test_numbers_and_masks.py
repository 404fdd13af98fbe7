"""Rounding, bounds, noise and masks do to each value what they say, and nothing else."""

import hashlib
import math
import statistics
from fractions import Fraction

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import lineage
from odpipeline.privacy import anonymise
from tests.privacy.conftest import TEN_PEOPLE

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
SECRET = hashlib.sha256(b"noise").hexdigest()
SIRET, SIREN, POST = "73282932000074", "732829320", "35600000000048"


@pytest.fixture
def published(aides, rows, tmp_path, duck):
    """`published(values, columns, wanted)`: the wanted columns of what came out, in the order of the last column."""

    def run(values, columns, wanted, salt="1"):
        out = anonymise(rows(values), aides(columns), tmp_path, duck, salt=salt)
        return duckdb.execute(f"SELECT {wanted} FROM '{out.parquet}' ORDER BY montant").fetchall()

    return run


def people(values, name="NULL::BIGINT"):
    """Rows with one age each."""
    return ", ".join(f"('D', 'x', {'NULL::BIGINT' if v is None else v}, 'A', {n}.0)" for n, v in enumerate(values))


def test_a_constant_stands_in_every_row(published):
    found = published("('D', NULL, 1, 'A', 1.0), ('E', 'x', 2, 'B', 2.0)", {"nom": {"constant": "Usager d'ici"}}, "nom")
    assert found == [("Usager d'ici",)] * 2


@quick
@given(ages=st.lists(st.integers(-(10**12), 10**12) | st.none(), min_size=1, max_size=20), base=st.integers(1, 1000))
def test_whole_numbers_are_rounded_to_the_even_multiple_of_the_base(ages, base, published):
    found = [age for (age,) in published(people(ages), {"age": {"round": base}}, "age")]
    assert found == [None if age is None else round(Fraction(age, base)) * base for age in ages]


@pytest.mark.parametrize(
    ("base", "values", "expected"),
    [
        (0.1, [0.04, 0.16, 1234.56], [0.0, 0.2, 1234.6]),
        (0.5, [0.25, 0.75, 1.1], [0.0, 1.0, 1.0]),
        (100, [150.0, 250.0, -149.0], [200.0, 200.0, -100.0]),
    ],
)
def test_numbers_are_rounded_to_clean_multiples(base, values, expected, published):
    rows = ", ".join(f"('D{n}', 'x', 1, 'A', {value}::DOUBLE)" for n, value in enumerate(values))
    assert [one for (one,) in published(rows, {"montant": {"round": base}}, "montant")] == sorted(expected)


@quick
@given(ages=st.lists(st.integers(0, 130) | st.none(), min_size=1, max_size=20), bottom=st.integers(0, 60))
def test_values_beyond_a_bound_are_published_as_the_bound(ages, bottom, published):
    both = {"age": {"bottom_code": bottom, "top_code": bottom + 30}}
    found = [age for (age,) in published(people(ages), both, "age")]
    assert found == [None if age is None else min(max(age, bottom), bottom + 30) for age in ages]


def test_coded_numbers_keep_their_type(published):
    [(kind, value)] = published("('D', 'x', 200::BIGINT, 'A', 1.5)", {"age": {"top_code": 90}}, "typeof(age), age")
    assert (kind, value) == ("BIGINT", 90)


@pytest.mark.parametrize(("law", "deviation"), [("laplace", math.sqrt(2) * 10), ("gaussian", 10)])
def test_noise_has_the_declared_distribution(law, deviation, published, monkeypatch):
    monkeypatch.setenv("ODP_S", SECRET)
    found = published(people([1000] * 4000), {"age": {"noise": {law: 10, "secret": "ODP_S"}}}, "age")
    moved = [age - 1000 for (age,) in found]
    assert abs(statistics.mean(moved)) < 4 * deviation / math.sqrt(4000)
    assert statistics.stdev(moved) == pytest.approx(deviation, rel=0.1)
    within = sum(abs(one) <= 10 for one in moved) / 4000
    assert within == pytest.approx(1 - math.exp(-1.05) if law == "laplace" else math.erf(1.05 / math.sqrt(2)), abs=0.03)


def test_noise_is_that_of_the_release_and_of_the_secret(published, monkeypatch):
    noise = {"age": {"noise": {"gaussian": 50, "secret": "ODP_S"}}}
    monkeypatch.setenv("ODP_S", SECRET)
    one, again, next_release = (published(people([1000] * 20), noise, "age", salt) for salt in ("1", "1", "2"))
    monkeypatch.setenv("ODP_S", SECRET[::-1])
    assert one == again
    assert one != next_release
    assert one != published(people([1000] * 20), noise, "age", "1")


def test_noise_leaves_missing_values_and_no_trace_in_the_last_digits(published, monkeypatch):
    monkeypatch.setenv("ODP_S", SECRET)
    noise = {"montant": {"noise": {"laplace": 0.5, "secret": "ODP_S"}}}
    values = "('D', 'x', 1, 'A', NULL::DOUBLE), ('D', 'x', 1, 'A', 3.14159)"
    found = [amount for (amount,) in published(values, noise, "montant")]
    assert found[1] is None
    assert found[0] == round(found[0], 1)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (f"'{SIRET}'", "Dupont"), (f"'{SIREN}'", "Dupont"), ("'732 829 320 00074'", "Dupont"), (f"'{POST}'", "Dupont"),
        ("'W751234567'", "Dupont"), ("NULL::VARCHAR", "Personne physique"), ("''", "Personne physique"),
        ("'00000000000000'", "Personne physique"), ("'73282932000075'", "Personne physique"),
        ("'néant'", "Personne physique"), ("'７３２８２９３２０'", "Personne physique"),
    ],
)  # fmt: skip
def test_a_name_stays_only_beside_a_valid_number(number, name, published):
    mask = {"nom": {"mask": {"unless": "numero"}}}
    assert published(f"({number}, 'Dupont', 1, 'A', 1.0)", mask, "nom") == [(name,)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("'morale'", "Dupont"), ("'physique'", "M."), ("' physique '", "M."), ("NULL::VARCHAR", "M."), ("''", "M.")],
)
def test_a_name_is_masked_where_another_field_tells_a_natural_person(kind, name, published):
    mask = {"nom": {"mask": {"when": {"quartier": ["physique"]}, "instead": "M."}}}
    assert published(f"('D', 'Dupont', 1, {kind}, 1.0)", mask, "nom") == [(name,)]


def test_both_conditions_must_tell_that_it_is_no_natural_person(published):
    mask = {"nom": {"mask": {"unless": "numero", "when": {"quartier": ["1000"]}}}}
    named = [("'Artisan'", 1000), ("'Société'", 5499), ("NULL", 1000)]
    values = ", ".join(f"('{SIREN}', {name}, 1, '{kind}', {n}.0)" for n, (name, kind) in enumerate(named))
    assert published(values, mask, "nom") == [("Personne physique",), ("Société",), (None,)]


def test_a_mask_may_look_at_a_column_that_is_dropped(published):
    mask = {"nom": {"mask": {"unless": "numero"}}, "numero": "drop"}
    assert published(f"('{SIREN}', 'Société', 1, 'A', 1.0)", mask, "nom") == [("Société",)]


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ({"constant": "x"}, "replaced by one text"),
        ({"round": 10}, "rounded to multiples of 10"),
        ({"bottom_code": 18, "top_code": 90}, "bottom-coded at 18, top-coded at 90"),
        ({"noise": {"laplace": 5, "secret": "ODP_S"}}, "with noise added (Laplace, scale 5)"),
    ],
)
def test_the_lineage_tells_the_technique(role, words, aides):
    said = {one.column: one.transformation for one in lineage.of(aides({"age": role}))}
    assert said["age"].endswith(f", {words}")


def test_ten_people_keep_their_number_of_rows(published):
    assert len(published(TEN_PEOPLE, {"age": {"round": 10}}, "age")) == 10
