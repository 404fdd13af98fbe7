"""The files of a release without some of its rows, as they would have been published without them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, held, literal, quote
from odpipeline.errors import StoreError
from odpipeline.store import layout, measuring, staging
from odpipeline.store.releases import Release, StoredFile

Condition = Mapping[str, str]


@dataclass(frozen=True)
class Rewritten:
    """What a version becomes: its files in `folder`, how many rows are left, the content hash of them."""

    release: Release
    folder: Path
    files: tuple[StoredFile, ...]
    rows: int
    content_hash: str


def matching(parquet: Path, columns: Sequence[str], conditions: Sequence[Condition], duck: DuckSettings) -> int:
    """How many rows of `parquet` are meant."""
    with connect(duck) as connection:
        found = connection.execute(
            f"SELECT count(*) FROM read_parquet({literal(parquet)}) WHERE {held(conditions, columns)}"
        ).fetchone()
    return int(found[0]) if found else 0


def may_match(parquet: Path, condition: Condition, duck: DuckSettings) -> bool:
    """Whether a row of `parquet` may be meant, which may lack columns of `condition`: those that it has decide."""
    with connect(duck) as connection:
        found = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(parquet)})").fetchall()
    names = [str(name) for name, *_ in found]
    told = {name: value for name, value in condition.items() if name in names}
    return not told or matching(parquet, names, [told], duck) > 0


def without(
    release: Release, files: Path, conditions: Sequence[Condition], dataset: Dataset, folder: Path, duck: DuckSettings
) -> Rewritten:
    """Write the files of `release`, which are in `files`, without the rows of `conditions` to `folder`.

    Raises: StoreError when they cannot be written, or when a class would hold fewer rows than the release's k.
    """
    folder.mkdir(parents=True)
    source = files / f"{release.dataset}.parquet"
    parquet, csv = (folder / f"{release.dataset}.{ending}" for ending in ("parquet", "csv"))
    try:
        with connect(duck) as connection:
            rows = f"read_parquet({literal(source)})"
            found = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
            types = {str(name): str(kind) for name, kind, *_ in found}
            copied = connection.execute(
                f"COPY (SELECT * FROM {rows} WHERE NOT ({held(conditions, list(types))})) TO {literal(parquet)} "
                "(FORMAT parquet, COMPRESSION zstd)"
            ).fetchone()
            _still_hidden(connection, parquet, release)
            stored = staging.write_files(connection, parquet, csv, types, dataset)
    except (duckdb.Error, OSError) as error:
        raise StoreError(
            f"version {release.version} could not be rewritten ({type(error).__name__})",
            where=layout.version(release.dataset, release.version), mend="withdraw the version instead",
        ) from None  # fmt: skip
    stored += [_package(files, folder, stored)] if (files / layout.PACKAGE).is_file() else []
    for file in release.files:
        if file.name in (layout.QUALITY, f"{release.dataset}.csv-metadata.json"):
            shutil.copyfile(files / file.name, folder / file.name)
            stored.append(file)
    covered = layout.canonical({"about": release.about, "schema": release.schema, "csv": stored[0].sha256})
    left = int(copied[0]) if copied else 0
    return Rewritten(release, folder, tuple(stored), left, hashlib.sha256(covered).hexdigest())


def _still_hidden(connection: duckdb.DuckDBPyConnection, parquet: Path, release: Release) -> None:
    quasi, k = release.privacy.get("quasi_identifiers"), release.privacy.get("k")
    if not quasi or not k:
        return
    group = ", ".join(map(quote, quasi))
    small = f"SELECT 1 FROM read_parquet({literal(parquet)}) GROUP BY {group} HAVING count(*) < {int(k)}"
    found = connection.execute(f"SELECT count(*) FROM ({small})").fetchone()
    if found and found[0]:
        raise StoreError(
            f"{found[0]} classes of version {release.version} would hold fewer than k = {k} rows without them",
            where=layout.version(release.dataset, release.version),
            mend=f"withdraw that version: odp withdraw {release.dataset} --version {release.version}",
        )


def _package(files: Path, folder: Path, stored: Sequence[StoredFile]) -> StoredFile:
    """The Data Package with the sizes and hashes of the new files."""
    package = json.loads((files / layout.PACKAGE).read_bytes())
    by_name = {file.name: file for file in stored}
    package["resources"] = [
        resource | {"bytes": by_name[resource["path"]].size_bytes, "hash": f"sha256:{by_name[resource['path']].sha256}"}
        for resource in package["resources"]
        if resource["path"] in by_name
    ]
    (folder / layout.PACKAGE).write_bytes(layout.readable(package))
    return measuring.stored(folder / layout.PACKAGE)
