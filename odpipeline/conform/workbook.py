"""Workbooks (xlsx, xls, ods): one sheet as text, header over one or several rows, blank rows left out."""

from __future__ import annotations

from pathlib import Path

import duckdb
import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

from odpipeline.conform.delivered import ERROR_CELL, Delivered, header, unnamed
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import quote
from odpipeline.errors import ConformError


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, _folder: Path) -> Delivered:
    """The declared sheet, or the first one; row numbers count the rows after the header.

    Raises: ConformError when the workbook is broken or has no such sheet.
    """
    try:
        book = fastexcel.read_excel(path)
        name = dataset.format.sheet or book.sheet_names[0]
        if name not in book.sheet_names:
            raise ConformError(
                f"the workbook has no sheet {name!r}",
                where=dataset.place("format", "sheet"),
                mend=f"its sheets are: {', '.join(book.sheet_names)}",
            )
        cells = _cells(book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string"))
    except fastexcel.FastExcelError:
        raise ConformError(
            "the workbook cannot be read", where=dataset.place("source"), mend="open it and save it again as xlsx"
        ) from None
    first, rows = dataset.format.header_row - 1, dataset.format.header_rows
    top = [list(row.values()) for row in cells.slice(first, rows).to_pylist()]
    names = header(top, dataset)
    body = cells.slice(first + rows).rename_columns([f"c{n}" for n in range(cells.num_columns)])
    connection.register("workbook", body)
    filled = ", ".join(quote(column) for column in body.column_names) or "NULL"
    relation = (
        f"(SELECT * FROM (SELECT row_number() OVER () AS _row, * FROM workbook) WHERE coalesce({filled}) IS NOT NULL)"
    )
    columns = {name: quote(f"c{n}") for n, name in enumerate(names) if name}
    for place, name in enumerate(names):
        if not name and body.column(place).null_count < body.num_rows:
            columns[unnamed(place)] = quote(f"c{place}")
    return Delivered(relation, columns, native=True)


def _cells(sheet: fastexcel.ExcelSheet) -> pa.Table:
    """The sheet's cells as text; where it says #DIV/0! or #N/A stands `ERROR_CELL`, which no field can read."""
    batch, errors = sheet.to_arrow_with_errors()
    table = pa.Table.from_batches([batch])
    broken: dict[int, set[int]] = {}
    for error in errors.errors if errors else ():
        row, column = error.offset_position
        broken.setdefault(column, set()).add(row)
    for column, rows in broken.items():
        mask = pa.array([row in rows for row in range(table.num_rows)])
        marked = pc.if_else(mask, ERROR_CELL, table.column(column))
        table = table.set_column(column, table.column_names[column], marked)
    return table
