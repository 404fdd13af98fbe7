"""Every rule that a finding can name has words in both languages, and none of them is empty, broken or a machine's."""

import re
from typing import get_args

import pytest

from odpipeline.declaration.dataset import OverTimeRule
from odpipeline.quality import wording
from odpipeline.quality.in_french import FRENCH_PHRASES
from odpipeline.quality.kinds import KINDS
from odpipeline.verdict import Finding

NOT_FRENCH = re.compile(r" [;:!?%»]|« |  |\{|\}|expect_|None")
"""What may not be in a French sentence: plain blanks before high punctuation, gaps of a template, machine's names."""

DECLARED = {"min_value": 0, "max_value": 10, "value": 3, "column_A": "fin", "column_B": "début", "mostly": 0.95}


def counted(rule: str, wrong: int = 12, **changes) -> Finding:
    counts = {"element_count": 3413, "missing_count": 3, "unexpected_count": wrong}
    return Finding("quality", rule, False, "", column="montant", counts=counts, **changes)


@pytest.mark.parametrize("rule", KINDS)
@pytest.mark.parametrize("declared", [{}, DECLARED], ids=["bare", "declared"])
def test_every_kind_of_expectation_is_told(rule, declared):
    finding = counted(rule, declared=declared)
    if not KINDS[rule].by_row:
        finding = Finding("quality", rule, False, "", declared=declared, counts={"rows": 3})
    told = [tell(finding, "fr") for tell in (wording.subject, wording.asked, wording.found)] + [wording.advice(finding)]
    for text in told:
        assert text
        assert not NOT_FRENCH.search(text), text
    assert wording.advice(finding).endswith(".")
    for tell in (wording.subject, wording.asked, wording.found):
        assert tell(finding, "en")
        assert "expect_" not in tell(finding, "en")


def test_no_core_kind_lives_on_the_fallback():
    """A kind without a phrase of its own is told, but not well: `explained` is the least that it should have."""
    known = {rule for rule, kind in KINDS.items() if not getattr(kind, "explained", "")}
    assert known <= set(FRENCH_PHRASES)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (counted("expect_column_values_to_be_between", declared={"min_value": 0}),
         "12 valeurs sur 3 410 sont inférieures au minimum (0)"),
        (counted("expect_column_values_to_be_between", 1, declared={"max_value": 1.5}),
         "1 valeur sur 3 410 dépasse le maximum (1,5)"),
        (counted("expect_column_values_to_be_between", declared={"min_value": 0, "max_value": 9}),
         "12 valeurs sur 3 410 sortent des bornes"),
        (counted("expect_column_values_to_not_be_null", declared={"mostly": 0.995}),
         "12 valeurs sur 3 413 manquent (au moins 99,5 % doivent être justes)"),
        (counted("expect_column_values_to_be_unique", 2), "2 valeurs sur 3 410 figurent plus d’une fois"),
        (counted("expect_compound_columns_to_be_unique", 1),
         "1 ligne sur 3 410 a le même identifiant qu’une autre"),
        (counted("expect_column_values_to_be_valid_siret", 1), "1 valeur sur 3 410 n’est pas valide"),
        (Finding("quarantine", "quarantine_ceiling", False, "",
                 counts={"rows": 1000, "quarantined": 42, "share": 0.042}),
         "42 lignes sur 1 000 (4,2 %) sont écartées (illisibles ou contre une règle)"),
        (Finding("shrink", "rows", False, "", counts={"rows": 8, "rows_before": 20, "lost_rows": 12}),
         "12 lignes sur 20 ont disparu depuis la version publiée"),
        (Finding("shrink", "rows", False, "", counts={"rows": 0, "rows_before": 0, "lost_rows": 0}),
         "il ne reste aucune ligne à publier"),
        (Finding("schema", "new_columns", False, "", counts={"new_columns": 1}),
         "1 colonne livrée n’est pas déclarée, et reste de côté"),
        (Finding("over_time", "types", False, "", counts={"changed_columns": 1}),
         "1 colonne n’a plus le type de la version publiée"),
        (Finding("over_time", "gaps", False, "", counts={"gaps": 3, "silent_series": 1}),
         "3 interruptions trop longues, et 1 appareil muet à la fin"),
        (Finding("privacy", "k_anonymity_csv", False, "", counts={"smallest_class_rows": 1, "classes": 9, "k": 11}),
         "des personnes pourraient être reconnues : des groupes sont trop petits pour être publiés"),
        (Finding("freshness", "data_age", False, "", counts={"age_seconds": 86400 * 3, "promise_seconds": 86400}),
         "la donnée la plus récente a 3 jours, pour 1 jour au plus promis au public"),
    ],
)  # fmt: skip
def test_sentences(finding, said):
    assert wording.found(finding, "fr").replace("\u202f", " ").replace("\u00a0", " ") == said


