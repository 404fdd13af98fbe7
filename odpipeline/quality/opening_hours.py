"""Opening hours in OpenStreetMap's words (wiki.openstreetmap.org/wiki/Key:opening_hours), as a function in DuckDB.

The grammar is too rich for a condition in SQL: the library that Validata also asks reads each different text of a batch
once.
"""

from __future__ import annotations

from contextlib import suppress

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import PythonUDFType
from duckdb.sqltypes import BOOLEAN, VARCHAR

from odpipeline.quality.french import OPENING_HOURS

_LONGEST = 1000
"""A longer text is none: the reader's time grows with it."""


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `OPENING_HOURS` known to `connection`."""
    text, truth, arrow = VARCHAR, BOOLEAN, PythonUDFType.ARROW
    with suppress(duckdb.CatalogException):  # the instance may have served before
        connection.create_function(OPENING_HOURS, _valid, [text], truth, type=arrow)


def _valid(cells: pa.ChunkedArray) -> pa.Array:
    import opening_hours  # needed by few datasets

    whole = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    different = pc.dictionary_encode(whole)
    read = [len(text) <= _LONGEST and bool(opening_hours.validate(text)) for text in different.dictionary.to_pylist()]
    return pa.array(read, pa.bool_()).take(different.indices)
