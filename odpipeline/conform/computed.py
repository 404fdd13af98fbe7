"""Fields that are not delivered: computed from others of the same row, or looked up in a reference of the town."""

from __future__ import annotations

import duckdb

from odpipeline.conform.casting import DUCK_TYPES
from odpipeline.declaration import formulas
from odpipeline.declaration.dataset import Dataset, Lookup, TableField
from odpipeline.duck import literal, quote
from odpipeline.errors import ConformError


def with_computed(connection: duckdb.DuckDBPyConnection, rows: str, dataset: Dataset) -> str:
    """`rows`, SQL of a SELECT of `_row` and the delivered fields, with the computed fields, all in declared order.

    A computation that fails, or gives no finite number, gives a missing value.
    Raises: ConformError when a reference table cannot be read or knows a key twice.
    """
    computed = [field for field in dataset.fields if field.derive or field.lookup]
    if not computed:
        return rows
    for place, field in enumerate(computed):
        if field.derive:
            rows = f"SELECT *, {_formula(field, field.derive)} AS {quote(field.name)} FROM ({rows})"
        elif field.lookup:
            table = f"lookup_{place}"
            _load(connection, table, field.lookup, dataset)
            rows = (
                f"SELECT r.*, {_typed('l.value', field)} AS {quote(field.name)} FROM ({rows}) r "
                f"LEFT JOIN {table} l ON l.key = CAST(r.{quote(field.lookup.on)} AS VARCHAR)"
            )
    return f"SELECT _row, {', '.join(quote(field.name) for field in dataset.fields)} FROM ({rows})"


def _formula(field: TableField, formula: str) -> str:
    return _typed(formulas.spelled(formula), field)


def _typed(expression: str, field: TableField) -> str:
    typed = f"TRY(CAST({expression} AS {DUCK_TYPES[field.type]}))"
    return f"CASE WHEN isfinite({typed}) THEN {typed} END" if field.type == "number" else typed


def _load(connection: duckdb.DuckDBPyConnection, table: str, lookup: Lookup, dataset: Dataset) -> None:
    relation = f"read_csv({literal(dataset.root / lookup.file)}, all_varchar=true, header=true)"
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {quote(lookup.key)} AS key, "
            f"{quote(lookup.value)} AS value FROM {relation} WHERE {quote(lookup.key)} IS NOT NULL"
        )
    except duckdb.Error as error:
        raise ConformError(
            f"the reference table {lookup.file} cannot be read ({type(error).__name__})",
            where=dataset.place("fields"),
            mend="it is a CSV file in UTF-8 with a header",
        ) from None
    twice = connection.execute(f"SELECT count(*) - count(DISTINCT key) FROM {table}").fetchone()
    if twice and twice[0]:
        raise ConformError(
            f"the reference table {lookup.file} knows {twice[0]} keys twice",
            where=dataset.place("fields"),
            mend=f"each value of {lookup.key} stands in it once: correct the file",
        )
