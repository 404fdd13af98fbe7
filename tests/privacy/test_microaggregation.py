"""Micro-aggregation: groups of at least so many near rows, each value the mean of its group."""

from collections import Counter

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.errors import PrivacyError
from odpipeline.privacy import anonymise
from odpipeline.privacy.techniques.microaggregation import mdav

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
BOTH = {"age": {"microaggregate": 3}, "montant": {"microaggregate": 3}}


@pytest.fixture
def published(aides, rows, tmp_path, duck):
    """Age and amount of what came out, for rows of (age, amount)."""

    def run(pairs):
        values = ", ".join(f"('D', 'x', {'NULL' if a is None else a}::BIGINT, 'A', {m}::DOUBLE)" for a, m in pairs)
        out = anonymise(rows(values), aides(BOTH), tmp_path, duck, salt="1")
        return duckdb.execute(f"SELECT age, montant FROM '{out.parquet}'").fetchall()

    return run


def test_near_rows_take_the_mean_of_their_group(published):
    found = published([(20, 1.0), (21, 2.0), (22, 3.0), (80, 10.0), (81, 11.0), (83, 12.0)])
    assert Counter(found) == {(21, 2.0): 3, (81, 11.0): 3}


@quick
@given(points=st.lists(st.tuples(*[st.integers(-1000, 1000)] * 2), max_size=80), size=st.integers(3, 7))
def test_every_row_is_in_one_group_that_is_large_enough(points, size):
    data = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    groups = mdav(data, size)
    assert all(size <= len(group) < 2 * size for group in groups)
    assert sorted(np.concatenate([*groups, []])) == (list(range(len(points))) if len(points) >= size else [])


@quick
@given(pairs=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 5000)), min_size=3, max_size=40))
def test_published_pairs_stand_for_at_least_so_many_rows_and_keep_the_sum(pairs, published):
    found = published(pairs)
    assert min(Counter(found).values()) >= 3
    assert sum(amount for _, amount in found) == pytest.approx(sum(amount for _, amount in pairs))


def test_missing_values_and_too_few_rows_are_missing(published):
    assert Counter(published([(None, 5.0), (1, 1.0), (1, 1.0), (1, 4.0)])) == {(1, 2.0): 3, (None, None): 1}
    assert published([(1, 1.0), (2, 2.0)]) == [(None, None)] * 2


def test_too_many_rows_are_refused(aides, tmp_path, duck):
    many = "range AS _row, 'D' AS numero, 'x' AS nom, range AS age, 'A' AS quartier, 1.0::DOUBLE AS montant"
    source = tmp_path / "many.parquet"
    duckdb.execute(f"COPY (SELECT {many}, DATE '2026-03-04' AS depuis FROM range(50001)) TO '{source}'")
    with pytest.raises(PrivacyError, match="groups at most 50000 rows, and there are more; use round or bands"):
        anonymise(source, aides(BOTH), tmp_path, duck, salt="1")


def test_identical_rows_stay_as_they_are(published):
    assert published([(30, 2.5)] * 8) == [(30, 2.5)] * 8
