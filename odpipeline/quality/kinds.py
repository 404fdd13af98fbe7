"""The kinds of expectations that we evaluate, what each takes, and how its failure reads. No Great Expectations here.

The table is closed: Great Expectations drops an unknown kind or a bad argument without a word when it loads a suite,
and many of its kinds fetch cells or do not fit DuckDB. What is not in `KINDS` is refused when the suite is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from odpipeline.quality.across import ACROSS, OPERATORS
from odpipeline.quality.code_lists import years
from odpipeline.quality.french import FRENCH, PREFIX

NUMBERS = ("integer", "number", "year")
ORDERED = (*NUMBERS, "date", "datetime")
BOUNDED = (*ORDERED, "time", "yearmonth")
TEXTS = ("string", "yearmonth", "duration", "geopoint", "geojson", "array", "object", "any")
DUCK_TYPES = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIME", "INTEGER")
"""The column types that conformed and published Parquet files have."""

_LARGEST = 2**53
"""Great Expectations turns every bound into a binary64, which holds whole numbers exactly up to here."""

Check = Callable[[Any, str], str]
"""(value, the column's Table Schema type) → what is expected instead; an empty text when the value is right."""


def _bound(value: Any, kind: str) -> str:
    if kind in NUMBERS or kind not in BOUNDED:
        return _number(value, kind)
    try:
        _moment(value, kind)
    except (TypeError, ValueError):
        return f"an ISO 8601 {kind} in quotes"
    return ""


def _number(value: Any, _: str) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if is_number and abs(value) <= _LARGEST else "a number without quotes, no larger than 2^53"


def _count(value: Any, _: str) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number from 0"


def _share(value: Any, _: str) -> str:
    is_share = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    return "" if is_share else "a share from 0 to 1"


def _mostly(value: Any, kind: str) -> str:
    return "" if not _share(value, kind) and value > 0 else "a share above 0, 1 at most"


def _flag(value: Any, _: str) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _text(value: Any, _: str) -> str:
    return "" if isinstance(value, str) and value else "a text"


def _texts(value: Any, _: str) -> str:
    right = isinstance(value, list) and value and not any(_text(one, "") for one in value)
    return "" if right else "a list of texts, one at least"


def _type(value: Any, _: str) -> str:
    return "" if value in DUCK_TYPES else f"one of {', '.join(DUCK_TYPES)}"


def _types(value: Any, kind: str) -> str:
    right = isinstance(value, list) and value and not any(_type(one, kind) for one in value)
    return "" if right else f"a list out of {', '.join(DUCK_TYPES)}"


def _values(value: Any, kind: str) -> str:
    if not isinstance(value, list) or not value:
        return "a list of values, one at least"
    if kind in BOUNDED:
        return next((f"{why} (each value of the list)" for one in value if (why := _bound(one, kind))), "")
    expected = bool if kind == "boolean" else str
    name = "true or false" if kind == "boolean" else "texts in quotes"
    return "" if all(isinstance(one, expected) for one in value) else f"a list of {name}, as the column is {kind}"


def _quantiles(value: Any, _: str) -> str:
    expected = '{"quantiles": [0.5], "value_ranges": [[1, 9]]}: shares, and for each a range of two numbers or null'
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return expected
    shares, ranges = value["quantiles"], value["value_ranges"]
    if not isinstance(shares, list) or not isinstance(ranges, list) or not 0 < len(shares) == len(ranges):
        return expected
    pairs = all(isinstance(pair, list) and len(pair) == 2 for pair in ranges)
    right = pairs and not any(_share(share, "") for share in shares)
    return "" if right and not any(_number(end, "") for pair in ranges for end in pair if end is not None) else expected


def _one_of(*known: str) -> Check:
    return lambda value, _: "" if value in known else f"one of {', '.join(known)}"


@dataclass(frozen=True)
class Kind:
    """One kind of expectation.

    `columns` are the arguments that name columns, `needs` and `takes` the other arguments with their checks, of `some`
    at least one must be there; `only` lists the Table Schema types that it fits (empty: all). `failed` words a failure;
    `by_row` tells that values are counted one by one, so that the failure has a number; `alike` that the columns of its
    list are compared with one another.
    """

    failed: Callable[[Mapping[str, Any]], str]
    columns: tuple[str, ...] = ("column",)
    needs: Mapping[str, Check] = field(default_factory=dict)
    takes: Mapping[str, Check] = field(default_factory=dict)
    some: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    by_row: bool = True
    alike: bool = False


def _says(words: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: words


def _sides(below: str, above: str, outside: str) -> Callable[[Mapping[str, Any]], str]:
    def worded(kwargs: Mapping[str, Any]) -> str:
        if kwargs.get("max_value") is None:
            return below
        return above if kwargs.get("min_value") is None else outside

    return worded


_ROW: dict[str, Check] = {"mostly": _mostly}
_STRICT: dict[str, Check] = {"strict_min": _flag, "strict_max": _flag}
_RANGE = ("min_value", "max_value")


def _ranged(failed: str, check: Check, only: tuple[str, ...] = (), columns: tuple[str, ...] = ("column",)) -> Kind:
    """An aggregate that must lie between two bounds."""
    takes = {"min_value": check, "max_value": check, **_STRICT}
    return Kind(_says(failed), columns, takes=takes, some=_RANGE, only=only, by_row=False)


_PAIR_MISSING = _one_of("both_values_are_missing", "either_value_is_missing", "neither")
_KEY_MISSING = _one_of("all_values_are_missing", "any_value_is_missing", "never")

KINDS: dict[str, Kind] = {
    "expect_column_values_to_not_be_null": Kind(_says("are missing"), takes=_ROW),
    "expect_column_values_to_be_null": Kind(_says("are filled in"), takes=_ROW),
    "expect_column_values_to_be_unique": Kind(_says("stand more than once"), takes=_ROW),
    "expect_compound_columns_to_be_unique": Kind(
        _says("rows have the same key as another row"), ("column_list",), takes={"ignore_row_if": _KEY_MISSING, **_ROW}
    ),
    "expect_column_values_to_be_between": Kind(
        _sides("are below the minimum", "are above the maximum", "are outside the bounds"),
        takes={"min_value": _bound, "max_value": _bound, **_STRICT, **_ROW}, some=_RANGE, only=BOUNDED,
    ),
    "expect_column_values_to_be_in_set": Kind(
        _says("are not in the list of allowed values"), needs={"value_set": _values}, takes=_ROW
    ),
    "expect_column_values_to_not_be_in_set": Kind(
        _says("are in the list of forbidden values"), needs={"value_set": _values}, takes=_ROW
    ),
    "expect_column_values_to_match_regex": Kind(
        _says("do not match the pattern"), needs={"regex": _text}, takes=_ROW, only=TEXTS
    ),
    "expect_column_values_to_not_match_regex": Kind(
        _says("match the forbidden pattern"), needs={"regex": _text}, takes=_ROW, only=TEXTS
    ),
    "expect_column_values_to_match_regex_list": Kind(
        _says("do not match the patterns"), needs={"regex_list": _texts},
        takes={"match_on": _one_of("any", "all"), **_ROW}, only=TEXTS,
    ),
    "expect_column_values_to_not_match_regex_list": Kind(
        _says("match a forbidden pattern"), needs={"regex_list": _texts}, takes=_ROW, only=TEXTS
    ),
    "expect_select_column_values_to_be_unique_within_record": Kind(
        _says("rows hold one value in several of these columns"), ("column_list",),
        takes={"ignore_row_if": _KEY_MISSING, **_ROW}, alike=True,
    ),
    "expect_column_value_lengths_to_be_between": Kind(
        _sides("are too short", "are too long", "have a length outside the bounds"),
        takes={"min_value": _count, "max_value": _count, **_STRICT, **_ROW}, some=_RANGE, only=TEXTS,
    ),
    "expect_column_value_lengths_to_equal": Kind(
        _says("do not have the stated length"), needs={"value": _count}, takes=_ROW, only=TEXTS
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": Kind(
        _says("rows have a first value that is not greater"), ("column_A", "column_B"),
        takes={"or_equal": _flag, "ignore_row_if": _PAIR_MISSING, **_ROW},
    ),
    "expect_column_pair_values_to_be_equal": Kind(
        _says("rows have two different values"), ("column_A", "column_B"),
        takes={"ignore_row_if": _PAIR_MISSING, **_ROW},
    ),
    "expect_column_to_exist": Kind(
        _says("the column is not there, or not at its place"), takes={"column_index": _count}, by_row=False
    ),
    "expect_column_values_to_be_of_type": Kind(
        _says("the column has another type"), needs={"type_": _type}, by_row=False
    ),
    "expect_column_values_to_be_in_type_list": Kind(
        _says("the column has another type"), needs={"type_list": _types}, by_row=False
    ),
    "expect_column_min_to_be_between": _ranged("the least value is outside its bounds", _bound, ORDERED),
    "expect_column_max_to_be_between": _ranged("the greatest value is outside its bounds", _bound, ORDERED),
    "expect_column_mean_to_be_between": _ranged("the mean is outside its bounds", _number, NUMBERS),
    "expect_column_sum_to_be_between": _ranged("the sum is outside its bounds", _number, NUMBERS),
    "expect_column_median_to_be_between": _ranged("the median is outside its bounds", _number, NUMBERS),
    "expect_column_stdev_to_be_between": _ranged("the standard deviation is outside its bounds", _number, NUMBERS),
    "expect_column_quantile_values_to_be_between": Kind(
        _says("a quantile is outside its bounds"), needs={"quantile_ranges": _quantiles}, only=NUMBERS, by_row=False
    ),
    "expect_column_unique_value_count_to_be_between": _ranged(
        "the number of different values is outside its bounds", _count
    ),
    "expect_column_proportion_of_unique_values_to_be_between": _ranged(
        "the share of different values is outside its bounds", _share
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": _ranged(
        "the share of filled values is outside its bounds", _share
    ),
    "expect_table_row_count_to_be_between": _ranged("the number of rows is outside its bounds", _count, columns=()),
    "expect_table_column_count_to_be_between": Kind(
        _says("the number of columns is outside its bounds"), (),
        takes={"min_value": _count, "max_value": _count}, some=_RANGE, by_row=False,
    ),
    "expect_table_columns_to_match_ordered_list": Kind(
        _says("the columns are not the declared ones in the declared order"), ("column_list",), by_row=False
    ),
    "expect_table_columns_to_match_set": Kind(
        _says("the columns are not the declared ones"), ("column_set",), takes={"exact_match": _flag}, by_row=False
    ),
}  # fmt: skip
"""Kind → what it takes; each has been compared with Great Expectations on pandas, but for the French ones, our own."""

KINDS |= {
    name: Kind(
        _says(rule.failed), ("column_list",), needs={rule.argument: _one_of(*OPERATORS)} if rule.argument else {},
        takes=_ROW,
    )
    for name, rule in ACROSS.items()
}  # fmt: skip

_NARROWING: dict[str, Callable[[str], Check]] = {
    "year": lambda name: lambda value, _: "" if value in years(name) else _one_of_years(name),
    "min_value": lambda _: _number,
    "max_value": lambda _: _number,
}
"""Argument that narrows a French type → its check, by the type's name."""


def _one_of_years(name: str) -> str:
    return f"a year of which there is a list: {', '.join(map(str, years(name)))}"


KINDS |= {
    PREFIX + name: Kind(
        _says(one.failed),
        takes={argument: _NARROWING[argument](name) for argument in one.takes} | _ROW,
        only=(*TEXTS, *NUMBERS) if "min_value" in one.takes else TEXTS,
    )
    for name, one in FRENCH.items()
}


_AMONG_ROWS = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")


def by_itself(kind: str) -> bool:
    """Whether a row fails `kind` by what it holds itself, so that it alone can be set aside.

    Of two rows with one key nobody can tell which one is right.
    """
    return KINDS[kind].by_row and kind not in _AMONG_ROWS


def argument_faults(kind: Kind, kwargs: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the arguments of an expectation, columns apart: one text a fault.

    `types` maps the column to its Table Schema type.
    """
    of_column = types.get(str(kwargs.get("column")), "")
    for name in kind.needs:
        if name not in kwargs:
            yield f"the argument {name!r} is missing"
    if kind.some and all(kwargs.get(name) is None for name in kind.some):
        yield f"one of the arguments {' and '.join(kind.some)} is needed"
    for name, check in {**kind.needs, **kind.takes}.items():
        if kwargs.get(name) is not None and (expected := check(kwargs[name], of_column)):
            yield f"the argument {name!r}: expected {expected}"
        elif name in kwargs and kwargs[name] is None and name not in kind.some:
            yield f"the argument {name!r} is null; give it a value, or leave it out"


def misfit(kind: Kind, kwargs: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """Why the columns' types do not fit the kind; an empty text when they do."""
    listed = kwargs.get("column_list", ()) if kind.alike else ()
    alone = (kwargs[key] for key in kind.columns if isinstance(kwargs.get(key), str))
    named = [types[column] for column in (*alone, *listed) if column in types]
    if kind.only and (wrong := [one for one in named if one not in kind.only]):
        return f"it does not fit a column of type {wrong[0]}; it takes {', '.join(kind.only)}"
    if len({_family(one) for one in named}) > 1:
        return f"a column of type {named[0]} cannot be compared with one of type {named[1]}"
    return ""


def _family(kind: str) -> str:
    if kind in NUMBERS:
        return "number"
    return "date" if kind in ("date", "datetime") else "text" if kind in TEXTS else kind


def as_gx(bound: Any, kind: str) -> Any:
    """A bound as Great Expectations must get it, so that it compares like with like.

    Datetimes become UTC without a zone, as the columns are; for want of such types in Great Expectations a time
    becomes one of 1 January 1970, and a month its first day.
    """
    return _moment(bound, kind).isoformat() if isinstance(bound, str) and kind in _DATED else bound


def as_listed(value: Any, kind: str) -> Any:
    """A value of a list, spelled as the column's type is spelled in ISO 8601."""
    if not isinstance(value, str) or kind not in _DATED or kind == "yearmonth":
        return value
    moment = _moment(value, kind)
    return moment.time().isoformat() if kind == "time" and isinstance(moment, datetime) else moment.isoformat()


_DATED = ("date", "datetime", "time", "yearmonth")


def _moment(value: str, kind: str) -> date | datetime:
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "yearmonth":
        return date.fromisoformat(f"{value}-01" if len(value) == len("2024-01") else value)
    if kind == "time" and "T" not in value:
        return datetime.combine(date(1970, 1, 1), time.fromisoformat(value))
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
