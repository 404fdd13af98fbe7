"""GTFS: one table of the zip, read like any CSV. UTF-8 and comma are the specification's, others can be declared.

Times such as `25:10:00`, after midnight of a service day, are no times of a clock: their field is a string. Dates are
`20261231`: their field has the format `%Y%m%d`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import cast

import duckdb

from odpipeline.conform import delimited
from odpipeline.conform.delivered import Delivered
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import GtfsSource
from odpipeline.errors import ConformError

_CHUNK_BYTES = 1 << 18
_BOMB_BYTES, _BOMB_RATIO = 50_000_000, 300
"""From how many bytes on, and beyond which ratio, a table is a bomb: timetables compress up to 1:30."""
_MOST_AT_ONCE_BYTES = 1 << 20
_ENCRYPTED = 1


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The declared table as text columns.

    Raises: ConformError when the zip is broken or has no such table.
    """
    table = cast("GtfsSource", dataset.source).table
    target = folder / "table.csv"
    try:
        with _Modest(path) as file, zipfile.ZipFile(file) as bundle:
            _copy(bundle, _member(bundle, table, dataset), target, dataset)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # our disk, not their file
        raise ConformError(
            "the GTFS zip is broken, or was packed in a way that cannot be read",
            where=dataset.place("source"),
            mend="ask for it again; have it packed as a plain zip",
        ) from None
    said = {"encoding": dataset.format.encoding or "utf-8", "delimiter": dataset.format.delimiter or ","}
    form = dataset.format.model_copy(update=said)
    return delimited.read(connection, target, dataset.model_copy(update={"format": form}), folder)


class _Modest(io.FileIO):
    """A file that is not read by more than a mebibyte at once: a zip lists its members in one piece of any length."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MOST_AT_ONCE_BYTES:
            raise zipfile.BadZipFile
        return super().read(-1 if size is None else size)


def _member(bundle: zipfile.ZipFile, table: str, dataset: Dataset) -> zipfile.ZipInfo:
    """The table's file, which stands at the root of the zip. No name in it is ever used as a path of ours."""
    found = [member for member in bundle.infolist() if member.filename == f"{table}.txt"]
    if len(found) == 1 and not found[0].flag_bits & _ENCRYPTED:
        return found[0]
    if found:
        raise ConformError(
            f"the GTFS zip has {table}.txt " + ("encrypted" if len(found) == 1 else "more than once"),
            where=dataset.place("source"),
            mend="ask its producer for a plain zip",
        )
    there = sorted(name[:-4] for name in bundle.namelist() if name.endswith(".txt") and name[:-4].isidentifier())
    raise ConformError(
        f"the GTFS zip has no table {table}",
        where=dataset.place("source", "table"),
        mend=f"it has: {', '.join(there[:60]) or 'none at its root'}; optional tables come and go with the producer",
    )


def _copy(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, dataset: Dataset) -> None:
    size = 0
    with bundle.open(member) as packed, target.open("wb") as plain:
        while chunk := packed.read(_CHUNK_BYTES):
            size += len(chunk)
            bomb = size > _BOMB_BYTES and size > _BOMB_RATIO * member.compress_size
            if bomb or size > dataset.source.max_bytes:
                bound = f"{_BOMB_RATIO} times its size" if bomb else f"{dataset.source.max_bytes:,} bytes"
                raise ConformError(
                    f"the table unpacks to more than {bound}",
                    where=dataset.place("source"),
                    mend="ask its producer what it is" + ("" if bomb else "; raise `max_bytes` if it is right"),
                )
            plain.write(chunk)
