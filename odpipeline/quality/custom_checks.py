"""`custom_checks` of a Table Schema → expectations; what each asks is what Validata asks under its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from odpipeline.declaration.custom_checks import CustomCheck
from odpipeline.quality.french import PREFIX

Asked = tuple[str, dict[str, Any]]
"""(kind of expectation, its arguments)."""


def asked(check: CustomCheck) -> Asked:
    """The expectation that `check` stands for; its name and parameters are known to be right."""
    return _ASKED[check.name](check)


def _valid(kind: str) -> Callable[[CustomCheck], Asked]:
    return lambda check: (f"{PREFIX}{kind}", {"column": check.params["column"]})


def _across(kind: str) -> Callable[[CustomCheck], Asked]:
    return lambda check: (f"expect_multicolumn_values_to_{kind}", {"column_list": list(check.columns())})


def _years(check: CustomCheck) -> Asked:
    alone = check.params.get("allow-year-only") in (True, "true", "yes")
    return _valid("annee_ou_intervalle" if alone else "intervalle_annees")(check)


def _compared(check: CustomCheck) -> Asked:
    kind, arguments = _across("compare")(check)
    return kind, {**arguments, "operator": check.params["op"]}


_ASKED: dict[str, Callable[[CustomCheck], Asked]] = {
    "french-siret-value": _valid("siret"),
    "french-siren-value": _valid("siren"),
    "nomenclature-actes-value": _valid("nomenclature_actes"),
    "opening-hours-value": _valid("heures_ouverture"),
    "year-interval-value": _years,
    "one-of-required": _across("have_one_filled"),
    "cohesive-columns-value": _across("be_filled_together"),
    "sum-columns-value": _across("add_up_to_the_first"),
    "compare-columns-value": _compared,
}
