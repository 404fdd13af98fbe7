"""Each kind of expectation says on DuckDB what Great Expectations says on pandas: holds or not, and the same counts."""

import datetime as dt

import duckdb
import pytest

from odpipeline.quality import Expectation, Suite, check
from odpipeline.quality.across import ACROSS
from odpipeline.quality.french import PREFIX
from odpipeline.quality.kinds import KINDS

ROWS = """
SELECT * FROM (VALUES
  (1::BIGINT, 10::BIGINT, 'RECETTE', 1.5::DOUBLE, DATE '2024-01-01', TIMESTAMP '2024-01-01 08:00:00', 'a', 3::BIGINT, 1::BIGINT, true),
  (2, 20, 'DEPENSE', 2.5, DATE '2024-02-01', TIMESTAMP '2024-01-01 09:30:00', 'bb', 3, 2, false),
  (3, 20, 'RECETTE', NULL, DATE '2024-03-01', TIMESTAMP '2024-01-02 00:00:00', 'ccc', 3, 3, true),
  (4, 40, NULL, 4.5, NULL, NULL, 'dd', 3, NULL, true),
  (5, 50, 'AUTRE', 5.5, DATE '2024-05-31', TIMESTAMP '2024-06-01 23:59:59', 'éé', NULL, NULL, false)
) rows(id, code, sens, montant, jour, moment, mot, debut, fin, actif)
"""  # noqa: E501


def case(kind, held, **kwargs):
    return pytest.param(f"expect_{kind}", kwargs, held, id=f"{kind}-{'holds' if held else 'fails'}-{len(str(kwargs))}")


