"""Column lineage, computed from the declaration alone: what we say is what we run."""

from __future__ import annotations

from dataclasses import dataclass

from odpipeline.declaration.dataset import Dataset, TableField, Technique


@dataclass(frozen=True)
class ColumnLineage:
    """One published column: the delivered column it comes from, and what was done to it on the way."""

    column: str
    delivered: str
    transformation: str


def of(dataset: Dataset) -> tuple[ColumnLineage, ...]:
    """The lineage of each published column of `dataset`, in published order."""
    return tuple(
        ColumnLineage(field.name, field.source or field.name, _transformation(dataset, field))
        for field in dataset.published_fields
    )


def technique_words(role: str | Technique) -> str:
    """What a column's role does to its values, in the words that the public reads: `generalised to bands of 10`."""
    if isinstance(role, str):
        return "published as it is" if role == "keep" else "dropped"
    if (pseudonymise := role.pseudonymise) is not None:
        return f"pseudonymised (HMAC-SHA-256, {pseudonymise.scope} scope)"
    generalise = role.generalise
    if generalise is None:
        return "published as it is"
    if generalise.bands is not None:
        return f"generalised to bands of {generalise.bands}"
    if generalise.hierarchy is not None:
        return f"generalised by {generalise.hierarchy} to level {generalise.level}"
    if generalise.date is not None:
        return f"generalised to the {generalise.date}"
    return f"generalised to the first {generalise.prefix} characters"


def _transformation(dataset: Dataset, field: TableField) -> str:
    read = f"read as {field.type}" if field.format == "default" else f"read as {field.type} {field.format}"
    role = dataset.privacy.columns.get(field.name, "keep")
    return read if role == "keep" else f"{read}, {technique_words(role)}"
