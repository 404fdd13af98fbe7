"""Ladders of generalisation: a file with one line a leaf, or a built-in one.

A file is `leaf;level 1;level 2…`, UTF-8, no header (the form ARX reads).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from odpipeline.duck import literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy.builtin_ladders import LADDERS


def ladder(
    connection: duckdb.DuckDBPyConnection, root: Path, hierarchy: str, name: str, rows: str, column: str, *, where: str
) -> None:
    """Make the table `name` (leaf, level_1, level_2… VARCHAR) on `connection` from all levels of `hierarchy`.

    `hierarchy` is a file below `root` or a built-in one; of the latter, the leaves are all there are, or where they
    cannot be counted the values of `column` in `rows` (SQL after FROM) that are on the ladder.
    Raises: PrivacyError when the file cannot be read or gives a leaf twice; duckdb.Error.
    """
    if hierarchy in LADDERS:
        _builtin(connection, hierarchy, name, rows, column)
        return
    file = root / hierarchy
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS SELECT * FROM read_csv("
            f"{literal(file)}, delim=';', header=false, all_varchar=true, quote='\"', nullstr='\\N')"
        )
        found = connection.execute(f"DESCRIBE {quote(name)}").fetchall()
        for level, (old, *_) in enumerate(found):
            new = f"level_{level}" if level else "leaf"
            connection.execute(f"ALTER TABLE {quote(name)} RENAME COLUMN {quote(old)} TO {new}")
    except duckdb.Error as error:
        raise PrivacyError(
            f"the hierarchy {file.name} cannot be read",
            where=where,
            mend="each line is a leaf and its ever coarser values, separated by semicolons, as many on every line",
        ) from error
    twice = connection.execute(f"SELECT count(*) - count(DISTINCT leaf) FROM {quote(name)}").fetchone()
    if twice and twice[0]:
        raise PrivacyError(
            f"the hierarchy {file.name} gives {twice[0]} leaves twice", where=where, mend="give each leaf one line"
        )


def _builtin(connection: duckdb.DuckDBPyConnection, hierarchy: str, name: str, rows: str, column: str) -> None:
    said = LADDERS[hierarchy]
    present = f"(SELECT DISTINCT CAST({quote(column)} AS VARCHAR) AS leaf FROM {rows})"
    levels = ", ".join(f"CAST({sql} AS VARCHAR) AS level_{n}" for n, sql in enumerate(said.levels, start=1))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS "
        f"SELECT leaf, {levels} FROM (SELECT leaf FROM {said.domain or present} WHERE {said.valid})"
    )


def outside(connection: duckdb.DuckDBPyConnection, name: str, rows: str, column: str) -> int:
    """How many rows of the relation `rows` hold a value of `column` that the hierarchy `name` does not know."""
    found = connection.execute(
        f"SELECT count(*) FROM {rows} r WHERE r.{quote(column)} IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {quote(name)} h WHERE h.leaf = CAST(r.{quote(column)} AS VARCHAR))"
    ).fetchone()
    return int(found[0]) if found else 0
