"""Releases as the store holds them, and how they are read: the pointer once, then that version.

Whatever is there and cannot be understood raises `StoreError`; None means that nothing was ever published.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from odpipeline.errors import StoreError
from odpipeline.quality.public import FORMAT
from odpipeline.store import changelog, layout
from odpipeline.store.backend import Reader

T = TypeVar("T")


@dataclass(frozen=True)
class StoredFile:
    """One published file: its name in the version's folder, SHA-256 (64 hexadecimal digits), size, media type."""

    name: str
    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True)
class Pointer:
    """`current.json`: the version that the public sees, and the one before it."""

    dataset: str
    version: int
    content_hash: str
    published_at: AwareDatetime
    previous: int | None
    format: int = layout.FORMAT


@dataclass(frozen=True)
class Checked:
    """`checked.json`: when `version` was last confirmed, and the capture and the code that led to its content."""

    version: int
    checked_at: AwareDatetime
    capture_sha256: str
    code_version: str


@dataclass(frozen=True)
class Erased:
    """Rows were taken out of a version: when (UTC), why, and the content hash from before."""

    at: AwareDatetime
    reason: str
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`release.json`. Counts are rows; `quality`, `privacy` and `lineage` hold names, counts and rules, never values.

    `changes` are the kind and the counts of what changed since the version before; empty for a first one.
    `about` is the description (title, description, owner, themes, keywords, licence, schedule, language); `schema` the
    Table Schema of what is published; `data_date` the newest event in the rows, `published_at` and it in UTC. `undone`
    are the content hashes that were rolled back: they do not come back by themselves. `erasures` tell when rows were
    taken out of the version.
    """

    dataset: str
    version: int
    title: str
    content_hash: str
    rows: int
    files: tuple[StoredFile, ...]
    published_at: AwareDatetime
    previous: int | None
    why: str
    data_date: AwareDatetime | None
    rows_in: int
    quarantined: int
    capture_sha256: str
    code_version: str
    package_version: str
    about: Mapping[str, Any]
    schema: Mapping[str, Any]
    lineage: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    privacy: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    undone: tuple[str, ...] = ()
    erasures: tuple[Erased, ...] = ()
    format: int = layout.FORMAT


@dataclass(frozen=True, kw_only=True)
class Release(Manifest):
    """A version that is or was public: its manifest, its `folder`, and when it was last confirmed (UTC)."""

    folder: Path
    checked_at: datetime
    checked_capture: str
    checked_code: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The published columns, in order."""
        return tuple(column["name"] for column in self.schema["fields"])

    def file(self, suffix: str) -> StoredFile | None:
        """The file whose name ends with `suffix` (`.csv`), or None."""
        return next((file for file in self.files if file.name.endswith(suffix)), None)

    @property
    def captures(self) -> set[str]:
        """The SHA-256 of the captures behind it: that of its making, and that which last led to the same content."""
        return {self.capture_sha256, self.checked_capture}

    def made_from(self, capture_sha256: str, code_version: str) -> bool:
        """True when this capture and this code version are the last ones that led to this content."""
        return (capture_sha256, code_version) == (self.checked_capture, self.checked_code)


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """What stands where a dataset or a version was taken away; the public reads it, and it names no person.

    `kind`: `withdrawal` (an act, with its `legal_basis`), or `retention` (no longer kept, as declared). `files` are
    those that were taken away, of a dataset those of every version under `<n>/<name>`; `previous` carries the history
    over a version.
    """

    dataset: str
    version: int | None
    kind: Literal["withdrawal", "retention"]
    at: AwareDatetime
    reason: str
    legal_basis: str | None = None
    previous: int | None = None
    content_hash: str | None = None
    files: tuple[StoredFile, ...] = ()
    format: int = layout.FORMAT


_POINTER, _CHECKED, _MANIFEST = TypeAdapter(Pointer), TypeAdapter(Checked), TypeAdapter(Manifest)
_TOMBSTONE = TypeAdapter(Tombstone)


def as_json(value: Pointer | Checked | Manifest | Tombstone) -> bytes:
    """What is written in the store for `value`; a `Release` counts as its manifest."""
    if isinstance(value, Pointer):
        return layout.readable(_POINTER.dump_python(value, mode="json"))
    if isinstance(value, Tombstone):
        return layout.readable(_TOMBSTONE.dump_python(value, mode="json"))
    if isinstance(value, Checked):
        return layout.readable(_CHECKED.dump_python(value, mode="json"))
    return layout.readable(_MANIFEST.dump_python(value, mode="json"))


