"""A dataset that names a profile holds to it, or says why it does not: tighter is free, looser has a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.positions import Place
from odpipeline.declaration.profiles import Profile, Rules
from odpipeline.declaration.tables import Table
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.words import spell_share

Faults = Iterator[tuple[Place, str]]
_COMMUNE = frozenset({"commune", "communes", "com", "depcom", "codgeo", "insee", "ville"})
"""Words in the name of a column of communes."""


def faults(dataset: Dataset) -> Faults:
    """Every fault of `privacy.rules`, as (place, what)."""
    rules, profile = dataset.privacy, dataset.privacy.profile
    if profile is None:
        return
    name = rules.rules.profile if isinstance(rules.rules, Rules) else rules.rules
    place: Place = ("privacy", "rules")
    if not _applies(dataset):
        needs = {"small_cells or a table": profile.least, "quasi_identifiers": profile.k, "a mask": profile.masked}
        told = " or ".join(key for key, needed in needs.items() if needed)
        yield place, f"rules: {name} has nothing to hold to; declare {told}, or remove it"
        return
    yield from _below(dataset, profile, str(name))
    if profile.births:
        yield from _births(dataset)
    looser = list(_looser(dataset))
    if isinstance(rules.rules, Rules):
        if not looser:
            yield (*place, "because"), f"nothing is looser than {name}; write `rules: {name}`"
        return
    for where, what in looser:
        remedy = f"or say why with `rules: {{profile: {name}, because: …}}` (it is published)"
        yield where, f"{what} (rules: {name}, {profile.source}), {remedy}"


def _applies(dataset: Dataset) -> bool:
    rules, profile = dataset.privacy, dataset.privacy.profile
    counts = profile is not None and profile.least is not None and bool(rules.small_cells or rules.table)
    classes = profile is not None and profile.k is not None and bool(rules.quasi_identifiers)
    return counts or classes or bool(profile and profile.masked)


def _looser(dataset: Dataset) -> Faults:
    rules, profile = dataset.privacy, dataset.privacy.profile
    if profile is None:
        return
    if profile.k and rules.k and rules.k < profile.k:
        yield ("privacy", "k"), f"k is at least {profile.k}; raise it"
    for column, least in rules.small_cells.items():
        if profile.least and least < profile.least:
            yield ("privacy", "small_cells", column), f"the least count is {profile.least}; raise it"
    if rules.table:
        yield from _table(rules.table, profile)
    masked = any(isinstance(role, Technique) and role.mask for role in rules.columns.values())
    if profile.masked and not masked:
        what = "names of natural persons are masked; give the beneficiary's field the role `mask`"
        yield ("privacy", "rules"), what


def _table(table: Table, profile: Profile) -> Faults:
    if profile.least and table.least < profile.least:
        yield ("privacy", "table", "least"), f"the fewest rows of a cell are {profile.least}; raise it"
    if profile.dominance and table.sums and (table.dominance is None or table.dominance > profile.dominance):
        what = f"one holder has at most {spell_share(profile.dominance)} of a sum; declare that as `dominance`"
        yield ("privacy", "table", "dominance"), what


def _below(dataset: Dataset, profile: Profile, name: str) -> Faults:
    """What no reason allows."""
    for column, least in dataset.privacy.small_cells.items():
        if least < profile.floor:
            what = f"rules: {name} never publishes a count below {profile.floor}, whatever the reason; raise it"
            yield ("privacy", "small_cells", column), what


def _births(dataset: Dataset) -> Faults:
    """The births of another commune are for that commune to publish: a column of communes has one value."""
    for field in dataset.fields:
        words = set(re.split(r"[^a-z]+", field.name.casefold()))
        kept = dataset.privacy.columns.get(field.name) == "keep"
        if kept and words & _COMMUNE and len(field.constraints.enum or ()) != 1:
            what = (
                f"{field.name!r} may name another commune, whose births are not this town's to publish; allow its own"
            )
            yield ("fields",), f"{what} with constraints: {{enum: […]}}, or drop it"
