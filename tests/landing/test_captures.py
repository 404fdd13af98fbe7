"""What was delivered is kept byte for byte, named by its content, private, and deleted when its time is over."""

import hashlib
import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.errors import OdpError
from odpipeline.landing import SUFFIXES
from odpipeline.sources import Unchanged, Validators


def test_the_bytes_are_kept_under_their_hash(landing, dataset, deliver, home):
    capture = landing.capture(dataset, deliver(b"id;n\n", media_type="text/csv", etag='"v1"', asked="a" * 64))
    assert capture.path == home / hashlib.sha256(b"id;n\n").hexdigest() / "payload"
    assert capture.path.read_bytes() == b"id;n\n"
    assert (capture.name, capture.size_bytes, capture.unchanged) == ("payload.csv", 5, None)
    assert landing.latest("piscines") == landing.open(capture, home) == capture
    assert landing.get("piscines", capture.sha256[:12]).path == capture.path
    assert landing.validators("piscines") == Validators('"v1"', None, capture.sha256, "a" * 64)


def test_only_the_owner_can_read_them(landing, dataset, deliver, tmp_path):
    before = os.umask(0)
    try:
        landing.capture(dataset, deliver(b"id;n\n"))
    finally:
        os.umask(before)
    for path in (tmp_path / "private" / "captures").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name
    assert stat.S_IMODE((tmp_path / "private" / "captures").stat().st_mode) == 0o700


def test_a_delivered_name_is_never_written(landing, dataset, deliver, home):
    capture = landing.capture(dataset, deliver(b"x", "jean.dupont.aide-sociale.xlsx"))
    assert capture.name == "payload.xlsx"
    everything = " ".join(str(path) + (path.read_text() if path.is_file() else "") for path in home.rglob("*"))
    assert "dupont" not in everything
    assert json.loads((capture.path.parent / "capture.json").read_text())["name"] == "payload.xlsx"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.lists(st.sampled_from([*SUFFIXES, ".dupont", "/", "x"])).map("".join))
def test_any_name_leaves_known_suffixes_at_most(landing, dataset, deliver, name):
    kept = landing.capture(dataset, deliver(b"x", name)).name.removeprefix("payload")
    assert all(f".{part}" in SUFFIXES for part in kept.split(".")[1:])


def test_the_same_bytes_are_unchanged(landing, dataset, deliver):
    first = landing.capture(dataset, deliver(b"x", etag='"v1"'))
    again = landing.capture(dataset, deliver(b"x", etag='"v2"'))
    assert (again.path, again.unchanged, again.fetched_at) == (first.path, "same SHA-256", first.fetched_at)
    assert again.seen_at > first.seen_at
    assert landing.validators("piscines").etag == '"v2"'


def test_unchanged_gives_the_latest_capture_with_the_reason(landing, dataset, deliver):
    first = landing.capture(dataset, deliver(b"x"))
    again = landing.capture(dataset, Unchanged("304 by ETag"))
    assert (again.sha256, again.unchanged) == (first.sha256, "304 by ETag")
    assert landing.latest("piscines").seen_at == again.seen_at > first.seen_at
    assert landing.latest("piscines").unchanged is None


def test_unchanged_without_a_capture_is_an_error(landing, dataset):
    with pytest.raises(OdpError) as error:
        landing.capture(dataset, Unchanged("304 by ETag"))
    assert str(error.value) == (
        "captures/piscines: the source says “unchanged”, but there is no capture; "
        "run again: the source is then asked for everything"
    )


def test_older_bytes_that_come_back_are_a_change(landing, dataset, deliver):
    landing.capture(dataset, deliver(b"old"))
    landing.capture(dataset, deliver(b"new"))
    back = landing.capture(dataset, deliver(b"old"))
    assert back.unchanged is None
    assert landing.latest("piscines").sha256 == back.sha256


def test_a_damaged_capture_is_not_given(landing, dataset, deliver, tmp_path):
    capture = landing.capture(dataset, deliver(b"abc"))
    capture.path.write_bytes(b"abd")
    with pytest.raises(OdpError) as error:
        landing.open(landing.get("piscines", capture.sha256), tmp_path)
    assert str(error.value) == (
        f"captures/piscines/{capture.sha256}: a capture is damaged: it is not what was written; "
        "delete it (the next run fetches anew), and check the disk of the private zone"
    )


@pytest.mark.parametrize("file", ["payload", "capture.json"])
def test_a_capture_cut_short_is_not_used_and_mended_by_the_next_delivery(landing, dataset, deliver, file):
    capture = landing.capture(dataset, deliver(b"abc", etag='"v1"'))
    (capture.path.parent / file).write_bytes(b"{")
    with pytest.raises(OdpError, match="a capture is damaged"):
        landing.latest("piscines")
    assert landing.validators("piscines") is None
    landing.capture(dataset, deliver(b"abc"))
    assert landing.get("piscines", capture.sha256).path.read_bytes() == b"abc"


