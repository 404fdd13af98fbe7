"""Anonymised rows → a complete release, still private, with its content hash.

The rows come as `published.write` wrote them, and their Parquet is published as it is; the CSV is read back from it
in its order. Cells that need a different spelling are counted first, column by column, so that the columns that need
none pay for none.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.duck import DuckSettings, connect, literal, no_room, quote
from odpipeline.errors import StoreError
from odpipeline.store import formats, layout
from odpipeline.store.measuring import Growing, stored
from odpipeline.store.package import LICENCES, about, data_package, table_schema
from odpipeline.store.releases import StoredFile

_BOM = "\ufeff"
_RUN_BY_SPREADSHEETS = "=+-@\t\r\n"
_SIGNS = [ord(sign) for sign in _RUN_BY_SPREADSHEETS]
_CODES = ", ".join(map(str, _SIGNS))
_CSV = "FORMAT csv, HEADER true, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NEW_LINE '\\r\\n', DATEFORMAT '%Y-%m-%d'"
_SECONDS, _MICROSECONDS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class StagedFacts:
    """What the stages before know and the release says: hashes, counts, times in UTC, summaries without values."""

    capture_sha256: str
    code_version: str
    data_date: datetime | None
    privacy: Mapping[str, Any]
    lineage: Mapping[str, Any]
    rows_in: int
    quarantined: int
    why: str


@dataclass(frozen=True)
class Staged:
    """A release that waits at the gate, in the private zone. `folder` holds `files` and `changes`, and nothing else.

    `content_hash`: see `layout`. `about` and `schema` are what it covers besides the CSV; `facts` go to `release.json`.
    `changes` are further files that say what changed since the current release, and `difference` the counts of it;
    neither belongs to the content.
    """

    dataset: str
    folder: Path
    content_hash: str
    rows: int
    columns: tuple[str, ...]
    files: tuple[StoredFile, ...]
    parquet: Path
    csv: Path
    about: Mapping[str, Any] = field(repr=False)
    schema: Mapping[str, Any] = field(repr=False)
    facts: StagedFacts = field(repr=False)
    changes: tuple[StoredFile, ...] = ()
    difference: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Spelling:
    """What a look at the anonymised rows found: the columns with cells that need more than their native spelling."""

    neutralised: frozenset[str]
    fractions: bool


def stage(
    parquet: Path, dataset: Dataset, town: Town, folder: Path, duck: DuckSettings, *, facts: StagedFacts
) -> Staged:
    """Write the files of the release made of `parquet` to `folder/staged`; what an earlier run left there goes.

    `parquet` holds the published columns, written by `published.write`.
    Raises: StoreError when a column is missing, unknown, or holds what cannot be published, or when the disk is full.
    """
    target = folder / "staged"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    sorted_rows, csv = target / f"{dataset.id}.parquet", target / f"{dataset.id}.csv"
    try:
        with connect(duck) as connection:
            types = _types(connection, parquet, dataset)
            shutil.copyfile(parquet, sorted_rows)
            rows = _count(connection, sorted_rows)
            files = write_files(connection, sorted_rows, csv, types, dataset)
        described, schema = about(dataset, town), table_schema(dataset, types)
        covered = layout.canonical({"about": described, "schema": schema, "csv": files[0].sha256})
        package = target / layout.PACKAGE
        package.write_bytes(layout.readable(data_package(dataset.id, described, schema, files, town)))
        described_csv = target / f"{dataset.id}.csv-metadata.json"
        licence = LICENCES.get(described["licence"], (None, None))[1]
        described_csv.write_bytes(layout.readable(formats.csvw(dataset.id, described, schema, licence)))
    except (duckdb.Error, OSError) as error:
        raise _stopped(error) from None
    return Staged(
        dataset.id, target, hashlib.sha256(covered).hexdigest(), rows, tuple(f.name for f in dataset.published_fields),
        (*files, stored(package), stored(described_csv)), sorted_rows, csv, described, schema, facts,
    )  # fmt: skip


def _types(connection: duckdb.DuckDBPyConnection, parquet: Path, dataset: Dataset) -> dict[str, str]:
    """Published column → DuckDB type; exactly the published columns are there, or nothing is staged."""
    found = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {_rows(parquet)}").fetchall()}
    published = [f.name for f in dataset.published_fields]
    where = dataset.place("fields")
    if missing := [name for name in published if name not in found]:
        raise StoreError(f"the anonymised rows lack the columns {', '.join(missing)}", where=where,
                         mend="this is a fault of odpipeline: report it")  # fmt: skip
    if strangers := [name for name in found if name not in published]:
        raise StoreError(f"the anonymised rows hold columns that are not published: {', '.join(strangers)}",
                         where=where, mend="this is a fault of odpipeline: report it")  # fmt: skip
    if run := [name for name in published if name[0] in _RUN_BY_SPREADSHEETS]:
        raise StoreError(f"a spreadsheet would run the column names {', '.join(run)}", where=where,
                         mend="rename the fields, and give the delivered name as `source`")  # fmt: skip
    return {name: found[name] for name in published}


def _look(
    connection: duckdb.DuckDBPyConnection, parquet: Path, dataset: Dataset, types: Mapping[str, str]
) -> _Spelling:
    """One query over the anonymised rows; each condition reads its own column only, most row groups by statistics."""
    conditions: list[tuple[str, str, str]] = []
    for name, type_ in types.items():
        cell = quote(name)
        if type_ == "VARCHAR":
            between = f"{cell} >= chr({min(_SIGNS)}) AND {cell} < chr({max(_SIGNS) + 1})"  # for the statistics
            conditions.append(("neutralised", name, f"{between} AND ascii({cell}) IN ({_CODES})"))
        elif type_ == "DOUBLE":
            conditions.append(("refused", name, f"NOT isfinite({cell})"))
        elif type_ in ("DATE", "TIMESTAMP"):
            conditions.append(("refused", name, f"{cell} < DATE '0001-01-01' OR {cell} >= DATE '10000-01-01'"))
        if type_ == "TIMESTAMP":
            conditions.append(("fractions", name, f"isfinite({cell}) AND epoch_us({cell}) % 1000000 <> 0"))
    counts = [f"(SELECT count(*) FROM {_rows(parquet)} WHERE {condition})" for _, _, condition in conditions]
    found = connection.execute(f"SELECT {', '.join(counts)}").fetchone() if counts else ()
    hits = [(what, name, n) for (what, name, _), n in zip(conditions, found or (), strict=True) if n]
    for what, name, n in hits:
        if what == "refused":
            raise StoreError(
                f"{n} cells of {name} are infinite, no number, or no date of the years 1 to 9999",
                where=dataset.place("fields"),
                mend="refuse them at the source, or with a minimum and a maximum in the field's constraints",
            )
    return _Spelling(
        frozenset(name for what, name, _ in hits if what == "neutralised"),
        any(what == "fractions" for what, _, _ in hits),
    )


def _count(connection: duckdb.DuckDBPyConnection, parquet: Path) -> int:
    found = connection.execute(f"SELECT count(*) FROM {_rows(parquet)}").fetchone()
    return int(found[0]) if found else 0


def write_files(
    connection: duckdb.DuckDBPyConnection, parquet: Path, csv: Path, types: Mapping[str, str], dataset: Dataset
) -> list[StoredFile]:
    """Write `csv`, and the further files beside it, from `parquet`, whose columns have the DuckDB `types`.

    All of them, the CSV and then the Parquet first. Each is hashed while the next is written, and the CSV, the longest,
    hashed and compressed while it is being written itself.
    Raises: StoreError when something cannot be published; duckdb.Error; OSError.
    """
    with ThreadPoolExecutor(3) as hands:
        whole = hands.submit(stored, parquet)
        with Growing(csv, hands, formats.packed_from(dataset)) as growing:
            _write_csv(connection, parquet, csv, types, dataset)
        further = [hands.submit(stored, path) for path in formats.further(connection, parquet, dataset, types)]
        parts = [hands.submit(stored, path) for path in formats.parted(connection, parquet, dataset, types)]
        packed = [file] if (file := growing.packed()) else []
        return [
            growing.stored(), whole.result(), *(one.result() for one in further), *packed,
            *(one.result() for one in parts),
        ]  # fmt: skip


def _write_csv(
    connection: duckdb.DuckDBPyConnection, source: Path, target: Path, types: Mapping[str, str], dataset: Dataset
) -> None:
    """Write the rows of the Parquet `source`, whose columns have the DuckDB `types`, as the CSV of `layout`.

    Raises: StoreError when a cell cannot be published.
    """
    spelling, names = _look(connection, source, dataset, types), list(types)
    stamp = _MICROSECONDS if spelling.fractions else _SECONDS
    chosen = [f"{_text(name, spelling)} AS {quote(name)}" for name in names]
    relation = f"SELECT {', '.join(chosen)} FROM {_rows(source)}"
    if len(names) == 1:
        relation = _never_blank(connection, relation, names[0], stamp)
    if dataset.formats.bom:  # as the beginning of the first name, which is the beginning of the file
        renamed = ", ".join(f"{quote(name)} AS {quote(_BOM * (n == 0) + name)}" for n, name in enumerate(names))
        relation = f"SELECT {renamed} FROM ({relation})"
    connection.execute(f"COPY ({relation}) TO {literal(target)} ({_CSV}, TIMESTAMPFORMAT {literal(stamp)})")


def _text(name: str, spelling: _Spelling) -> str:
    cell = quote(name)
    if name not in spelling.neutralised:
        return cell
    return f"CASE WHEN ascii({cell}) IN ({_CODES}) THEN '''' || {cell} ELSE {cell} END"


def _never_blank(connection: duckdb.DuckDBPyConnection, relation: str, name: str, stamp: str) -> str:
    """With one column a missing value would be a blank line, which readers skip: it is written as `""` instead."""
    [(_, type_, *_)] = connection.execute(f"DESCRIBE {relation}").fetchall()
    cell = quote(name)
    text = f"strftime({cell}, {literal(stamp)})" if type_ == "TIMESTAMP" else f"CAST({cell} AS VARCHAR)"
    return f"SELECT coalesce({text}, '') AS {quote(name)} FROM ({relation})"


def _rows(parquet: Path) -> str:
    return f"read_parquet({literal(parquet)})"


def _stopped(error: duckdb.Error | OSError) -> StoreError:
    """DuckDB's refusal, or that of the disk, in our words; DuckDB's own may hold a cell."""
    if no_room(error):
        return StoreError(
            "there is no room to stage the release",
            mend="free some space in the private zone, or raise `memory_limit` in town.yaml, then run again",
        )
    return StoreError(
        f"the release could not be staged ({type(error).__name__})", mend="run again, and report it if it stays"
    )
