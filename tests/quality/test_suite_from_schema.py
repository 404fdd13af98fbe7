import pytest

from odpipeline.quality import check, output_suite, suite_for
from odpipeline.verdict import Severity

NOT_NULL, UNIQUE = "expect_column_values_to_not_be_null", "expect_column_values_to_be_unique"
BETWEEN, LENGTHS = "expect_column_values_to_be_between", "expect_column_value_lengths_to_be_between"
COLUMNS, ROW_COUNT = "expect_table_columns_to_match_ordered_list", "expect_table_row_count_to_be_between"


def asked(suite):
    return [(e.type, dict(e.kwargs)) for e in suite.expectations]


def field(kind="string", **constraints):
    return {"name": "x", "type": kind, "constraints": constraints}


def test_every_suite_asks_for_the_columns_in_order_and_for_a_row(dataset):
    assert asked(suite_for(dataset())) == [
        (COLUMNS, {"column_list": ["id", "sens", "montant", "jour"]}),
        (ROW_COUNT, {"min_value": 1}),
    ]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (field(required=True), (NOT_NULL, {})),
        (field(unique=True), (UNIQUE, {})),
        (field("number", minimum=0), (BETWEEN, {"min_value": 0})),
        (field("integer", maximum=9), (BETWEEN, {"max_value": 9})),
        (field("date", minimum="2024-01-01"), (BETWEEN, {"min_value": "2024-01-01"})),
        (field("datetime", minimum="2024-01-01"), (BETWEEN, {"min_value": "2024-01-01T00:00:00"})),
        (field("datetime", maximum="2024-01-01T02:00:00+02:00"), (BETWEEN, {"max_value": "2024-01-01T00:00:00"})),
        (field("time", minimum="08:00"), (BETWEEN, {"min_value": "1970-01-01T08:00:00"})),
        (field("yearmonth", minimum="2024-02"), (BETWEEN, {"min_value": "2024-02-01"})),
        (field(minLength=2), (LENGTHS, {"min_value": 2})),
        (field(maxLength=5), (LENGTHS, {"max_value": 5})),
        (field(pattern="a|b"), ("expect_column_values_to_match_regex", {"regex": "^(?:a|b)$"})),
        (field(enum=["a"]), ("expect_column_values_to_be_in_set", {"value_set": ["a"]})),
    ],
)
def test_each_constraint_becomes_one_expectation(declared, expected, dataset):
    *_, last = asked(suite_for(dataset([declared])))
    assert last == (expected[0], {"column": "x", **expected[1]})


@pytest.mark.parametrize(
    ("declared", "right", "wrong"),
    [
        (field("time", minimum="08:00", maximum="20:00"), "TIME '20:00:00'", "TIME '07:59:59'"),
        (field("time", enum=["08:00"]), "TIME '08:00:00'", "TIME '08:00:01'"),
        (field("yearmonth", minimum="2024-02", maximum="2024-12"), "'2024-12'", "'2024-01'"),
        (field("yearmonth", enum=["2024-02"]), "'2024-02'", "'2024-03'"),
        (field("date", enum=["2024-02-29"]), "DATE '2024-02-29'", "DATE '2024-03-01'"),
        (field("datetime", enum=["2024-02-29T10:00:00"]), "TIMESTAMP '2024-02-29 10:00:00'", "TIMESTAMP '2024-02-29'"),
        (field("datetime", maximum="2024-01-01T08:00:00"), "TIMESTAMP '2024-01-01 08:00:00'", "TIMESTAMP '2024-01-02'"),
        (field("year", minimum=2000), "2000::INTEGER", "1999::INTEGER"),
        (field("integer", minimum=9007199254740991), "9007199254740991::BIGINT", "9007199254740990::BIGINT"),
        (field("boolean", enum=[True]), "true", "false"),
        (field(pattern="[0-9]{2}|x"), "'12'", "'123'"),
        (field(pattern="a"), "'a'", "e'a\\n'"),
        (field(minLength=2), "'éé'", "'é'"),
        (field(enum=["l'été", 'dit "été"', "100 %"]), "'l''été'", "'l été'"),
    ],
)
def test_constraints_tell_right_values_from_wrong_ones(declared, right, wrong, dataset, rows, duck):
    suite = suite_for(dataset([declared]))
    assert not check(rows(f"SELECT 1 AS _row, {right} AS x"), suite, duck).blocks
    report = check(rows(f"SELECT {right} AS x UNION ALL SELECT {wrong} UNION ALL SELECT NULL"), suite, duck)
    assert [f.counts["unexpected_count"] for f in report.findings if not f.passed] == [1]


