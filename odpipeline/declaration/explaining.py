"""The effective declaration of a dataset, and where each value comes from: what `odp check --explain` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.positions import resolve

Row = tuple[str, str, str]
"""Dotted key, value as one would write it in YAML, origin: `assets/…yaml:3`, `town.yaml:12`, a file, `default`."""


def explain(dataset: Dataset) -> list[Row]:
    """Every effective value of `dataset`, in the order of the reference; what is unset by default is left out."""
    said = dataset.model_dump(mode="json", by_alias=True, exclude={"fields"})
    rows = list(_rows(said, (), dataset.origins))
    at = next((index for index, row in enumerate(rows) if not row[0].startswith(_BEFORE_FIELDS)), len(rows))
    return rows[:at] + list(_fields(dataset)) + rows[at:]


_BEFORE_FIELDS = ("title", "description", "owner", "themes", "keywords", "licence", "source", "format")


def _rows(said: dict[str, Any], place: tuple[str, ...], origins: dict[str, str]) -> Iterator[Row]:
    for key, value in said.items():
        here = (*place, key)
        dotted = ".".join(here)
        if isinstance(value, dict) and value:
            yield from _rows(value, here, origins)
        elif dotted in origins or value not in (None, {}, []):
            yield dotted, spelled(value), origins.get(dotted, "default")


def _fields(dataset: Dataset) -> Iterator[Row]:
    for index, field in enumerate(dataset.fields):
        words = field.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"name"})
        inline = ("fields", index) in dataset._lines
        origin = dataset.place("fields", index) if inline else dataset.origins.get("fields", "default")
        yield f"fields[{field.name}]", spelled({"type": field.type} | words), origin


def spelled(value: Any) -> str:
    """`value` on one line of YAML, with quotes only where they are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spelled(key)}: {spelled(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    if isinstance(value, str) and isinstance(resolve(value), str) and not _needs_quotes(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _needs_quotes(text: str) -> bool:
    first = text[:1]
    inside = any(sign in text for sign in (": ", " #", "\n", "\t", ", ", "[", "]", "{", "}", '"'))
    return inside or text != text.strip() or first in "-?:,[]{}#&*!|>'\"%@`" or text.endswith((":", ","))
