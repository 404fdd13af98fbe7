"""Foreign keys: columns whose values another published dataset of the town must know (Table Schema, foreignKeys)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed, Share

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset, TableField


class ForeignKey(Closed):
    """One foreign key, held against what the other dataset publishes when this one is about to be published."""

    fields: tuple[str, ...] = Field(min_length=1)
    """The published columns that refer; a row in which one of them is missing refers to nothing."""
    dataset: str
    """The dataset that is referred to: its file's name without `.yaml`; `""` is this one."""
    references: tuple[str, ...] = Field(min_length=1)
    """The published columns there, in the order of `fields`."""
    most: Share = 0.0
    """The largest share of the referring rows whose key may be unknown there."""
    severity: Literal["critical", "warning", "info"] = "critical"
    """What an unknown key does: `critical` refuses, `warning` publishes and tells, `info` is kept."""


def faults(dataset: Dataset, town: Mapping[str, Dataset | None]) -> Iterator[tuple[Place, str]]:
    """What is wrong with the foreign keys of `dataset`, as (place, what).

    `town` maps every identifier to its dataset, or to None where that one's own declaration is broken.
    """
    for index, key in enumerate(dataset.foreign_keys):
        place: Place = ("foreign_keys", index)
        yield from _columns((*place, "fields"), key.fields, dataset)
        if len(key.fields) != len(key.references):
            yield (*place, "references"), f"{len(key.fields)} fields refer to {len(key.references)}; name as many there"
        if key.dataset and key.dataset not in town:
            yield (*place, "dataset"), unknown("dataset", key.dataset, list(town)) + '; "" is this dataset itself'
        elif other := town[key.dataset] if key.dataset else dataset:
            wrong = list(_columns((*place, "references"), key.references, other))
            yield from wrong or _types((*place, "references"), key, dataset, other)


def _columns(place: Place, names: tuple[str, ...], dataset: Dataset) -> Iterator[tuple[Place, str]]:
    published = [field.name for field in dataset.published_fields]
    for name in names:
        role = dataset.privacy.columns.get(name, "keep")
        if name not in published:
            yield place, unknown("published column", name, published, inside=dataset.id)
        elif not isinstance(role, str) and role.pseudonymise:
            yield place, f"{name!r} is pseudonymised in {dataset.id}, so that nothing can be joined on it; name others"
    if len(set(names)) < len(names):
        yield place, "a column stands twice; keep one"


def _types(place: Place, key: ForeignKey, dataset: Dataset, other: Dataset) -> Iterator[tuple[Place, str]]:
    for name, there in zip(key.fields, key.references, strict=False):
        mine, theirs = (
            next((field for field in of.published_fields if field.name == column), None)
            for of, column in ((dataset, name), (other, there))
        )
        if mine and theirs and _kind(mine) != _kind(theirs):
            what = f"{name!r} is published as {mine.type}, {there!r} of {other.id} as {theirs.type}"
            yield place, f"{what}; give both the same type"


def _kind(field: TableField) -> str:
    return {"integer": "number", "year": "number"}.get(field.type, field.type)
