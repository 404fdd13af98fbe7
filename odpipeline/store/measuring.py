"""The files of a release, measured: size and SHA-256, of a long one already while it is being written.

The CSV is by far the longest file. Whoever hashes and compresses it after it was written reads it twice more, on one
core while the others wait; a `Growing` file is read right behind its writer, out of the page cache, by a thread each
(hashlib and zlib-ng let go of Python's lock). The bytes are those of one reading after the other: blocks are always
full, so that nothing depends on how far the writer happened to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from threading import Event
from types import TracebackType

from zlib_ng import zlib_ng

from odpipeline.store.releases import StoredFile

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".gz": "application/gzip",
}
"""Media types by suffix (IANA)."""

_BLOCK_BYTES = 1 << 18
_LEVEL = 2
"""Of zlib-ng, whose bytes are the same on every processor (since 2.2)."""
_PAUSE_SECONDS = 0.005
"""How long a reader waits that has caught up with its writer."""


def stored(path: Path) -> StoredFile:
    """The file at `path`, which is whole, as a release names it."""
    with path.open("rb") as source:
        return _named(path, hashlib.file_digest(source, "sha256").hexdigest())


class Growing:
    """A file that is about to be written from its beginning to its end, and is read meanwhile by threads of `readers`.

    `packed_from`: from how many bytes on it is also compressed, to `<name>.gz`; None: never. As a block, around the
    writing of the file: when the block ends, the file is whole, or has failed.
    """

    def __init__(self, path: Path, readers: Executor, packed_from: int | None) -> None:
        self._path = path
        self._whole, self._failed = Event(), Event()
        self._sha256: Future[str] = readers.submit(self._hashed)
        self._packed: Future[StoredFile | None] | None = None
        if packed_from is not None:
            self._packed = readers.submit(self._compressed, packed_from)

    def __enter__(self) -> Growing:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            self._failed.set()
        self._whole.set()

    def sha256(self) -> str:
        """That of the whole file; waits for it.

        Raises: OSError.
        """
        return self._sha256.result()

    def stored(self) -> StoredFile:
        """The whole file as a release names it; waits for it.

        Raises: OSError.
        """
        return _named(self._path, self.sha256())

    def packed(self) -> StoredFile | None:
        """The compressed one, or None when it was too small for it; waits for it.

        Raises: OSError.
        """
        return self._packed.result() if self._packed else None

    def _hashed(self) -> str:
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block)
        return digest.hexdigest()

    def _compressed(self, least: int) -> StoredFile | None:
        """The file by gzip; without name and time in the header, the same bytes give the same file."""
        while not self._reaches(least):
            if self._whole.wait(_PAUSE_SECONDS) and not self._reaches(least):
                return None
        target, digest = self._path.with_name(f"{self._path.name}.gz"), hashlib.sha256()
        with target.open("wb") as file:
            for piece in _packed(self._blocks()):
                digest.update(piece)
                file.write(piece)
        return _named(target, digest.hexdigest())

    def _reaches(self, least: int) -> bool:
        return self._path.exists() and self._path.stat().st_size >= least

    def _blocks(self) -> Iterator[memoryview]:
        """The bytes of the file from its beginning, as they come, in full blocks but for the last one."""
        while not self._path.exists() and not self._whole.wait(_PAUSE_SECONDS):
            pass
        view = memoryview(bytearray(_BLOCK_BYTES))
        filled = 0
        with self._path.open("rb", buffering=0) as source:
            while not self._failed.is_set():
                whole = self._whole.is_set()  # asked before reading: what is read after it is the end
                read = source.readinto(view[filled:])
                filled += read
                if filled == _BLOCK_BYTES or (whole and not read):
                    yield view[:filled]
                    filled = 0
                if whole and not read:
                    return
                if not read:
                    self._whole.wait(_PAUSE_SECONDS)


def _packed(blocks: Iterator[memoryview]) -> Iterator[bytes]:
    packer = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, 16 + zlib_ng.MAX_WBITS)  # 16: with the header of gzip
    for block in blocks:
        yield packer.compress(block)
    yield packer.flush()


def _named(path: Path, sha256: str) -> StoredFile:
    return StoredFile(path.name, sha256, path.stat().st_size, MEDIA_TYPES[path.suffix])
