"""The store in a local folder.

Durable writing, spelled out once (`_written`, then rename and `_synced`): a hidden temporary name in the same folder
(a rename is atomic only inside one file system), write, sync the file, set its mode, rename, sync the folder (without
it the new name may be lost in a power cut). Create-only and compare-and-swap are a look and a rename under one
exclusive lock (`flock` on `.lock` at the root); bytes are written before the lock is taken, which is held for an
instant and which the kernel lets go when its holder dies. All publishers of a store must see the same locks: one
machine, or a shared file system with working `flock`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from odpipeline.errors import StoreError
from odpipeline.store.backend import AlreadyThere, Altered, Changed, DiskFull
from odpipeline.store.measuring import Growing

_CHUNK_BYTES = 1 << 18  # at a megabyte, each chunk is fresh memory: copying then takes six times the CPU
_LONG_BYTES = 4 << 20
"""From here on a file is hashed by a second thread, right behind its writer."""
_TEMPORARY = ".tmp-"
_STILL, _PATIENCE = 5.0, 30.0
"""Seconds: who has not written for so long is dead; how long one who writes is waited for."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalFolder:
    """A `Backend` below the folder `root`, which is made when something is first written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def ready(self) -> None:
        """See `Backend.ready`: what is wrong with a disk shows when it is written to, and then nothing is changed."""

    def read(self, key: str) -> bytes | None:
        """See `Backend.read`."""
        with _said(key, "read"):
            try:
                return self.place(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """See `Backend.chunks`."""
        with _said(key, "read"):
            return _chunks(self.place(key)) if self.place(key).is_file() else None

    def names(self, folder: str) -> list[str]:
        """See `Backend.names`."""
        with _said(folder, "read"):
            try:
                return sorted(p.name for p in self.place(folder).iterdir() if not p.name.startswith("."))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def create(self, key: str, content: Path | bytes, sha256: str, like: str | None = None) -> None:
        """See `Backend.create`: shared bytes are a hard link, so that each version stays whole by itself."""
        target = self.place(key)
        with _said(key, "written"), _aside(target) as temporary:
            shared = like is not None and _linked(self.place(like), temporary, sha256)
            if not shared and _written(temporary, content, 0o444) != sha256:
                raise Altered("the bytes are not those that were hashed", where=key)
            with self._locked():
                if os.path.lexists(target):
                    raise AlreadyThere("it exists already", where=key)
                temporary.rename(target)
            _synced(target.parent)

    def swap(self, key: str, content: bytes, expected: bytes | None) -> None:
        """See `Backend.swap`."""
        target = self.place(key)
        with _said(key, "written"), _aside(target) as temporary:
            _written(temporary, content, 0o644)
            with self._locked():
                if self.read(key) != expected:
                    raise Changed("it is no longer what was read", where=key)
                temporary.rename(target)
            _synced(target.parent)

    def put(self, key: str, content: Path | bytes) -> None:
        """See `Backend.put`."""
        target = self.place(key)
        with _said(key, "written"), _aside(target) as temporary:
            _written(temporary, content, 0o644)
            temporary.rename(target)
            _synced(target.parent)

    def alias(self, key: str, target: str) -> None:
        """See `Backend.alias`: a relative symbolic link, replaced by rename."""
        link = self.place(key)
        with _said(key, "written"), _aside(link) as temporary:
            temporary.symlink_to(os.path.relpath(self.place(target), link.parent))
            temporary.rename(link)
            _synced(link.parent)

    def aliased(self, key: str) -> str | None:
        """See `Backend.aliased`."""
        link = self.place(key)
        if not link.is_symlink():
            return None
        return os.path.normpath(PurePosixPath(key).parent / link.readlink())

    def discard(self, keys: Iterable[str]) -> None:
        """See `Backend.discard`."""
        for key in keys:
            with _said(key, "removed"):
                self.place(key).unlink(missing_ok=True)

    def purge(self, key: str) -> None:
        """See `Backend.purge`: temporary files of dead writers go as well."""
        with _said(key, "removed"):
            place = self.place(key)
            if place.is_symlink() or place.is_file():
                place.unlink(missing_ok=True)  # somebody else may be taking it away as well
                _synced(place.parent)
            elif place.is_dir():
                for folder, _, names in os.walk(place, topdown=False):
                    for name in names:
                        Path(folder, name).unlink(missing_ok=True)
                    _synced(Path(folder))

    def forget_former(self, key: str) -> None:
        """See `Backend.forget_former`: a folder keeps none."""

    def forget_dead(self, folder: str, before: datetime | None = None) -> None:
        """See `Backend.forget_dead`: temporary files."""
        with _said(folder, "removed"):
            for left in self.place(folder).rglob(f"{_TEMPORARY}*"):
                with suppress(FileNotFoundError):  # renamed, or removed by its writer
                    if before is None:
                        _dead(left)
                    elif left.lstat().st_mtime >= before.timestamp():
                        continue
                    left.unlink()
                    _synced(left.parent)

    def written_at(self, key: str) -> datetime | None:
        """See `Backend.written_at`."""
        with _said(key, "read"):
            place = self.place(key)
            if not place.is_symlink() and not place.is_file():
                return None
            return datetime.fromtimestamp(place.lstat().st_mtime, UTC)

    def place(self, key: str) -> Path:
        """See `Backend.place`.

        Raises: StoreError for a key that leaves the root.
        """
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise StoreError("a key stays below the store's folder", where=key)
        return self._root.joinpath(*parts)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _dead(temporary: Path) -> None:
    """Wait until `temporary` has not been written to for a while.

    Raises: FileNotFoundError when its writer is done; OSError when it goes on.
    """
    until = time.monotonic() + _PATIENCE
    while time.time() - temporary.lstat().st_ctime < _STILL:  # a link to shared bytes has their other time
        if time.monotonic() > until:
            raise OSError(errno.EBUSY, "somebody is writing it")
        time.sleep(0.02)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A hidden name beside `target`, whose folder is made; removed at the end unless it was renamed."""
    _made(target.parent)
    temporary = target.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _linked(there: Path, path: Path, sha256: str) -> bool:
    """Whether `path` is now another name of the file `there`; not where the file system has no such links.

    Nor where `there` holds other bytes than it should: its damage would go from version to version.
    """
    try:
        path.hardlink_to(there)
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() == sha256:
                return True
    except OSError:
        pass
    path.unlink(missing_ok=True)
    return False


