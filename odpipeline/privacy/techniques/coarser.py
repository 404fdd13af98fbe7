"""Generalise: bands of numbers, parts of dates, beginnings of codes, squares of points, levels of hierarchies."""

from __future__ import annotations

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Generalise
from odpipeline.duck import quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy import hierarchies
from odpipeline.privacy.builtin_ladders import LADDERS
from odpipeline.privacy.techniques.grid import squared


def generalise(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Generalise, rows: str
) -> str:
    """The expression that makes `column` coarser; missing values stay missing.

    `rows` is the relation that holds the column: a hierarchy must know every value of it.
    Raises: PrivacyError when it does not.
    """
    name = quote(column)
    if (width := technique.bands) is not None:
        low = f"CAST(floor({name} / {width}) * {width} AS BIGINT)"
        return f"({low} || '-' || ({low} + {width - 1}))"
    if technique.date is not None:
        return _date_part(name, technique.date)
    if technique.prefix is not None:
        return f"left(CAST({name} AS VARCHAR), {technique.prefix})"
    if technique.grid is not None:
        return squared(connection, dataset, column, technique, rows)
    return _by_hierarchy(connection, dataset, column, technique, rows)


def _date_part(name: str, part: str) -> str:
    if part == "year":
        return f"CAST(year({name}) AS INTEGER)"
    if part == "month":
        return f"strftime({name}, '%Y-%m')"
    return f"(year({name}) || '-T' || quarter({name}))"


def _by_hierarchy(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Generalise, rows: str
) -> str:
    where = dataset.place("privacy", "columns", column)
    table, hierarchy = f"hierarchy_{column}", str(technique.hierarchy)
    hierarchies.ladder(connection, dataset.root, hierarchy, table, rows, column, where=where)
    if unknown := hierarchies.outside(connection, table, rows, column):
        remedy = "correct them in the source system"
        raise PrivacyError(
            f"{unknown} rows hold a value of {column} that {hierarchy} does not know",
            where=where,
            mend=remedy if hierarchy in LADDERS else f"add the missing leaves to the hierarchy, or {remedy}",
        )
    rung = f"level_{int(technique.level)}" if technique.level else "leaf"
    return f"(SELECT any_value(h.{rung}) FROM {quote(table)} h WHERE h.leaf = CAST(r.{quote(column)} AS VARCHAR))"
