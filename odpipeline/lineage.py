"""Column lineage, computed from the declaration alone: what we say is what we run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from odpipeline.declaration import formulas
from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.declaration.techniques import Generalise, Technique


@dataclass(frozen=True)
class ColumnLineage:
    """One published column: the delivered columns it comes from, and what was done to them on the way."""

    column: str
    delivered: tuple[str, ...]
    transformation: str


def of(dataset: Dataset) -> tuple[ColumnLineage, ...]:
    """The lineage of each published column of `dataset`, in published order."""
    declared = {field.name: field for field in dataset.fields}
    delivered = {field.name: column for field, column in dataset.delivered_fields}
    found = []
    for field in dataset.published_fields:
        names = behind(dataset, field.name)
        columns = dict.fromkeys(c for name in names for c in _delivered(declared[name], declared, delivered))
        found.append(ColumnLineage(field.name, tuple(columns), _transformation(dataset, field)))
    return tuple(found)


def behind(dataset: Dataset, column: str) -> tuple[str, ...]:
    """The fields that a published column is made of: itself, but for the counts and sums of a table."""
    table = dataset.privacy.table
    if table is None or column in table.by:
        return (column,)
    return (table.sums[column],) if column in table.sums else table.by


def _delivered(field: TableField, declared: dict[str, TableField], delivered: dict[str, str]) -> tuple[str, ...]:
    """The delivered columns behind `field`: its own, or those behind the fields that it is computed from."""
    if field.name in delivered:
        return (delivered[field.name],)
    behind = formulas.columns(field.derive) if field.derive else (field.lookup.on,) if field.lookup else ()
    by_name = {name.casefold(): found for name, found in declared.items()}
    return tuple(dict.fromkeys(c for name in behind for c in _delivered(by_name[name.casefold()], declared, delivered)))


def technique_words(role: str | Technique) -> str:
    """What a column's role does to its values, in the words that the public reads: `generalised to bands of 10`."""
    if isinstance(role, str):
        return "published as it is" if role == "keep" else "dropped"
    if role.generalise:
        return _generalised(role.generalise)
    said = []
    if role.pseudonymise:
        said.append(f"pseudonymised (HMAC-SHA-256, {role.pseudonymise.scope} scope)")
    if role.constant is not None:
        said.append("replaced by one text")
    if role.mask:
        said.append("masked for natural persons")
    return ", ".join((*said, *_numbers(role))) or "published as it is"


def _numbers(role: Technique) -> Iterator[str]:
    if role.round is not None:
        yield f"rounded to multiples of {role.round}"
    if role.bottom_code is not None:
        yield f"bottom-coded at {role.bottom_code}"
    if role.top_code is not None:
        yield f"top-coded at {role.top_code}"
    if role.noise:
        law = "Laplace, scale" if role.noise.laplace else "normal, standard deviation"
        yield f"with noise added ({law} {role.noise.scale:g})"
    if role.microaggregate:
        yield f"micro-aggregated in groups of at least {role.microaggregate} (MDAV)"


def _generalised(said: Generalise) -> str:
    if said.bands is not None:
        return f"generalised to bands of {said.bands}"
    if said.hierarchy is not None:
        level = "the level chosen for each release" if said.level == "optimal" else f"level {said.level}"
        return f"generalised by {said.hierarchy} to {level}"
    if said.date is not None:
        return f"generalised to the {said.date}"
    if said.grid is not None:
        return f"generalised to squares of {said.grid} m, merged until each holds at least {said.least} rows"
    return f"generalised to the first {said.prefix} characters"


def _transformation(dataset: Dataset, field: TableField) -> str:
    read = f"read as {field.type}" if field.format == "default" else f"read as {field.type} {field.format}"
    if field.derive:
        read = f"computed as {field.derive}"
    elif field.lookup:
        read = f"looked up in {field.lookup.file} by {field.lookup.on}"
    table = dataset.privacy.table
    if table and field.name not in table.by:
        what = f"sum of {table.sums[field.name]}" if field.name in table.sums else "count of rows"
        return f"{what} by {', '.join(table.by)}, small cells kept secret"
    role = dataset.privacy.columns.get(field.name, "keep")
    return read if role == "keep" else f"{read}, {technique_words(role)}"
