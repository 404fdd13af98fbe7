"""What Great Expectations asks, as SQL for DuckDB: one aggregate for each metric, so that one scan answers many.

Tables tell how a metric is had: `FAILING` (the condition of a failing row, counted in the one scan of all rows),
`SCANNED` (any aggregate of that scan), `GROUPED` (from the counts of equal values; each set of columns is grouped
once), `KNOWN` (from the columns' names and types alone). Answers agree with Great Expectations on pandas, whose
handling of missing values is followed. Bounds, lists and patterns come from declarations; no value of a cell ever
enters a statement.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from odpipeline.duck import literal, quote
from odpipeline.quality.across import ACROSS, RowRule, across_metric
from odpipeline.quality.french import FRENCH, condition, metric

Expression = ColumnElement[Any]


class ColumnMissing(Exception):
    """The rows have no column of that name."""


@dataclass(frozen=True)
class Asked:
    """One metric as Great Expectations asks for it; `types` maps the columns there are to their DuckDB types."""

    domain: Mapping[str, Any]
    value: Mapping[str, Any]
    types: Mapping[str, str]

    def column(self, key: str = "column") -> Expression:
        """The column that the domain names.

        Raises: ColumnMissing.
        """
        return self._known(self.domain[key])

    def columns(self) -> list[Expression]:
        """The columns of `column_list`.

        Raises: ColumnMissing.
        """
        return [self._known(name) for name in self.domain["column_list"]]

    def type(self) -> str:
        """The DuckDB type of the domain's column.

        Raises: ColumnMissing.
        """
        self.column()
        return self.types[self.domain["column"]]

    def _known(self, name: str) -> Expression:
        if name not in self.types:
            raise ColumnMissing
        return sa.column(name)


@dataclass(frozen=True)
class Grouping:
    """Rows counted by equal values of `columns`, those for which `considered` does not hold left out."""

    columns: tuple[str, ...]
    considered: Expression

    @property
    def key(self) -> tuple[tuple[str, ...], str]:
        """Equal for groupings with the same answer."""
        return self.columns, str(self.considered)

    def select(self, rows: sa.FromClause) -> sa.Select[Any]:
        """One row: different values, rows whose value stands more than once, rows."""
        named: list[Expression] = [sa.column(name) for name in self.columns]
        size = sa.func.count().label("size")
        groups = sa.select(size).select_from(rows).where(self.considered).group_by(*named).subquery("groups")
        again = sa.func.coalesce(sa.func.sum(groups.c.size).filter(groups.c.size > 1), 0)
        return sa.select(sa.func.count(), again, sa.func.coalesce(sa.func.sum(groups.c.size), 0)).select_from(groups)


def _rows(condition: Expression) -> Expression:
    return sa.func.count().filter(condition)


def _present(asked: Asked) -> Expression:
    return sa.func.count(asked.column())


def _within(measured: Expression, value: Mapping[str, Any], convert: Callable[[Any], Any]) -> Expression:
    conditions = []
    if (low := value.get("min_value")) is not None:
        low = convert(low)
        conditions.append(measured > low if value.get("strict_min") else measured >= low)
    if (high := value.get("max_value")) is not None:
        high = convert(high)
        conditions.append(measured < high if value.get("strict_max") else measured <= high)
    return sa.and_(*conditions)


def _as_cell(value: Any, kind: str) -> Any:
    """A bound or a value of a list in the column's type; see `kinds.as_gx` for the times of day and the months."""
    if isinstance(value, float) and value.is_integer():
        return int(value)  # a whole bound keeps the comparison of whole numbers whole
    if isinstance(value, str):
        return _FROM_TEXT[kind](value) if kind in _FROM_TEXT else value
    if isinstance(value, datetime):
        return value.time() if kind == "TIME" else value
    if isinstance(value, date) and kind == "VARCHAR":
        return value.strftime("%Y-%m")
    return value


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "DATE": date.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
    "TIME": time.fromisoformat,
}


def _outside(asked: Asked) -> Expression:
    kind = asked.type()
    return ~_within(asked.column(), asked.value, lambda bound: _as_cell(bound, kind))


