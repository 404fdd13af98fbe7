"""A copy of what cannot be made again, whole at every instant, though runs go on meanwhile.

::

    <folder>/<2026-11-25T010000Z>/      0700; named so only when it is complete
      backup.json                       what it holds: the SHA-256 and size of every file; written last
      store/…                           the store's objects by their keys; pages and catalogue are made from them again
      journal.sqlite                    by SQLite's online backup, as all that follows; of one in PostgreSQL its rows
      dagster/…                         Dagster's storage, where that is SQLite
      private/erasures/…                the rows that were erased and must not come back, sealed where the zone is
      private/…                         with `private`: the sealed captures, and what waits for a yes

Of each dataset the changelog is read first, then the pointer, then the versions: whatever is published meanwhile, the
copied pointer names a version that was complete before it, and each file is compared with its manifest. What vanishes
under the copy (a withdrawal, retention) makes the dataset be read again. Declarations are in git; `backup.json` names
the code version of each dataset.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odpipeline import __version__, flow
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, StoreError
from odpipeline.operating import journals
from odpipeline.store import layout, releases
from odpipeline.store.backend import Backend

FORMAT = 1
MANIFEST, STORE, JOURNAL, STATE, PRIVATE = "backup.json", "store", "journal.sqlite", "dagster", "private"
ALWAYS_PRIVATE, KEPT_PRIVATE = ("erasures",), ("captures", "held")
"""The folders of the private zone that cannot be made again, with the first always; the rest is work under way."""

_STAMP = "%Y-%m-%dT%H%M%SZ"
_ATTEMPTS = 3


class _Vanished(Exception):
    """An object was taken away while its dataset was copied."""


@dataclass
class Backup:
    """What a backup holds. `files`: path below it → SHA-256 and bytes; `aliases`: key → key; times in UTC."""

    made_at: str
    package_version: str
    town: str
    code_versions: dict[str, str]
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size_bytes(self) -> int:
        """The bytes of all files."""
        return sum(size for _, size in self.files.values())


def make(town: Town, folder: Path, *, state: Path | None, private: bool, keep: int | None = None) -> Path:
    """Copy `town` into a new folder below `folder`, and delete all but the `keep` newest; where the copy is.

    `state` is the folder of Dagster's SQLite storage, or None. Raises: OdpError when something cannot be copied, and
    then no folder with a backup's name is left.
    """
    if private and not town.private_key:
        raise OdpError(
            "captures in clear do not leave the private zone",
            where="town.yaml, private_key",
            mend="make a key with `odp key`, or leave out --private: sources deliver again",
        )
    now = datetime.now(UTC)
    final, writing = folder / now.strftime(_STAMP), folder / f".{now.strftime(_STAMP)}.part"
    try:
        writing.mkdir(parents=True, mode=0o700)
        codes = {dataset.id: dataset.code_version for dataset in town.datasets}
        made = Backup(now.isoformat(), __version__, town.publisher.name, codes)
        _zones(town, writing, made, state, private=private)
        (writing / MANIFEST).write_text(json.dumps(asdict(made), ensure_ascii=False, indent=1))
        _lasting(writing / MANIFEST)
        writing.rename(final)
        _lasting(folder)
    except OSError as error:
        raise OdpError(
            f"the backup cannot be written ({error.strerror})",
            where=str(folder),
            mend="look at its disk and its rights",
        ) from None
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    for old in complete(folder)[:-keep] if keep else ():
        shutil.rmtree(old)
    return final


def complete(folder: Path) -> list[Path]:
    """The complete backups below `folder`, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"2*Z/{MANIFEST}"))


def read(folder: Path) -> Backup:
    """What the backup in `folder` says that it holds.

    Raises: OdpError when it is none, or of a newer format.
    """
    try:
        said: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        if said["format"] != FORMAT:
            raise OdpError(f"the backup has format {said['format']}", where=str(folder), mend="use a newer odpipeline")
        said["files"] = {name: (str(sha256), int(size)) for name, (sha256, size) in said["files"].items()}
        return Backup(**said)
    except (OSError, ValueError, KeyError, TypeError):
        raise OdpError(
            "there is no complete backup", where=str(folder), mend=f"name the folder that holds {MANIFEST}"
        ) from None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _zones(town: Town, target: Path, made: Backup, state: Path | None, *, private: bool) -> None:
    """The store before the journal: a yes or a refusal too many is harmless, a version without its record is not."""
    store = flow.Zones.of(town).store
    for dataset in store.datasets():
        _dataset(store.backend, dataset, target / STORE, made)
    for name in store.backend.names("keys"):
        _object(store.backend, f"keys/{name}", target / STORE, made)
    if town.journal is None:
        _database(town.private_path / JOURNAL, target / JOURNAL, target, made)
    else:
        journals.copied(flow.Zones.of(town).journal, target / JOURNAL)
        _noted(target / JOURNAL, target, made)
    for database in sorted(state.rglob("*.db")) if state else ():
        _database(database, target / STATE / database.relative_to(state or database), target, made)
    for name in ALWAYS_PRIVATE + (KEPT_PRIVATE if private else ()):
        for file in sorted((town.private_path / name).rglob("*")):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(town.private_path).parts):
                _private(file, target / PRIVATE / file.relative_to(town.private_path), target, made)


