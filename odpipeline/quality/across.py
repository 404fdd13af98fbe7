"""Rules of our own over several columns of one row, as expectations in Great Expectations' way of naming.

To add one: an entry in `ACROSS`, whose condition tells in DuckDB's SQL which rows fail, and its phrase in the two
languages. It is evaluated in the one scan of all rows, like every condition of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odpipeline.duck import quote

OPERATORS = {">": ">", ">=": ">=", "==": "=", "<=": "<=", "<": "<"}
"""How two columns may be compared, and the same in SQL."""


@dataclass(frozen=True)
class RowRule:
    """One rule over the columns of `column_list`.

    `fails`(columns, other arguments, their DuckDB types) is SQL that is true for a row that fails; where it is unknown
    the row holds. `argument` is the other argument that it takes, or empty.
    """

    fails: Callable[[Sequence[str], Mapping[str, Any], Mapping[str, str]], str]
    failed: str
    argument: str = ""


def across_metric(name: str) -> str:
    """Great Expectations' name of the metric behind the expectation `name`."""
    return f"multicolumn_values.{name.removeprefix('expect_')}"


def _together(columns: Sequence[str], _: Mapping[str, Any], __: Mapping[str, str]) -> str:
    filled = " + ".join(f"CAST({quote(name)} IS NOT NULL AS INTEGER)" for name in columns)
    return f"({filled}) NOT IN (0, {len(columns)})"


def _none(columns: Sequence[str], _: Mapping[str, Any], __: Mapping[str, str]) -> str:
    return " AND ".join(f"{quote(name)} IS NULL" for name in columns)


def _sum(columns: Sequence[str], _: Mapping[str, Any], __: Mapping[str, str]) -> str:
    """The first column against the sum of the others; binary fractions are compared to nine digits of their size."""
    total, *parts = map(quote, columns)
    added = " + ".join(parts)
    return f"abs(({added}) - {total}) > 1e-9 * greatest(1, abs({total}))"


def _compared(columns: Sequence[str], value: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """Validata's rule: numbers as numbers, also when both are spelled as text; everything else of one type as it is."""
    first, second = map(quote, columns)
    operator = OPERATORS[value["operator"]]
    holds = f"{first} {operator} {second}"
    if {types[name] for name in columns} == {"VARCHAR"}:
        numbers = f"TRY_CAST({first} AS DOUBLE) {operator} TRY_CAST({second} AS DOUBLE)"
        holds = f"coalesce({numbers}, {holds})"
    return f"NOT ({holds})"


ACROSS: dict[str, RowRule] = {
    "expect_multicolumn_values_to_be_filled_together": RowRule(
        _together, "rows have some of these columns filled and others not"
    ),
    "expect_multicolumn_values_to_have_one_filled": RowRule(_none, "rows have none of these columns filled"),
    "expect_multicolumn_values_to_add_up_to_the_first": RowRule(
        _sum, "rows have a total that is not the sum of its parts"
    ),
    "expect_multicolumn_values_to_compare": RowRule(
        _compared, "rows have two values that do not compare as they should", "operator"
    ),
}
"""Expectation → its rule."""