def _written(path: Path, content: Path | bytes, mode: int) -> str:
    """Write `content` to `path`, synced, with `mode`; the SHA-256 of what was written."""
    if isinstance(content, Path) and content.stat().st_size >= _LONG_BYTES:
        with ThreadPoolExecutor(1) as reader:
            with Growing(path, reader, None) as growing:
                _out(path, _chunks(content), mode)
            return growing.sha256()
    digest = hashlib.sha256()
    _out(path, _digested(_chunks(content), digest), mode)
    return digest.hexdigest()


def _out(path: Path, chunks: Iterator[bytes], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as out:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:  # a raw write may be short, and is when the disk fills up
                view = view[out.write(view) :]
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _digested(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _chunks(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb", buffering=0) as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk


def _made(folder: Path) -> None:
    """Make `folder` and its parents, each lasting."""
    if folder.is_dir():
        return
    _made(folder.parent)
    folder.mkdir(exist_ok=True)
    _synced(folder.parent)


def _synced(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _said(key: str, done: str) -> Iterator[None]:
    """The operating system's refusal in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(
                "the disk of the publication store is full", where=key, mend="free some space on it, then run again"
            ) from None
        raise StoreError(
            f"it cannot be {done} ({os.strerror(error.errno or 0)})",
            where=key,
            mend="look at the store's disk, and at the owner and rights of its folders",
        ) from None
