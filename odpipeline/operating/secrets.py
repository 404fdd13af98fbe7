"""Every environment variable that the declarations name, found by their types: a new key of that type is found too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from odpipeline.declaration.town import Town
from odpipeline.declaration.words import ENV_NAME_PATTERN


def named(town: Town) -> dict[str, list[str]]:
    """Variable → where it is named (`town.yaml` or a dataset), in alphabetical order. No value is read."""
    found: dict[str, list[str]] = {}
    places = [("town.yaml", town), *((dataset.id, dataset) for dataset in town.datasets)]
    for place, declared in places:
        for variable in sorted(set(_variables(declared))):
            found.setdefault(variable, []).append(place)
    return dict(sorted(found.items()))


def _variables(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            held = getattr(value, name)
            is_name = isinstance(held, str) and (_says(field.metadata) or _is_variable(field.annotation))
            yield from [str(held)] if is_name else _variables(held)
    elif isinstance(value, Mapping):
        for held in value.values():
            yield from _variables(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _variables(held)


def _is_variable(annotation: Any) -> bool:
    """Whether a text of this type can only be the name of a variable."""
    if get_origin(annotation) is Annotated:
        return _says(annotation.__metadata__)
    return any(_is_variable(part) for part in get_args(annotation))


def _says(metadata: Any) -> bool:
    for one in metadata:
        patterns = [getattr(one, "pattern", None), *(getattr(m, "pattern", None) for m in getattr(one, "metadata", ()))]
        if ENV_NAME_PATTERN in patterns:
            return True
    return False
