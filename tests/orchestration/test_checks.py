"""Findings as asset checks: which check shows what, with which numbers, and how it was the time before."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from odpipeline.declaration.dataset import OverTimeRule
from odpipeline.journal import Journal, RunRecord
from odpipeline.orchestration.checks import CHECKS, OF_EXPECTATIONS, check_of, check_results, check_specs
from odpipeline.quality import run_report
from odpipeline.quality.kinds import KINDS
from odpipeline.verdict import Finding, Severity

THEN = datetime(2026, 11, 24, 2, tzinfo=UTC)


def between(wrong: int, severity=Severity.CRITICAL) -> Finding:
    counts = {"element_count": 20, "unexpected_count": wrong}
    return Finding(
        "quality", "expect_column_values_to_be_between", not wrong, f"n: {wrong} values", severity, "n", counts
    )


def results(*findings: Finding, only=tuple(CHECKS), before=None):
    return {result.check_name: result for result in check_results("budget", findings, only=only, before=before)}


def test_checks_are_few_and_all_but_the_age_of_data_block():
    specs = check_specs("budget")
    assert len(specs) == len(CHECKS) == 9
    assert {spec.name for spec in specs if not spec.blocking} == {"data_age"}


@pytest.mark.parametrize("rule", KINDS)
def test_every_expectation_is_shown_by_a_check_of_the_conformed_rows(rule):
    assert check_of(Finding("quality", rule, True, "")) in OF_EXPECTATIONS


@pytest.mark.parametrize("rule", get_args(OverTimeRule))
def test_every_rule_over_time_is_shown(rule):
    shown = results(Finding("over_time", rule, True, ""), only=("privacy", "over_time", "gate"))
    assert set(shown) == {"over_time"}


@pytest.mark.parametrize(
    ("rule", "check"),
    [("table_row_count_to_be_between", "columns"), ("column_values_to_not_be_null", "filled"),
     ("compound_columns_to_be_unique", "keys"), ("column_values_to_be_valid_siret", "values"),
     ("column_pair_values_to_be_equal", "values"), ("column_values_to_be_of_type", "columns")],
)  # fmt: skip
def test_expectations_are_shared_out(rule, check):
    assert check_of(Finding("quality", f"expect_{rule}", True, "")) == check


def test_a_check_of_which_nothing_is_asked_says_so_instead_of_staying_grey():
    shown = results(between(0), only=OF_EXPECTATIONS)
    assert {name: result.passed for name, result in shown.items()} == dict.fromkeys(OF_EXPECTATIONS, True)
    assert shown["keys"].description == "nothing of this kind is asked"


def test_severity_and_numbers():
    shown = results(between(3), between(2, Severity.WARNING))["values"]
    assert shown.severity.value == "ERROR"
    assert shown.metadata["wrong_values"].value == 5
    assert shown.metadata["failed"].value == 2
    assert results(between(2, Severity.WARNING))["values"].severity.value == "WARN"


def test_the_trend_is_told_against_the_run_before(tmp_path):
    run = RunRecord("budget", "published", ended_at=THEN)
    before = run_report([between(7, Severity.WARNING)], run, Journal.at(tmp_path))
    shown = results(between(3), before=before)["values"]
    assert shown.metadata["wrong_values_before"].value == 7
    assert shown.metadata["failing_since"].value == THEN.timestamp()
    assert shown.description == "1 of 1 findings fail (1 before), 3 wrong values (7 before): n: 3 values"
    [row] = shown.metadata["findings"].records
    assert (row.data["count"], row.data["before"]) == ("3", "NO 7")


def test_counts_that_are_no_wrong_values_are_numbers_of_their_own():
    found = [Finding("over_time", "drift", True, "", column="n", counts={"psi": 0.1}),
             Finding("shrink", "rows", True, "", counts={"lost_rows": 4, "rows": 9})]  # fmt: skip
    shown = results(*found)
    assert shown["over_time"].metadata["psi of n"].value == 0.1
    assert shown["gate"].metadata["lost_rows"].value == 4
