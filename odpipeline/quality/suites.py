"""Table Schema → suite, merged with the dataset's own file of Great Expectations' JSON. No Great Expectations here.

Reading a suite is cheap and strict, so that `odp check` and the loading of the code location can do it: an unknown
kind, argument, severity or column is a fault with file and line, because Great Expectations would drop it silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.declaration.patterns import Patterns
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.wording import unknown
from odpipeline.errors import Fault, QualityError
from odpipeline.quality import custom_checks, suite_files
from odpipeline.quality.french import PREFIX
from odpipeline.quality.kinds import KINDS, Kind, argument_faults, as_gx, as_listed, by_itself, misfit
from odpipeline.quality.refused_kinds import REFUSED_KINDS
from odpipeline.quality.territory import bounds
from odpipeline.verdict import Severity

_HEAD = ("name", "id", "meta", "notes")
_KEYS = ("type", "kwargs", "severity", "meta", "id", "notes", "description")
_BOUND_KEYS = ("min_value", "max_value")


@dataclass(frozen=True)
class Expectation:
    """One expectation in Great Expectations' words; `place` is the `file:line` that asks for it.

    With `set_aside`, rows that fail it go into the quarantine instead of refusing the delivery.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = Severity.CRITICAL
    place: str = ""
    set_aside: bool = False


@dataclass(frozen=True)
class Suite:
    """What must hold of one dataset's rows. `group` is what its findings are filed under."""

    dataset: str
    expectations: tuple[Expectation, ...]
    group: str = "quality"

    def as_gx_json(self) -> dict[str, Any]:
        """The suite as Great Expectations reads and writes it; each place is in the expectation's `meta`."""
        return {
            "name": self.dataset,
            "expectations": [
                {"type": e.type, "kwargs": dict(e.kwargs), "severity": str(e.severity), "meta": _meta(e)}
                for e in self.expectations
            ],
        }


