"""Reads one geographic file with GDAL in a process of its own, which a damaged file may crash: it takes nothing along.

Asked on standard input, in JSON: `file`, `arguments` (of ST_Read), `target` (the Parquet file: attributes as text,
geometries as WKB), `memory_limit`. What there was, [name, type] of each column, is answered on standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from odpipeline.duck import DuckSettings, connect, literal, quote, spatial


def read(asked: dict[str, Any]) -> list[tuple[str, str]]:
    """Write the rows of `file`, by the one driver that `arguments` allow: the locks of DuckDB do not bind GDAL."""
    folder = Path(asked["file"]).parent
    with connect(DuckSettings(asked["memory_limit"], 1, folder)) as connection:
        spatial(connection)
        connection.execute(f"SET allowed_directories = [{literal(folder)}]; SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        rows = f"ST_Read({literal(asked['file'])}, {asked['arguments']})"
        columns = [(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()]
        cells = ", ".join(
            (f"ST_AsWKB({quote(name)})" if kind.startswith("GEOMETRY") else f"CAST({quote(name)} AS VARCHAR)")
            + f" AS {quote(name)}"
            for name, kind in columns
        )
        connection.execute(
            f"COPY (SELECT row_number() OVER () AS _row, {cells} FROM {rows}) TO {literal(asked['target'])} "
            "(FORMAT parquet, COMPRESSION lz4_raw)"
        )
    return columns


if __name__ == "__main__":
    print(json.dumps(read(json.load(sys.stdin))))