OF_OTHERS = {
    "quarantine": ["quarantine_ceiling"], "schema": ["new_columns"], "shrink": ["rows", "vanished_columns"],
    "over_time": list(get_args(OverTimeRule)), "gate": ["checked", "staged"],
    "freshness": ["data_age", "future_dates", "run_age"],
    "approval": ["approved"],
    "privacy": ["published_columns_csv", "k_anonymity_parquet", "small_cells_nombre_csv", "suppression_limit"],
}  # fmt: skip


@pytest.mark.parametrize(("group", "rule"), [(group, rule) for group, rules in OF_OTHERS.items() for rule in rules])
def test_every_rule_that_is_no_expectation_has_words_even_without_its_counts(group, rule):
    finding = Finding(group, rule, False, "")
    for text in (wording.asked(finding, "fr"), wording.found(finding, "fr"), wording.advice(finding)):
        assert text
        assert not NOT_FRENCH.search(text), text
    assert wording.found(finding, "en")


@pytest.mark.parametrize("group", [*OF_OTHERS, "quality", "of_tomorrow"])
def test_a_rule_that_nobody_has_found_words_for_is_still_a_sentence(group):
    unknown = Finding(group, "expect_column_something_new", False, "", column="montant")
    assert wording.found(unknown, "fr").endswith("(«\u00a0something new\u00a0»)")
    assert wording.asked(unknown, "fr") == "règle «\u00a0something new\u00a0»"
    assert wording.advice(unknown).endswith(".")
    assert "something new" in wording.found(unknown, "en")


def test_what_holds_is_said_to_hold():
    held = Finding("quality", "expect_column_values_to_be_unique", True, "", column="a")
    assert (wording.found(held, "fr"), wording.found(held, "en")) == ("respecté", "holds")


def test_an_exception_that_a_person_accepted_is_said_to_be_one():
    counts = {"rows": 8, "rows_before": 20, "lost_rows": 12, "accepted": 1}
    excepted = Finding("shrink", "rows", True, "", counts=counts)
    assert wording.found(excepted, "fr").replace("\u00a0", " ") == (
        "accepté par exception : 12 lignes sur 20 ont disparu depuis la version publiée"
    )
    assert wording.found(excepted, "en").startswith("accepted as an exception: 12 rows of 20")


def test_the_subject_names_columns_pairs_files_or_the_whole():
    def about(rule, **changes):
        return wording.subject(Finding("quality", rule, True, "", **changes), "fr").replace("\u00a0", " ")

    assert about("expect_column_values_to_be_unique", column="a : b") == "Colonne « a : b »"
    pair = {"column_A": "fin", "column_B": "début"}
    assert about("expect_column_pair_values_to_be_equal", declared=pair) == "Colonnes « fin » et « début »"
    assert about("expect_table_columns_to_match_ordered_list", declared={"column_list": ["a"]}) == "Ensemble du fichier"
    assert about("k_anonymity_csv") == "Fichier CSV"
    assert about("small_cells_nombre_parquet", column="nombre") == "Colonne « nombre »"


def test_a_finding_stays_the_same_when_its_bound_moves_and_two_of_a_kind_stay_apart():
    low = counted("expect_column_values_to_be_between", declared={"min_value": 0})
    moved = counted("expect_column_values_to_be_between", declared={"min_value": 5})
    high = counted("expect_column_values_to_be_between", declared={"max_value": 5})
    assert wording.identities([low]) == wording.identities([moved])
    assert len(set(wording.identities([low, moved, high]))) == 3
