import pytest

from odpipeline.errors import QualityError
from odpipeline.quality import Expectation, QualityReport, Suite, check
from odpipeline.verdict import Severity

ROWS = (
    "SELECT i AS _row, i AS id, i - 12 AS montant, NULL::VARCHAR AS vide, 'SECRET-' || i AS nom FROM range(3410) t(i)"
)


def checked(expectation, rows, duck, select=ROWS, **suite):
    return check(rows(select), Suite("budget", (expectation,), **suite), duck)


def test_a_failure_says_what_how_many_and_how_to_mend(rows, duck):
    asked = Expectation("expect_column_values_to_be_between", {"column": "montant", "min_value": 0}, place="x.yaml:14")
    (found,) = checked(asked, rows, duck).findings
    assert found.message == (
        "montant: 12 of 3,410 values are below the minimum; "
        "correct them in the source system, or widen the constraint at x.yaml:14"
    )
    counts = {"element_count": 3410, "unexpected_count": 12, "missing_count": 0, "unexpected_percent": 12 / 34.10}
    assert found.counts == pytest.approx(counts)
    assert (found.group, found.rule, found.column, found.blocks) == ("quality", asked.type, "montant", True)


@pytest.mark.parametrize(
    ("kind", "kwargs", "said"),
    [
        ("column_values_to_not_be_null", {"column": "vide"}, "vide: 3,410 of 3,410 values are missing; "),
        ("column_values_to_not_be_null", {"column": "vide", "mostly": 0.995},
         "vide: 3,410 of 3,410 values are missing (99.5 % must be right); "),
        ("column_values_to_be_between", {"column": "id", "max_value": 3399},
         "id: 10 of 3,410 values are above the maximum; "),
        ("column_values_to_be_in_set", {"column": "nom", "value_set": ["x"]},
         "nom: 3,410 of 3,410 values are not in the list of allowed values; "),
        ("compound_columns_to_be_unique", {"column_list": ["vide", "id"]}, "vide + id: "),
        ("column_pair_values_a_to_be_greater_than_b", {"column_A": "montant", "column_B": "id"},
         "montant and id: 3,410 of 3,410 rows have a first value that is not greater; correct"),
        ("table_row_count_to_be_between", {"min_value": 5000},
         "the table: the number of rows is outside its bounds (3,410 rows); look into the delivery, or change the exp"),
        ("table_columns_to_match_ordered_list", {"column_list": ["id", "lieu"]},
         "the table: the columns are not the declared ones in the declared order (lieu is missing); look"),
        ("column_max_to_be_between", {"column": "id", "max_value": 10},
         "id: the greatest value is outside its bounds; look into the delivery, or change"),
        ("column_values_to_be_unique", {"column": "id"}, "id: values to be unique, as expected"),
    ],
)  # fmt: skip
def test_messages_of_the_kinds(kind, kwargs, said, rows, duck):
    (found,) = checked(Expectation(f"expect_{kind}", kwargs, place="f:1"), rows, duck).findings
    assert found.message.startswith(said)


def test_only_critical_failures_block(rows, duck):
    def report(severity):
        asked = Expectation("expect_column_values_to_not_be_null", {"column": "vide"}, severity)
        return checked(asked, rows, duck)

    assert report(Severity.CRITICAL).blocks
    assert not report(Severity.WARNING).blocks
    assert not report(Severity.INFO).findings[0].passed


def test_what_cannot_be_evaluated_blocks_whatever_its_severity(rows, duck):
    asked = Expectation("expect_column_mean_to_be_between", {"column": "nom", "min_value": 1}, Severity.INFO, "f:3")
    (found,) = checked(asked, rows, duck).findings
    assert found.blocks
    assert found.message == (
        "nom: expect_column_mean_to_be_between could not be evaluated (BinderException); check its arguments at f:3"
    )


def test_a_column_that_is_not_there_blocks(rows, duck):
    asked = Expectation("expect_column_values_to_be_unique", {"column": "absente"}, Severity.WARNING, "f:3")
    (found,) = checked(asked, rows, duck).findings
    assert found.blocks
    assert "could not be evaluated (ColumnMissing)" in found.message


def test_one_that_fails_does_not_take_the_others_with_it(rows, duck):
    broken = Expectation("expect_column_sum_to_be_between", {"column": "nom", "min_value": 1})
    sound = Expectation("expect_column_sum_to_be_between", {"column": "id", "min_value": 1})
    report = check(rows(ROWS), Suite("budget", (broken, sound)), duck)
    assert [f.passed for f in report.findings] == [False, True]


def test_findings_are_filed_under_the_group_of_the_suite(rows, duck):
    asked = Expectation("expect_column_to_exist", {"column": "id"})
    assert checked(asked, rows, duck, group="gate").findings[0].group == "gate"


def test_an_empty_suite_never_passes(rows, duck):
    with pytest.raises(QualityError, match="the suite is empty, nothing would be checked"):
        check(rows(ROWS), Suite("budget", ()), duck)
    assert QualityReport((), 0.0).blocks


def test_a_file_that_is_no_parquet_is_an_error_for_a_person(tmp_path, duck):
    (tmp_path / "rows.parquet").write_text("nom\nSECRET\n")
    asked = Suite("budget", (Expectation("expect_column_to_exist", {"column": "id"}),))
    with pytest.raises(QualityError) as stopped:
        check(tmp_path / "rows.parquet", asked, duck)
    assert str(stopped.value) == (
        "the rows to check cannot be read (InvalidInputException); run the dataset again from its capture"
    )


def test_no_row_at_all_is_refused(rows, duck):
    asked = Expectation("expect_table_row_count_to_be_between", {"min_value": 1}, place="f:1")
    assert checked(asked, rows, duck, select="SELECT 1 AS id LIMIT 0").blocks
