"""A profile gives defaults; tighter is free, looser needs a reason, which is published."""

import pytest

from odpipeline.privacy import summary

RULES = "privacy:\n  rules: {}"
K = "  k: 11\n"


def profiled(town, rules, *changes):
    town.aides(("privacy:", RULES.format(rules)), *changes)


def faults_of(town, rules, *changes):
    profiled(town, rules, *changes)
    return [fault.removeprefix("assets/social/aides.yaml:") for fault in town.faults()]


@pytest.mark.parametrize("rules", ["social", "fiscal", "health"])
def test_the_profile_gives_k(town, rules):
    profiled(town, rules, (K, ""))
    assert town.dataset("aides").privacy.k == 11


def test_a_greater_k_is_free(town):
    profiled(town, "social", (K, "  k: 20\n"))
    assert town.dataset("aides").privacy.k == 20


def test_a_smaller_k_needs_a_reason(town):
    source = "loi 51-711 du 7 juin 1951, article 6; INSEE, Filosofi: at least 11"
    remedy = "or say why with `rules: {profile: social, because: …}` (it is published)"
    assert faults_of(town, "social", (K, "  k: 5\n")) == [
        f"15: k is at least 11; raise it (rules: social, {source}), {remedy}"
    ]


def test_the_reason_is_published_with_the_profile_and_its_source(town):
    profiled(town, "{profile: health, because: accord du DPO du 3 mars}", (K, "  k: 5\n"))
    dataset = town.dataset("aides")
    told = summary(dataset, ())["rules"]
    assert told["because"] == "accord du DPO du 3 mars"
    assert (told["profile"], told["k"]) == ("health", 11)
    assert "L1461-2" in told["source"]


def test_a_reason_without_anything_looser(town):
    assert faults_of(town, "{profile: social, because: pour rien}") == [
        "12: nothing is looser than social; write `rules: social`"
    ]


@pytest.mark.parametrize(("rules", "least"), [("social", 11), ("enterprise", 3), ("first-names", 5)])
def test_published_counts_have_the_least_of_the_profile(town, rules, least):
    whole = ("name: montant, type: number", "name: montant, type: integer")
    cells = (K, f"{K}  small_cells: {{montant: {least - 1}}}\n")
    [fault] = faults_of(town, rules, whole, cells)
    assert fault.startswith(f"16: the least count is {least}; raise it (rules: {rules}, ")
    profiled(town, rules, whole, (K, f"{K}  small_cells: {{montant: {least}}}\n"))
    town.read()


def tabled(table):
    """Changes that publish a table instead of rows."""
    return ((f"  quasi_identifiers: [age, iris]\n{K}", f"  table: {{by: [iris], sums: {{total: montant}}{table}}}\n"),)


@pytest.mark.parametrize(
    ("rules", "table", "what"),
    [
        ("enterprise", ", least: 3", "one holder has at most 85 % of a sum; declare that as `dominance` (rules: enter"),
        ("enterprise", ", least: 3, dominance: 90 %", "one holder has at most 85 % of a sum; declare that as"),
        ("social", ", least: 5", "the fewest rows of a cell are 11; raise it (rules: social, "),
    ],
)
def test_tables_hold_to_the_profile(town, rules, table, what):
    [fault] = faults_of(town, rules, *tabled(table))
    assert fault.startswith(f"14: {what}")


def test_a_table_of_enterprises_that_holds_to_the_profile(town):
    profiled(town, "enterprise", *tabled(", least: 3, dominance: 85 %"))
    town.read()


def test_grants_mask_natural_persons_or_say_why_not(town):
    [fault] = faults_of(town, "grants")
    assert fault.startswith("12: names of natural persons are masked; give the beneficiary's field the role `mask` (")
    profiled(town, "grants", ("nom: drop", "nom: {mask: {unless: iris}}"))
    town.read()
    profiled(town, "{profile: grants, because: aucune personne physique n’est aidée}")
    town.read()


def test_a_profile_that_has_nothing_to_hold_to(town):
    what = "rules: enterprise has nothing to hold to; declare small_cells or a table, or remove it"
    assert faults_of(town, "enterprise") == [f"12: {what}"]


def test_an_unknown_profile(town):
    [fault] = faults_of(town, "sociale")
    assert fault.startswith("12: privacy.rules: expected one of social, fiscal, health")
    assert fault.endswith("did you mean 'social'?")


def test_without_a_profile_nothing_is_told(town):
    town.aides()
    assert summary(town.dataset("aides"), ())["rules"] is None


def test_no_reason_publishes_first_names_of_one_or_two_children(town):
    whole = ("name: montant, type: number", "name: montant, type: integer")
    cells = (K, f"{K}  small_cells: {{montant: 2}}\n")
    [fault] = faults_of(town, "{profile: first-names, because: petite commune}", whole, cells)
    assert fault == "16: rules: first-names never publishes a count below 3, whatever the reason; raise it"


def test_births_of_another_commune_are_not_published(town):
    whole = ("name: montant, type: number", "name: montant, type: integer")
    cells = (K, f"{K}  small_cells: {{montant: 5}}\n")
    commune = ("  - {name: montant", "  - {name: depcom}\n  - {name: montant")
    kept = ("montant: keep", "montant: keep, depcom: keep")
    [fault] = faults_of(town, "first-names", whole, cells, commune, kept)
    assert "'depcom' may name another commune, whose births are not this town's to publish" in fault
    own = ("{name: depcom}", "{name: depcom, constraints: {enum: ['99001']}}")
    profiled(town, "first-names", whole, cells, commune, kept, own)
    town.read()
