"""What the solver does at the edges: no rows, k greater than N, one value, lattices beyond counting."""

import numpy as np
import pytest

from odpipeline.errors import PrivacyError
from odpipeline.privacy.lattice import Quasi, TooLarge, load, solve, state
from odpipeline.privacy.lattice.problem import Column, Problem


@pytest.fixture
def ages(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE l_age AS SELECT i::VARCHAR AS leaf, (i // 10)::VARCHAR AS level_1, '*' AS level_2 "
        "FROM range(100) t(i)"
    )

    def make(rows, **quasi):
        connection.execute(f"CREATE OR REPLACE TABLE ages AS {rows}")
        return load(connection, "ages", [Quasi("age", "l_age", **quasi)])

    return make


def test_no_rows_have_no_node(ages):
    assert solve(ages("SELECT 1 AS age WHERE false"), 5) is None


def test_k_greater_than_the_rows_has_no_node_unless_all_may_be_suppressed(ages):
    few = ages("SELECT i AS age FROM range(10) t(i)")
    assert solve(few, 11, limit=0.99) is None
    everything = solve(few, 11, limit=1.0)
    assert (everything.suppressed, everything.classes, everything.smallest) == (10, 0, 0)


def test_rows_that_are_all_the_same_stay_as_they_are(ages):
    found = solve(ages("SELECT 30 AS age FROM range(10)"), 5)
    assert (found.levels, found.score, found.suppressed) == ({"age": 0}, 0.0, 0)


def test_missing_values_are_a_class_of_their_own_on_every_level(ages):
    rows = "SELECT i AS age FROM range(20) t(i) UNION ALL SELECT NULL FROM range(3)"
    assert solve(ages(rows), 5) is None
    found = solve(ages(rows), 5, limit=0.2)
    assert (found.levels, found.suppressed, found.classes) == ({"age": 1}, 3, 2)


def test_a_level_can_be_forced(ages):
    rows = "SELECT i % 10 AS age FROM range(100) t(i)"
    assert solve(ages(rows), 5).levels == {"age": 0}
    assert solve(ages(rows, lowest=1), 5).levels == {"age": 1}
    assert solve(ages("SELECT i AS age FROM range(100) t(i)", highest=1), 11) is None


def test_a_weight_moves_the_choice(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE l_x AS SELECT i::VARCHAR AS leaf, '*' AS level_1 FROM range(4) t(i);"
        "CREATE OR REPLACE TABLE xy AS SELECT i % 4 AS x, i // 4 AS y FROM range(16) t(i)"
    )
    for heavy, light in (("x", "y"), ("y", "x")):
        quasi = [Quasi(heavy, "l_x", weight=3), Quasi(light, "l_x")]
        assert solve(load(connection, "xy", quasi), 4).levels == {heavy: 0, light: 1}


def test_equal_scores_are_told_apart_by_the_names_of_columns(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE l_x AS SELECT i::VARCHAR AS leaf, '*' AS level_1 FROM range(4) t(i);"
        "CREATE OR REPLACE TABLE xy AS SELECT i % 4 AS x, i // 4 AS y FROM range(16) t(i)"
    )
    assert solve(load(connection, "xy", [Quasi("y", "l_x"), Quasi("x", "l_x")]), 4).levels == {"x": 0, "y": 1}


def test_one_node_can_be_looked_at(ages):
    few = ages("SELECT i AS age FROM range(20) t(i)")
    assert state(few, 5, (0,)) is None
    assert state(few, 5, (1,)).score == solve(few, 5).score


def test_a_value_that_the_hierarchy_does_not_know_stops(ages):
    with pytest.raises(PrivacyError, match="1 different rows hold a value of age that its hierarchy does not know"):
        ages("SELECT 120 AS age")


def test_a_hierarchy_that_is_not_nested_stops(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE l_age AS SELECT * FROM (VALUES ('1', 'a', 'x'), ('2', 'a', 'y')) t(leaf, l1, l2);"
        "CREATE OR REPLACE TABLE ages AS SELECT 1 AS age"
    )
    with pytest.raises(PrivacyError, match="not nested: values share level 1 but not level 2"):
        load(connection, "ages", [Quasi("age", "l_age")])


def test_thirty_quasi_identifiers_are_refused_or_answered_with_a_gap():
    random = np.random.default_rng(1)
    half, top = np.arange(4, dtype=np.int32) // 2, np.zeros(4, np.int32)
    column = (
        (np.arange(4, dtype=np.int32), half, top),
        (np.ones(4, np.int64), np.full(2, 2), np.array([4])),
    )
    columns = tuple(Column(f"c{n:02}", *column, 4, 0, 2, 1.0) for n in range(30))
    codes = tuple(random.integers(0, 4, 500, dtype=np.int32) for _ in columns)
    problem = Problem(columns, codes, np.ones(500, np.int64))
    with pytest.raises(TooLarge, match=str(3**30)):
        solve(problem, 5)
    found = solve(problem, 5, limit=0.02, seconds=20)
    assert not found.optimal
    assert found.smallest >= 5
    assert 0 <= found.bound < found.score < 1


def test_ten_million_distinct_tuples_are_a_matter_of_seconds():
    """On codes alone: 10,031,040 rows that are all different in three columns."""
    number = np.arange(216 * 216 * 215, dtype=np.int32)
    columns = (_banded("a", 216), _banded("b", 216), _banded("c", 215))
    codes = (number % 216, number // 216 % 216, number // 46_656 % 216)
    found = solve(Problem(columns, codes, np.ones(len(number), np.int64)), 5, score="height")
    assert found.optimal
    assert sum(found.levels.values()) == 1
    assert found.smallest >= 5


def _banded(name, size):
    leaf = np.arange(size, dtype=np.int32)
    groups = (leaf, leaf // 6, leaf // 36, leaf * 0)
    leaves = tuple(np.bincount(group).astype(np.int64) for group in groups)
    return Column(name, groups, leaves, size, 0, 3, 1.0)