def _dataset(backend: Backend, dataset: str, target: Path, made: Backup) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _attempt(backend, dataset, target, made)
        except _Vanished:
            if attempt == _ATTEMPTS:
                raise StoreError(
                    "it changes faster than it can be copied", where=layout.home(dataset), mend="make the backup again"
                ) from None
            shutil.rmtree(target / layout.home(dataset), ignore_errors=True)
            gone = f"{STORE}/{layout.home(dataset)}/"
            made.files = {name: held for name, held in made.files.items() if not name.startswith(gone)}
        else:
            return


def _attempt(backend: Backend, dataset: str, target: Path, made: Backup) -> None:
    home, alias = layout.home(dataset), layout.latest(dataset)
    first = [key for key in (layout.changelog(dataset), layout.checked(dataset), layout.pointer(dataset))
             if backend.read(key) is not None]  # fmt: skip
    for key in first:
        _object(backend, key, target, made)
    for key in _keys(backend, home):
        if key != alias and not key.startswith(f"{alias}/") and key not in first:
            _object(backend, key, target, made)
    for number in layout.numbers(backend.names(layout.versions(dataset))):
        _compared(backend, dataset, number, made)
    if layout.pointer(dataset) in first:
        pointed = json.loads((target / layout.pointer(dataset)).read_bytes())["version"]
        made.aliases[alias] = layout.version(dataset, pointed)
        if f"{STORE}/{layout.version(dataset, pointed, layout.RELEASE)}" not in made.files:
            raise _Vanished


def _keys(backend: Backend, folder: str) -> Iterator[str]:
    """Every object below `folder`."""
    for name in backend.names(folder):
        key = f"{folder}/{name}"
        if backend.aliased(key):
            continue
        below = list(_keys(backend, key))
        yield from below or ([key] if backend.chunks(key) is not None else [])


def _compared(backend: Backend, dataset: str, number: int, made: Backup) -> None:
    """Each copied file of a version against its manifest.

    Raises: StoreError: what is broken in the store is no backup.
    """
    if f"{STORE}/{layout.version(dataset, number, layout.RELEASE)}" not in made.files:
        return  # never public, or taken away
    try:
        release = releases.version(backend, dataset, number)
    except StoreError:
        if backend.read(layout.version(dataset, number, layout.RELEASE)) is None:
            raise _Vanished from None
        raise
    for file in release.files:
        key = layout.version(dataset, number, file.name)
        copied = made.files.get(f"{STORE}/{key}")
        if copied is None and (backend.read(layout.tombstone(dataset, number)) or backend.chunks(key) is not None):
            raise _Vanished  # taken away, or published, between two looks
        if copied is None or copied[0] != file.sha256:
            raise StoreError("it is not what was published", where=key, mend="look at it with: odp verify")


def _object(backend: Backend, key: str, target: Path, made: Backup) -> None:
    chunks, place, digest, size = backend.chunks(key), target / key, hashlib.sha256(), 0
    if chunks is None:
        raise _Vanished
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with place.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:  # between the look and the reading
        raise _Vanished from None
    made.files[f"{STORE}/{key}"] = (digest.hexdigest(), size)


def _database(source: Path, place: Path, target: Path, made: Backup) -> None:
    """A consistent copy of an SQLite file that others write to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        read_only = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
        with closing(read_only) as held, closing(sqlite3.connect(place)) as copy:
            held.backup(copy)
    except sqlite3.Error as error:
        raise OdpError(
            f"it cannot be copied ({error})", where=source.name, mend="look at it with: odp doctor"
        ) from None
    _noted(place, target, made)


def _private(source: Path, place: Path, target: Path, made: Backup) -> None:
    if source.name == "payload":
        raise OdpError(
            "a capture lies in clear", where=str(source.parent.name), mend="seal it first: odp captures --sweep"
        )
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        shutil.copyfile(source, place)
    except FileNotFoundError:
        return  # its retention ended meanwhile
    _noted(place, target, made)


def _noted(place: Path, target: Path, made: Backup) -> None:
    _lasting(place)
    made.files[str(place.relative_to(target))] = (sha256_of(place), place.stat().st_size)


def _lasting(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
