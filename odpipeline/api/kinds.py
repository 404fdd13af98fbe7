"""Of which kind the values of an expression are, so that only what is alike is compared."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

NUMBER, TEXT, TRUTH, SPAN = "number", "text", "truth", "span"
"""Beside `date`, `datetime` and `time`. A `span` is what is added to a date, or is left of two: a date, or days."""
TEMPORAL = frozenset({"date", "datetime", "time", SPAN})
_OF_TYPE = {
    "integer": NUMBER, "number": NUMBER, "year": NUMBER, "boolean": TRUTH, "date": "date", "datetime": "datetime",
    "time": "time",
}  # fmt: skip
"""Type of Table Schema → kind; all others are published as texts."""
_OF_NODE: Mapping[type[exp.Expr], str] = {
    exp.Lower: TEXT, exp.Upper: TEXT, exp.Boolean: TRUTH, exp.Length: NUMBER, exp.Year: NUMBER, exp.Month: NUMBER,
    exp.Day: NUMBER, exp.Round: NUMBER, exp.Abs: NUMBER, exp.Sum: NUMBER, exp.Avg: NUMBER, exp.Count: NUMBER,
    exp.Mul: NUMBER, exp.Div: NUMBER, exp.Neg: NUMBER, exp.And: TRUTH, exp.Or: TRUTH, exp.Not: TRUTH, exp.Is: TRUTH,
    exp.In: TRUTH, exp.Between: TRUTH, exp.Like: TRUTH, exp.ILike: TRUTH, exp.EQ: TRUTH, exp.NEQ: TRUTH,
    exp.GT: TRUTH, exp.GTE: TRUTH, exp.LT: TRUTH, exp.LTE: TRUTH,
}  # fmt: skip


def kind(node: exp.Expr, columns: Mapping[str, str], deepest: int) -> str | None:
    """The kind of the values of `node`; None for a quoted text, which is what it is compared with, and for `null`.

    `columns`: name → type of Table Schema. Of what is nested more than `deepest` nothing is said.
    """
    if deepest < 0:
        return None
    if isinstance(node, exp.Paren | exp.Min | exp.Max):
        return kind(node.this, columns, deepest - 1)
    if isinstance(node, exp.Column):
        said = columns.get(node.name)
        return _OF_TYPE.get(said, TEXT) if said else None  # an unknown one is refused as it is written
    if isinstance(node, exp.Literal):
        return None if node.is_string else NUMBER
    if isinstance(node, exp.Cast):
        return "date" if node.args["to"].sql("duckdb") == "DATE" else "datetime"
    if isinstance(node, exp.Add | exp.Sub):
        parts = {kind(part, columns, deepest - 1) for part in (node.this, node.expression)}
        return SPAN if parts & TEMPORAL else NUMBER
    return _OF_NODE.get(type(node))
