"""Pydantic's errors in a person's words: what stands there, what is expected, how to mend it.

One table of error type → phrase (`_EXPECTED`), one place that words it. Where a value may be of several kinds, pydantic
complains once a kind; here that is one message.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from odpipeline.declaration.positions import Place
from odpipeline.declaration.words import (
    CALLABLE_PATTERN,
    ENV_NAME_PATTERN,
    MAIL_PATTERN,
    MEMORY_PATTERN,
    SIREN_PATTERN,
    TABLE_PATTERN,
)

_QUOTES = " (put a number or a code in quotes)"
_PATTERNS = {
    ENV_NAME_PATTERN: "the name of an environment variable in capitals, such as ODP_TOKEN, never a secret",
    MAIL_PATTERN: "one mail address, such as parkings@ville.example",
    r"^[^\s_]\S*$": "a column name without blanks and without an underscore in front",
    SIREN_PATTERN: "a SIREN number: nine digits in quotes",
    CALLABLE_PATTERN: "a module of the town and a name in it, such as metiers.piscines:lignes",
    TABLE_PATTERN: "the name of a table without .txt, such as stop_times",
    MEMORY_PATTERN: "an amount of memory, such as 1500MB or 2GB",
}

_EXPECTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda _: "a text" + _QUOTES,
    "int_type": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "float_parsing": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "bool_type": lambda _: "true or false",
    "bool_parsing": lambda _: "true or false",
    "tuple_type": lambda _: "a list, such as [a, b]",
    "list_type": lambda _: "a list, such as [a, b]",
    "dict_type": lambda _: "keys and values, such as {key: value}",
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "greater_than": lambda context: f"more than {context['gt']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
    "less_than": lambda context: f"less than {context['lt']}",
    "too_short": lambda context: f"a list of at least {context['min_length']}",
    "too_long": lambda context: f"a list of at most {context['max_length']}",
    "string_too_short": lambda context: f"a text of at least {context['min_length']} character(s)",
    "string_too_long": lambda context: f"a text of at most {context['max_length']} character(s)",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(context["pattern"], f"a text like {context['pattern']}"),
    "literal_error": lambda context: f"one of {_listed(context['expected'])}",
    "enum": lambda context: f"one of {_listed(context['expected'])}",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known word that is nearest to `word`, or an empty text."""
    spelled = {entry.casefold(): entry for entry in known}
    found = difflib.get_close_matches(word.casefold(), spelled, n=1, cutoff=0.6)
    return f"; did you mean {spelled[found[0]]!r}?" if found else ""


def unknown(what: str, word: str, known: Sequence[str], *, inside: str = "") -> str:
    """`unknown <what> '<word>'` with the nearest known word, or with all of them."""
    remedy = nearest(word, known) or (f"; known: {', '.join(known)}" if known else "; none is declared")
    return f"unknown {what} {word!r}{f' in {inside}' if inside else ''}{remedy}"


def worded(error: ValidationError, model: type[BaseModel], data: Any, root: str) -> list[tuple[Place, str]]:
    """Each fault of `error` as (place in `data`, message). `root` names the whole: `dataset`, `town`.

    `model` is what was validated and `data` what it was given.
    """
    faults: dict[Place, list[str]] = {}
    expected: dict[Place, list[str]] = {}
    for detail in error.errors(include_url=False, include_input=False):
        place, owner = _locate(model, detail)
        if _other_kind(detail, place, data):
            continue
        if phrase := _phrase(detail, owner):
            expected.setdefault(place, []).append(phrase)
        else:
            faults.setdefault(place, []).append(_direct(detail, place, owner, data, root))
    for place, phrases in expected.items():
        if _echo(place, phrases, faults, expected):
            continue
        choice = " or ".join(dict.fromkeys(p.removesuffix(_QUOTES) for p in phrases)) if phrases[1:] else phrases[0]
        near = nearest(str(at(data, place)), _choices(phrases))
        faults.setdefault(place, []).append(f"{named(place, data, root)}: expected {choice}{near}")
    return [(place, what) for place, said in faults.items() for what in said]


