"""The `select`, `where`, `group_by` and `order` of a request → SQL that is made here, sign by sign.

sqlglot reads the text; what comes out is written anew from its syntax tree by the lists below, with every column quoted
and known, and every literal quoted. No sign of the caller's text reaches the database: what is on no list is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from odpipeline.api import kinds, literals
from odpipeline.duck import literal, quote

LONGEST = 2_000
"""The most characters of one parameter."""
DEEPEST = 20
"""How deep an expression may be nested."""
_MOST_NODES = 300
_MOST_CHOSEN = 100

_BINARY: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
}  # fmt: skip
_FUNCTIONS: Mapping[type[exp.Expr], str] = {
    exp.Lower: "lower", exp.Upper: "upper", exp.Length: "length", exp.Year: "year", exp.Month: "month",
    exp.Day: "day", exp.Round: "round", exp.Abs: "abs",
}  # fmt: skip
_AGGREGATES: Mapping[type[exp.Expr], str] = {
    exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max", exp.Count: "count",
}  # fmt: skip
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
FUNCTIONS = (*sorted(_FUNCTIONS.values()), *sorted(_AGGREGATES.values()))
"""The functions that a request may call."""


Columns = Mapping[str, str]
"""Name of each column → its type in Table Schema, which is how texts that are compared with it are read."""


_UNLIKE = (
    "values of different kinds are compared: compare texts with quoted texts ('075001'), numbers with numbers, dates "
    "with '2026-01-31'"
)


PLACE = "\x01place"
"""Column of `rows`: where a row stands in the file, so that rows that are alike have an order of their own."""


class Misunderstood(Exception):
    """A parameter says something that the API does not know; the message is for whoever asked."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter, self.detail = parameter, detail


@dataclass(frozen=True)
class Chosen:
    """One column of the answer: its SQL, its name, whether it is an aggregate."""

    sql: str
    name: str
    aggregate: bool


@dataclass(frozen=True)
class Query:
    """A request, understood: SQL parts over the table `rows`. `aggregated` when it answers groups and not rows."""

    chosen: tuple[Chosen, ...]
    where: str
    group: tuple[str, ...]
    order: str

    @property
    def aggregated(self) -> bool:
        """Whether rows are gathered."""
        return bool(self.group) or any(one.aggregate for one in self.chosen)

    def sql(self, limit: int, offset: int) -> str:
        """The whole query."""
        picked = ", ".join(f"{one.sql} AS {quote(one.name)}" for one in self.chosen)
        parts = [f"SELECT {picked} FROM rows"]
        parts += [f"WHERE {self.where}"] if self.where else []
        parts += [f"GROUP BY {', '.join(self.group)}"] if self.group else []
        last = self.group if self.aggregated else (named(PLACE),) if self.order else ()  # else they come as they stand
        order = [*([self.order] if self.order else []), *(f"{one} ASC NULLS LAST" for one in last)]
        parts += [f"ORDER BY {', '.join(order)}"] if order else []
        return " ".join([*parts, f"LIMIT {limit} OFFSET {offset}"])


def named(column: str) -> str:
    """A column of `rows` in SQL, which no name that a request gives can hide."""
    return f"rows.{quote(column)}"


def understood(parameters: Mapping[str, str], columns: Columns) -> Query:
    """`select`, `where`, `group_by` and `order` of `parameters` about a table with these `columns`.

    Raises: Misunderstood.
    """
    group = tuple(_Writer("group_by", columns).written(one) for one in _listed("group_by", parameters))
    said = _listed("select", parameters)
    chosen = tuple(_chosen(one, columns) for one in said) or tuple(Chosen(named(c), c, False) for c in columns)
    if group and not said:
        raise Misunderstood("select", "with group_by, say what to select: select=quartier,count(*)&group_by=quartier")
    if len(chosen) > max(len(columns), _MOST_CHOSEN):
        raise Misunderstood("select", f"it has more than {_MOST_CHOSEN} columns")
    names = [one.name for one in chosen]
    if len(set(names)) < len(names):
        raise Misunderstood("select", "two columns of the answer have one name; give one another by `AS`")
    query = Query(chosen, _where(parameters, columns), group, "")
    if query.aggregated and (loose := [c.name for c in chosen if not c.aggregate and c.sql not in group]):
        raise Misunderstood("group_by", f"{', '.join(loose)} is neither gathered nor in group_by")
    return Query(chosen, query.where, group, _order(parameters, columns, query))


