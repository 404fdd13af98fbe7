"""What a declaration must say for a technique to fit its column."""

from __future__ import annotations

from collections.abc import Iterator

from odpipeline.declaration import disclosure_rules
from odpipeline.declaration.builtin_hierarchies import BUILTIN
from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.positions import Place
from odpipeline.declaration.techniques import NUMERIC, TECHNIQUES, Generalise, Mask, Noise, Pseudonymise, Technique
from odpipeline.declaration.wording import unknown

_WAYS = ("bands", "hierarchy", "date", "prefix", "grid")
_FITS = {
    "bands": ("integer", "number", "year"),
    "date": ("date", "datetime"),
    "prefix": ("string", "integer", "year"),
    "grid": ("geopoint", "number"),
}
_NUMBERS = {
    "round": ("integer", "number"),
    "coding": ("integer", "number", "year"),
    "noise": ("integer", "number"),
    "microaggregate": ("integer", "number"),
}

Faults = Iterator[tuple[Place, str]]


def faults(dataset: Dataset, field: TableField, role: Technique, hierarchies: Hierarchies) -> Faults:
    """Every fault of the technique of `field`, as (place, what)."""
    place = ("privacy", "columns", field.name)
    if len(role.said) != 1:
        yield place, f"the role of {field.name!r} is exactly one technique: {', '.join(TECHNIQUES)}"
    for way, found in _within(dataset, field, role, hierarchies):
        for key, what in found:
            yield (*place, way, key), what
    for key, what in (*_numeric(dataset, field, role), *_grouped(dataset, role)):
        yield (*place, key), what


def _within(
    dataset: Dataset, field: TableField, role: Technique, hierarchies: Hierarchies
) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    if role.pseudonymise:
        yield "pseudonymise", _pseudonymise(role.pseudonymise)
    if role.generalise:
        yield "generalise", _generalise(field, role.generalise, hierarchies)
        yield "generalise", _grid(dataset, field, role.generalise)
    if role.mask:
        yield "mask", _mask(dataset, field, role.mask)
    if role.noise:
        yield "noise", _noise(dataset, field, role.noise)


def _pseudonymise(said: Pseudonymise) -> Iterator[tuple[str, str]]:
    if said.scope == "stable" and not said.because:
        what = "stable pseudonyms let versions be joined; say why in `because` (it is published), or use scope: release"
        yield "scope", what
    if said.scope == "release" and said.rotated:
        yield "rotated", "pseudonyms of scope release are others in each version anyway; remove `rotated`"


def _generalise(field: TableField, said: Generalise, hierarchies: Hierarchies) -> Iterator[tuple[str, str]]:
    ways = [way for way in _WAYS if getattr(said, way) is not None]
    if len(ways) != 1:
        yield (ways[1] if ways else ""), f"{field.name!r} is generalised in exactly one way: {', '.join(_WAYS)}"
        return
    way = ways[0]
    if way in _FITS and field.type not in _FITS[way]:
        fitting = " or ".join(_FITS[way])
        yield way, f"{way} needs a field of type {fitting}, and {field.name!r} is {field.type}; use another way"
    if said.hierarchy is not None:
        levels, why = hierarchies.levels(said.hierarchy)
        builtin = BUILTIN.get(said.hierarchy)
        if why:
            yield "hierarchy", why
        elif builtin and field.type not in builtin.fits:
            fitting = " or ".join(builtin.fits)
            yield "hierarchy", f"the hierarchy {said.hierarchy} is for {fitting}, and {field.name!r} is {field.type}"
        else:
            yield from disclosure_rules.level(said, levels)
    elif "level" in said.model_fields_set:
        yield "level", f"a level belongs to a hierarchy, and {field.name!r} is generalised by {way}; remove it"