def test_a_key_is_filled_and_unique(dataset):
    assert asked(suite_for(dataset(key=["id"])))[2:] == [(NOT_NULL, {"column": "id"}), (UNIQUE, {"column": "id"})]
    assert asked(suite_for(dataset(key=["id", "jour"])))[2:] == [
        (NOT_NULL, {"column": "id"}),
        (NOT_NULL, {"column": "jour"}),
        ("expect_compound_columns_to_be_unique", {"column_list": ["id", "jour"]}),
    ]


def test_what_is_asked_twice_is_asked_once(dataset):
    fields = [{"name": "id", "constraints": {"required": True, "unique": True}}]
    assert len(suite_for(dataset(fields, key=["id"])).expectations) == 4


def test_each_expectation_names_the_line_of_its_constraint(dataset):
    lines = {(): 1, ("fields",): 7, ("fields", 0, "constraints", "minimum"): 14, ("key",): 20}
    suite = suite_for(dataset([field("number", minimum=0)], lines=lines, key=["x"]))
    places = {e.type: e.place.rsplit(":", 1)[1] for e in suite.expectations}
    assert places == {COLUMNS: "7", ROW_COUNT: "7", BETWEEN: "14", NOT_NULL: "20", UNIQUE: "20"}


def test_the_suite_is_written_as_great_expectations_reads_it(dataset):
    from great_expectations.core.expectation_suite import ExpectationSuite

    written = suite_for(dataset([field("date", minimum="2024-01-01", required=True)], key=["x"])).as_gx_json()
    read = ExpectationSuite(**written)
    assert len(read.expectations) == len(written["expectations"]) == 5
    assert written["expectations"][0]["meta"] == {"place": "assets/finances/budget.yaml:0"}


def test_after_anonymisation_the_published_columns_are_expected(dataset):
    fields = [
        {"name": "nom", "constraints": {"required": True}},
        {"name": "age", "type": "integer", "constraints": {"required": True, "minimum": 0}},
        {"name": "id", "type": "integer"},
    ]
    privacy = {"columns": {"nom": "drop", "age": {"generalise": {"bands": 10}}, "id": "keep"}}
    suite = output_suite(dataset(fields, key=["id"], personal_data="present", privacy=privacy))
    assert asked(suite) == [
        (COLUMNS, {"column_list": ["age", "id"]}),
        (ROW_COUNT, {"min_value": 1}),
        (NOT_NULL, {"column": "age"}),
        (NOT_NULL, {"column": "id"}),
        (UNIQUE, {"column": "id"}),
    ]
    assert suite.group == "gate"
    assert {e.severity for e in suite.expectations} == {Severity.CRITICAL}


def test_a_key_that_was_made_coarser_need_not_be_unique(dataset):
    privacy = {"columns": {"id": {"generalise": {"bands": 10}}}}
    suite = output_suite(dataset(key=["id"], personal_data="present", privacy=privacy))
    assert UNIQUE not in [e.type for e in suite.expectations]


def test_a_pseudonymised_key_stays_unique(dataset):
    privacy = {"columns": {"id": {"pseudonymise": {"secret": "ODP_SECRET"}}}}
    suite = output_suite(dataset(key=["id"], personal_data="present", privacy=privacy))
    assert UNIQUE in [e.type for e in suite.expectations]
