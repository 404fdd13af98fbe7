"""Generalise: bands of numbers, parts of dates, beginnings of codes, levels of hierarchies."""

from __future__ import annotations

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Generalise
from odpipeline.duck import quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy import hierarchies


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
    table = f"hierarchy_{column}"
    file = dataset.root / str(technique.hierarchy)
    hierarchies.load(connection, file, int(technique.level), table, where=where)
    if unknown := hierarchies.outside(connection, table, rows, column):
        raise PrivacyError(
            f"{unknown} rows hold a value of {column} that {technique.hierarchy} does not know",
            where=where,
            mend="add the missing leaves to the hierarchy, or correct the values in the source system",
        )
    return f"(SELECT any_value(h.coarse) FROM {quote(table)} h WHERE h.leaf = CAST(r.{quote(column)} AS VARCHAR))"
