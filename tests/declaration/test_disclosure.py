"""What a declaration must say for levels to be chosen and for sensitive columns to be protected."""

import pytest

IRIS = "iris: {generalise: {hierarchy: iris.csv}}"


def faults_of(town, *changes):
    town.aides(*changes)
    return [fault.removeprefix("assets/social/aides.yaml:") for fault in town.faults()]


def optimal(more=""):
    return IRIS, f"iris: {{generalise: {{hierarchy: iris.csv, level: optimal{more}}}}}"


def test_levels_that_are_chosen_are_read(town):
    town.aides(optimal(", at_least: 1, at_most: 2, weight: 2"), ("k: 11", "k: 11\n  score: entropy"))
    privacy = town.dataset("aides").privacy
    assert privacy.searched == ("iris",)
    assert (privacy.score, privacy.search_seconds, privacy.stability) == ("entropy", 60, "prefer")
    assert [field.type for field in town.dataset("aides").published_fields] == ["string", "string", "number"]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (", at_most: 3", "iris.csv has 2 level(s) above the leaf; choose one of them, or 0 for the values themselves"),
        (", at_least: 2, at_most: 1", "at_least is above at_most; no level is left to choose"),
    ],
)
def test_bounds_lie_in_the_hierarchy(said, what, town):
    assert faults_of(town, optimal(said)) == [f"12: {what}"]


def test_bounds_of_a_fixed_level_say_nothing(town):
    fixed = (IRIS, "iris: {generalise: {hierarchy: iris.csv, weight: 2}}")
    assert faults_of(town, fixed) == [
        "12: weight bounds a level that is chosen, and this one is fixed; say `level: optimal`, or remove it"
    ]


def test_a_level_is_chosen_to_reach_k(town):
    assert faults_of(town, optimal(), ("  quasi_identifiers: [age, iris]\n  k: 11\n", "")) == [
        "12: level: optimal is chosen to reach k, and no k is declared; add `k` and `quasi_identifiers`"
    ]
    assert faults_of(town, optimal(), ("[age, iris]", "[age]")) == [
        "12: level: optimal is for quasi-identifiers; name 'iris' in quasi_identifiers, or fix its level"
    ]


def test_a_score_without_anything_to_choose(town):
    assert faults_of(town, ("k: 11", "k: 11\n  score: loss")) == [
        "15: score serves levels that are chosen; say `level: optimal` for a column, or remove it"
    ]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            "diversity: {age: {distinct: 3}}",
            "privacy.diversity: 'age' is a quasi-identifier; a column is one or the other",
        ),
        (
            "diversity: {nom: {distinct: 3}}",
            "privacy.diversity: 'nom' is dropped, so nothing of it is told; remove the rule",
        ),
        ("diversity: {montant: {}}", "say at least one of distinct, entropy, recursive"),
        ("closeness: {montants: {t: 0.2}}", "unknown column 'montants' in privacy.closeness; did you mean 'montant'?"),
        (
            "closeness: {montant: {t: 0.2, distance: hierarchical}}",
            "distance: hierarchical needs a `hierarchy` of the values",
        ),
        (
            "closeness: {montant: {t: 0.2, hierarchy: iris.csv}}",
            "a hierarchy belongs to `distance: hierarchical`; say so, or remove it",
        ),
    ],
)
def test_sensitive_columns(said, what, town):
    assert faults_of(town, ("k: 11", f"k: 11\n  {said}")) == [f"15: {what}"]


def test_classes_need_k(town):
    without = ("  quasi_identifiers: [age, iris]\n  k: 11\n", "  diversity: {montant: {distinct: 2}}\n")
    assert faults_of(town, without) == [
        "13: privacy.diversity is about classes of rows; declare `quasi_identifiers` and `k`"
    ]


def test_ordered_values_have_an_order(town):
    names = ("montant: keep", "montant: {generalise: {prefix: 2}}")
    kind = ("montant, type: number", "montant, type: string")
    said = ("k: 11", "k: 11\n  closeness: {montant: {t: 0.2, distance: ordered}}")
    assert faults_of(town, names, kind, said) == [
        "15: distance: ordered needs numbers or dates, and 'montant' is published as string"
    ]


def test_the_hierarchy_of_values_is_part_of_what_decides(town):
    town.write("montants.csv", "1;a\n2;a\n")
    said = "closeness: {montant: {t: 0.2, distance: hierarchical, hierarchy: montants.csv}}"
    town.aides(("k: 11", f"k: 11\n  {said}"))
    before = town.dataset("aides").code_version
    town.write("montants.csv", "1;a\n2;b\n")
    assert town.dataset("aides").code_version != before
