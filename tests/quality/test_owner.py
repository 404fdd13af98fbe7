"""The text that a department gets: French, whole sentences, no value, what to do, what is served meanwhile."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from odpipeline.quality.kinds import KINDS
from odpipeline.quality.owner import Served, Situation, owner_text
from odpipeline.quality.records import Recorded, RunReport
from odpipeline.verdict import Finding, Severity

NOW, THEN = datetime(2026, 11, 25, 1, tzinfo=UTC), datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
SITUATION = Situation("Piscines", "donnees@ville.example", ZoneInfo("Europe/Paris"), Served(3, THEN, 1200))


def wrong(rule="expect_column_values_to_be_between", severity=Severity.CRITICAL, **changes):
    counts = {"element_count": 3410, "unexpected_count": 12, "missing_count": 0}
    return Finding("quality", rule, False, "in English", severity, "entrees", counts, {"min_value": 0}, **changes)


def text(*recorded, outcome="refused", situation=SITUATION):
    report = RunReport("piscines", NOW, outcome, None, None, recorded)
    return owner_text(report, situation).replace("\u202f", " ").replace("\u00a0", " ")


def test_a_refusal_says_which_rule_how_many_since_when_what_to_do_and_what_is_served():
    assert text(Recorded(wrong(), THEN, 3)) == (
        "« Piscines » : la livraison du 25 novembre 2026 n’est pas publiée\n"
        "\n"
        "La livraison a été contrôlée et n’est pas publiée, pour la raison suivante :\n"
        "\n"
        "1. Colonne « entrees » : 12 valeurs sur 3 410 sont inférieures au minimum (0).\n"
        "   Règle : valeurs d’au moins 0. Constaté depuis le 23 novembre 2026, 3 fois de suite.\n"
        "   À faire : corrigez ces valeurs dans votre logiciel ; si elles sont justes, dites-le au service des "
        "données, qui reverra la règle.\n"
        "\n"
        "Pendant ce temps, le public voit la version 3 du 23 novembre 2026 (1 200 lignes), inchangée.\n"
        "\n"
        "Ce message ne contient aucune valeur de vos données ; le service des données peut retrouver les lignes en "
        "cause : donnees@ville.example\n"
    )


def test_several_reasons_are_counted_and_warnings_stand_apart():
    said = text(
        Recorded(wrong(), NOW, 1), Recorded(wrong("expect_column_values_to_be_unique"), NOW, 1),
        Recorded(wrong("expect_column_values_to_be_valid_siret", Severity.WARNING), NOW, 1),
        Recorded(wrong(severity=Severity.INFO), NOW, 1),
    )  # fmt: skip
    assert "pour 2 raisons :" in said
    assert "Constaté pour la première fois." in said
    assert "À signaler aussi, sans que cela empêche la publication :\n\n- Colonne « entrees »" in said
    assert said.count("Colonne « entrees »") == 3


def test_nobody_is_sent_thousands_of_points():
    said = text(*(Recorded(wrong(f"expect_column_{n}"), NOW, 1) for n in range(1000)))
    assert "pour 1 000 raisons :" in said
    assert "\n10. Colonne" in said
    assert "\n11. " not in said
    assert "Et 990 autres points." in said


def test_a_published_delivery_with_warnings():
    said = text(Recorded(wrong(severity=Severity.WARNING), NOW, 1), outcome="published")
    assert said.startswith("« Piscines » : la livraison du 25 novembre 2026 est publiée\n\nUn point est à regarder :")
    assert "Le public voit la version 3" in said


def test_when_all_is_well_there_is_nothing_to_do():
    assert "rien n’est à faire" in text(outcome="published")
    assert "La source livre ce qui est déjà publié" in text(outcome="unchanged")


def test_nothing_published_yet_is_said():
    never = Situation("Piscines", "d@ville.example", ZoneInfo("Europe/Paris"))
    assert "aucune version n’est encore publiée" in text(Recorded(wrong(), NOW, 1), situation=never)


@pytest.mark.parametrize(
    ("error", "said"),
    [("SourceUnavailable", "n’a pas répondu"), ("SourceError", "n’a pas livré"), ("ConformError", "peut pas être lue"),
     ("StoreError", "Un incident technique"), ("", "Un incident technique")],
)  # fmt: skip
def test_a_run_that_failed_is_told_by_its_error(error, said):
    failed = Situation(
        "Piscines", "d@ville.example", ZoneInfo("Europe/Paris"), SITUATION.served, error, "no answer", THEN
    )
    told = text(outcome="failed", situation=failed)
    assert told.startswith("« Piscines » : pas de mise à jour le 25 novembre 2026")
    for part in (said, "Depuis le 23 novembre 2026.", "À faire : ", "no answer", "inchangée"):
        assert part in told


@pytest.mark.parametrize("rule", KINDS)
def test_every_kind_makes_a_text_that_no_machine_wrote(rule):
    said = text(Recorded(wrong(rule), THEN, 2))
    assert "in English" not in said
    assert "expect_" not in said
    assert ".." not in said
