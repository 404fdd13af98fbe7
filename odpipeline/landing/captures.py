"""One capture on disk: its payload, plain or sealed, and what is known of it.

What stays in clear beside a sealed payload (`capture.json`) is what runs need without the key's help: hashes, sizes,
times, validators of the source, the known suffix of the name. None of it is a cell.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError
from odpipeline.sources import PeriodMark

SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".geojson", ".ndjson", ".jsonl", ".xlsx", ".xlsm", ".xlsb",
                      ".xls", ".ods", ".parquet", ".xml", ".gml", ".kml", ".zip", ".gz", ".gpkg"})  # fmt: skip
"""What is kept of a delivered name; anything else could be a person's."""

PLAIN, SEALED = "payload", "payload.age"
"""The payload's file in a capture's folder, in clear or sealed."""


@dataclass(frozen=True)
class Capture:
    """One delivery in the private zone. `path` is its payload, `name` is `payload` and a known suffix.

    The bytes at `path` are those that were delivered unless the capture is `sealed`: see `Landing.open`. `sha256` and
    `size_bytes` are always those of the clear bytes. `fetched_at`: when these bytes were first delivered; `seen_at`:
    when last; both in UTC. `dated`: when the source says that they
    were last changed, in UTC, or None. `unchanged` says why nothing new was delivered, or is None. `asked`,
    `periods`: see `sources.Validators`.
    """

    dataset: str
    path: Path
    name: str
    media_type: str | None
    sha256: str
    size_bytes: int
    fetched_at: datetime
    seen_at: datetime
    etag: str | None
    last_modified: str | None
    asked: str = ""
    unchanged: str | None = None
    dated: datetime | None = None
    periods: Mapping[str, PeriodMark] = field(default_factory=dict)

    @property
    def there(self) -> list[str]:
        """The periods that were delivered with rows, the oldest first."""
        return sorted(name for name, mark in self.periods.items() if mark.there)

    @property
    def sealed(self) -> bool:
        """Whether the file at `path` is encrypted."""
        return self.path.name == SEALED


def provenance(captured: Capture, dataset: Dataset) -> dict[str, Any]:
    """What `capture.json` says."""
    return {
        "dataset": captured.dataset,
        "source": dataset.source.kind,
        "system": dataset.source.system,
        "name": captured.name,
        "media_type": captured.media_type,
        "sha256": captured.sha256,
        "size_bytes": captured.size_bytes,
        "fetched_at": captured.fetched_at.isoformat(),
        "seen_at": captured.seen_at.isoformat(),
        "etag": captured.etag,
        "last_modified": captured.last_modified,
        "asked": captured.asked,
        "dated": captured.dated.isoformat() if captured.dated else None,
    } | ({"periods": {name: _mark(one) for name, one in captured.periods.items()}} if captured.periods else {})


def _mark(one: PeriodMark) -> dict[str, Any]:
    return {"sha256": one.sha256, "etag": one.etag, "last_modified": one.last_modified, "asked": one.asked,
            "at": one.at, "settled": one.settled, "empty": one.empty, "former": one.former}  # fmt: skip


def read(folder: Path) -> Capture:
    """The capture in `folder`.

    Raises: OdpError when it is damaged, as far as names and sizes tell; opening it compares the bytes.
    """
    said = read_json(folder / "capture.json")
    sealed = (folder / SEALED).exists()
    payload = folder / (SEALED if sealed else PLAIN)
    try:
        captured = Capture(
            path=payload,
            fetched_at=datetime.fromisoformat(said["fetched_at"]),
            seen_at=datetime.fromisoformat(said["seen_at"]),
            dated=datetime.fromisoformat(said["dated"]) if said.get("dated") else None,
            periods={name: PeriodMark(**one) for name, one in said.get("periods", {}).items()},
            **{key: said[key] for key in ("dataset", "name", "media_type", "sha256", "size_bytes", "etag",
                                          "last_modified", "asked")},
        )  # fmt: skip
        size = payload.stat().st_size
        # What age adds has no fixed size; the rest is authenticated, chunk by chunk, when it is opened.
        whole = size > captured.size_bytes if sealed else size == captured.size_bytes
    except (KeyError, TypeError, ValueError, OSError):
        raise damaged(folder) from None
    if not whole or captured.sha256 != folder.name:
        raise damaged(folder)
    return captured


def known(folder: Path) -> Capture | None:
    """The capture that is in `folder`, unless there is none or it is damaged."""
    try:
        return read(folder) if folder.is_dir() else None
    except OdpError:
        return None


def damaged(place: Path) -> OdpError:
    """The error for a capture that is not what was written; `place` is its folder or a file."""
    return OdpError(
        "a capture is damaged: it is not what was written",
        where="/".join(place.parts[-3:]),
        mend="delete it (the next run fetches anew), and check the disk of the private zone",
    )


def last_seen(folder: Path) -> datetime:
    """When the source last delivered it; for a damaged one, when it was written: it must not outlive its retention."""
    try:
        return datetime.fromisoformat(read_json(folder / "capture.json")["seen_at"])
    except (OdpError, KeyError, TypeError, ValueError):
        return modified(folder)


def modified(path: Path) -> datetime:
    """When the file or folder was last written, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`.

    Raises: OdpError when it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise damaged(path.parent if path.name == "capture.json" else path)
    return content


def write_json(folder: Path, name: str, content: Any) -> None:
    """Replace `folder/name` at one instant, durably: aside, synced, renamed, folder synced; for its owner only."""
    aside = folder / f".{name}"
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / name)
    sync(folder)


def hashed(path: Path) -> str:
    """The SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk hold what was written to the file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def on_disk() -> Iterator[None]:
    """Word what the disk refuses.

    Raises: OdpError.
    """
    try:
        yield
    except OSError as error:
        raise OdpError(
            f"the capture could not be kept: {os.strerror(error.errno) if error.errno else type(error).__name__}",
            where="the private zone",
            mend="free space, or correct the rights, where `private` of town.yaml points, and run again",
        ) from None
