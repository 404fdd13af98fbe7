"""GTFS: one table of the zip, read like any CSV. UTF-8 and comma are the specification's, others can be declared.

Times such as `25:10:00`, after midnight of a service day, are no times of a clock: their field is a string. Dates are
`20261231`: their field has the format `%Y%m%d`.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import duckdb

from odpipeline.conform import containers, delimited
from odpipeline.conform.delivered import Delivered
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import GtfsSource
from odpipeline.errors import ConformError


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The declared table as text columns.

    Raises: ConformError when the zip is broken or hostile, or has no such table.
    """
    table, target = cast("GtfsSource", dataset.source).table, folder / "table.csv"

    def chosen(names: list[str]) -> dict[str, Path]:
        if f"{table}.txt" not in names:
            raise _missing(table, names, dataset)
        return {f"{table}.txt": target}

    containers.write(path, dataset, chosen)
    said = {"encoding": dataset.format.encoding or "utf-8", "delimiter": dataset.format.delimiter or ","}
    form = dataset.format.model_copy(update=said)
    return delimited.read(connection, target, dataset.model_copy(update={"format": form}), folder)


def _missing(table: str, names: list[str], dataset: Dataset) -> ConformError:
    there = sorted(name[:-4] for name in names if name.endswith(".txt") and name[:-4].isidentifier())
    return ConformError(
        f"the GTFS zip has no table {table}",
        where=dataset.place("source", "table"),
        mend=f"it has: {', '.join(there[:60]) or 'none at its root'}; optional tables come and go with the producer",
    )