def _grid(dataset: Dataset, field: TableField, said: Generalise) -> Iterator[tuple[str, str]]:
    if said.grid is None:
        for key in ("least", "latitude"):
            if key in said.model_fields_set:
                yield key, f"{key} belongs to a grid, and {field.name!r} has none; remove it"
        return
    numbers = {other.name: other for other in dataset.fields if other.type == "number" and other.name != field.name}
    if field.type == "geopoint" and said.latitude is not None:
        yield "latitude", f"{field.name!r} is a geopoint, which holds its latitude; remove `latitude`"
    if field.type != "number":
        return
    if said.latitude is None:
        yield "latitude", f"a grid on the number {field.name!r}, a longitude, needs the field of the `latitude`"
    elif said.latitude not in numbers:
        yield "latitude", unknown("number field", said.latitude, list(numbers), inside="grid")
    elif dataset.privacy.columns.get(said.latitude) != "drop":
        yield "latitude", f"{said.latitude!r} would tell what the square hides; give it the role drop"


def _numeric(dataset: Dataset, field: TableField, role: Technique) -> Iterator[tuple[str, str]]:
    for way in role.said:
        key = way if way != "coding" else "bottom_code" if role.bottom_code is not None else "top_code"
        if way in NUMERIC and field.type not in _NUMBERS[way]:
            fitting = " or ".join(_NUMBERS[way])
            yield key, f"{key} needs a field of type {fitting}, and {field.name!r} is {field.type}"
        if way in NUMERIC and field.name in dataset.privacy.small_cells:
            what = f"small_cells looks at the published counts, and {key} changes them; keep {field.name!r}"
            yield key, f"{what}, or drop it"
    bounds = {"round": role.round, "bottom_code": role.bottom_code, "top_code": role.top_code}
    for key, bound in bounds.items():
        if isinstance(bound, float) and not bound.is_integer() and field.type in ("integer", "year"):
            yield key, f"{field.name!r} holds whole numbers; give {key} a whole number"
    if role.bottom_code is not None and role.top_code is not None and role.bottom_code >= role.top_code:
        yield "bottom_code", "bottom_code is not below top_code; every value would be published as a bound"


def _grouped(dataset: Dataset, role: Technique) -> Iterator[tuple[str, str]]:
    others = (other for other in dataset.privacy.columns.values() if isinstance(other, Technique))
    sizes = {other.microaggregate for other in others if other.microaggregate}
    if role.microaggregate and len(sizes) > 1:
        yield "microaggregate", "all columns that are micro-aggregated are grouped together; give them one number"


def _mask(dataset: Dataset, field: TableField, said: Mask) -> Iterator[tuple[str, str]]:
    types = {other.name: other.type for other in dataset.fields}
    if not said.unless and not said.when:
        yield "", "mask needs to know who is a natural person: `unless: siret`, or `when: {nature: [physique]}`"
    if field.type != "string":
        yield "", f"mask is for names, and {field.name!r} is {field.type}; use another technique"
    for key, names in (("unless", [said.unless] if said.unless else []), ("when", list(said.when))):
        for name in names:
            if name not in types or name == field.name:
                yield (
                    key,
                    unknown("field", name, [other for other in types if other != field.name], inside=f"mask.{key}"),
                )
            elif types[name] != "string":
                yield key, f"mask.{key}: {name!r} is {types[name]}; its type must be string"


def _noise(dataset: Dataset, field: TableField, said: Noise) -> Iterator[tuple[str, str]]:
    if (said.laplace is None) == (said.gaussian is None):
        yield "", "noise has exactly one distribution: laplace or gaussian"
    if field.name in dataset.privacy.quasi_identifiers:
        what = f"{field.name!r} is a quasi-identifier, and noise would leave classes of one row"
        yield "", f"{what}; generalise or round it"
    if field.name in dataset.key:
        yield "", f"{field.name!r} is part of the key, and noise would make keys meet; keep or pseudonymise it"
    for check in dataset.custom_checks:
        if check.name == "sum-columns-value" and field.name in check.columns():
            yield "", f"{field.name!r} must add up (sum-columns-value), and noise would break the sum; round it instead"
