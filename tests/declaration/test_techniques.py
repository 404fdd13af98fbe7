"""A technique fits its column, or `odp check` says at which line it does not."""

import pytest

BANDS = "{generalise: {bands: 10}}"
NOISE = "{noise: {laplace: 5, secret: ODP_S}}"


def faults_of(town, *changes):
    town.aides(*changes)
    return [fault.removeprefix("assets/social/aides.yaml:") for fault in town.faults()]


@pytest.mark.parametrize(
    "role",
    [
        "{constant: Ville}",
        "{round: 5}",
        "{bottom_code: 18}",
        "{microaggregate: 5}",
        "{bottom_code: 18, top_code: 90}",
    ],
)
def test_techniques_that_fit(town, role):
    town.aides((BANDS, role))
    town.read()


def test_names_of_natural_persons_are_masked(town):
    town.aides(("nom: drop", "nom: {mask: {unless: iris, when: {iris: [physique]}}}"))
    town.read()


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("{round: 2.5}", "'age' holds whole numbers; give round a whole number"),
        ("{top_code: 89.5}", "'age' holds whole numbers; give top_code a whole number"),
        ("{bottom_code: 90, top_code: 18}",
         "bottom_code is not below top_code; every value would be published as a bound"),
        ("{mask: {unless: iris}}", "mask is for names, and 'age' is integer; use another technique"),
        (NOISE, "'age' is a quasi-identifier, and noise would leave classes of one row; generalise or round it"),
    ],
)  # fmt: skip
def test_a_technique_that_does_not_fit(town, role, message):
    assert faults_of(town, (BANDS, role)) == [f"12: {message}"]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("{round: 5}", "round needs a field of type integer or number, and 'nom' is string"),
        ("{top_code: 5}", "top_code needs a field of type integer or number or year, and 'nom' is string"),
        (NOISE, "noise needs a field of type integer or number, and 'nom' is string"),
        ("{mask: {}}", "mask needs to know who is a natural person: `unless: siret`, or `when: {nature: [physique]}`"),
        ("{mask: {unless: age}}", "mask.unless: 'age' is integer; its type must be string"),
        ("{mask: {when: {iri: [x]}}}", "unknown field 'iri' in mask.when; did you mean 'iris'?"),
        ("{mask: {unless: nom}}", "unknown field 'nom' in mask.unless"),
    ],
)  # fmt: skip
def test_a_technique_for_a_name(town, role, message):
    [fault] = faults_of(town, ("nom: drop", f"nom: {role}"))
    assert fault.startswith(f"12: {message}")


def test_columns_that_are_grouped_together_have_one_number(town):
    what = "all columns that are micro-aggregated are grouped together; give them one number"
    both = (BANDS, "{microaggregate: 5}"), ("montant: keep", "montant: {microaggregate: 6}")
    assert faults_of(town, *both) == [f"12: {what}"]


def test_noise_has_one_distribution(town):
    both = "montant: {noise: {laplace: 5, gaussian: 5, secret: ODP_S}}"
    assert faults_of(town, ("montant: keep", both)) == ["12: noise has exactly one distribution: laplace or gaussian"]


@pytest.mark.parametrize(("role", "key"), [(NOISE, "noise"), ("{round: 5}", "round"), ("{top_code: 5}", "top_code")])
def test_counts_with_a_least_are_not_changed(town, role, key):
    whole = ("name: montant, type: number", "name: montant, type: integer")
    cells = ("k: 11", "k: 11\n  small_cells: {montant: 5}")
    what = f"small_cells looks at the published counts, and {key} changes them; keep 'montant', or drop it"
    assert faults_of(town, ("montant: keep", f"montant: {role}"), whole, cells) == [f"12: {what}"]


def test_numbers_that_must_add_up_get_no_noise(town):
    check = "custom_checks: [{name: sum-columns-value, params: {column: montant, columns: [age]}}]\npersonal_data:"
    assert faults_of(town, ("montant: keep", f"montant: {NOISE}"), ("personal_data:", check)) == [
        "13: 'montant' must add up (sum-columns-value), and noise would break the sum; round it instead"
    ]


def test_a_key_gets_no_noise(town):
    key = ("personal_data:", "key: [montant]\npersonal_data:")
    assert faults_of(town, ("montant: keep", f"montant: {NOISE}"), key) == [
        "13: 'montant' is part of the key, and noise would make keys meet; keep or pseudonymise it"
    ]


def test_what_was_done_to_numbers_stands_in_the_published_schema(town):
    town.aides((BANDS, "{bottom_code: 18, top_code: 90}"))
    age = town.dataset("aides").published_fields[0]
    assert age.type == "integer"
    assert age.description == (
        "Les valeurs inférieures à 18 sont publiées comme 18. Les valeurs supérieures à 90 sont publiées comme 90."
    )
