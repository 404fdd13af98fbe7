"""Kind `folder`: the newest file of a drop folder, or all of them; a mounted share (SMB, NFS) is one too.

The folder is written by others: a pattern may not climb out of it and a link may not lead out of it. Names of
dropped files are not shown, since departments write names of persons into them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from odpipeline.declaration.source import FolderSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import drops
from odpipeline.sources.delivery import Delivery, Order, Unchanged
from odpipeline.sources.drops import Dropped

_CHUNK_BYTES = 1 << 18  # at a megabyte, each chunk is fresh memory: copying then takes six times the CPU


def extract(source: FolderSource, order: Order) -> Delivery | Unchanged:
    """Copy the settled files that match. Whether they are the same as before is seen by their hash.

    Raises: SourceError; SourceUnavailable when a file is there but still being written.
    """
    base = order.root
    if order.system:
        base = order.root / order.system.address()
    if not base.is_dir():
        raise SourceUnavailable(
            "the drop folder is not there",
            where=order.system.title if order.system else str(source.folder),
            mend="mount or create it, or correct `folder` of the system in town.yaml",
        )
    drops.parts(source.folder, order)
    folder = _Folder(base.resolve(), source.folder)
    seconds = source.settled.total_seconds()
    return drops.deliver(folder, source, order, pattern=source.folder, settled_seconds=seconds)


class _Folder:
    """The files below `base`. They are read each time: a copy can keep the size and the time of what it replaces."""

    asked = ""

    def __init__(self, base: Path, pattern: str) -> None:
        self._base, self._pattern = base, pattern

    def look(self) -> list[Dropped]:
        """The files that match now.

        Raises: SourceError when a link leads out.
        """
        found = [path for path in self._base.glob(self._pattern) if path.is_file()]
        if any(not path.resolve().is_relative_to(self._base) for path in found):
            raise SourceError(
                "a link leads out of the drop folder",
                where=self._pattern,
                mend="put the file itself into the folder",
            )
        return [self._seen(path) for path in found]

    def _seen(self, path: Path) -> Dropped:
        told = path.stat()
        return Dropped(path.relative_to(self._base).as_posix(), told.st_size, told.st_mtime_ns)

    def read(self, file: Dropped) -> Iterator[bytes]:
        """The file's bytes; one that changes meanwhile is a transfer under way, not a delivery."""
        # O_NOFOLLOW: the path is resolved; should a link have taken its place since, it is not followed.
        # O_NONBLOCK: nor does a named pipe put in its place make us wait.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open((self._base / file.path).resolve(), flags), "rb") as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise SourceError("what matches is not a file", where=self._pattern, mend="remove it from the folder")
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
            after = os.fstat(stream.fileno())
        if not (file.size_bytes, file.modified_ns) == _told(before) == _told(after):
            raise drops.changed(self._pattern)


def _told(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
