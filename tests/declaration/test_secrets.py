"""A secret serves one scope, and with stable pseudonyms one dataset."""

import pytest

from tests.declaration.conftest import AIDES

STABLE = "{pseudonymise: {secret: ODP_S, scope: stable, because: suivi}}"
RELEASE = "{pseudonymise: {secret: ODP_S}}"
BANDS = "{generalise: {bands: 10}}"


def second(town, role):
    """Another dataset with a secret."""
    town.write("iris.csv", "1;a;A\n")
    town.write("assets/social/bourses.yaml", AIDES.replace(BANDS, role))


def test_one_secret_for_both_scopes_of_a_dataset(town):
    town.aides((BANDS, STABLE), ("montant: keep", f"montant: {RELEASE}"))
    remedy = "give each scope, and each dataset with stable pseudonyms, a secret of its own"
    assert town.faults() == [
        f"assets/social/aides.yaml:12: the secret ODP_S also serves 'montant' of aides (scope release); {remedy}",
        f"assets/social/aides.yaml:12: the secret ODP_S also serves 'age' of aides (scope stable); {remedy}",
    ]


@pytest.mark.parametrize("role", [STABLE, RELEASE])
def test_a_stable_secret_serves_one_dataset(town, role):
    town.aides((BANDS, STABLE))
    second(town, role)
    assert [fault.split(" (")[0] for fault in town.faults()] == [
        "assets/social/aides.yaml:12: the secret ODP_S also serves 'age' of bourses",
        "assets/social/bourses.yaml:12: the secret ODP_S also serves 'age' of aides",
    ]


def test_a_secret_of_scope_release_may_serve_two_datasets(town):
    town.aides((BANDS, RELEASE))
    second(town, RELEASE)
    town.read()


def test_only_stable_pseudonyms_have_a_day_of_rotation(town):
    town.aides((BANDS, "{pseudonymise: {secret: ODP_S, rotated: 2026-01-01}}"))
    assert town.faults() == [
        "assets/social/aides.yaml:12: pseudonyms of scope release are others in each version anyway; remove `rotated`"
    ]


def test_a_day_of_rotation_is_a_day(town):
    town.aides((BANDS, STABLE.replace("suivi", "suivi, rotated: janvier")))
    [fault] = town.faults()
    assert fault.startswith("assets/social/aides.yaml:12: privacy.columns.age.pseudonymise.rotated")
