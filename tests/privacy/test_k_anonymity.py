"""Small classes are suppressed within the limit, and the written files are measured, not believed."""

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.errors import PrivacyError
from odpipeline.privacy import anonymise, measure
from tests.privacy.conftest import TEN_PEOPLE

BANDS = {"age": {"generalise": {"bands": 10}}, "nom": "drop", "numero": "drop"}


def as_csv(parquet, tmp_path):
    target = tmp_path / "written.csv"
    duckdb.execute(f"COPY (SELECT * FROM read_parquet('{parquet}')) TO '{target}' (HEADER)")
    return target


def test_a_class_smaller_than_k_is_suppressed_whole(aides, rows, tmp_path, duck):
    dataset = aides(BANDS, quasi_identifiers=["age", "quartier"], k=5, suppression="50 %")
    out = anonymise(rows(TEN_PEOPLE), dataset, tmp_path, duck, salt="1")
    assert (out.rows, out.suppressed) == (6, 4)
    assert out.findings[0].passed
    assert all(f.passed for f in measure(out.parquet, as_csv(out.parquet, tmp_path), dataset, duck))


def test_suppression_beyond_the_limit_blocks(aides, rows, tmp_path, duck):
    dataset = aides(BANDS, quasi_identifiers=["age", "quartier"], k=5, suppression="2 %")
    [finding] = anonymise(rows(TEN_PEOPLE), dataset, tmp_path, duck, salt="1").findings
    assert finding.blocks
    assert finding.message.startswith("4 of 10 rows suppressed to reach k = 5 (limit 2.0%); generalise")


def test_the_measure_sees_a_small_class_that_anonymisation_missed(aides, rows, tmp_path, duck):
    loose = aides(BANDS, quasi_identifiers=["age", "quartier"], k=2)
    out = anonymise(rows(TEN_PEOPLE), loose, tmp_path, duck, salt="1")
    strict = aides(BANDS, quasi_identifiers=["age", "quartier"], k=5)
    failed = [f for f in measure(out.parquet, as_csv(out.parquet, tmp_path), strict, duck) if f.blocks]
    assert [f.rule for f in failed] == ["k_anonymity_parquet", "k_anonymity_csv"]
    assert "the smallest of 2 equivalence classes holds 4 rows, k = 5; 4 rows could single out" in failed[0].message


def test_the_measure_sees_a_column_without_a_role(aides, rows, tmp_path, duck):
    out = anonymise(rows(TEN_PEOPLE), aides(), tmp_path, duck, salt="1")
    failed = [f for f in measure(out.parquet, as_csv(out.parquet, tmp_path), aides({"nom": "drop"}), duck) if f.blocks]
    assert {f.rule for f in failed} == {"published_columns_parquet", "published_columns_csv"}


def test_a_fact_that_cannot_be_measured_is_no_pass(aides, tmp_path, duck):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(PrivacyError, match="could not be measured"):
        measure(tmp_path / "broken.parquet", tmp_path / "broken.parquet", aides(), duck)


def test_an_empty_file_is_not_k_anonymous(aides, rows, tmp_path, duck):
    dataset = aides(BANDS, quasi_identifiers=["age"], k=50, suppression="100 %")
    out = anonymise(rows(TEN_PEOPLE), dataset, tmp_path, duck, salt="1")
    assert out.rows == 0
    failed = [f.rule for f in measure(out.parquet, as_csv(out.parquet, tmp_path), dataset, duck) if f.blocks]
    assert "k_anonymity_parquet" in failed


def test_counts_below_the_least_are_suppressed_and_measured(aides, rows, tmp_path, duck):
    dataset = aides(small_cells={"age": 24})
    out = anonymise(rows(TEN_PEOPLE), dataset, tmp_path, duck, salt="1")
    assert (out.rows, out.small_cells) == (6, 4)
    assert all(f.passed for f in measure(out.parquet, as_csv(out.parquet, tmp_path), dataset, duck))
    stricter = aides(small_cells={"age": 47})
    failed = [f.rule for f in measure(out.parquet, as_csv(out.parquet, tmp_path), stricter, duck) if f.blocks]
    assert failed == ["small_cells_age_parquet", "small_cells_age_csv"]


def test_a_column_without_a_role_stops(aides, rows, tmp_path, duck):
    dataset = aides()
    silent = dataset.model_copy(
        update={"privacy": dataset.privacy.model_copy(update={"columns": {"nom": "drop", "age": "keep"}})}
    )
    with pytest.raises(PrivacyError, match="no role is stated for numero, quartier, montant, depuis"):
        anonymise(rows(TEN_PEOPLE), silent, tmp_path, duck, salt="1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    people=st.lists(st.tuples(st.integers(0, 99), st.sampled_from("ABC") | st.none()), min_size=1, max_size=60),
    k=st.integers(2, 6),
)
def test_what_is_left_is_always_k_anonymous_and_nothing_more_is_lost(people, k, aides, rows, tmp_path, duck):
    values = ", ".join(
        f"('D{n}', 'x', {age}, {'NULL' if area is None else repr(area)}, 1.0)" for n, (age, area) in enumerate(people)
    )
    dataset = aides(BANDS, quasi_identifiers=["age", "quartier"], k=k, suppression="100 %")
    out = anonymise(rows(values), dataset, tmp_path, duck, salt="1")
    classes: dict[tuple, int] = {}
    for age, area in people:
        classes[age // 10, area] = classes.get((age // 10, area), 0) + 1
    assert out.rows == sum(n for n in classes.values() if n >= k)
    assert out.rows + out.suppressed == len(people)
