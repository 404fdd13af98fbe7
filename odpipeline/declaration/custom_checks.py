"""`custom_checks` of a Table Schema, the words in which national schemas say what its constraints cannot.

The names and parameters are those of Validata (git.opendatafrance.net/validata/validata-core, custom checks); a name
that is not here is refused, because a rule that nobody checks would look like one that holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed

COLUMNS: dict[str, tuple[str, ...]] = {
    "french-siret-value": ("column",),
    "french-siren-value": ("column",),
    "nomenclature-actes-value": ("column",),
    "opening-hours-value": ("column",),
    "year-interval-value": ("column",),
    "one-of-required": ("column1", "column2"),
    "cohesive-columns-value": ("column", "othercolumns"),
    "sum-columns-value": ("column", "columns"),
    "compare-columns-value": ("column", "column2"),
}
"""Custom check → its parameters that name columns."""

OPERATORS = (">", ">=", "==", "<=", "<")
_LISTS = ("othercolumns", "columns")
_OTHER: dict[str, tuple[str, ...]] = {"year-interval-value": ("allow-year-only",), "compare-columns-value": ("op",)}
_TEXTS = ("french-siret-value", "french-siren-value", "nomenclature-actes-value", "opening-hours-value",
          "year-interval-value")  # fmt: skip
_NUMBERS = ("integer", "number", "year")
_PLAIN = (*_NUMBERS, "string", "date", "datetime", "time", "yearmonth", "boolean")


class CustomCheck(Closed):
    """One custom check."""

    name: str
    """Which one: `french-siret-value`, `one-of-required`, `compare-columns-value`…"""
    params: dict[str, Any] = {}
    """Its parameters, columns first: `{column: VOTE_REEL, columns: [VOTE_POUR, VOTE_CONTRE]}`."""

    def columns(self) -> tuple[str, ...]:
        """The columns that it names, in the order of its parameters."""
        said = (self.params.get(key, ()) for key in COLUMNS[self.name])
        return tuple(name for one in said for name in ([one] if isinstance(one, str) else one))


def faults(checks: tuple[CustomCheck, ...], types: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    """What is wrong with custom checks, as (place, what); `types` maps fields to their Table Schema types."""
    for index, check in enumerate(checks):
        place: Place = ("custom_checks", index)
        if check.name not in COLUMNS:
            yield (*place, "name"), unknown("custom check", check.name, list(COLUMNS))
        elif wrong := list(_params(check, types)):
            for what in wrong:
                yield (*place, "params"), f"{check.name}: {what}"
        elif what := _misfit(check, types):
            yield (*place, "params"), f"{check.name}: {what}"


def _params(check: CustomCheck, types: Mapping[str, str]) -> Iterator[str]:
    wanted, more = COLUMNS[check.name], _OTHER.get(check.name, ())
    for key in check.params:
        if key not in (*wanted, *more):
            yield unknown("parameter", key, [*wanted, *more])
    for key in wanted:
        said = check.params.get(key)
        names = said if key in _LISTS else [said]
        if said is None:
            yield f"the parameter {key!r} is missing"
        elif not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            yield f"the parameter {key!r}: expected {'a list of columns' if key in _LISTS else 'a column'}"
        else:
            yield from (unknown("column", name, list(types)) for name in names if name not in types)
    if check.name == "compare-columns-value" and check.params.get("op") not in OPERATORS:
        yield f"the parameter 'op' is one of {', '.join(OPERATORS)}"


def _misfit(check: CustomCheck, types: Mapping[str, str]) -> str:
    """Why the types of the columns do not fit the check."""
    kinds = [types[name] for name in check.columns()]
    if check.name in _TEXTS and kinds != ["string"]:
        return f"it reads texts, and the field is {kinds[0]}; declare it as string"
    if check.name == "sum-columns-value" and not set(kinds) <= set(_NUMBERS):
        return "it adds up numbers; declare each of its fields as integer or number"
    families = {"number" if kind in _NUMBERS else kind for kind in kinds}
    if check.name == "compare-columns-value" and (len(families) > 1 or not families <= {"number", *_PLAIN}):
        return f"a field of type {kinds[0]} cannot be compared with one of type {kinds[1]}"
    if len(set(check.columns())) < len(check.columns()):
        return "a column stands twice"
    return ""
