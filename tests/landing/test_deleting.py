"""Retention by age and by count deletes, looks whether it is gone, and writes it down."""

import json
import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.killing import dying_at, in_child

LATER = datetime.now(UTC) + timedelta(days=31)


def logged(home):
    log = home / "deletions.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_each_deletion_by_age_is_logged(landing, dataset, deliver, home):
    old, new = landing.capture(dataset, deliver(b"old")), landing.capture(dataset, deliver(b"newer"))
    assert landing.prune(dataset, now=LATER) == 2
    assert not old.path.parent.exists()
    assert not new.path.parent.exists()
    lines = {line["sha256"]: line for line in logged(home)}
    assert lines[new.sha256]["size_bytes"] == 5
    assert lines[old.sha256]["seen_at"] == old.seen_at.isoformat()
    assert datetime.fromisoformat(lines[old.sha256]["deleted_at"]) > old.seen_at
    assert lines[old.sha256]["why"] == "last seen more than 30 days ago"
    assert (home / "deletions.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_last_seen_are_kept_and_those_that_must_stay(landing, dataset, deliver, home):
    few = dataset.model_copy(update={"max_captures": 2})
    first, second, third, fourth = (landing.capture(dataset, deliver(f"{n}".encode())) for n in range(4))
    landing.capture(dataset, deliver(b"1"))  # the second again
    assert landing.prune(few, keep=(first.sha256,)) == 1
    kept = [sha256 for sha256, _ in landing.every("piscines")]
    assert kept == [second.sha256, fourth.sha256, first.sha256]
    assert [(line["sha256"], line["why"]) for line in logged(home)] == [(third.sha256, "more than 2 captures")]


def test_the_log_only_grows(landing, dataset, deliver, home):
    for content in (b"a", b"b"):
        landing.capture(dataset, deliver(content))
        before = (home / "deletions.jsonl").read_bytes() if logged(home) else b""
        assert landing.prune(dataset, now=LATER) == 1
        assert (home / "deletions.jsonl").read_bytes().startswith(before)
    assert len(logged(home)) == 2


def test_a_damaged_capture_is_logged_too(landing, dataset, deliver, home):
    capture = landing.capture(dataset, deliver(b"x"))
    (capture.path.parent / "capture.json").write_text("{")
    assert landing.prune(dataset, now=LATER) == 1
    [line] = logged(home)
    assert (line["sha256"], line["size_bytes"]) == (capture.sha256, None)


@pytest.mark.parametrize("kind", ["landing", "sealed"])
def test_a_deletion_killed_at_any_instant_is_finished_and_never_unlogged(request, kind, dataset, deliver, home):
    zone = request.getfixturevalue(kind)
    for instant in range(1, 100):
        shutil.rmtree(home, ignore_errors=True)
        capture = zone.capture(dataset, deliver(b"x"))
        ended = in_child(dying_at(instant, lambda: zone.prune(dataset, now=LATER)))
        gone = not list(home.rglob("payload*"))
        zone.prune(dataset, now=LATER)
        assert [path.name for path in home.iterdir() if path.is_dir()] == []
        assert {line["sha256"] for line in logged(home)} == {capture.sha256}
        if ended == 0:
            assert gone
            break
        assert ended == -signal.SIGKILL
    assert instant > 5


def test_bytes_that_come_back_while_their_deletion_is_unfinished_stay(landing, dataset, deliver, home):
    capture = landing.capture(dataset, deliver(b"x"))
    capture.path.parent.rename(home / f".leaving-{capture.sha256}")
    again = landing.capture(dataset, deliver(b"x"))
    assert landing.prune(dataset) == 0
    assert again.path.read_bytes() == b"x"
    assert [line["why"] for line in logged(home)] == ["a deletion that was cut short"]


def test_what_a_town_declares_no_more_has_the_usual_retention(landing, dataset, deliver, home):
    landing.capture(dataset, deliver(b"x"))
    assert landing.datasets() == ["piscines"]
    assert landing.prune_undeclared("piscines") == 0
    about = home / landing.latest("piscines").sha256 / "capture.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"seen_at": "2020-01-01T00:00:00+00:00"}))
    assert landing.prune_undeclared("piscines") == 1