def test_the_next_delivery_mends_damaged_bytes(landing, dataset, deliver):
    landing.capture(dataset, deliver(b"abc")).path.write_bytes(b"abd")
    assert landing.capture(dataset, deliver(b"abc")).path.read_bytes() == b"abc"


def test_an_unreadable_pointer_means_that_everything_is_fetched(landing, dataset, deliver, home):
    landing.capture(dataset, deliver(b"abc"))
    (home / "latest.json").write_text("")
    assert landing.validators("piscines") is None
    assert landing.capture(dataset, deliver(b"abc")).path.read_bytes() == b"abc"


@pytest.mark.parametrize("sha256", ["0" * 64, "../../x", "", "A" * 64, hashlib.sha256(b"x").hexdigest()[:11]])
def test_a_capture_that_is_not_there(landing, dataset, deliver, sha256):
    landing.capture(dataset, deliver(b"x"))
    with pytest.raises(OdpError, match=r"there is no capture .*; it was never made, or its retention is over"):
        landing.get("piscines", sha256)


@pytest.mark.parametrize("identifier", ["", "..", "a/b", "/etc", ".x"])
def test_an_identifier_is_no_path(landing, identifier):
    with pytest.raises(OdpError, match="this is no identifier of a dataset; identifiers are made of a-z, 0-9"):
        landing.latest(identifier)


def test_nothing_there_yet(landing, dataset):
    assert landing.latest("piscines") is None
    assert landing.validators("piscines") is None
    assert landing.prune(dataset) == 0


LATER = datetime.now(UTC) + timedelta(days=31)


def test_retention_deletes_data_and_provenance(landing, dataset, deliver, home):
    landing.capture(dataset, deliver(b"old"))
    kept = landing.capture(dataset, deliver(b"new"))
    assert landing.prune(dataset) == 0
    assert landing.prune(dataset, keep=(kept.sha256,), now=LATER) == 1
    assert sorted(path.name for path in home.iterdir()) == sorted([kept.sha256, "deletions.jsonl", "latest.json"])


def test_a_deleted_latest_is_fetched_anew(landing, dataset, deliver):
    landing.capture(dataset, deliver(b"x"))
    assert landing.prune(dataset, now=LATER) == 1
    assert landing.latest("piscines") is None
    assert landing.validators("piscines") is None


def test_retention_counts_from_the_last_delivery(landing, dataset, deliver):
    capture = landing.capture(dataset, deliver(b"x"))
    about = json.loads((capture.path.parent / "capture.json").read_text())
    long_ago = about | {"fetched_at": "2020-01-01T00:00:00+00:00", "seen_at": "2020-01-01T00:00:00+00:00"}
    (capture.path.parent / "capture.json").write_text(json.dumps(long_ago))
    landing.capture(dataset, Unchanged("304 by ETag"))
    assert landing.prune(dataset) == 0


def test_a_damaged_capture_does_not_outlive_its_retention(landing, dataset, deliver, home):
    capture = landing.capture(dataset, deliver(b"x"))
    (capture.path.parent / "capture.json").write_text("")
    assert landing.prune(dataset, now=LATER) == 1
    assert not capture.path.parent.exists()


def test_what_a_dead_process_left_behind_is_deleted(landing, dataset, deliver, home):
    landing.capture(dataset, deliver(b"x"))
    for name, age in ((".arriving-old", timedelta(days=2)), (".arriving-now", timedelta())):
        (home / name).mkdir()
        (home / name / "payload").write_bytes(b"x")
        os.utime(home / name, ((datetime.now(UTC) - age).timestamp(),) * 2)
    landing.prune(dataset)
    assert not (home / ".arriving-old").exists()
    assert (home / ".arriving-now").exists()


def test_a_capture_on_its_way_is_none(landing, dataset, deliver, home):
    (home / ".arriving-x").mkdir(parents=True)
    (home / ".arriving-x" / "payload").write_bytes(b"x")
    assert landing.latest("piscines") is None


def test_a_disk_that_refuses_is_told(landing, dataset, deliver, home):
    home.parent.mkdir(parents=True)
    home.write_text("a file in the way")
    with pytest.raises(OdpError) as error:
        landing.capture(dataset, deliver(b"x"))
    assert str(error.value).startswith("the private zone: the capture could not be kept: ")
    assert str(error.value).endswith(
        "free space, or correct the rights, where `private` of town.yaml points, and run again"
    )
