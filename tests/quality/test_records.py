from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from odpipeline.journal import REPORTS, Journal, RunRecord
from odpipeline.quality import run_report, run_reports
from odpipeline.verdict import Finding, Severity

FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)


def unique(passed=False, **changes):
    return Finding("quality", "expect_column_values_to_be_unique", passed, "id: 2 values", column="id", **changes)


LATER = Finding("over_time", "drift", False, "the distribution moved", Severity.WARNING, "id", {"psi": 0.3})


@pytest.fixture
def run(tmp_path):
    """Records a run of the given day with its findings, and gives back its report."""
    journal = Journal.at(tmp_path)

    def ended(day, *findings, outcome="refused"):
        record = RunRecord("parkings", outcome, ended_at=FIRST + timedelta(days=day))
        report = run_report(findings, record, journal)
        journal.record(record, report.as_json())
        assert run_reports(journal, "parkings")[0] == report
        return report

    ended.journal = journal
    return ended


def test_since_when_is_the_first_of_the_runs_on_end(run):
    run(0, unique(passed=True))
    run(1, unique())
    [entry] = run(2, unique()).recorded
    assert (entry.since, entry.runs) == (FIRST + timedelta(days=1), 2)
    run(3, unique(passed=True))
    [entry] = run(4, unique()).recorded
    assert (entry.since, entry.runs) == (FIRST + timedelta(days=4), 1)


def test_a_run_that_was_refused_early_does_not_break_the_row(run):
    run(0, LATER)
    run(1, unique())
    report = run(2, LATER)
    assert report.recorded[0].since == FIRST
    assert report.recorded[0].runs == 2


def test_since_when_outlives_the_reports_that_are_kept(run):
    for day in range(REPORTS + 5):
        report = run(day, unique())
    assert report.recorded[0].since == FIRST
    assert report.recorded[0].runs == REPORTS + 5
    assert len(run.journal.reports("parkings")) == REPORTS
    assert run.journal.reports("budget") == []


def test_what_blocks_and_what_is_told_are_apart(run):
    report = run(0, unique(), LATER, unique(passed=True))
    assert [entry.finding for entry in report.blocking] == [unique()]
    assert [entry.finding for entry in report.told] == [LATER]


def test_the_json_is_an_allow_list_with_the_message_of_what_failed_only(run):
    report = run(0, replace(unique(passed=True), message="held"), LATER).as_json()
    held, failed = report["findings"]
    assert set(held) == {"group", "rule", "column", "declared", "severity", "held", "counts"}
    assert set(failed) - set(held) == {"message", "since", "runs"}
    assert report["verdict"] == "refused"
    assert report["score"]["value"] is not None
