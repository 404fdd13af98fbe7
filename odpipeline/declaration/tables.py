"""A dataset that is published as a table of counts and sums instead of its rows, with statistical confidentiality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed, EnvName, Share

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset
    from odpipeline.declaration.hierarchy_files import Hierarchies

TOTAL = "Total"
"""The label of a margin; citizens read it."""


class Table(Closed):
    """Counts and sums by up to three columns; small and dominated cells are secret, and others so that they stay so."""

    by: tuple[str, ...] = Field(min_length=1, max_length=3)
    """The columns of the table, after their techniques; published as text, with `Total` for a margin."""
    levels: dict[str, str] = {}
    """Column of `by` → hierarchy (a file of the town, or a built-in one) whose levels are margins, too; the published
    column `<column>_level` says which one a label is of, 0 being the values themselves."""
    count: str = "effectif"
    """The published column that counts the rows of a cell."""
    sums: dict[str, str] = {}
    """Published column → the number field that it sums up; no value is negative."""
    least: int = Field(default=11, ge=3)
    """The fewest rows that a cell may tell (11 for fiscal and social data, 3 for enterprises)."""
    holder: str | None = None
    """The field that names who holds the rows of a sum, such as a SIREN; by default each row has its own holder."""
    dominance: Share | None = None
    """The largest share of a sum that one holder may have; 85 % for enterprises."""
    p_percent: Share = 0.1
    """How closely nobody may estimate a secret sum, as a share of it."""
    method: Literal["suppress", "round", "random"] = "suppress"
    """`suppress` keeps cells secret; `round` publishes each count as a multiple of `base`, margins adding up; `random`
    draws for each count which of the two neighbouring multiples it becomes, so that margins need not add up."""
    base: int = Field(default=5, ge=3)
    """For `round` and `random`: what every published count is a multiple of."""
    rounding_secret: EnvName | None = None
    """For `random`: the environment variable with the secret that draws; the same cell and count is drawn alike."""
    totals: bool = True
    """Whether the margins are published."""
    secret: str = "secret"  # noqa: S105 - the name of a column
    """The published column that says whether a cell is kept secret."""

    @property
    def columns(self) -> dict[str, Literal["string", "integer", "number", "boolean"]]:
        """Published column → its Table Schema type, in order."""
        found: dict[str, Literal["string", "integer", "number", "boolean"]] = {}
        for name in self.by:
            found[name] = "string"
            if name in self.levels:
                found[level_column(name)] = "integer"
        found[self.count] = "integer"
        found.update(dict.fromkeys(self.sums, "number"))
        if self.method == "suppress":
            found[self.secret] = "boolean"
        return found


def level_column(name: str) -> str:
    """The published column that says of which level the label in `name` is."""
    return f"{name}_level"


def faults(dataset: Dataset, hierarchies: Hierarchies) -> Iterator[tuple[Place, str]]:
    """What is wrong with `privacy.table`, as (place, what)."""
    if (table := dataset.privacy.table) is None:
        return
    place: Place = ("privacy", "table")
    types = {f.name: f.type for f in dataset.fields if dataset.privacy.columns.get(f.name) != "drop"}
    for column in (*table.by, *table.sums.values(), *([table.holder] if table.holder else [])):
        if column not in types:
            yield (
                place,
                unknown("column", column, list(types), inside="privacy.table") + "; no dropped ones",
            )
    for name, column in table.sums.items():
        if types.get(column, "number") not in ("integer", "number"):
            yield place, f"privacy.table.sums: {name} adds up {column!r}, which is {types[column]}; name a number"
    yield from ((place, what) for what in _levels(table, hierarchies))
    names = [*table.by, *map(level_column, table.levels), table.count, *table.sums, table.secret]
    if twice := {name for name in names if names.count(name) > 1}:
        yield place, f"privacy.table publishes two columns called {', '.join(sorted(twice))}; rename one"
    if dataset.privacy.quasi_identifiers or dataset.privacy.small_cells:
        yield place, "privacy.table publishes no rows: leave out quasi_identifiers, k and small_cells"
    yield from ((place, what) for what in _misfits(table))


def _levels(table: Table, hierarchies: Hierarchies) -> Iterator[str]:
    for column, hierarchy in table.levels.items():
        if column not in table.by:
            yield unknown("column", column, list(table.by), inside="privacy.table.levels")
        elif why := hierarchies.levels(hierarchy)[1]:
            yield f"privacy.table.levels: {why}"


def _misfits(table: Table) -> Iterator[str]:
    if table.method != "suppress" and table.sums:
        yield f"privacy.table.method: {table.method} is for counts; leave the sums out, or keep cells secret (suppress)"
    if (table.method == "random") != (table.rounding_secret is not None):
        yield "privacy.table.rounding_secret names the secret of method: random; the two stand together"
    if table.levels and not table.totals:
        yield "privacy.table.levels are margins, and totals: false publishes none; remove one of the two"
    if table.method == "suppress" and "base" in table.model_fields_set:
        yield "privacy.table.base is for method: round or random"
    if table.dominance is not None and not table.sums:
        yield "privacy.table.dominance is about sums, and none is declared"
