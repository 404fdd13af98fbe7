import pytest
from hypothesis import given
from hypothesis import strategies as some

from odpipeline.quality.kinds import KINDS
from odpipeline.quality.score import WEIGHTS, dimension_of, score
from odpipeline.verdict import Finding


def values(rule: str, wrong: int, of: int, group: str = "quality", **counts) -> Finding:
    counted = {"element_count": of, "unexpected_count": wrong, "missing_count": 0, **counts}
    return Finding(group, f"expect_column_{rule}", wrong == 0, "", column="a", counts=counted)


def test_the_weights_are_one_together():
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_the_score_is_the_weighted_mean_of_what_is_measured():
    made = score([
        values("values_to_not_be_null", 50, 100),
        values("values_to_be_in_set", 10, 100),
        Finding("quarantine", "quarantine_ceiling", True, "", counts={"share": 0.3}),
        values("values_to_be_unique", 0, 100),
    ])  # fmt: skip
    parts = {part.dimension: part.value for part in made.components}
    assert parts == {"completeness": 0.5, "validity": 0.8, "uniqueness": 1.0, "consistency": None, "timeliness": None}
    assert made.value == int(100 * (0.25 * 0.5 + 0.30 * 0.8 + 0.15 * 1.0) / 0.70)


def test_a_hundred_means_that_nothing_at_all_is_wrong():
    assert score([values("values_to_be_in_set", 0, 10**7)]).value == 100
    assert score([values("values_to_be_in_set", 1, 10**7)]).value == 99


def test_nothing_measured_is_no_score():
    assert score([]).value is None
    assert score([Finding("privacy", "k_anonymity_csv", True, "")]).value is None


def test_old_data_lowers_the_score_by_how_late_it_is():
    late = Finding("freshness", "data_age", False, "", counts={"age_seconds": 400, "promise_seconds": 100})
    assert score([late]).value == 25
    fresh = Finding("freshness", "data_age", True, "", counts={"age_seconds": 4, "promise_seconds": 100})
    assert score([fresh]).value == 100


def test_a_rule_without_a_count_of_values_counts_as_held_or_not():
    rules = [Finding("over_time", rule, rule != "drift", "") for rule in ("growth", "types", "drift", "gaps")]
    assert score(rules).value == 75


def test_an_accepted_exception_does_not_count_as_held():
    excepted = Finding("shrink", "rows", True, "", counts={"lost_rows": 12, "accepted": 1})
    assert score([excepted, Finding("shrink", "vanished_columns", True, "")]).value == 50


def test_what_was_measured_on_the_published_rows_stands_for_the_delivered_ones():
    delivered, published = values("values_to_be_unique", 5, 10), values("values_to_be_unique", 0, 8, group="gate")
    assert score([delivered, published]).value == 100
    assert score([published, delivered]).value == 100


def test_missing_values_are_no_wrong_ones():
    assert score([values("values_to_be_in_set", 1, 12, missing_count=10)]).value == 50


@pytest.mark.parametrize("rule", KINDS)
def test_every_expectation_is_in_a_dimension(rule):
    assert dimension_of(Finding("quality", rule, True, "")) in WEIGHTS


@given(some.lists(some.tuples(some.sampled_from(sorted(KINDS)), some.integers(0, 9), some.integers(0, 9)), max_size=9))
def test_the_score_is_between_nothing_and_a_hundred_and_explains_itself(found):
    made = score([
        Finding("quality", rule, not wrong, "", column=str(n),
                counts={"element_count": wrong + right, "unexpected_count": wrong})
        for n, (rule, wrong, right) in enumerate(found)
    ])  # fmt: skip
    measured = [part for part in made.components if part.value is not None]
    assert (made.value is None) == (not measured)
    assert sum(part.findings for part in made.components) == len(found)
    if made.value is not None:
        again = sum(p.weight * p.value for p in measured) / sum(p.weight for p in measured)
        assert 0 <= made.value <= 100
        assert made.value == pytest.approx(100 * again, abs=1.02)