CASES = [
    case("column_values_to_not_be_null", True, column="id"),
    case("column_values_to_not_be_null", False, column="sens"),
    case("column_values_to_not_be_null", True, column="sens", mostly=0.8),
    case("column_values_to_not_be_null", False, column="fin", mostly=0.8),
    case("column_values_to_be_null", False, column="sens"),
    case("column_values_to_be_null", True, column="sens", mostly=0.2),
    case("column_values_to_be_unique", True, column="id"),
    case("column_values_to_be_unique", True, column="montant"),
    case("column_values_to_be_unique", False, column="code"),
    case("column_values_to_be_unique", True, column="code", mostly=0.6),
    case("column_values_to_be_unique", False, column="sens"),
    case("compound_columns_to_be_unique", True, column_list=["id", "code"]),
    case("compound_columns_to_be_unique", False, column_list=["debut", "actif"]),
    case("compound_columns_to_be_unique", True, column_list=["debut", "actif"], mostly=0.4),
    case("compound_columns_to_be_unique", True, column_list=["fin", "debut"], ignore_row_if="never"),
    case("compound_columns_to_be_unique", True, column_list=["fin", "sens"], ignore_row_if="any_value_is_missing"),
    case("column_values_to_be_between", True, column="montant", min_value=1.5, max_value=5.5),
    case("column_values_to_be_between", False, column="montant", min_value=1.5, strict_min=True),
    case("column_values_to_be_between", False, column="id", max_value=4),
    case("column_values_to_be_between", False, column="id", max_value=5, strict_max=True),
    case("column_values_to_be_between", True, column="id", max_value=4, mostly=0.8),
    case("column_values_to_be_between", True, column="jour", min_value="2024-01-01", max_value="2024-05-31"),
    case("column_values_to_be_between", False, column="jour", min_value="2024-01-02"),
    case("column_values_to_be_between", True, column="moment", min_value="2024-01-01T08:00:00"),
    case("column_values_to_be_between", False, column="moment", min_value="2024-01-01T08:00:01"),
    case("column_values_to_be_in_set", True, column="sens", value_set=["RECETTE", "DEPENSE", "AUTRE"]),
    case("column_values_to_be_in_set", False, column="sens", value_set=["RECETTE", "DEPENSE"]),
    case("column_values_to_be_in_set", True, column="sens", value_set=["RECETTE", "DEPENSE"], mostly=0.75),
    case("column_values_to_be_in_set", False, column="id", value_set=[1, 2, 3]),
    case("column_values_to_be_in_set", True, column="montant", value_set=[1.5, 2.5, 4.5, 5.5]),
    case("column_values_to_be_in_set", False, column="actif", value_set=[True]),
    case("column_values_to_not_be_in_set", True, column="sens", value_set=["INCONNU"]),
    case("column_values_to_not_be_in_set", False, column="sens", value_set=["RECETTE"]),
    case("column_values_to_match_regex", True, column="sens", regex="^[A-Z]+$"),
    case("column_values_to_match_regex", False, column="sens", regex="^.E"),
    case("column_values_to_match_regex", True, column="sens", regex="E"),
    case("column_values_to_match_regex_list", True, column="sens", regex_list=["^[A-Z]+$", "^RE"]),
    case("column_values_to_match_regex_list", False, column="sens", regex_list=["^[A-Z]+$", "^RE"], match_on="all"),
    case("column_values_to_match_regex_list", False, column="sens", regex_list=["^RE", "^ZZ"], match_on="any"),
    case("column_values_to_not_match_regex_list", True, column="sens", regex_list=["[0-9]", "^ZZ"]),
    case("column_values_to_not_match_regex_list", False, column="sens", regex_list=["[0-9]", "^RE"]),
    case("select_column_values_to_be_unique_within_record", True, column_list=["id", "montant"]),
    case("select_column_values_to_be_unique_within_record", False, column_list=["debut", "id", "fin"]),
    case(
        "select_column_values_to_be_unique_within_record", False, column_list=["fin", "debut"],
        ignore_row_if="any_value_is_missing",
    ),
    case("column_values_to_not_match_regex", True, column="sens", regex="[0-9?%':]"),
    case("column_values_to_not_match_regex", False, column="sens", regex="^REC"),
    case("column_value_lengths_to_be_between", True, column="mot", min_value=1, max_value=3),
    case("column_value_lengths_to_be_between", False, column="mot", min_value=2),
    case("column_value_lengths_to_be_between", False, column="mot", max_value=3, strict_max=True),
    case("column_value_lengths_to_equal", False, column="mot", value=2),
    case("column_value_lengths_to_equal", True, column="mot", value=2, mostly=0.6),
    case("column_pair_values_a_to_be_greater_than_b", False, column_A="debut", column_B="fin"),
    case("column_pair_values_a_to_be_greater_than_b", False, column_A="debut", column_B="fin", or_equal=True),
    case(
        "column_pair_values_a_to_be_greater_than_b", True, column_A="debut", column_B="fin", or_equal=True,
        ignore_row_if="either_value_is_missing",
    ),
    case("column_pair_values_a_to_be_greater_than_b", True, column_A="code", column_B="id"),
    case("column_pair_values_a_to_be_greater_than_b", False, column_A="debut", column_B="fin", ignore_row_if="neither"),
    case("column_pair_values_to_be_equal", False, column_A="debut", column_B="fin"),
    case("column_pair_values_to_be_equal", True, column_A="id", column_B="id"),
    case("table_row_count_to_be_between", True, min_value=1),
    case("table_row_count_to_be_between", False, min_value=6),
    case("table_row_count_to_be_between", False, max_value=5, strict_max=True),
    case("table_column_count_to_be_between", True, min_value=10, max_value=10),
    case("table_column_count_to_be_between", False, max_value=9),
    case("table_columns_to_match_ordered_list", False, column_list=["id", "code"]),
    case(
        "table_columns_to_match_ordered_list", True,
        column_list=["id", "code", "sens", "montant", "jour", "moment", "mot", "debut", "fin", "actif"],
    ),
    case("table_columns_to_match_set", False, column_set=["id", "code"]),
    case("table_columns_to_match_set", True, column_set=["id", "code"], exact_match=False),
    case("column_to_exist", True, column="sens"),
    case("column_to_exist", True, column="sens", column_index=2),
    case("column_to_exist", False, column="sens", column_index=3),
    case("column_min_to_be_between", True, column="montant", min_value=1.5, max_value=1.5),
    case("column_min_to_be_between", False, column="id", min_value=2),
    case("column_min_to_be_between", True, column="moment", min_value="2024-01-01T08:00:00"),
    case("column_max_to_be_between", True, column="id", max_value=5),
    case("column_max_to_be_between", False, column="montant", max_value=5.5, strict_max=True),
    case("column_max_to_be_between", False, column="moment", max_value="2024-01-01T08:00:00"),
    case("column_mean_to_be_between", True, column="montant", min_value=3.5, max_value=3.5),
    case("column_mean_to_be_between", False, column="id", min_value=4),
    case("column_sum_to_be_between", True, column="montant", min_value=14, max_value=14),
    case("column_sum_to_be_between", False, column="id", max_value=14),
    case("column_median_to_be_between", True, column="montant", min_value=3.5, max_value=3.5),
    case("column_median_to_be_between", False, column="id", max_value=2),
    case("column_stdev_to_be_between", True, column="id", min_value=1.58, max_value=1.59),
    case("column_stdev_to_be_between", False, column="id", max_value=1.5),
    case(
        "column_quantile_values_to_be_between", True, column="id",
        quantile_ranges={"quantiles": [0.25, 0.5, 1], "value_ranges": [[2, 2], [3, 3], [None, 5]]},
    ),
    case(
        "column_quantile_values_to_be_between", False, column="id",
        quantile_ranges={"quantiles": [0.5], "value_ranges": [[4, None]]},
    ),
    case("column_unique_value_count_to_be_between", True, column="sens", min_value=3, max_value=3),
    case("column_unique_value_count_to_be_between", False, column="sens", min_value=4),
    case("column_proportion_of_unique_values_to_be_between", True, column="sens", min_value=0.75, max_value=0.75),
    case("column_proportion_of_unique_values_to_be_between", False, column="code", min_value=0.9),
    case("column_proportion_of_non_null_values_to_be_between", True, column="sens", min_value=0.8, max_value=0.8),
    case("column_proportion_of_non_null_values_to_be_between", False, column="fin", min_value=0.8),
]  # fmt: skip
COUNTS = ("element_count", "unexpected_count", "unexpected_percent", "missing_count")


