"""Generalisation files: one line a leaf, `leaf;level 1;level 2…`, UTF-8, no header (the form ARX reads)."""

from __future__ import annotations

from pathlib import Path

import duckdb

from odpipeline.duck import literal, quote
from odpipeline.errors import PrivacyError


def load(connection: duckdb.DuckDBPyConnection, file: Path, level: int, name: str, *, where: str) -> None:
    """Make the table `name` (leaf VARCHAR, coarse VARCHAR) on `connection` from `level` (1 = just above the leaf).

    Raises: PrivacyError when the file cannot be read, has no such level, or gives one leaf twice.
    """
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS SELECT #1 AS leaf, #{level + 1} AS coarse FROM read_csv("
            f"{literal(file)}, delim=';', header=false, all_varchar=true, quote='\"', nullstr='\\N')"
        )
    except duckdb.Error as error:
        raise PrivacyError(
            f"the hierarchy {file.name} cannot be read up to level {level}",
            where=where,
            mend="each line is a leaf and its ever coarser values, separated by semicolons, as many on every line",
        ) from error
    twice = connection.execute(
        f"SELECT count(*) FROM (SELECT leaf FROM {quote(name)} GROUP BY leaf HAVING count(DISTINCT coarse) > 1)"
    ).fetchone()
    if twice and twice[0]:
        raise PrivacyError(
            f"the hierarchy {file.name} generalises {twice[0]} leaves in two ways",
            where=where,
            mend="give each leaf one line",
        )


def ladder(connection: duckdb.DuckDBPyConnection, file: Path, name: str, *, where: str) -> None:
    """Make the table `name` (leaf, level_1, level_2… VARCHAR) on `connection` from all levels of `file`.

    Raises: PrivacyError when the file cannot be read.
    """
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS SELECT * FROM read_csv("
            f"{literal(file)}, delim=';', header=false, all_varchar=true, quote='\"', nullstr='\\N')"
        )
        found = connection.execute(f"DESCRIBE {quote(name)}").fetchall()
        for level, (column, *_) in enumerate(found):
            new = f"level_{level}" if level else "leaf"
            connection.execute(f"ALTER TABLE {quote(name)} RENAME COLUMN {quote(column)} TO {new}")
    except duckdb.Error as error:
        raise PrivacyError(
            f"the hierarchy {file.name} cannot be read",
            where=where,
            mend="each line is a leaf and its ever coarser values, separated by semicolons, as many on every line",
        ) from error


def outside(connection: duckdb.DuckDBPyConnection, name: str, rows: str, column: str) -> int:
    """How many rows of the relation `rows` hold a value of `column` that the hierarchy `name` does not know."""
    found = connection.execute(
        f"SELECT count(*) FROM {rows} r WHERE r.{quote(column)} IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {quote(name)} h WHERE h.leaf = CAST(r.{quote(column)} AS VARCHAR))"
    ).fetchone()
    return int(found[0]) if found else 0
