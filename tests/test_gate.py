from dataclasses import replace

import pytest

from odpipeline import gate
from odpipeline.store import Store
from odpipeline.verdict import Finding, Severity
from tests.store.making import FIELDS, a_dataset, a_staged, parkings, published

HOLDS = Finding("quality", "r", passed=True, message="it holds")
BLOCKS = Finding("privacy", "k_anonymity", passed=False, message="k does not hold")
WARNS = Finding("quality", "r", passed=False, message="it looks odd", severity=Severity.WARNING)


@pytest.fixture
def current(tmp_path):
    """A release of ten rows."""
    return published(Store(tmp_path / "public"), tmp_path / "current", parkings(10))


@pytest.fixture
def dataset():
    return a_dataset()


def test_what_was_checked_and_holds_is_accepted_for_this_content(tmp_path, dataset):
    staged = a_staged(tmp_path)
    verdict = gate.judge(dataset, staged, None, [HOLDS])
    assert verdict.accepted
    assert (verdict.dataset, verdict.content_hash) == ("parkings", staged.content_hash)


def test_a_critical_finding_refuses_and_a_warning_does_not(tmp_path, dataset):
    staged = a_staged(tmp_path)
    refused = gate.judge(dataset, staged, None, [HOLDS, BLOCKS, WARNS])
    assert not refused.accepted
    assert refused.reasons == ("k does not hold",)
    warned = gate.judge(dataset, staged, None, [HOLDS, WARNS])
    assert warned.accepted
    assert warned.warnings == ("it looks odd",)


def test_nothing_checked_is_refused(tmp_path, dataset):
    verdict = gate.judge(dataset, a_staged(tmp_path), None, [])
    assert not verdict.accepted
    assert verdict.reasons[0].startswith("nothing was checked; a release without any check is not published")


def test_nothing_staged_is_refused_whatever_was_found(dataset):
    for verdict in (gate.judge(dataset, None, None, [HOLDS]), gate.refuse(dataset, [HOLDS]), gate.refuse(dataset, [])):
        assert not verdict.accepted
        assert verdict.content_hash == ""
        assert verdict.reasons


def test_a_refusal_gives_the_reasons_that_led_to_it(dataset):
    verdict = gate.refuse(dataset, [HOLDS, BLOCKS])
    assert verdict.reasons == ("k does not hold",)
    assert verdict.findings[-1].message == "nothing was staged: 1 of 2 findings forbid it"


def test_every_verdict_has_a_finding_of_the_gate(tmp_path, dataset, current):
    staged = a_staged(tmp_path)
    for verdict in (
        gate.refuse(dataset, [BLOCKS]),
        gate.judge(dataset, None, current, []),
        gate.judge(dataset, staged, current, [HOLDS]),
        gate.judge(dataset, staged, None, []),
    ):
        assert any(finding.group == "gate" for finding in verdict.findings)


def test_a_loss_within_the_declared_share_passes(tmp_path, dataset, current):
    assert gate.judge(dataset, a_staged(tmp_path, parkings(8)), current, [HOLDS]).accepted


def test_a_greater_loss_is_refused_with_the_way_to_accept_it(tmp_path, dataset, current):
    staged = a_staged(tmp_path, parkings(7))
    verdict = gate.judge(dataset, staged, current, [HOLDS])
    assert not verdict.accepted
    [reason] = verdict.reasons
    assert reason == (
        "3 of 10 rows of version 1 are lost (30.0%, limit 20.0%); if this is right, accept it: "
        f"odp accept parkings {staged.content_hash[:12]} --because …"
    )


def test_an_empty_release_is_refused_even_the_first_time(tmp_path, dataset, current):
    staged = a_staged(tmp_path, f"SELECT * FROM ({parkings()}) WHERE false")
    for before in (None, current):
        assert gate.judge(dataset, staged, before, [HOLDS]).reasons[0].startswith("the release would be empty; if this")


def test_vanished_columns_are_named(tmp_path, current):
    narrow = a_dataset(fields=[FIELDS[0], FIELDS[2]])
    select = f"SELECT id, places FROM ({parkings(10)})"
    verdict = gate.judge(narrow, a_staged(tmp_path, select, dataset=narrow), current, [HOLDS])
    assert verdict.reasons[0].startswith("columns of version 1 have vanished: nom, releve_le; if this is right")


@pytest.mark.parametrize("digits", [12, 20, 64])
def test_a_person_can_accept_a_shrunken_content_by_its_hash(tmp_path, dataset, current, digits):
    staged = a_staged(tmp_path, parkings(5))
    verdict = gate.judge(dataset, staged, current, [HOLDS], accepted={staged.content_hash[:digits]})
    assert verdict.accepted
    shrunken = next(f for f in verdict.findings if f.rule == "rows")
    assert shrunken.message.endswith(f"; accepted by a person for exactly this content ({staged.content_hash[:12]})")


@pytest.mark.parametrize("named", ["", "{0:.11}", "0" * 64])
def test_an_acceptance_of_something_else_or_of_too_few_digits_counts_not(tmp_path, dataset, current, named):
    staged = a_staged(tmp_path, parkings(5))
    assert not gate.judge(dataset, staged, current, [HOLDS], accepted={named.format(staged.content_hash)}).accepted


def test_an_acceptance_covers_the_comparison_only(tmp_path, dataset, current):
    staged = a_staged(tmp_path, parkings(5))
    accepted = {staged.content_hash}
    assert gate.judge(dataset, staged, current, [BLOCKS], accepted=accepted).reasons == ("k does not hold",)
    assert not gate.judge(dataset, staged, current, [], accepted=accepted).accepted
    unaccepted = replace(BLOCKS, group="shrink")
    assert not gate.judge(dataset, staged, current, [unaccepted], accepted=accepted).accepted
