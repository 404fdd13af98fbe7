"""What a declaration about persons must say before anything runs.

CRPA L312-1-2: personal data is published only when a text allows it, the person agreed, or it was made anonymous.
"""

from __future__ import annotations

from collections.abc import Iterator

from odpipeline.declaration import disclosure_rules, profile_rules, tables, technique_rules
from odpipeline.declaration.dataset import Dataset, PersonalData, Privacy
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.positions import Place
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.wording import unknown

LEAST_K = 5
"""The least k that is taken: k = 5, and 11 for social, fiscal and health data."""
LEAST_CELL = 2
"""A small cell below 2 would suppress nothing."""

_NOTHING = Privacy()

Faults = Iterator[tuple[Place, str]]


def faults(dataset: Dataset, hierarchies: Hierarchies) -> Faults:
    """Every fault of `dataset.privacy`, as (place, what)."""
    if dataset.personal_data is PersonalData.NONE:
        if dataset.privacy.model_copy(update={"allowed": {}}) != _NOTHING:
            yield ("privacy",), "privacy is declared, but personal_data is none; say `personal_data: present`"
        return
    yield from _basis(dataset)
    yield from _roles(dataset)
    yield from _k(dataset)
    yield from _small_cells(dataset)
    yield from profile_rules.faults(dataset)
    yield from disclosure_rules.faults(dataset, hierarchies)
    yield from tables.faults(dataset, hierarchies)
    for column, role in dataset.privacy.columns.items():
        field = next((field for field in dataset.fields if field.name == column), None)
        if isinstance(role, Technique) and field is not None:
            yield from technique_rules.faults(dataset, field, role, hierarchies)


def _basis(dataset: Dataset) -> Faults:
    rules = dataset.privacy
    anonymised = rules.k or rules.table or rules.small_cells or any(role != "keep" for role in rules.columns.values())
    if not (dataset.legal_basis or anonymised):
        what = "personal data would be published as it is (CRPA L312-1-2)"
        yield ("personal_data",), f"{what}; name the text that allows it in legal_basis, or anonymise it under privacy"


def _roles(dataset: Dataset) -> Faults:
    rules, names = dataset.privacy, [field.name for field in dataset.fields]
    for column in rules.columns:
        if column not in names:
            yield ("privacy", "columns", column), unknown("column", column, names, inside="privacy.columns")
    silent = [name for name in names if name not in rules.columns and name not in rules.quasi_identifiers]
    if silent:
        what = f"no role is stated for {', '.join(silent)}, and this dataset holds personal data"
        remedy = "say keep, drop, pseudonymise or generalise for each under privacy.columns"
        yield ("privacy", "columns"), f"{what}; {remedy}"
    published = [field.name for field in dataset.published_fields]
    for index, column in enumerate(rules.quasi_identifiers):
        place: Place = ("privacy", "quasi_identifiers", index)
        if column not in names:
            yield place, unknown("column", column, names, inside="privacy.quasi_identifiers")
        elif column not in published:
            yield place, f"privacy.quasi_identifiers: {column!r} is dropped; name published columns only"
        elif column in rules.quasi_identifiers[:index]:
            yield place, f"privacy.quasi_identifiers: {column!r} stands twice; keep one"


def _k(dataset: Dataset) -> Faults:
    rules = dataset.privacy
    if rules.quasi_identifiers and rules.k is None:
        what = "quasi_identifiers need `k`: the least number of rows that share them (5; 11 for social data)"
        yield ("privacy", "quasi_identifiers"), what
    if rules.k is not None and not rules.quasi_identifiers:
        yield ("privacy", "k"), "k counts rows that share the quasi-identifiers; name these in quasi_identifiers"
    if rules.k is not None and rules.k < LEAST_K:
        what = f"k is at least {LEAST_K} (11 for social, fiscal and health data); raise it"
        yield ("privacy", "k"), what
    if rules.suppression and rules.k is None:
        yield ("privacy", "suppression"), "suppression serves k, and no k is declared; add k or remove it"


def _small_cells(dataset: Dataset) -> Faults:
    published = {field.name: field for field in dataset.published_fields}
    for column, least in dataset.privacy.small_cells.items():
        place = ("privacy", "small_cells", column)
        if column not in published:
            yield place, unknown("column", column, list(published), inside="privacy.small_cells")
        elif published[column].type != "integer":
            kind = published[column].type
            yield place, f"privacy.small_cells: {column!r} is published as {kind}; name a column of counts (integer)"
        if least < LEAST_CELL:
            yield place, f"privacy.small_cells: the least count is at least {LEAST_CELL}; raise it, or remove it"