def _text(asked: Asked) -> Expression:
    return asked.column() if asked.type() == "VARCHAR" else sa.cast(asked.column(), sa.VARCHAR)


def _wrong_length(asked: Asked) -> Expression:
    length = sa.func.length(_text(asked))
    if (exact := asked.value.get("value")) is not None:
        return length != int(exact)
    return ~_within(length, asked.value, int)


def _listed(asked: Asked) -> Expression:
    kind = asked.type()
    return asked.column().in_([_as_cell(value, kind) for value in asked.value["value_set"]])


def _matches(asked: Asked) -> Expression:
    return _match(asked, asked.value["regex"])


def _match(asked: Asked, regex: str) -> Expression:
    # A pattern in the text of the statement is compiled once; as a parameter it would be compiled for each row.
    pattern: Expression = sa.literal_column(literal(regex))
    return sa.func.regexp_matches(_text(asked), pattern, type_=sa.Boolean)


def _matches_some(asked: Asked) -> Expression:
    found = [_match(asked, regex) for regex in asked.value["regex_list"]]
    return sa.and_(*found) if asked.value.get("match_on") == "all" else sa.or_(*found)


def _repeats_within(asked: Asked) -> Expression:
    """Two columns of one row hold the same, or nothing both."""
    pairs = itertools.combinations(asked.columns(), 2)
    return sa.and_(_key_considered(asked), sa.or_(*(~first.is_distinct_from(second) for first, second in pairs)))


def _pair_considered(asked: Asked) -> Expression:
    first, second = asked.column("column_A"), asked.column("column_B")
    match asked.domain.get("ignore_row_if"):
        case "either_value_is_missing":
            return sa.and_(first.is_not(None), second.is_not(None))
        case "neither":
            return sa.true()
        case _:
            return sa.or_(first.is_not(None), second.is_not(None))


def _pair_fails(asked: Asked, holds: Expression) -> Expression:
    """A comparison with a missing value does not hold, as in pandas."""
    return sa.and_(_pair_considered(asked), holds.is_not(sa.true()))


def _not_greater(asked: Asked) -> Expression:
    first, second = asked.column("column_A"), asked.column("column_B")
    return _pair_fails(asked, first >= second if asked.value.get("or_equal") else first > second)


def _not_equal(asked: Asked) -> Expression:
    return _pair_fails(asked, asked.column("column_A") == asked.column("column_B"))


def _key_considered(asked: Asked) -> Expression:
    columns = asked.columns()
    match asked.domain.get("ignore_row_if"):
        case "any_value_is_missing":
            return sa.and_(*(column.is_not(None) for column in columns))
        case "never":
            return sa.true()
        case _:
            return sa.or_(*(column.is_not(None) for column in columns))


def _quantiles(asked: Asked) -> Expression:
    """Values that occur (SQL's percentile_disc), as Great Expectations has them from every database."""
    shares = ", ".join(repr(float(share)) for share in asked.value["quantiles"])
    return sa.func.quantile_disc(asked.column(), sa.literal_column(f"[{shares}]"))


def _aggregate(name: str) -> Callable[[Asked], Expression]:
    return lambda asked: getattr(sa.func, name)(asked.column(), type_=sa.types.NullType())


def _share_present(asked: Asked) -> Expression:
    rows: Expression = sa.func.count()
    return sa.func.coalesce(sa.cast(_present(asked), sa.DOUBLE) / sa.func.nullif(rows, 0), 0)


FAILING: dict[str, Callable[[Asked], Expression]] = {
    "column_values.nonnull": lambda asked: asked.column().is_(None),
    "column_values.null": lambda asked: asked.column().is_not(None),
    "column_values.between": _outside,
    "column_values.in_set": lambda asked: ~_listed(asked),
    "column_values.not_in_set": _listed,
    "column_values.match_regex": lambda asked: ~_matches(asked),
    "column_values.not_match_regex": _matches,
    "column_values.match_regex_list": lambda asked: ~_matches_some(asked),
    "column_values.not_match_regex_list": _matches_some,
    "select_column_values.unique.within_record": _repeats_within,
    "column_values.value_length.between": _wrong_length,
    "column_values.value_length.equals": _wrong_length,
    "column_pair_values.a_greater_than_b": _not_greater,
    "column_pair_values.equal": _not_equal,
}
"""Metric of rows → the condition that a failing row meets; where it is unknown (a missing value), the row does not."""


