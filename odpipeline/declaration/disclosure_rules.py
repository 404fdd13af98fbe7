"""What a declaration must say for levels to be chosen and for sensitive columns to be protected."""

from __future__ import annotations

from collections.abc import Iterator

from odpipeline.declaration.builtin_hierarchies import BUILTIN
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.positions import Place
from odpipeline.declaration.techniques import Generalise
from odpipeline.declaration.wording import unknown

_ORDERED = ("integer", "number", "year", "yearmonth", "date", "datetime", "time")

Faults = Iterator[tuple[Place, str]]


def faults(dataset: Dataset, hierarchies: Hierarchies) -> Faults:
    """Every fault of the search and of the models for sensitive columns, as (place, what)."""
    rules = dataset.privacy
    optimal = rules.searched
    for column in optimal:
        place = ("privacy", "columns", column, "generalise", "level")
        if rules.k is None:
            yield place, "level: optimal is chosen to reach k, and no k is declared; add `k` and `quasi_identifiers`"
        elif column not in rules.quasi_identifiers:
            yield (
                place,
                f"level: optimal is for quasi-identifiers; name {column!r} in quasi_identifiers, or fix its level",
            )
    for key in ("score", "search_seconds", "stability"):
        if key in rules.model_fields_set and not optimal:
            yield (
                ("privacy", key),
                f"{key} serves levels that are chosen; say `level: optimal` for a column, or remove it",
            )
    for key, models in (("diversity", rules.diversity), ("closeness", rules.closeness)):
        for column in models:
            yield from _sensitive(dataset, key, column)
    for column, said in rules.diversity.items():
        if not any((said.distinct, said.entropy, said.recursive)):
            yield ("privacy", "diversity", column), "say at least one of distinct, entropy, recursive"
    yield from _distances(dataset, hierarchies)


def level(said: Generalise, levels: int) -> Iterator[tuple[str, str]]:
    """Faults of `level` and its bounds in a hierarchy of `levels` levels above the leaf, as (key, what)."""
    known = f"{said.hierarchy} has {levels} level(s) above the leaf"
    if said.level != "optimal":
        if said.level > levels:
            yield "level", f"{known}; choose one of them"
        for key in ("at_least", "at_most", "weight"):
            if key in said.model_fields_set:
                yield (
                    key,
                    f"{key} bounds a level that is chosen, and this one is fixed; say `level: optimal`, or remove it",
                )
        return
    for key, bound in (("at_least", said.at_least), ("at_most", said.at_most)):
        if bound is not None and bound > levels:
            yield key, f"{known}; choose one of them, or 0 for the values themselves"
    if said.at_most is not None and said.at_least > said.at_most:
        yield "at_least", "at_least is above at_most; no level is left to choose"


def _sensitive(dataset: Dataset, key: str, column: str) -> Faults:
    place, rules = ("privacy", key, column), dataset.privacy
    published = [field.name for field in dataset.published_fields]
    if column not in [field.name for field in dataset.fields]:
        yield place, unknown("column", column, published, inside=f"privacy.{key}")
    elif column not in published:
        yield place, f"privacy.{key}: {column!r} is dropped, so nothing of it is told; remove the rule"
    elif column in rules.quasi_identifiers:
        yield place, f"privacy.{key}: {column!r} is a quasi-identifier; a column is one or the other"
    if rules.k is None:
        yield place, f"privacy.{key} is about classes of rows; declare `quasi_identifiers` and `k`"


def _distances(dataset: Dataset, hierarchies: Hierarchies) -> Faults:
    published = {field.name: field for field in dataset.published_fields}
    for column, said in dataset.privacy.closeness.items():
        place = ("privacy", "closeness", column)
        if said.distance == "hierarchical" and said.hierarchy is None:
            yield (*place, "distance"), "distance: hierarchical needs a `hierarchy` of the values"
        if said.hierarchy is not None:
            if said.distance != "hierarchical":
                yield (*place, "hierarchy"), "a hierarchy belongs to `distance: hierarchical`; say so, or remove it"
            if said.hierarchy in BUILTIN:
                yield (
                    (*place, "hierarchy"),
                    "the hierarchy of sensitive values is a file; write one, relative to the town",
                )
            elif why := hierarchies.levels(said.hierarchy)[1]:
                yield (*place, "hierarchy"), why
        if said.distance == "ordered" and column in published and published[column].type not in _ORDERED:
            kind = published[column].type
            yield (
                (*place, "distance"),
                f"distance: ordered needs numbers or dates, and {column!r} is published as {kind}",
            )
