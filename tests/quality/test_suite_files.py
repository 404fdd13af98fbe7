import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.errors import QualityError
from odpipeline.quality import suite_faults, suite_files, suite_for
from odpipeline.verdict import Severity

NOT_NULL = "expect_column_values_to_not_be_null"


def one(kind=NOT_NULL, severity=None, **kwargs):
    entry = {"type": kind, "kwargs": kwargs}
    return {"name": "budget", "expectations": [entry | ({"severity": severity} if severity else {})]}


def words(dataset, suite):
    return [str(fault) for fault in suite_faults(dataset(suite=suite))]


def test_a_dataset_without_a_file_has_no_faults(dataset):
    assert suite_faults(dataset()) == ()


def test_the_file_adds_to_the_schema_with_its_severity_and_line(dataset):
    suite = suite_for(dataset(suite=one(column="sens", severity="warning")))
    added = suite.expectations[-1]
    assert (added.type, added.kwargs, added.severity) == (NOT_NULL, {"column": "sens"}, Severity.WARNING)
    assert added.place == "expectations/budget.json:4"


def test_severity_is_critical_when_nothing_is_said(dataset):
    assert suite_for(dataset(suite=one(column="sens"))).expectations[-1].severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        (one("expect_column_values_to_be_nul", column="id"),
         "unknown expectation type 'expect_column_values_to_be_nul'; did you mean 'expect_column_values_to_be_null'?"),
        (one("expect_table_row_count_to_equal", value=3),
         "expect_table_row_count_to_equal is not evaluated here: exact numbers of rows age; use expect_table"),
        (one(column="id", severity="warnin"),
         "unknown severity 'warnin'; did you mean 'warning'?; critical refuses, the others tell"),
        (one(colum="id"), f"{NOT_NULL}: unknown argument 'colum'; did you mean 'column'?"),
        (one(), f"{NOT_NULL}: the argument 'column' is missing"),
        (one(column="montan"), f"{NOT_NULL}: unknown column 'montan'; did you mean 'montant'?"),
        (one(column=3), f"{NOT_NULL}: unknown column '3'; known: id, sens, montant, jour"),
        (one(column="id", row_condition="x"), f"{NOT_NULL}: unknown argument 'row_condition'"),
        (one(column="id", mostly=95), f"{NOT_NULL}: the argument 'mostly': expected a share above 0, 1 at most"),
        (one(column="id", mostly=None), f"{NOT_NULL}: the argument 'mostly' is null; give it a value, or leave it out"),
        (one("expect_column_values_to_be_between", column="montant"),
         "expect_column_values_to_be_between: one of the arguments min_value and max_value is needed"),
        (one("expect_column_values_to_be_between", column="montant", min_value="3"),
         "expect_column_values_to_be_between: the argument 'min_value': expected a number without quotes"),
        (one("expect_column_values_to_be_between", column="jour", min_value="01/02/2024"),
         "expect_column_values_to_be_between: the argument 'min_value': expected an ISO 8601 date in quotes"),
        (one("expect_column_values_to_be_between", column="jour", min_value={"$PARAMETER": "today"}),
         "expect_column_values_to_be_between: the argument 'min_value': expected an ISO 8601 date in quotes"),
        (one("expect_column_values_to_be_between", column="sens", min_value=3),
         "expect_column_values_to_be_between: it does not fit a column of type string; it takes integer, number"),
        (one("expect_column_values_to_be_in_set", column="id", value_set=["1"]),
         "expect_column_values_to_be_in_set: the argument 'value_set': expected a number without quotes"),
        (one("expect_column_values_to_be_in_set", column="sens"),
         "expect_column_values_to_be_in_set: the argument 'value_set' is missing"),
        (one("expect_column_values_to_match_regex", column="sens", regex="(?=a)"),
         "expect_column_values_to_match_regex: the pattern is not usable: RE2 cannot compile it"),
        (one("expect_column_values_to_match_regex", column="id", regex="1"),
         "expect_column_values_to_match_regex: it does not fit a column of type integer"),
        (one("expect_compound_columns_to_be_unique", column_list=["id"]),
         "expect_compound_columns_to_be_unique: the argument 'column_list' needs two columns"),
        (one("expect_column_pair_values_to_be_equal", column_A="id", column_B="sens"),
         "expect_column_pair_values_to_be_equal: a column of type integer cannot be compared with one of type string"),
        (one("expect_column_values_to_be_of_type", column="id", type_="int64"),
         "expect_column_values_to_be_of_type: the argument 'type_': expected one of VARCHAR, BIGINT"),
        (one("expect_column_quantile_values_to_be_between", column="id", quantile_ranges={"quantiles": [0.5]}),
         "expect_column_quantile_values_to_be_between: the argument 'quantile_ranges': expected {"),
        ({"expectations": [{"kwargs": {}}]}, 'an expectation is {"type": "expect_…", "kwargs": {…}}; its type is'),
        ({"expectations": ["x"]}, 'an expectation is {"type": "expect_…", "kwargs": {…}}; its type is'),
        ({"expectations": [{"type": NOT_NULL, "kwargs": []}]}, "kwargs must hold the arguments"),
        ({"expectations": [{"type": NOT_NULL, "kwargs": {"column": "id"}, "severty": "info"}]},
         "unknown key 'severty' in the expectation; did you mean 'severity'?"),
    ],
)  # fmt: skip
def test_what_great_expectations_would_drop_is_refused_with_the_nearest_word(suite, said, dataset):
    (fault,) = words(dataset, suite)
    file, line, what = fault.split(":", 2)
    assert (file, int(line)) == ("expectations/budget.json", 4 if "name" in suite else 3)
    assert what.strip().startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"expectations": [\n{"type": }]}', ":2: the suite is not JSON (Expecting value); mend it"),
        ("[]", ':1: the suite must hold a list "expectations"'),
        ('{"expectations": {}}', ':1: the suite must hold a list "expectations"'),
        ('{"expectations": [{"type": "a", "type": "b"}]}', ": the key 'type' stands twice in one object; keep one"),
        ('{"expectations": [{"kwargs": {"min_value": NaN}}]}', ": NaN is no JSON value; leave the argument out"),
        ('{"expectation": [], "expectations": []}', ":1: unknown key 'expectation' in the suite; known: name"),
    ],
)
def test_an_unreadable_file_is_refused(text, said, dataset):
    (fault,) = words(dataset, text)
    assert fault.startswith("expectations/budget.json" + said)