def on_pandas(kind, kwargs):
    """What Great Expectations says on its pandas engine, on the same rows."""
    import pandas as pd
    from great_expectations.core.batch import Batch, LegacyBatchDefinition
    from great_expectations.core.batch_spec import RuntimeDataBatchSpec
    from great_expectations.core.id_dict import IDDict
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.validator.validator import Validator

    with duckdb.connect() as connection:
        described = connection.execute(ROWS)
        names = [name for name, *_ in described.description]
        frame = pd.DataFrame(described.fetchall(), columns=names)
    frame["moment"] = frame["moment"].astype("datetime64[ns]")
    engine = PandasExecutionEngine()
    spec = RuntimeDataBatchSpec(batch_data=frame)
    data, markers = engine.get_batch_data_and_markers(batch_spec=spec)
    batch = Batch(
        data=data,
        batch_definition=LegacyBatchDefinition("pandas", "pandas", "rows", IDDict({})),
        batch_spec=spec,
        batch_markers=markers,
    )
    validator = Validator(engine, batches=[batch])
    validator.metrics_calculator.show_progress_bars = False
    (result,) = validator.graph_validate(
        [ExpectationConfiguration(type=kind, kwargs=kwargs)],
        runtime_configuration={"result_format": {"result_format": "BASIC", "partial_unexpected_count": 0}},
    )
    assert not result.exception_info["raised_exception"], result.exception_info
    return result


@pytest.mark.filterwarnings("ignore")  # pandas is only the witness here, and warns of its own ways
@pytest.mark.parametrize(("kind", "kwargs", "held"), CASES)
def test_says_what_pandas_says(kind, kwargs, held, rows, duck):
    (found,) = check(rows(ROWS), Suite("budget", (Expectation(kind, kwargs, place="f:1"),)), duck).findings
    witness = on_pandas(kind, kwargs)
    assert found.passed is held is bool(witness.success)
    for name in COUNTS:
        if name in witness.result:
            assert found.counts[name] == pytest.approx(witness.result[name])


def test_every_kind_has_been_compared():
    typed_by_the_engine = {"expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"}
    compared = {case.values[0] for case in CASES}
    theirs = {kind for kind in KINDS if not kind.startswith(PREFIX)} - set(ACROSS)
    assert compared | typed_by_the_engine == theirs
    assert {kind for kind in compared if {c.values[2] for c in CASES if c.values[0] == kind} != {True, False}} == set()


@pytest.mark.parametrize(
    ("column", "type_", "held"),
    [("id", "BIGINT", True), ("id", "VARCHAR", False), ("montant", "DOUBLE", True), ("jour", "DATE", True),
     ("moment", "TIMESTAMP", True), ("moment", "DATE", False), ("actif", "BOOLEAN", True), ("mot", "VARCHAR", True)],
)  # fmt: skip
def test_types_are_those_of_duckdb(column, type_, held, rows, duck):
    one = Expectation("expect_column_values_to_be_of_type", {"column": column, "type_": type_})
    several = Expectation("expect_column_values_to_be_in_type_list", {"column": column, "type_list": [type_, "TIME"]})
    assert [f.passed for f in check(rows(ROWS), Suite("budget", (one, several)), duck).findings] == [held, held]


def test_dates_of_aggregates_are_compared_as_dates(rows, duck):
    bounds = {"column": "jour", "min_value": "2024-05-31", "max_value": dt.date(2024, 5, 31).isoformat()}
    suite = Suite("budget", (Expectation("expect_column_max_to_be_between", bounds),))
    assert check(rows(ROWS), suite, duck).findings[0].passed
