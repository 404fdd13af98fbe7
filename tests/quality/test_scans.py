"""How the rows are read: one scan for all that can be bundled, one grouping for each set of columns, no leak."""

import gc

import duckdb
import pytest
from sqlalchemy import event

from odpipeline.quality import Expectation, Suite, check
from odpipeline.quality.dialect import engine_on

ROWS = "SELECT i AS id, 'x' || (i % 7) AS mot, i * 1.5::DOUBLE AS montant, 'c' AS \"select\" FROM range(1000) t(i)"
TYPES = {"id": "BIGINT", "mot": "VARCHAR", "montant": "DOUBLE", "select": "VARCHAR"}
BUNDLED = [
    ("column_values_to_not_be_null", {"column": "id"}),
    ("column_values_to_not_be_null", {"column": "select"}),
    ("column_values_to_be_between", {"column": "montant", "min_value": 0}),
    ("column_values_to_be_between", {"column": "montant", "max_value": 5}),
    ("column_values_to_match_regex", {"column": "mot", "regex": "^x"}),
    ("column_values_to_be_in_set", {"column": "mot", "value_set": ["x1"]}),
    ("column_value_lengths_to_be_between", {"column": "mot", "max_value": 9}),
    ("column_mean_to_be_between", {"column": "montant", "min_value": 0}),
    ("column_median_to_be_between", {"column": "montant", "min_value": 0}),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "montant", "column_B": "id"}),
    ("table_row_count_to_be_between", {"min_value": 1}),
]
GROUPED = [
    ("column_values_to_be_unique", {"column": "id"}),
    ("column_unique_value_count_to_be_between", {"column": "id", "min_value": 1}),
    ("column_proportion_of_unique_values_to_be_between", {"column": "id", "min_value": 1}),
]


def expectations(*kinds):
    return tuple(Expectation(f"expect_{kind}", kwargs, place="f:1") for kind, kwargs in kinds)


@pytest.fixture
def statements():
    """Evaluates expectations and gives the statements that reached DuckDB."""
    from odpipeline.quality.engine import evaluate

    def run(kinds):
        with duckdb.connect() as connection:
            engine, seen = engine_on(connection), []
            event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
            outcomes = evaluate(engine, ROWS, TYPES, expectations(*kinds))
        assert {outcome.failure for outcome in outcomes.values()} == {""}
        return seen

    return run


def test_eleven_expectations_cost_one_scan(statements):
    assert len(statements(BUNDLED)) == 1


def test_each_set_of_columns_is_grouped_once(statements):
    assert len(statements([*BUNDLED, *GROUPED])) == 2


def test_no_statement_fetches_rows(statements):
    assert all("count(" in statement for statement in statements([*BUNDLED, *GROUPED]))


def test_columns_alone_need_no_scan(statements):
    assert statements([("column_to_exist", {"column": "id"})]) == []


def test_the_memory_limit_is_obeyed(rows, tmp_path):
    from odpipeline.duck import DuckSettings

    wide = rows("SELECT i || '-' || hash(i) || repeat('x', 60) AS id FROM range(2000000) t(i)")
    spill = tmp_path / "spill"
    report = check(wide, Suite("budget", expectations(GROUPED[0])), DuckSettings("100MB", 1, spill))
    assert report.findings[0].passed


def test_many_checks_in_one_process_leave_nothing_behind(rows, duck):
    from great_expectations.data_context.data_context.context_factory import project_manager
    from great_expectations.exceptions.exceptions import DataContextRequiredError

    from odpipeline.quality.engine import OdpDuckExecutionEngine

    path, suite = rows(ROWS), Suite("budget", expectations(*BUNDLED, *GROUPED))
    check(path, suite, duck)
    for _ in range(20):
        check(path, suite, duck)
    gc.collect()
    assert [thing for thing in gc.get_objects() if isinstance(thing, OdpDuckExecutionEngine)] == []
    with pytest.raises(DataContextRequiredError):
        project_manager.get_datasources()
