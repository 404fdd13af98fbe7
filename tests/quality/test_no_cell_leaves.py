"""Whatever is asked, and however it fails, no value of a cell is in the report, the logs, the output or on disk."""

import logging

import pytest

from odpipeline.quality import Expectation, Suite, check
from tests.quality.test_agreement_with_pandas import CASES

ROWS = """
SELECT i AS id, i AS code, 'CONFIDENTIEL' || i AS sens, i + 0.77777 AS montant, DATE '1987-06-05' AS jour,
  TIMESTAMP '1987-06-05 04:03:02' AS moment, 'CONFIDENTIEL' AS mot, i AS debut, i AS fin, true AS actif
FROM range(1000, 1100) t(i)
"""
CELLS = ("CONFIDENTIEL", "77777", "1987")


@pytest.fixture
def everything():
    """Every kind with arguments that it refuses to fit: sums of texts, patterns on dates, wrong columns."""
    fitting = [Expectation(case.values[0], case.values[1], place="f:1") for case in CASES]
    texts = [
        Expectation(e.type, {**e.kwargs, "column": column}, place="f:1")
        for e in fitting
        if "column" in e.kwargs
        for column in ("sens", "jour")
    ]
    return Suite("budget", (*fitting, *texts))


def test_no_value_is_kept_or_shown(everything, rows, duck, caplog, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    path = rows(ROWS)
    report = check(path, everything, duck)
    assert len(report.findings) == len(everything.expectations)
    assert any("could not be evaluated" in finding.message for finding in report.findings)
    printed = capfd.readouterr()
    told = f"{report}{caplog.text}{printed.out}{printed.err}"
    assert [cell for cell in CELLS if cell in told] == []
    assert [found.name for found in tmp_path.iterdir() if found != path] == []
