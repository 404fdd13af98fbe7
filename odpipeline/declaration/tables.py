"""A dataset that is published as a table of counts and sums instead of its rows, with statistical confidentiality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed, Share

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset

TOTAL = "Total"
"""The label of a margin; citizens read it."""


class Table(Closed):
    """Counts and sums by up to three columns; small and dominated cells are secret, and others so that they stay so."""

    by: tuple[str, ...] = Field(min_length=1, max_length=3)
    """The columns of the table, after their techniques; published as text, with `Total` for a margin."""
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
    method: Literal["suppress", "round"] = "suppress"
    """`suppress` keeps cells secret; `round` publishes each count as a multiple of `base`, margins adding up."""
    base: int = Field(default=5, ge=3)
    """For `round`: what every published count is a multiple of."""
    totals: bool = True
    """Whether the margins are published."""
    secret: str = "secret"  # noqa: S105 - the name of a column
    """The published column that says whether a cell is kept secret."""

    @property
    def columns(self) -> dict[str, Literal["string", "integer", "number", "boolean"]]:
        """Published column → its Table Schema type, in order."""
        found: dict[str, Literal["string", "integer", "number", "boolean"]] = {}
        found.update(dict.fromkeys(self.by, "string"))
        found[self.count] = "integer"
        found.update(dict.fromkeys(self.sums, "number"))
        if self.method == "suppress":
            found[self.secret] = "boolean"
        return found


def faults(dataset: Dataset) -> Iterator[tuple[Place, str]]:
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
    names = [*table.by, table.count, *table.sums, table.secret]
    if twice := {name for name in names if names.count(name) > 1}:
        yield place, f"privacy.table publishes two columns called {', '.join(sorted(twice))}; rename one"
    if dataset.privacy.quasi_identifiers or dataset.privacy.small_cells:
        yield place, "privacy.table publishes no rows: leave out quasi_identifiers, k and small_cells"
    yield from ((place, what) for what in _misfits(table))


def _misfits(table: Table) -> Iterator[str]:
    if table.method == "round" and table.sums:
        yield "privacy.table.method: round is for counts; leave the sums out, or keep cells secret (suppress)"
    if table.method == "suppress" and "base" in table.model_fields_set:
        yield "privacy.table.base is for method: round"
    if table.dominance is not None and not table.sums:
        yield "privacy.table.dominance is about sums, and none is declared"