def _where(parameters: Mapping[str, str], columns: Columns) -> str:
    text = _short("where", parameters.get("where", ""))
    if not text:
        return ""
    tree = _parsed("where", text, exp.Condition)
    return _Writer("where", columns).condition(tree)


def _order(parameters: Mapping[str, str], columns: Columns, query: Query) -> str:
    text = _short("order", parameters.get("order", ""))
    if not text:
        return ""
    tree = _parsed("order", f"SELECT 1 ORDER BY {text}")
    if not isinstance(tree, exp.Select) or _said(tree) != {"expressions", "order"}:
        raise Misunderstood("order", "order is a list of columns, each with or without DESC")
    own = {one.name: str(place) for place, one in enumerate(query.chosen, 1)}
    written = []
    for one in tree.args["order"].expressions:
        plain = one.this
        named = own.get(plain.name) if isinstance(plain, exp.Column) and _said(plain) == {"this"} else None
        sql = named or _Writer("order", columns, aggregates=query.aggregated).written(plain)
        way, nulls = ("DESC" if one.args.get("desc") else "ASC"), ("FIRST" if one.args.get("nulls_first") else "LAST")
        written.append(f"{sql} {way} NULLS {nulls}")
    return ", ".join(written)


def _chosen(node: exp.Expr, columns: Columns) -> Chosen:
    alias = node.alias if isinstance(node, exp.Alias) else ""
    inner = node.this if isinstance(node, exp.Alias) else node
    writer = _Writer("select", columns, aggregates=True)
    sql = writer.written(inner)
    name = alias or (inner.name if isinstance(inner, exp.Column) else inner.sql("duckdb").lower())
    if len(name) > 100 or not name.isprintable():
        raise Misunderstood("select", "give the column of the answer a name: `AS total`")
    return Chosen(sql, name, writer.gathered)


def _listed(parameter: str, parameters: Mapping[str, str]) -> list[exp.Expr]:
    text = _short(parameter, parameters.get(parameter, ""))
    if not text or (parameter == "select" and text == "*"):
        return []
    tree = _parsed(parameter, f"SELECT {text}")
    if not isinstance(tree, exp.Select) or _said(tree) != {"expressions"}:
        raise Misunderstood(parameter, f"{parameter} is a list of columns and of what is made of them, by commas")
    return list(tree.expressions)


def _said(tree: exp.Expr) -> set[str]:
    return {name for name, value in tree.args.items() if value}


def _short(parameter: str, text: str) -> str:
    if len(text) > LONGEST:
        raise Misunderstood(parameter, f"it is longer than {LONGEST} characters")
    return text.strip()


def _parsed(parameter: str, text: str, into: Any = None) -> exp.Expr:
    try:
        tree: exp.Expr = sqlglot.parse_one(text, dialect="duckdb", into=into)
    except (SqlglotError, RecursionError, ValueError):
        raise Misunderstood(parameter, "it cannot be read; see the examples at /api/v1/") from None
    return tree


