"""Parquet, as the database sources deliver it: every column as text, to be typed like any other delivery."""

from __future__ import annotations

from pathlib import Path

import duckdb

from odpipeline.conform.delivered import Delivered, unreadable
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import literal, quote


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, _folder: Path) -> Delivered:
    """The rows in the order of the file.

    Raises: ConformError when the file is broken.
    """
    try:
        names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {_rows(path)}").fetchall()]
    except duckdb.Error as error:
        raise unreadable(error, "Parquet", dataset) from None
    relation = f"(SELECT row_number() OVER () AS _row, * FROM {_rows(path)})"
    return Delivered(relation, {name: f"CAST({quote(name)} AS VARCHAR)" for name in names}, native=True)


def _rows(path: Path) -> str:
    return f"read_parquet({literal(path)})"
