"""Kind `folder`: the newest file of a drop folder.

The folder is written by others: a pattern may not climb out of it and a link may not lead out of it. Names of
dropped files are not shown, since departments write names of persons into them.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from odpipeline.declaration.source import FolderSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.delivery import Delivery, Order, intake

_CHUNK_BYTES = 1 << 18  # at a megabyte, each chunk is fresh memory: copying then takes six times the CPU


def extract(source: FolderSource, order: Order) -> Delivery:
    """Copy the newest settled file that matches. Whether it is the same as before is seen by its hash.

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
    newest = _newest(source, order, base.resolve())
    _copy(newest, source, order)
    return Delivery(order.path, newest.name)


def _newest(source: FolderSource, order: Order, base: Path) -> Path:
    pattern = Path(source.folder)
    if pattern.is_absolute() or ".." in pattern.parts:
        raise SourceError(
            "the pattern leads out of the drop folder",
            where=source.folder,
            mend=f"write it relative to the folder and without `..` in {order.declared}",
        )
    found = [path for path in base.glob(source.folder) if path.is_file()]
    if any(not path.resolve().is_relative_to(base) for path in found):
        raise SourceError(
            "a link leads out of the drop folder",
            where=source.folder,
            mend="put the file itself into the folder",
        )
    if not found:
        raise SourceError(
            "no file matches",
            where=source.folder,
            mend=f"have the file dropped, or correct the pattern in {order.declared}",
        )
    settled = source.settled.total_seconds()
    latest = time.time() - settled
    ready = [path for path in found if not settled or path.stat().st_mtime <= latest]
    if not ready:
        raise SourceUnavailable(
            f"every matching file was written to in the last {settled:.0f} s and may be incomplete",
            where=source.folder,
            mend="wait until the transfer is over, or lower `settled`",
        )
    return max(ready, key=lambda path: (path.stat().st_mtime_ns, path.name))


def _copy(path: Path, source: FolderSource, order: Order) -> None:
    """Copy in a stream; a file that changes meanwhile is a transfer under way, not a delivery."""
    # O_NOFOLLOW: the path is resolved; should a link have taken its place since, it is not followed.
    # O_NONBLOCK: nor does a named pipe put in its place make us wait.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path.resolve(), flags), "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise SourceError("what matches is not a file", where=source.folder, mend="remove it from the folder")
        with intake(order, max_bytes=source.max_bytes, where=source.folder) as arriving:
            while chunk := file.read(_CHUNK_BYTES):
                arriving.write(chunk)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceUnavailable(
            "the file changed while it was read",
            where=source.folder,
            mend="declare `settled: 5 min`, so that a file is taken only when its transfer is over",
        )
