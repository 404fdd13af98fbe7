"""GTFS: one table of the zip, read like any CSV. UTF-8 and comma are the specification's, others can be declared.

Times such as `25:10:00`, after midnight of a service day, are no times of a clock: their field is a string. Dates are
`20261231`: their field has the format `%Y%m%d`.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

import duckdb

from odpipeline.conform import delimited
from odpipeline.conform.containers import Bounded, Member, of_zip, open_zip, told
from odpipeline.conform.delivered import Delivered
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import GtfsSource
from odpipeline.errors import ConformError


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The declared table as text columns.

    Raises: ConformError when the zip is broken or hostile, or has no such table.
    """
    target = folder / "table.csv"
    with told(dataset), open_zip(path) as bundle, target.open("wb") as plain:
        table = _table(list(of_zip(bundle, dataset)), dataset)
        table.write(cast("IO[bytes]", Bounded(plain, dataset.source.max_bytes, dataset)))
    said = {"encoding": dataset.format.encoding or "utf-8", "delimiter": dataset.format.delimiter or ","}
    form = dataset.format.model_copy(update=said)
    return delimited.read(connection, target, dataset.model_copy(update={"format": form}), folder)


def _table(members: list[Member], dataset: Dataset) -> Member:
    """The table's file, which stands at the root of the zip."""
    table = cast("GtfsSource", dataset.source).table
    found = [member for member in members if member.name == f"{table}.txt"]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConformError(
            f"the GTFS zip has {table}.txt more than once",
            where=dataset.place("source"),
            mend="ask its producer which one is right",
        )
    there = sorted(m.name[:-4] for m in members if m.name.endswith(".txt") and m.name[:-4].isidentifier())
    raise ConformError(
        f"the GTFS zip has no table {table}",
        where=dataset.place("source", "table"),
        mend=f"it has: {', '.join(there[:60]) or 'none at its root'}; optional tables come and go with the producer",
    )
