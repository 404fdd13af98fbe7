"""The journal remembers how runs ended and what persons accepted."""

import resource
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from odpipeline.errors import OdpError
from odpipeline.journal import Journal, Refusals, RunRecord
from tests.killing import in_child


def test_the_last_run_is_the_newest(tmp_path):
    journal = Journal.at(tmp_path)
    journal.record(RunRecord("parkings", "published", rows_in=10, version=1))
    journal.record(RunRecord("parkings", "refused", ("trop peu de lignes",)))
    assert journal.last("parkings").reasons == ("trop peu de lignes",)
    assert journal.last("budget") is None


def test_since_gives_one_record_a_dataset(tmp_path):
    journal = Journal.at(tmp_path)
    before = datetime.now(UTC) - timedelta(seconds=1)
    for outcome in ("failed", "published"):
        journal.record(RunRecord("parkings", outcome))
    journal.record(RunRecord("budget", "unchanged"))
    assert [(r.dataset, r.outcome) for r in journal.since(before)] == [
        ("budget", "unchanged"),
        ("parkings", "published"),
    ]
    assert journal.since(datetime.now(UTC) + timedelta(hours=1)) == []


def test_a_failure_counts_since_the_last_run_that_came_to_an_end(tmp_path):
    journal = Journal.at(tmp_path)
    moments = [datetime(2026, 10, day, tzinfo=UTC) for day in range(1, 6)]
    assert journal.failing_since("parkings") is None
    for moment, outcome in zip(moments, ("failed", "refused", "failed", "failed"), strict=False):
        journal.record(RunRecord("parkings", outcome, ended_at=moment))
    journal.record(RunRecord("budget", "published", ended_at=moments[4]))
    assert journal.failing_since("parkings") == moments[2]
    assert journal.failing_since("budget") is None


def test_an_acceptance_is_of_one_dataset(tmp_path):
    journal = Journal.at(tmp_path)
    journal.accept("parkings", "a" * 12, who="moi", because="travaux")
    assert journal.accepted("parkings") == {"a" * 12}
    assert journal.accepted("budget") == frozenset()


def test_the_private_zone_is_made_for_its_owner_only(tmp_path):
    Journal.at(tmp_path / "private")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


def test_refusals_are_counted_since_a_moment(tmp_path):
    journal = Journal.at(tmp_path)
    moments = [datetime(2026, 10, day, tzinfo=UTC) for day in range(1, 6)]
    for moment, outcome in zip(moments, ("refused", "published", "refused", "failed", "refused"), strict=True):
        journal.record(RunRecord("parkings", outcome, ended_at=moment))
    assert journal.refused_since("parkings", moments[1]) == Refusals(2, moments[2], moments[4])
    assert journal.refused_since("parkings", moments[4]) is None
    assert journal.refused_since("budget", moments[0]) is None


OLDEST = """
CREATE TABLE runs (id INTEGER NOT NULL PRIMARY KEY, dataset VARCHAR NOT NULL, ended_at DATETIME NOT NULL,
    outcome VARCHAR NOT NULL, reasons VARCHAR NOT NULL, rows_in INTEGER, quarantined INTEGER, published INTEGER,
    version INTEGER, content_hash VARCHAR, capture_sha256 VARCHAR, code_version VARCHAR, seconds FLOAT NOT NULL);
CREATE TABLE acceptances (id INTEGER NOT NULL PRIMARY KEY, dataset VARCHAR NOT NULL, content_hash VARCHAR NOT NULL,
    accepted_at DATETIME NOT NULL, who VARCHAR NOT NULL, because VARCHAR NOT NULL);
INSERT INTO runs VALUES (1, 'parkings', '2026-01-02 03:04:05', 'published', '[]', 9, 0, 9, 1, 'a', 'b', 'c', 0.5);
INSERT INTO acceptances VALUES (1, 'parkings', 'aaaaaaaaaaaa', '2026-01-02 03:04:05', 'moi', 'travaux');
"""
"""The journal as the first odpipeline made it."""


def test_the_oldest_journal_is_read_and_written_as_today(tmp_path):
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as oldest:
        oldest.executescript(OLDEST)
    journal = Journal.at(tmp_path)
    assert journal.last("parkings").rows_in == 9
    assert journal.accepted("parkings") == {"aaaaaaaaaaaa"}
    journal.record(RunRecord("parkings", "failed", ("x",), error="SourceError"))
    again = Journal.at(tmp_path)
    assert again.last("parkings").error == "SourceError"
    assert again.acts("parkings") == []


def test_a_journal_of_a_newer_form_is_refused(tmp_path):
    Journal.at(tmp_path).record(RunRecord("parkings", "published"))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as newer:
        newer.execute("INSERT INTO schemas VALUES (99, '2027-01-01 00:00:00')")
        newer.commit()
    with pytest.raises(OdpError, match="the journal has form 99, and this odpipeline knows only 1"):
        Journal.at(tmp_path)


def test_a_full_disk_is_one_message_and_leaves_the_journal_whole(tmp_path):
    journal = Journal.at(tmp_path)
    journal.record(RunRecord("parkings", "published"))

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(OdpError, match=r"journal\.sqlite: the journal cannot be read or written \(.*\); look at"):
            journal.record(RunRecord("parkings", "failed", ("x" * 100_000,)))

    assert in_child(fill) == 0
    assert journal.last("parkings").outcome == "published"
    assert journal.damage() == ""