def current(backend: Reader, dataset: str) -> tuple[bytes | None, Release | None]:
    """The pointer's bytes and the release that it names; no release when `dataset` was never published, or withdrawn.

    Raises: StoreError.
    """
    key = layout.pointer(dataset)
    read = backend.read(key)
    if tombstone(backend, dataset):
        return read, None
    log = backend.read(layout.changelog(dataset)) if read is None else None
    if read is None and (log is None or changelog.withdrawn(log)):
        return None, None
    if read is None and (read := backend.read(key)) is None:  # a first publication may have come in between
        raise StoreError(
            "the pointer is gone, although versions were published",
            where=key,
            mend=f"write it again for the last version named in {layout.changelog(dataset)}, or restore a backup",
        )
    pointer = _understood(_POINTER, read, key)
    release = version(backend, dataset, pointer.version)
    if (pointer.dataset, pointer.content_hash) != (dataset, release.content_hash):
        raise _broken(key, f"it does not agree with the manifest of version {pointer.version}")
    noted = backend.read(layout.checked(dataset))
    checked = _understood(_CHECKED, noted, layout.checked(dataset)) if noted is not None else None
    if checked and checked.version == release.version:
        release = _release(backend, release, checked)
    return read, release


def version(backend: Reader, dataset: str, number: int) -> Release:
    """Version `number` of `dataset`, public or not.

    Raises: StoreError when it is missing, broken, or of another dataset.
    """
    key = layout.version(dataset, number, layout.RELEASE)
    if (read := backend.read(key)) is None:
        raise _broken(key, "the manifest is missing")
    manifest = _understood(_MANIFEST, read, key)
    if (manifest.dataset, manifest.version) != (dataset, number):
        raise _broken(key, "it is the manifest of another version")
    if any("/" in file.name or file.name.startswith(".") for file in manifest.files):
        raise _broken(key, "it names files outside its folder")
    made = Checked(number, manifest.published_at, manifest.capture_sha256, manifest.code_version)
    return _release(backend, manifest, made)


def quality(backend: Reader, release: Release) -> dict[str, Any] | None:
    """The report of the checks of `release`; None for a release of the time before there were reports.

    Raises: StoreError when it is missing or broken.
    """
    if release.file(layout.QUALITY) is None:
        return None
    key = layout.version(release.dataset, release.version, layout.QUALITY)
    if (read := backend.read(key)) is None:
        raise _broken(key, "the report of the checks is missing")
    try:
        report: dict[str, Any] = json.loads(read)
    except ValueError:
        raise _broken(key, "it is no JSON") from None
    if report.get("format") != FORMAT:
        raise _broken(key, "it is written in another format of reports")
    return report


def history(backend: Reader, newest: Release) -> Iterator[Release]:
    """`newest` and every version that was public before it and is still there, newest first.

    Raises: StoreError where the chain breaks.
    """
    release: Release | Tombstone = newest
    number: int | None = newest.version
    while number is not None:
        if isinstance(release, Release):
            yield release
        if (previous := release.previous) is not None:
            if previous >= number:
                raise _broken(layout.version(newest.dataset, number, layout.RELEASE), "its history runs in circles")
            release = tombstone(backend, newest.dataset, previous) or version(backend, newest.dataset, previous)
        number = previous


def tombstone(backend: Reader, dataset: str, number: int | None = None) -> Tombstone | None:
    """What stands where `dataset`, or one version of it, was taken away; None when it was not.

    Raises: StoreError when it is broken.
    """
    key = layout.tombstone(dataset, number)
    read = backend.read(key)
    return _understood(_TOMBSTONE, read, key) if read is not None else None


def manifest(release: Manifest) -> Manifest:
    """The manifest of a release, without what only this machine knows of it."""
    return Manifest(**{part.name: getattr(release, part.name) for part in fields(Manifest)})


def _release(backend: Reader, manifest: Manifest, checked: Checked) -> Release:
    return Release(
        **{part.name: getattr(manifest, part.name) for part in fields(Manifest)},
        folder=backend.place(layout.version(manifest.dataset, manifest.version)),
        checked_at=checked.checked_at,
        checked_capture=checked.capture_sha256,
        checked_code=checked.code_version,
    )


def _understood(adapter: TypeAdapter[T], read: bytes, key: str) -> T:
    try:
        value = adapter.validate_json(read)
    except ValidationError as error:
        places = sorted({".".join(map(str, fault["loc"])) or "the whole" for fault in error.errors()})
        raise _broken(key, f"it cannot be understood ({', '.join(places[:3])})") from None
    if not 1 <= getattr(value, "format", layout.FORMAT) <= layout.FORMAT:
        raise StoreError(
            "it is written in another format of the store",
            where=key,
            mend=f"this odpipeline knows formats 1 to {layout.FORMAT}: use the newer one that wrote it",
        )
    return value


def _broken(key: str, what: str) -> StoreError:
    return StoreError(what, where=key, mend="restore it from a backup of the store; nothing is published until then")
