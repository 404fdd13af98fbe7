"""Data age and run age are two clocks; either can be late alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings
from odpipeline.freshness import freshness, newest_event, spoken

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def dataset(**promise):
    return Dataset.model_validate(
        {
            "title": "t", "description": "d", "owner": "a@ville.example", "source": {"folder": "x.csv"},
            "fields": [{"name": "releve_le", "type": "datetime"}], "personal_data": "none", "freshness": promise,
        }
    )  # fmt: skip


def test_an_unchanged_night_does_not_hide_stale_data():
    ages = freshness(
        dataset(data="20 min", column="releve_le"), checked_at=NOW, data_date=NOW - timedelta(hours=3), now=NOW
    )
    assert {f.rule: f.passed for f in ages.findings} == {"run_age": True, "data_age": False}
    assert ages.findings[1].message == (
        "the newest published event is 3 h old, promised at most 20 min, late since 2026-11-24 10:20; "
        "ask the owner of the source system whether it still delivers"
    )


def test_a_pipeline_that_stopped_is_late_though_nothing_is_promised_of_the_data():
    ages = freshness(dataset(), checked_at=NOW - timedelta(days=3), data_date=None, now=NOW)
    assert ages.late


def test_never_published_is_late():
    assert freshness(dataset(), checked_at=None, data_date=None, now=NOW).late


def test_the_newest_event_is_read_from_the_rows(tmp_path: Path):
    file = tmp_path / "r.parquet"
    duckdb.execute(f"COPY (SELECT unnest([TIMESTAMP '2026-11-24 11:50:00', NULL]) AS releve_le) TO '{file}'")
    declared = dataset(data="20 min", column="releve_le")
    assert newest_event(file, declared, DuckSettings(), NOW).date == datetime(2026, 11, 24, 11, 50, tzinfo=UTC)
    assert newest_event(file, dataset(), DuckSettings(), NOW).date is None


@pytest.mark.parametrize(
    ("age", "words"),
    [(timedelta(seconds=5), "5 s"), (timedelta(minutes=12), "12 min"), (timedelta(hours=3, minutes=4), "3 h 4 min"),
     (timedelta(days=2, hours=1), "2 d 1 h"), (timedelta(days=7), "7 d"), (timedelta(seconds=-9), "0 s")],
)  # fmt: skip
def test_ages_are_spoken_in_two_units(age, words):
    assert spoken(age) == words
