"""With a key nothing of a capture lies in clear, and what is opened is what was delivered or an error."""

import hashlib
import os
import resource
import shutil
import signal
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.errors import OdpError, SecretMissing
from odpipeline.landing import Landing, Seal, sealing
from odpipeline.sources import Unchanged
from tests.killing import dying_at, in_child

CELL = b"id;nom\n1;Mme Plante-Ici\n"


def clear_text(folder):
    """The files below `folder` that hold the planted cell."""
    return [path.name for path in folder.rglob("*") if path.is_file() and b"Plante-Ici" in path.read_bytes()]


def test_a_capture_is_sealed_and_opens_to_what_was_delivered(sealed, dataset, deliver, home, tmp_path):
    delivery = deliver(CELL)
    capture = sealed.capture(dataset, delivery)
    assert (capture.sealed, capture.sha256) == (True, hashlib.sha256(CELL).hexdigest())
    assert capture.path.read_bytes().startswith(b"age-encryption.org/v1\n")
    assert stat.S_IMODE(capture.path.stat().st_mode) == 0o600
    assert not delivery.path.exists()
    assert clear_text(tmp_path / "private") == []
    opened = sealed.open(capture, tmp_path)
    assert opened.path.read_bytes() == CELL
    assert stat.S_IMODE(opened.path.stat().st_mode) == 0o600


def test_the_same_bytes_are_unchanged_though_sealing_never_gives_the_same(sealed, dataset, deliver):
    first = sealed.capture(dataset, deliver(CELL))
    before = first.path.read_bytes()
    again = sealed.capture(dataset, deliver(CELL))
    assert (again.path, again.unchanged) == (first.path, "same SHA-256")
    assert again.path.read_bytes() != before


def test_a_source_that_asks_for_the_last_bytes_gets_them_in_clear(sealed, dataset, deliver, tmp_path):
    assert sealed.earlier("piscines", tmp_path) is None
    capture = sealed.capture(dataset, deliver(CELL))
    assert sealed.earlier("piscines", tmp_path).read_bytes() == CELL
    capture.path.write_bytes(capture.path.read_bytes()[:-1])
    assert sealed.earlier("piscines", tmp_path) is None
    assert not (tmp_path / "earlier").exists()


@pytest.fixture
def one(sealed, dataset, deliver):
    return sealed.capture(dataset, deliver(CELL))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_damage_is_ever_given_as_data(sealed, one, tmp_path, data):
    whole = one.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    one.path.write_bytes(whole[:place] if cut else bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]]))
    with pytest.raises(OdpError, match=r"damaged: it is not what was written|sealed with another key"):
        sealed.open(one, tmp_path)
    assert not (tmp_path / "capture").exists()
    one.path.write_bytes(whole)


def test_another_key_opens_nothing_until_the_earlier_one_is_added(sealed, one, tmp_path, monkeypatch):
    earlier, later = os.environ["ODP_PRIVATE_KEY"], sealing.new_key()
    monkeypatch.setenv("ODP_PRIVATE_KEY", later)
    changed = Landing(tmp_path / "private", Seal("ODP_PRIVATE_KEY"))
    with pytest.raises(OdpError) as error:
        changed.open(one, tmp_path)
    assert str(error.value) == (
        f"piscines/{one.sha256}/payload.age: this was sealed with another key than that of ODP_PRIVATE_KEY; "
        "add the earlier key to ODP_PRIVATE_KEY on a line of its own, or delete what it sealed"
    )
    monkeypatch.setenv("ODP_PRIVATE_KEY", later + earlier)
    both = Landing(tmp_path / "private", Seal("ODP_PRIVATE_KEY"))
    assert both.open(one, tmp_path).path.read_bytes() == CELL


def test_a_key_that_is_not_set_or_is_none_is_told_without_its_value(monkeypatch):
    monkeypatch.delenv("ODP_PRIVATE_KEY", raising=False)
    with pytest.raises(SecretMissing) as missing:
        Seal("ODP_PRIVATE_KEY").ready()
    assert str(missing.value).startswith(
        "town.yaml, private_key: the environment variable ODP_PRIVATE_KEY is not set, and the private zone needs it"
    )
    monkeypatch.setenv("ODP_PRIVATE_KEY", "un mot de passe")
    with pytest.raises(OdpError) as wrong:
        Seal("ODP_PRIVATE_KEY").ready()
    assert "holds no age identity" in str(wrong.value)
    assert "mot de passe" not in str(wrong.value)


def test_a_town_that_names_no_key_any_more_is_told_so(landing, one, tmp_path):
    with pytest.raises(OdpError, match=r"this capture is sealed, and town\.yaml names no key; name the environment"):
        landing.open(one, tmp_path)


def test_captures_that_lie_in_clear_are_sealed_by_the_next_run(landing, sealed, dataset, deliver, tmp_path):
    old = landing.capture(dataset, deliver(CELL))
    sealed.capture(dataset, deliver(b"new"))
    assert sealed.open(old, tmp_path).path.read_bytes() == CELL
    assert sealed.prune(dataset) == 0
    assert clear_text(tmp_path / "private") == []
    assert sealed.open(sealed.get("piscines", old.sha256), tmp_path).path.read_bytes() == CELL


def test_sealing_what_lies_in_clear_may_die_at_any_instant(landing, sealed, dataset, deliver, tmp_path):
    for instant in range(1, 100):
        shutil.rmtree(tmp_path / "private", ignore_errors=True)
        old = landing.capture(dataset, deliver(CELL))
        ended = in_child(dying_at(instant, lambda: sealed.prune(dataset)))
        found = sealed.get("piscines", old.sha256)
        assert sealed.open(found, tmp_path).path.read_bytes() == CELL
        sealed.prune(dataset)
        assert clear_text(tmp_path / "private") == []
        assert sealed.open(sealed.get("piscines", old.sha256), tmp_path).path.read_bytes() == CELL
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert instant > 3


def test_a_capture_killed_at_any_instant_is_there_or_not_and_never_in_clear(sealed, dataset, deliver, tmp_path):
    for instant in range(1, 100):
        shutil.rmtree(tmp_path / "private", ignore_errors=True)
        first = sealed.capture(dataset, deliver(b"first"))
        delivery = deliver(CELL)
        ended = in_child(dying_at(instant, lambda d=delivery: sealed.capture(dataset, d)))
        assert clear_text(tmp_path / "private") == []
        latest = sealed.latest("piscines")
        assert sealed.open(latest, tmp_path).path.read_bytes() in {b"first", CELL}
        again = sealed.capture(dataset, deliver(CELL))
        assert sealed.open(again, tmp_path).path.read_bytes() == CELL
        assert sealed.open(first, tmp_path).path.read_bytes() == b"first"
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert instant > 5


def test_unchanged_needs_no_key(sealed, one, dataset, tmp_path, monkeypatch):
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    again = Landing(tmp_path / "private", Seal("ODP_PRIVATE_KEY")).capture(dataset, Unchanged("304 by ETag"))
    assert (again.sha256, again.sealed, again.unchanged) == (one.sha256, True, "304 by ETag")


def test_a_full_disk_is_told_and_leaves_the_latest_capture(sealed, one, dataset, deliver, tmp_path):
    def starved():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        with pytest.raises(OdpError, match="the private zone: the capture could not be kept: File too large"):
            sealed.capture(dataset, delivery)

    delivery = deliver(b"x" * 1_000_000)
    assert in_child(starved) == 0
    assert sealed.latest("piscines").sha256 == one.sha256