def _invalid(name: str) -> Callable[[Asked], Expression]:
    def fails(asked: Asked) -> Expression:
        column = asked.column()
        said = condition(name, asked.value).replace("{cell}", quote(str(asked.domain["column"])))
        return column.is_not(None) & ~sa.literal_column(f"coalesce({said}, false)", sa.Boolean)

    return fails


FAILING |= {metric(name): _invalid(name) for name in FRENCH}


def _across(rule: RowRule) -> Callable[[Asked], Expression]:
    """A rule of our own over several columns of a row: a condition in DuckDB's SQL."""

    def fails(asked: Asked) -> Expression:
        asked.columns()
        said = rule.fails(list(asked.domain["column_list"]), dict(asked.value), asked.types)
        return sa.literal_column(f"coalesce({said}, false)", sa.Boolean)

    return fails


FAILING |= {across_metric(name): _across(rule) for name, rule in ACROSS.items()}

SCANNED: dict[str, Callable[[Asked], Expression]] = {
    "table.row_count": lambda _: sa.func.count(),
    "column_pair_values.a_greater_than_b.filtered_row_count": lambda asked: _rows(_pair_considered(asked)),
    "column_pair_values.equal.filtered_row_count": lambda asked: _rows(_pair_considered(asked)),
    "select_column_values.unique.within_record.filtered_row_count": lambda asked: _rows(_key_considered(asked)),
    "compound_columns.unique.filtered_row_count": lambda asked: _rows(_key_considered(asked)),
    "column.min": _aggregate("min"),
    "column.max": _aggregate("max"),
    "column.mean": _aggregate("avg"),
    "column.sum": _aggregate("sum"),
    "column.median": _aggregate("median"),
    "column.standard_deviation": _aggregate("stddev_samp"),
    "column.quantile_values": _quantiles,
    "column.non_null_proportion": _share_present,
}
"""Metric → its aggregate in the one scan of all rows."""


def _counted(fails: Callable[[Asked], Expression]) -> Callable[[Asked], Expression]:
    return lambda asked: _rows(fails(asked))


SCANNED |= {f"{name}.unexpected_count": _counted(fails) for name, fails in FAILING.items()}
SCANNED |= {f"{across_metric(name)}.filtered_row_count": lambda _: sa.func.count() for name in ACROSS}


def by_value(asked: Asked) -> Grouping:
    """The grouping that a metric of `GROUPED` is read from.

    Raises: ColumnMissing.
    """
    if "column_list" in asked.domain:
        asked.columns()
        return Grouping(tuple(asked.domain["column_list"]), _key_considered(asked))
    return Grouping((asked.domain["column"],), asked.column().is_not(None))


GROUPED: dict[str, Callable[[int, int, int], int | float]] = {
    "column_values.unique.unexpected_count": lambda _different, again, _rows: again,
    "compound_columns.unique.unexpected_count": lambda _different, again, _rows: again,
    "column.distinct_values.count": lambda different, _again, _rows: different,
    "column.unique_proportion": lambda different, _again, rows: different / rows if rows else 0,
}
"""Metric → how it is read from a grouping's three numbers."""


KNOWN: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "table.columns": list,
    "table.column_count": len,
    "table.column_types": lambda types: [{"name": name, "type": _sa_type(kind)} for name, kind in types.items()],
}
"""Metric → how it is read from the columns' names and DuckDB types."""

SAMPLES = (".unexpected_values", ".unexpected_rows", ".unexpected_index_list", ".unexpected_index_query")
"""The ends of the names of metrics that would fetch cells: they are always empty."""


def _sa_type(kind: str) -> Any:
    return getattr(sa, kind, sa.types.NullType)()
