"""Private captures: what was delivered, byte for byte, with its provenance, for the declared retention.

::

    captures/                         0700, as every folder below; every file is 0600
      <dataset>/
        latest.json                   {"sha256": …}: the capture that the source delivered last
        <sha256>/
          payload                     the bytes as they came; never named by the source: names may be personal data
          capture.json                provenance: kind, system, size, times, validators, the known suffix of the name
        .arriving-…/                  a capture on its way; left behind only by a process that died, removed by `prune`

A capture is written aside, synced and renamed, so that a folder with a SHA-256 for a name is always whole. `seen_at`
is when the source last delivered or confirmed these bytes: retention counts from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError
from odpipeline.sources import Delivery, Unchanged, Validators

SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".geojson", ".ndjson", ".jsonl", ".xlsx", ".xlsm", ".xlsb",
                      ".xls", ".ods", ".parquet", ".xml", ".gml", ".kml", ".zip", ".gz", ".gpkg"})  # fmt: skip
"""What is kept of a delivered name; anything else could be a person's."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATASET = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ARRIVING = ".arriving-"
_ABANDONED = timedelta(days=1)


@dataclass(frozen=True)
class Capture:
    """One delivery in the private zone. `path` is its payload, `name` is `payload` and a known suffix.

    `fetched_at`: when these bytes were first delivered; `seen_at`: when last; both in UTC. `unchanged` says why the
    source has nothing new, or is None. `asked`: see `sources.Validators`.
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


class Landing:
    """The captures below the private zone `root`. One process at a time works on one dataset."""

    def __init__(self, root: Path) -> None:
        self._captures = root / "captures"

    def latest(self, dataset_id: str) -> Capture | None:
        """The capture that the source delivered last, or None when there is none or retention has deleted it.

        Raises: OdpError when it is damaged, as far as the payload's size tells; `get` compares the bytes.
        """
        pointer = self._home(dataset_id) / "latest.json"
        if not pointer.exists():
            return None
        sha256 = _json(pointer).get("sha256")
        folder = self._home(dataset_id) / str(sha256)
        return _read(folder) if folder.is_dir() else None

    def validators(self, dataset_id: str) -> Validators | None:
        """What to ask the source with, so that it answers only what is newer than the latest capture.

        None when that is damaged: it is then fetched anew, which mends it.
        """
        latest = self._usable(dataset_id)
        return Validators(latest.etag, latest.last_modified, latest.sha256, latest.asked) if latest else None

    def earlier(self, dataset_id: str, folder: Path) -> Path | None:  # noqa: ARG002 - where it would be decrypted
        """The latest capture's bytes, as a file that must not be changed; None when there are none that are whole."""
        latest = self._usable(dataset_id)
        return latest.path if latest else None

    def capture(self, dataset: Dataset, delivered: Delivery | Unchanged) -> Capture:
        """Keep what was delivered; the delivered file is moved, not copied.

        The latest bytes again, or `Unchanged`, give the latest capture with the reason in `unchanged`.
        Raises: OdpError when the disk refuses, or when nothing is there that could be unchanged.
        """
        now = datetime.now(UTC)
        latest = self._usable(dataset.id)
        with _on_disk():
            if isinstance(delivered, Unchanged):
                if latest is None:
                    raise OdpError(
                        "the source says “unchanged”, but there is no capture",
                        where=f"captures/{dataset.id}",
                        mend="run again: the source is then asked for everything",
                    )
                captured = replace(latest, seen_at=now)
                _write_json(captured.path.parent, "capture.json", _provenance(captured, dataset))
                return replace(captured, unchanged=delivered.reason)
            captured = self._keep(dataset, delivered, now)
        same = latest is not None and latest.sha256 == captured.sha256
        return replace(captured, unchanged="same SHA-256" if same else None)

    def get(self, dataset_id: str, sha256: str) -> Capture:
        """The capture with these bytes, which are read again and compared.

        Raises: OdpError when there is none, or when it is damaged.
        """
        folder = self._home(dataset_id) / sha256
        if not _SHA256.fullmatch(sha256) or not folder.is_dir():
            raise OdpError(
                f"there is no capture {sha256[:12]}",
                where=f"captures/{dataset_id}",
                mend="it was never made, or its retention is over; run the dataset to fetch it anew",
            )
        captured = _read(folder)
        if _hash(captured.path) != sha256:
            raise _damaged(folder)
        return captured

    def prune(self, dataset: Dataset, keep: Collection[str] = (), now: datetime | None = None) -> int:
        """Delete the captures that the source last delivered longer ago than `dataset.retention`; how many.

        Those whose SHA-256 is in `keep` stay. What dead processes left behind goes too.
        """
        now = now or datetime.now(UTC)
        oldest = now - dataset.retention
        home = self._home(dataset.id)
        deleted = 0
        with _on_disk():
            for folder in sorted(home.iterdir()) if home.is_dir() else ():
                if folder.name.startswith(_ARRIVING) and now - _modified(folder) > _ABANDONED:
                    shutil.rmtree(folder)
                elif _SHA256.fullmatch(folder.name) and folder.name not in keep and _seen(folder) < oldest:
                    _delete(folder)
                    deleted += 1
            if deleted:
                _sync(home)
        return deleted

    def _usable(self, dataset_id: str) -> Capture | None:
        try:
            return self.latest(dataset_id)
        except OdpError:
            return None

    def _home(self, dataset_id: str) -> Path:
        if not _DATASET.fullmatch(dataset_id):
            raise OdpError(
                "this is no identifier of a dataset",
                where="captures",
                mend="identifiers are made of a-z, 0-9, - and _",
            )
        return self._captures / dataset_id

    def _keep(self, dataset: Dataset, delivered: Delivery, now: datetime) -> Capture:
        sha256 = _hash(delivered.path)
        home = self._home(dataset.id)
        for folder in (self._captures, home):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        final = home / sha256
        known = _known(final)
        captured = Capture(
            dataset=dataset.id,
            path=final / "payload",
            name=f"payload{_suffix(delivered.name)}",
            media_type=delivered.media_type,
            sha256=sha256,
            size_bytes=delivered.path.stat().st_size,
            fetched_at=known.fetched_at if known else now,
            seen_at=now,
            etag=delivered.etag,
            last_modified=delivered.last_modified,
            asked=delivered.asked,
        )
        _install(delivered.path, captured, _provenance(captured, dataset))
        _write_json(home, "latest.json", {"sha256": sha256})
        return captured