STRING_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "email": (f"{PREFIX}courriel", {}),
    "uri": ("expect_column_values_to_match_regex", {"regex": r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$"}),
    "uuid": (
        "expect_column_values_to_match_regex",
        {"regex": "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    ),
}
"""Format of a string in Table Schema → (kind of expectation, arguments); a URI has a scheme (RFC 3986, section 3)."""


def suite_for(dataset: Dataset) -> Suite:
    """What must hold of the conformed rows: the schema's constraints, the key, and the dataset's own suite file.

    Raises: QualityError with every fault of the suite file.
    """
    own, faults = _own(dataset)
    if faults:
        raise QualityError("\n".join(map(str, faults)))
    key = [] if dataset.privacy.table else of_key(dataset)  # the key of a table names its cells, and not delivered rows
    found = [*_table(dataset, dataset.fields), *_constraints(dataset), *_custom(dataset), *key]
    found = [replace(one, set_aside=_sets_aside(one, dataset.quality.failing_rows)) for one in found] + own
    return Suite(dataset.id, _distinct(found))


def output_suite(dataset: Dataset) -> Suite:
    """What must still hold of the published columns, whatever anonymisation did to rows and values.

    Rows may have been suppressed and values made coarser; missing values stay missing and no others appear; a key
    whose columns are kept, or pseudonymised, which is one to one, stays a key.
    """
    fields, roles = dataset.published_fields, dataset.privacy.columns
    published = {field.name for field in fields}
    found = _table(dataset, fields)
    for index, field in enumerate(dataset.fields):
        if field.name in published and field.constraints.required:
            found.append(_filled(field.name, _of_field(dataset, index, "required")))
    one_to_one = [column for column in dataset.key if not _coarser(roles.get(column, "keep"))]
    found += of_key(dataset) if len(one_to_one) == len(dataset.key) else []
    return Suite(dataset.id, _distinct(found), group="gate")


def suite_faults(dataset: Dataset) -> tuple[Fault, ...]:
    """Every fault of the dataset's own suite file, with file and line; none when it has no file."""
    return tuple(_own(dataset)[1])


def _meta(one: Expectation) -> dict[str, str]:
    return {"place": one.place} | ({"failing_rows": "quarantine"} if one.set_aside else {})


def _sets_aside(one: Expectation, said: str) -> bool:
    return said == "quarantine" and one.severity is Severity.CRITICAL and by_itself(one.type)


def _coarser(role: str | Technique) -> bool:
    return isinstance(role, Technique) and role.pseudonymise is None


def _distinct(found: list[Expectation]) -> tuple[Expectation, ...]:
    """Without those that ask the same a second time (`required` of a key column); the first place is kept."""
    seen: dict[tuple[str, str, str, bool], Expectation] = {}
    for one in found:
        seen.setdefault((one.type, repr(sorted(one.kwargs.items())), one.severity, one.set_aside), one)
    return tuple(seen.values())


def _table(dataset: Dataset, fields: tuple[TableField, ...]) -> list[Expectation]:
    place = dataset.place("fields")
    names = [field.name for field in fields]
    return [
        Expectation("expect_table_columns_to_match_ordered_list", {"column_list": names}, place=place),
        Expectation("expect_table_row_count_to_be_between", {"min_value": 1}, place=place),
    ]


def _filled(column: str, place: str) -> Expectation:
    return Expectation("expect_column_values_to_not_be_null", {"column": column}, place=place)


def of_key(dataset: Dataset) -> list[Expectation]:
    """That the key is there and names each row once."""
    place, columns = dataset.place("key"), list(dataset.key)
    found = [_filled(column, place) for column in columns]
    if len(columns) == 1:
        found.append(Expectation("expect_column_values_to_be_unique", {"column": columns[0]}, place=place))
    elif columns:
        found.append(Expectation("expect_compound_columns_to_be_unique", {"column_list": columns}, place=place))
    return found


def _of_field(dataset: Dataset, index: int, word: str) -> str:
    return dataset.place("fields", index, *([word] if word == "format" else ["constraints", word]))


def _constraints(dataset: Dataset) -> Iterator[Expectation]:
    for index, field in enumerate(dataset.fields):
        for word, kind, arguments in asked(field):
            kwargs = {"column": field.name, **arguments}
            yield Expectation(kind, kwargs, place=_of_field(dataset, index, word))


def _custom(dataset: Dataset) -> Iterator[Expectation]:
    for index, check in enumerate(dataset.custom_checks):
        kind, arguments = custom_checks.asked(check)
        yield Expectation(kind, arguments, place=dataset.place("custom_checks", index))


def asked(field: TableField) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(constraint or `format`, kind of expectation, arguments but the column).

    Minimum and maximum stay apart, so that a failure says which.
    """
    said = field.constraints
    if field.type == "string" and field.format in STRING_FORMATS:
        yield "format", *STRING_FORMATS[field.format]
    if said.required:
        yield "required", "expect_column_values_to_not_be_null", {}
    if said.unique:
        yield "unique", "expect_column_values_to_be_unique", {}
    for word, key in (("minimum", "min_value"), ("maximum", "max_value")):
        if (bound := getattr(said, word)) is not None:
            yield word, "expect_column_values_to_be_between", {key: as_gx(bound, field.type)}
    for word, key in (("minLength", "min_value"), ("maxLength", "max_value")):
        if (length := getattr(said, word)) is not None:
            yield word, "expect_column_value_lengths_to_be_between", {key: length}
    if said.pattern is not None:
        yield "pattern", "expect_column_values_to_match_regex", {"regex": f"^(?:{said.pattern})$"}
    if said.enum is not None:
        allowed = [as_listed(value, field.type) for value in said.enum]
        yield "enum", "expect_column_values_to_be_in_set", {"value_set": allowed}


def _own(dataset: Dataset) -> tuple[list[Expectation], list[Fault]]:
    """The expectations of the dataset's own file, and its faults."""
    if (file := dataset.suite_file) is None:
        return [], []
    name = _relative(file, dataset.root)
    try:
        suite = suite_files.read(file)
    except suite_files.SuiteFileFault as fault:
        return [], [Fault(name, fault.line, fault.what)]
    faults = [Fault(name, 1, unknown("key", key, _HEAD, inside="the suite")) for key in suite.head if key not in _HEAD]
    found = []
    types = {field.name: field.type for field in dataset.fields}
    with Patterns() as patterns:
        for entry in suite.entries:
            wrong = list(_entry_faults(entry.value, types, patterns))
            faults += [Fault(name, entry.line, what) for what in wrong]
            if not wrong:
                one = _in_territory(_expectation(entry.value, types, f"{name}:{entry.line}"), dataset)
                said = (entry.value.get("meta") or {}).get("failing_rows", dataset.quality.failing_rows)
                found.append(replace(one, set_aside=_sets_aside(one, said)))
    return found, faults


def _in_territory(one: Expectation, dataset: Dataset) -> Expectation:
    """A coordinate without bounds of its own lies in the declared territory."""
    known = bounds(dataset.quality.territory) if dataset.quality.territory else {}
    found = known.get(one.type.removeprefix(PREFIX))
    if found is None or set(_BOUND_KEYS) & set(one.kwargs):
        return one
    return replace(one, kwargs={**one.kwargs, **dict(zip(_BOUND_KEYS, found, strict=True))})


def _relative(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else file.name


def _entry_faults(entry: Any, types: Mapping[str, str], patterns: Patterns) -> Iterator[str]:
    if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
        yield 'an expectation is {"type": "expect_…", "kwargs": {…}}; its type is missing here'
        return
    yield from (unknown("key", key, _KEYS, inside="the expectation") for key in entry if key not in _KEYS)
    severity = entry.get("severity", "critical")
    if severity not in tuple(Severity):
        yield unknown("severity", str(severity), [str(s) for s in Severity]) + "; critical refuses, the others tell"
    kind = KINDS.get(entry["type"])
    if why := REFUSED_KINDS.get(entry["type"]):
        yield f"{entry['type']} is not evaluated here: {why}"
    elif kind is None:
        yield unknown("expectation type", entry["type"], list(KINDS))
    elif not isinstance(kwargs := entry.get("kwargs", {}), dict):
        yield "kwargs must hold the arguments: {…}"
    else:
        yield from (f"{entry['type']}: {what}" for what in _kwargs_faults(kind, kwargs, types, patterns))
        yield from _meta_faults(entry)


def _meta_faults(entry: Mapping[str, Any]) -> Iterator[str]:
    """Of `meta`, which is free, `failing_rows` alone is ours."""
    meta = entry.get("meta")
    if meta is not None and not isinstance(meta, dict):
        yield "meta must be an object: {…}"
    elif meta and (said := meta.get("failing_rows", "refuse")) not in ("refuse", "quarantine"):
        yield unknown("failing_rows", str(said), ["refuse", "quarantine"])
    elif meta and said == "quarantine" and not by_itself(entry["type"]):
        yield f"{entry['type']}: its failure is not that of single rows, so that none can go into the quarantine"
    elif meta and said == "quarantine" and entry.get("severity", "critical") != "critical":
        yield "failing_rows: quarantine is for critical expectations; the others never refuse, and keep the rows"


def _kwargs_faults(
    kind: Kind, kwargs: Mapping[str, Any], types: Mapping[str, str], patterns: Patterns
) -> Iterator[str]:
    known = [*kind.columns, *kind.needs, *kind.takes]
    names = [unknown("argument", key, known) for key in kwargs if key not in known]
    if wrong := names or list(_column_faults(kind, kwargs, types)):
        yield from wrong  # what else is missing or does not fit may only follow from these
        return
    if why := misfit(kind, kwargs, types):
        yield why
        return
    yield from argument_faults(kind, kwargs, types)
    for regex in [kwargs["regex"]] if "regex" in kwargs else kwargs.get("regex_list", ()):
        if isinstance(regex, str) and (why := patterns.fault(regex)):
            yield f"the pattern is not usable: {why}"


def _column_faults(kind: Kind, kwargs: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[str]:
    for key in kind.columns:
        value = kwargs.get(key)
        if key in ("column_list", "column_set"):
            if not isinstance(value, list) or not value:
                yield f"the argument {key!r}: expected a list of columns"
                continue
            if kind.by_row and len(value) < 2:
                yield f"the argument {key!r} needs two columns; for one, use expect_column_values_to_be_unique"
        elif value is None:
            yield f"the argument {key!r} is missing"
            continue
        for column in value if isinstance(value, list) else [value]:
            if not isinstance(column, str) or column not in types:
                yield unknown("column", str(column), list(types))


def _expectation(entry: Mapping[str, Any], types: Mapping[str, str], place: str) -> Expectation:
    kwargs = {key: value for key, value in entry.get("kwargs", {}).items() if value is not None}
    of_column = types.get(str(kwargs.get("column")), "")
    for key in _BOUND_KEYS:
        if key in kwargs:
            kwargs[key] = as_gx(kwargs[key], of_column)
    if "value_set" in kwargs:
        kwargs["value_set"] = [as_listed(value, of_column) for value in kwargs["value_set"]]
    return Expectation(entry["type"], kwargs, Severity(entry.get("severity", "critical")), place)