def _phrase(detail: ErrorDetails, owner: type[BaseModel] | None) -> str:
    """What was expected, or an empty text when the error is about something else."""
    if detail["type"] in ("model_type", "model_attributes_type") and owner:
        return f"keys such as {' or '.join(f'{{{key}: …}}' for key in list(fields(owner))[:2])}"
    phrase = _EXPECTED.get(detail["type"])
    return phrase(detail.get("ctx", {})) if phrase else ""


def _direct(detail: ErrorDetails, place: Place, owner: type[BaseModel] | None, data: Any, root: str) -> str:
    """The message of an error that is not about an expected kind of value."""
    key, inside, here = str(place[-1] if place else ""), named(place[:-1], data, root), named(place, data, root)
    known = fields(owner) if owner else {}
    match detail["type"]:
        case "missing":
            meaning = known[key].description if key in known else None
            return f"the key {key!r} is missing in {inside}; add it" + (f": {meaning.rstrip('.')}" if meaning else "")
        case "extra_forbidden":
            return unknown("key", key, list(known), inside=inside)
        case "value_error":
            return f"{here}: {detail['ctx']['error']}"
        case _:
            return f"{here}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _other_kind(detail: ErrorDetails, place: Place, data: Any) -> bool:
    """True for the complaint of a kind that the writer evidently did not mean: a word, where keys are given."""
    several_kinds = len(detail["loc"]) > len(place)
    return several_kinds and isinstance(at(data, place), dict) and detail["type"] in ("literal_error", "string_type")


def _echo(place: Place, phrases: Sequence[str], *found: Mapping[Place, Any]) -> bool:
    """True for "a list of at least 1" when the items are there, but each has a fault of its own."""
    below = any(other[: len(place)] == place and other != place for faults in found for other in faults)
    return below and all(phrase.startswith("a list of at least") for phrase in phrases)


def named(place: Place, data: Any, root: str) -> str:
    """`place` for a person: `freshness.column`, `fields[siret].type`; `root` for the whole."""
    words = ""
    for depth, part in enumerate(place):
        if isinstance(part, int):
            item = at(data, place[: depth + 1])
            name = item.get("name") if isinstance(item, dict) else None
            words += f"[{name if isinstance(name, str) else part + 1}]"
        else:
            words += f".{part}" if words else part
    return words or root


def at(data: Any, place: Place) -> Any:
    """What stands at `place` in `data`, or None."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _listed(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def _choices(phrases: Sequence[str]) -> list[str]:
    lists = [phrase.removeprefix("one of ").split(", ") for phrase in phrases if phrase.startswith("one of ")]
    return [word for words in lists for word in words]


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of `model` as they are written in YAML, in declared order."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _locate(model: type[BaseModel], detail: ErrorDetails) -> tuple[Place, type[BaseModel] | None]:
    """The place in the data that pydantic's location means, and the model that the complaint is about.

    Pydantic mixes the names of union members into its locations; walking along the types tells them apart.
    """
    place: list[str | int] = []
    kinds: list[Any] = [model]
    owner: type[BaseModel] | None = model
    location = detail["loc"]
    for index, part in enumerate(location):
        models = [kind for kind in kinds if _is_model(kind)]
        if member := [kind for kind in models if kind.__name__ == part]:
            kinds, owner = member, member[0]
            continue
        inner = [step for kind in kinds for step in _step(kind, part)]
        last_key = index == len(location) - 1 and detail["type"] in ("missing", "extra_forbidden")
        if inner or last_key:
            place.append(part)
            kinds = inner
        if inner and not last_key:
            owner = next((kind for kind in inner if _is_model(kind)), None)
    return tuple(place), owner


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _step(kind: Any, part: str | int) -> list[Any]:
    """The kinds of what stands at `part` inside a value of `kind`; none when `part` is no way into it."""
    if _is_model(kind):
        found = fields(kind).get(str(part))
        return members(found.annotation) if found else []
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(part, int):
        return members(arguments[0])
    return members(arguments[1]) if origin is dict else []


def members(kind: Any) -> list[Any]:
    """The members of a union, nested and annotated ones included; of anything else, itself."""
    if get_origin(kind) is Annotated:
        return members(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [member for argument in get_args(kind) for member in members(argument)]
    return [kind]
