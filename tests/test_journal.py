"""The journal remembers how runs ended and what persons accepted."""

from datetime import UTC, datetime, timedelta

from odpipeline.journal import Journal, Refusals, RunRecord


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