def test_a_named_suite_that_is_not_there_is_refused(dataset):
    (fault,) = suite_faults(dataset(quality={"suite": "expectations/autre.json"}))
    assert str(fault) == "expectations/autre.json: the suite cannot be read (FileNotFoundError); save it there"


def test_every_fault_is_told_at_once(dataset):
    entries = [{"type": "expect_x", "kwargs": {}}, {"type": NOT_NULL, "kwargs": {"column": "zz"}}]
    with pytest.raises(QualityError) as refused:
        suite_for(dataset(suite={"expectations": entries}))
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == [
        "expectations/budget.json:3",
        "expectations/budget.json:7",
    ]


def test_a_byte_order_mark_does_not_matter(dataset):
    assert words(dataset, "\ufeff" + json.dumps(one(column="id"))) == []


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@given(head=st.dictionaries(st.text(max_size=5), JSON, max_size=3), entries=st.lists(JSON, max_size=5),
       indent=st.sampled_from([None, 0, 2]), last=st.booleans())  # fmt: skip
def test_every_entry_is_found_at_its_line(head, entries, indent, last, tmp_path_factory):
    head.pop("expectations", None)
    whole = {**head, "expectations": entries} if last else {"expectations": entries, **head}
    file = tmp_path_factory.mktemp("suite") / "s.json"
    file.write_text(text := json.dumps(whole, indent=indent))
    read = suite_files.read(file)
    assert read.head == head
    assert [entry.value for entry in read.entries] == entries
    lines = text.splitlines()
    for entry in read.entries:
        first = json.dumps(entry.value, indent=indent).splitlines()[0]
        assert first in lines[entry.line - 1]


def test_reading_a_suite_loads_neither_great_expectations_nor_pandas():
    code = (
        "import sys, odpipeline.quality, odpipeline.quality.suites, odpipeline.quality.metrics;"
        "sys.exit(bool({'great_expectations', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
