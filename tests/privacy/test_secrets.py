"""Secrets that could be guessed are refused, and one that changes is told, or stops the run."""

import hashlib

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.errors import PrivacyError, SecretMissing
from odpipeline.privacy import anonymise
from tests.privacy.conftest import TEN_PEOPLE

ONE, OTHER = (hashlib.sha256(name).hexdigest() for name in (b"one", b"other"))
STABLE = {"secret": "ODP_S", "scope": "stable", "because": "suivi annuel"}


@pytest.fixture
def released(aides, rows, tmp_path, duck):
    """The published pseudonyms, and what the release says of them."""
    parquet = rows(TEN_PEOPLE)

    def release(last=None, /, **said):
        columns = {"numero": {"pseudonymise": STABLE | said}}
        out = anonymise(parquet, aides(columns), tmp_path, duck, salt="1", last={"pseudonyms": last or {}})
        return duckdb.execute(f"SELECT numero FROM '{out.parquet}' ORDER BY nom").fetchall(), dict(out.pseudonyms)

    return release


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("court", "is shorter than 32 bytes"),
        ("a" * 64, "repeats a shorter text"),
        ("motdepasse" * 7 + "mot", "repeats a shorter text"),
        ("0110100110010110100101100110100110010110011010010110100110010110", "has fewer than 8 different characters"),
    ],
)
def test_a_secret_that_could_be_found_by_trying_is_refused_and_not_told(secret, why, released, monkeypatch):
    monkeypatch.setenv("ODP_S", secret)
    with pytest.raises(PrivacyError, match=why) as told:
        released()
    assert secret not in str(told.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
@given(shorter=st.text(alphabet="abcdefghijklmnop0123456789", min_size=1, max_size=31), times=st.integers(2, 40))
def test_a_repeated_secret_is_as_short_as_what_it_repeats(shorter, times, released, monkeypatch):
    monkeypatch.setenv("ODP_S", shorter * times)
    with pytest.raises(PrivacyError, match="could be found by trying"):
        released()


@pytest.mark.parametrize("secret", ["", None])
def test_without_a_secret_a_short_number_gets_no_pseudonym(secret, released, monkeypatch):
    monkeypatch.delenv("ODP_S", raising=False)
    if secret is not None:
        monkeypatch.setenv("ODP_S", secret)
    with pytest.raises(SecretMissing, match="ODP_S is not set"):
        released()


def test_two_variables_with_one_secret_are_one_secret(aides, rows, tmp_path, duck, monkeypatch):
    monkeypatch.setenv("ODP_S", ONE)
    monkeypatch.setenv("ODP_R", ONE)
    both = {"numero": {"pseudonymise": STABLE}, "nom": {"pseudonymise": {"secret": "ODP_R"}}}
    with pytest.raises(PrivacyError, match="ODP_S and ODP_R hold the same secret"):
        anonymise(rows(TEN_PEOPLE), aides(both), tmp_path, duck, salt="1")


def test_stable_pseudonyms_join_and_the_release_says_why(released, monkeypatch):
    monkeypatch.setenv("ODP_S", ONE)
    first, told = released()
    again, _ = released(told)
    assert first == again
    assert told["numero"]["because"] == "suivi annuel"
    assert told["numero"]["since"] is None
    assert ONE not in str(told)


def test_another_secret_stops_the_run_until_its_day_is_declared(released, monkeypatch):
    monkeypatch.setenv("ODP_S", ONE)
    first, told = released()
    monkeypatch.setenv("ODP_S", OTHER)
    with pytest.raises(PrivacyError, match="is not the one behind the pseudonyms of numero in the current release"):
        released(told)
    second, rotated = released(told, rotated="2026-01-01")
    assert not set(first) & set(second)
    assert rotated["numero"]["since"] == "2026-01-01"
    assert released(rotated, rotated="2026-01-01") == (second, rotated)


def test_a_declared_day_does_not_cover_the_next_change(released, monkeypatch):
    monkeypatch.setenv("ODP_S", ONE)
    _, told = released(rotated="2026-01-01")
    monkeypatch.setenv("ODP_S", OTHER)
    with pytest.raises(PrivacyError, match="say since when it is another"):
        released(told, rotated="2026-01-01")


def test_pseudonyms_of_one_release_are_told_nothing_about(released, monkeypatch):
    monkeypatch.setenv("ODP_S", ONE)
    assert released(scope="release", because=None)[1] == {}
