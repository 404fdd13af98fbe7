"""What a declaration about persons must say before anything runs."""

import pytest

EVERY = "pseudonymise, generalise, constant, round, bottom_code, top_code, mask, noise, microaggregate"


def faults_of(town, *changes):
    town.aides(*changes)
    return [fault.removeprefix("assets/social/aides.yaml:") for fault in town.faults()]


def test_a_sensitive_dataset_is_read(town):
    town.aides()
    aides = town.dataset("aides")
    assert [field.name for field in aides.published_fields] == ["age", "iris", "montant"]
    assert aides.privacy.k == 11


def test_privacy_without_personal_data_is_a_contradiction(town):
    town.parkings(("personal_data: none", "personal_data: none\nprivacy: {columns: {id: keep}}"))
    assert town.faults() == [
        "assets/mobilite/parkings.yaml:11: privacy is declared, but personal_data is none; say `personal_data: present`"
    ]


def test_personal_data_is_mandatory(town):
    town.parkings(("personal_data: none\n", ""))
    assert "the key 'personal_data' is missing in dataset" in town.faults()[0]


def test_every_field_needs_a_role(town):
    assert faults_of(town, ("nom: drop, ", ""), (", montant: keep", "")) == [
        (
            "12: no role is stated for nom, montant, and this dataset holds personal data; say keep, "
            "drop, pseudonymise or "
            "generalise for each under privacy.columns"
        )
    ]


def test_a_quasi_identifier_has_stated_its_role(town):
    town.aides(("age: {generalise: {bands: 10}}, ", ""))
    town.read()


def test_a_role_of_an_unknown_column(town):
    assert faults_of(town, ("nom: drop", "nom: drop, courriel: drop")) == [
        "12: unknown column 'courriel' in privacy.columns; known: nom, age, iris, montant"
    ]


def test_personal_data_as_it_is_needs_a_text(town):
    privacy = (
        "columns: {nom: drop, age: {generalise: {bands: 10}}, iris: {generalise: {hierarchy: iris.csv}}, montant: keep}"
    )
    keep = "columns: {nom: keep, age: keep, iris: keep, montant: keep}"
    without = [(privacy, keep), ("  quasi_identifiers: [age, iris]\n  k: 11\n", "")]
    assert faults_of(town, *without) == [
        (
            "10: personal data would be published as it is (CRPA L312-1-2); name the text that allows it "
            "in legal_basis, or "
            "anonymise it under privacy"
        )
    ]
    town.aides(*without, ("personal_data: present", "personal_data: present\nlegal_basis: CRPA D312-1-3"))
    town.read()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("  k: 11\n", "")], ("13: quasi_identifiers need `k`: the least number of rows that share them (5; 11 for "
                              "social data)")),
        ([("  quasi_identifiers: [age, iris]\n", "")],
         "13: k counts rows that share the quasi-identifiers; name these in quasi_identifiers"),
        ([("k: 11", "k: 3")], "14: k is at least 5 (11 for social, fiscal and health data); raise it"),
        ([("[age, iris]", "[agee, iris]")], ("13: unknown column 'agee' in privacy.quasi_identifiers; did you mean "
                                            "'age'?")),
        ([("[age, iris]", "[age, nom]")], ("13: privacy.quasi_identifiers: 'nom' is dropped; name published columns "
                                          "only")),
        ([("[age, iris]", "[age, age]")], "13: privacy.quasi_identifiers: 'age' stands twice; keep one"),
        ([("  quasi_identifiers: [age, iris]\n  k: 11\n", "  suppression: 2 %\n")],
         "13: suppression serves k, and no k is declared; add k or remove it"),
    ],
)  # fmt: skip
def test_k_and_the_quasi_identifiers(town, changes, message):
    assert faults_of(town, *changes) == [message]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("{nombre: 5}", "unknown column 'nombre' in privacy.small_cells; known: age, iris, montant"),
        ("{montant: 5}", "privacy.small_cells: 'montant' is published as number; name a column of counts (integer)"),
        ("{age: 5}", "privacy.small_cells: 'age' is published as string; name a column of counts (integer)"),
    ],
)
def test_small_cells_are_counts(town, cells, message):
    assert faults_of(town, ("  k: 11", f"  k: 11\n  small_cells: {cells}")) == [f"15: {message}"]


def test_a_small_cell_below_two_does_nothing(town):
    changes = (
        ("name: montant, type: number", "name: montant, type: integer"),
        ("k: 11", "k: 11\n  small_cells: {montant: 1}"),
    )
    assert faults_of(town, *changes) == [
        "15: privacy.small_cells: the least count is at least 2; raise it, or remove it"
    ]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("{}", "the role of 'age' is exactly one technique: " + EVERY),
        ("{generalise: {bands: 10}, pseudonymise: {secret: ODP_S}}",
         "the role of 'age' is exactly one technique: " + EVERY),
        ("{pseudonymise: {secret: ODP_S, scope: stable}}",
         "stable pseudonyms let versions be joined; say why in `because` (it is published), or use scope: release"),
        ("{generalise: {}}", "'age' is generalised in exactly one way: bands, hierarchy, date, prefix, grid"),
        ("{generalise: {bands: 10, prefix: 1}}",
         "'age' is generalised in exactly one way: bands, hierarchy, date, prefix, grid"),
        ("{generalise: {date: year}}", ("date needs a field of type date or datetime, and 'age' is "
                                        "integer; use another "
                                       "way")),
        ("{generalise: {bands: 10, level: 1}}",
         "a level belongs to a hierarchy, and 'age' is generalised by bands; remove it"),
    ],
)  # fmt: skip
def test_exactly_one_technique_that_fits(town, role, message):
    assert faults_of(town, ("{generalise: {bands: 10}}", role)) == [f"12: {message}"]


def test_stable_pseudonyms_with_a_reason(town):
    reason = "{pseudonymise: {secret: ODP_S, scope: stable, because: suivi annuel}}"
    town.aides(("{generalise: {bands: 10}}", reason))
    town.read()


def test_dropping_everything_publishes_nothing(town):
    columns = "{generalise: {bands: 10}}, iris: {generalise: {hierarchy: iris.csv}}, montant: keep"
    changes = (columns, "drop, iris: drop, montant: drop"), ("  quasi_identifiers: [age, iris]\n  k: 11\n", "")
    assert faults_of(town, *changes) == ["12: every field is dropped, nothing would be published; keep one at least"]