class _Writer:
    """Writes the SQL of a syntax tree anew, for one parameter."""

    def __init__(self, parameter: str, columns: Columns, *, aggregates: bool = False) -> None:
        self._parameter, self._columns, self._aggregates = parameter, columns, aggregates
        self._nodes = 0
        self.gathered = False

    def written(self, node: exp.Expr, depth: int = 0) -> str:
        """The SQL of `node`.

        Raises: Misunderstood for whatever is on no list.
        """
        self._nodes += 1
        if depth > DEEPEST or self._nodes > _MOST_NODES:
            raise self._no("it is nested too deeply, or too long")
        if (writer := self._writers().get(type(node))) is not None:
            return writer(node, depth + 1)
        if isinstance(node, exp.And | exp.Or):  # a chain of them is no deeper than one
            parts = [self.condition(part, depth + 1) for part in node.flatten()]
            return f"({(' AND ' if isinstance(node, exp.And) else ' OR ').join(parts)})"
        if (operator := _BINARY.get(type(node))) is not None:
            return self._operated(node, operator, depth + 1)
        if (function := _FUNCTIONS.get(type(node))) is not None:
            return self._called(function, node, depth + 1)
        if (function := _AGGREGATES.get(type(node))) is not None:
            return self._gathered(function, node, depth + 1)
        raise self._no(f"{_called(node)} is not known here; functions are {', '.join(FUNCTIONS)}")

    def condition(self, node: exp.Expr, depth: int = 0) -> str:
        """The SQL of `node`, which is true or false of a row.

        Raises: as `written`.
        """
        sql = self.written(node, depth)
        if self._kind(node) != kinds.TRUTH and not isinstance(node.unnest(), exp.Null):
            raise self._no("a condition compares: `places > 0`, `nom is not null`")
        return sql

    def _writers(self) -> Mapping[type[exp.Expr], Callable[[exp.Expr, int], str]]:
        return {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Boolean: lambda node, _: "true" if node.this else "false",
            exp.Null: lambda _node, _: "NULL",
            exp.Paren: lambda node, depth: self.written(node.this, depth),
            exp.Not: lambda node, depth: f"(NOT {self.condition(node.this, depth)})",
            exp.Neg: lambda node, depth: f"(- {self.written(node.this, depth)})",
            exp.Is: self._is,
            exp.Like: self._like,
            exp.ILike: self._like,
            exp.Between: self._between,
            exp.In: self._in,
            exp.Cast: self._date,
        }

    def _operated(self, node: exp.Expr, operator: str, depth: int) -> str:
        if node.args.get("negate"):
            raise self._no("write `not` in front of the whole comparison")
        sides = [node.this, node.expression]
        if isinstance(node, _COMPARED):
            left, right = self._alike(sides, depth)
        else:
            if any(_is_text(one) or self._kind(one) == kinds.TEXT for one in sides):
                raise self._no("texts cannot be reckoned with: write 12 without quotes, and dates as date '2026-01-31'")
            left, right = (self.written(side, depth) for side in sides)
        return f"({left} {operator} {right})"

    def _alike(self, nodes: Sequence[exp.Expr], depth: int) -> list[str]:
        """What is compared with each other: one kind of values; a quoted text is one of those that it stands beside."""
        found = {kind for node in nodes if (kind := self._kind(node))}
        if len(found) > 1 and not found <= kinds.TEMPORAL and found != {kinds.SPAN, kinds.NUMBER}:
            raise self._no(_UNLIKE)
        texts = [_is_text(node) for node in nodes]
        if not any(texts) or found <= {kinds.TEXT, kinds.TRUTH}:
            return [self.written(node, depth) for node in nodes]
        if len(found) > 1 or found == {kinds.SPAN}:
            raise self._no("beside these dates say of a text what it is: date '2026-01-31', timestamp '2026-01-31'")
        (kind,) = found
        return [
            self._read(str(node.unnest().this), kind) if is_text else self.written(node, depth)
            for node, is_text in zip(nodes, texts, strict=True)
        ]

    def _read(self, text: str, kind: str) -> str:
        try:
            return literals.written(text, kind)
        except literals.Unread as error:
            raise self._no(str(error)) from None

    def _kind(self, node: exp.Expr) -> str | None:
        return kinds.kind(node, self._columns, DEEPEST)

    def _column(self, node: exp.Expr, _depth: int) -> str:
        if _said(node) != {"this"} or not isinstance(node.this, exp.Identifier):
            raise self._no("a column is named by its name alone")
        name = node.this.this
        if name not in self._columns:
            near = get_close_matches(name, self._columns, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(list(self._columns)[:30])}"
            raise self._no(f"there is no column {name[:100]!r}{hint}")
        return named(name)

    def _literal(self, node: exp.Expr, _depth: int) -> str:
        if node.is_string:
            return literal(str(node.this))
        with suppress(literals.Unread):
            return literals.written(str(node.this), kinds.NUMBER)  # each digit of it
        try:
            number = float(node.this)
        except ValueError:
            raise self._no("a number cannot be read") from None
        if not math.isfinite(number):
            raise self._no("a number is too large")
        return repr(number)

    def _is(self, node: exp.Expr, depth: int) -> str:
        if not isinstance(node.expression, exp.Null | exp.Boolean):
            raise self._no("`is` goes with null, true or false")
        if isinstance(node.expression, exp.Boolean):
            return f"({self.condition(node.this, depth)} IS {self.written(node.expression, depth)})"
        return f"({self.written(node.this, depth)} IS {self.written(node.expression, depth)})"

    def _like(self, node: exp.Expr, depth: int) -> str:
        if not _is_text(node.expression) or _said(node) - {"this", "expression", "negate"}:
            raise self._no("`like` goes with a quoted pattern: nom like '%parc%'")
        operator = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
        sql = literals.like(self.written(node.this, depth), operator, str(node.expression.unnest().this))
        return f"(NOT {sql})" if node.args.get("negate") else sql  # sqlglot says `not like` so, and not by a Not

    def _between(self, node: exp.Expr, depth: int) -> str:
        if _said(node) != {"this", "low", "high"}:
            raise self._no("`between` takes a lower and an upper value, and nothing else")
        value, low, high = self._alike([node.args[part] for part in ("this", "low", "high")], depth)
        return f"({value} BETWEEN {low} AND {high})"

    def _in(self, node: exp.Expr, depth: int) -> str:
        if not node.expressions or _said(node) != {"this", "expressions"}:
            raise self._no("`in` goes with a list of values")
        value, *among = self._alike([node.this, *node.expressions], depth)
        return f"({value} IN ({', '.join(among)}))"

    def _date(self, node: exp.Expr, _depth: int) -> str:
        kind = node.args["to"].sql("duckdb")
        if not isinstance(node.this, exp.Literal) or not node.this.is_string or kind not in ("DATE", "TIMESTAMP"):
            raise self._no("only texts become dates: date '2026-01-01'")
        return self._read(str(node.this.this), "date" if kind == "DATE" else "datetime")

    def _called(self, function: str, node: exp.Expr, depth: int) -> str:
        arguments = [node.this, node.args.get("decimals")]
        if _said(node) - {"this", "decimals"}:
            raise self._no(f"{function} takes a column")
        return f"{function}({', '.join(self.written(one, depth) for one in arguments if one is not None)})"

    def _gathered(self, function: str, node: exp.Expr, depth: int) -> str:
        if not self._aggregates or (self.gathered and depth > 1):
            raise self._no(f"{function} gathers rows: it goes into select or order, and not into another one")
        self.gathered = True
        if isinstance(node.this, exp.Star) and function == "count":
            return "count(*)"
        distinct = isinstance(node.this, exp.Distinct)
        inner = node.this.expressions if distinct else [node.this]
        if len(inner) != 1 or inner[0] is None or node.expressions:
            raise self._no(f"{function} takes one column")
        return f"{function}({'DISTINCT ' if distinct else ''}{self.written(inner[0], depth)})"

    def _no(self, detail: str) -> Misunderstood:
        return Misunderstood(self._parameter, detail)


def _is_text(node: exp.Expr) -> bool:
    inner = node.unnest()
    return isinstance(inner, exp.Literal) and inner.is_string


def _called(node: exp.Expr) -> str:
    name = node.this if isinstance(node, exp.Anonymous) and isinstance(node.this, str) else type(node).__name__
    return f"{name[:40]!r}"