def _install(delivered: Path, captured: Capture, provenance: dict[str, Any]) -> None:
    """Put payload and provenance in place: aside, synced, then renamed. Safe to repeat after a crash at any line."""
    final = captured.path.parent
    arriving = Path(tempfile.mkdtemp(prefix=_ARRIVING, dir=final.parent))  # 0700
    try:
        payload = arriving / "payload"
        shutil.move(delivered, payload)  # a rename, unless the work folder is on another disk
        payload.chmod(0o600)
        _sync(payload)
        if final.is_dir():
            # The same bytes came before: renewing them also mends a capture that the disk has damaged.
            payload.replace(captured.path)
            _write_json(final, "capture.json", provenance)
        else:
            _write_json(arriving, "capture.json", provenance)
            arriving.rename(final)
            _sync(final.parent)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _write_json(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Replace `folder/name` at one instant, durably: aside, synced, renamed, folder synced."""
    aside = folder / f".{name}"
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / name)
    _sync(folder)


def _provenance(captured: Capture, dataset: Dataset) -> dict[str, Any]:
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
    }


def _read(folder: Path) -> Capture:
    said = _json(folder / "capture.json")
    payload = folder / "payload"
    try:
        captured = Capture(
            path=payload,
            fetched_at=datetime.fromisoformat(said["fetched_at"]),
            seen_at=datetime.fromisoformat(said["seen_at"]),
            **{key: said[key] for key in ("dataset", "name", "media_type", "sha256", "size_bytes", "etag",
                                          "last_modified", "asked")},
        )  # fmt: skip
        whole = payload.stat().st_size == captured.size_bytes
    except (KeyError, TypeError, ValueError, OSError):
        raise _damaged(folder) from None
    if not whole or captured.sha256 != folder.name:
        raise _damaged(folder)
    return captured


def _known(folder: Path) -> Capture | None:
    """The capture that is there already, unless it is damaged: it is then made anew."""
    try:
        return _read(folder) if folder.is_dir() else None
    except OdpError:
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise _damaged(path.parent if path.name == "capture.json" else path)
    return content


def _damaged(place: Path) -> OdpError:
    shown = "/".join(place.parts[place.parts.index("captures") :])
    return OdpError(
        "a capture is damaged: it is not what was written",
        where=shown,
        mend="delete it (the next run fetches anew), and check the disk of the private zone",
    )


def _seen(folder: Path) -> datetime:
    """When the source last delivered it; for a damaged one, when it was written: it must not outlive its retention."""
    try:
        return datetime.fromisoformat(_json(folder / "capture.json")["seen_at"])
    except (OdpError, KeyError, TypeError, ValueError):
        return _modified(folder)


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _delete(folder: Path) -> None:
    """Data first; a deletion that is cut short is taken up by the next one."""
    (folder / "payload").unlink(missing_ok=True)
    shutil.rmtree(folder)


def _suffix(name: str) -> str:
    found = [suffix for suffix in Path(name.lower()).suffixes[-2:] if suffix in SUFFIXES]
    return "".join(found)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OdpError(
            f"the capture could not be kept: {os.strerror(error.errno) if error.errno else type(error).__name__}",
            where="the private zone",
            mend="free space, or correct the rights, where `private` of town.yaml points, and run again",
        ) from None
