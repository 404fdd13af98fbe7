"""The bounded SQL of a derived field: one expression over the other fields of the same row, and nothing else.

DuckDB's own parser gives the syntax tree; what is not on the lists below is refused, so that a formula can neither
read a file, ask another table, look at another row, nor give another value tomorrow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from odpipeline.declaration.wording import unknown

FUNCTIONS = frozenset(
    re.findall(
        r"\S+",
        """+ - * / // % || ~~ !~~ ~~* !~~* abs ceil ceiling concat concat_ws contains date_diff date_part date_trunc
        datediff day dayofweek dayofyear ends_with floor greatest hour isodow isoyear least left len length like_escape
        lower lpad ltrim make_date minute month nullif prefix quarter regexp_extract regexp_full_match regexp_matches
        regexp_replace replace right round rpad rtrim second sign split_part starts_with strftime strip_accents strptime
        substr substring suffix trim trunc try_strptime upper week year yearweek""",
    )
)
"""The functions of DuckDB that a formula may call: of one row, without side effect, the same every time."""

_CLASSES = frozenset({"CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "BETWEEN", "FUNCTION",
                      "OPERATOR"})  # fmt: skip
_LONGEST = 2_000


def fault(formula: str, fields: Collection[str]) -> str:
    """What is wrong with `formula` over columns called `fields`; an empty text when nothing is."""
    tree, why = _parsed(formula)
    if tree is None:
        return why
    known = {name.casefold() for name in fields}
    for node in _nodes(tree):
        if node["class"] not in _CLASSES or node.get("type") in ("STAR", "LAMBDA"):
            return "may hold columns, constants, CASE, CAST, comparisons and plain functions; no query, window or list"
        if node["class"] == "COLUMN_REF":
            *table, name = node["column_names"]
            if table or name.casefold() not in known:
                return unknown("field", ".".join([*table, name]), list(fields))
        if node["class"] == "FUNCTION" and node["function_name"].casefold() not in FUNCTIONS:
            return unknown("function", node["function_name"], sorted(FUNCTIONS))
    return ""


def columns(formula: str) -> tuple[str, ...]:
    """The fields that a sound `formula` names, in the order in which they stand."""
    tree, _ = _parsed(formula)
    return tuple(dict.fromkeys(node["column_names"][-1] for node in _nodes(tree) if node["class"] == "COLUMN_REF"))


def spelled(formula: str) -> str:
    """A sound `formula` as DuckDB itself spells it: brackets that pair, no comment, one expression."""
    found = duckdb.execute("SELECT json_deserialize_sql(json_serialize_sql(?))", [f"SELECT ({formula}\n)"]).fetchone()
    return f"({str(found[0]).removeprefix('SELECT ')})" if found else "NULL"


def _parsed(formula: str) -> tuple[Any, str]:
    """(the expression's tree, '') or (None, what is wrong)."""
    if len(formula) > _LONGEST:
        return None, f"is longer than {_LONGEST} characters; prepare the value in the source system"
    found = duckdb.execute("SELECT json_serialize_sql(?)", [f"SELECT ({formula}\n)"]).fetchone()
    said: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
    if said["error"] or len(said["statements"]) != 1:
        return None, "is not one SQL expression; write it as between SELECT and FROM"
    node = said["statements"][0]["node"]
    plain = (
        node["type"] == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY" and len(node["select_list"]) == 1
        and not node["modifiers"] and not node["where_clause"] and not node["group_expressions"]
        and not node["having"] and not node["qualify"] and not node["sample"] and not node["cte_map"]["map"]
    )  # fmt: skip
    if not plain:
        return None, "is not one SQL expression; write it as between SELECT and FROM"
    return node["select_list"][0], ""


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of the tree that is an expression, depth first."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)
