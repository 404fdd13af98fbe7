"""What the kinds that read dropped files share: which files are taken, and how several become one delivery.

A drop is written by others, and while we look. A file is taken when it was left alone for `settled`: by its own time,
or, since clocks differ, because it was the same twice, `settled` apart. Names of dropped files are not shown, since
departments write names of persons into them.
"""

from __future__ import annotations

import hashlib
import re
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import IO, Protocol, cast

from odpipeline.declaration.source import DropSource
from odpipeline.errors import NotDelivered, SourceError, SourceUnavailable
from odpipeline.sources.delivery import Delivery, Intake, Order, Unchanged, intake

MOST_FILES = 9_999
"""The most files that one delivery takes: their names in the bundle have four digits."""
MOST_ENTRIES = 1_000_000
"""The most entries that are listed to find them."""

_LONGEST_WAIT_SECONDS = 120
"""The longest that a run waits for a transfer to end; beyond it, the next run does."""

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class Dropped:
    """One file: `path` below the drop, `size_bytes`, when it was last written in nanoseconds since 1970.

    `mark` is what the system itself says of the content (an ETag), if it does: the time then tells nothing more.
    """

    path: str
    size_bytes: int
    modified_ns: int
    mark: str = ""


class Drop(Protocol):
    """Where files are dropped: a folder, a server, a bucket."""

    asked: str
    """The fingerprint of the address, see `delivery.Validators`; empty where files are always read again."""

    def look(self) -> list[Dropped]:
        """The files that match now, in any order."""

    def read(self, file: Dropped) -> Iterator[bytes]:
        """The bytes of `file`, all of them, or SourceUnavailable when it is no longer the one that was seen."""


def parts(pattern: str, order: Order) -> tuple[str, ...]:
    """The parts of a pattern between its slashes.

    Raises: SourceError when it leads out of the drop.
    """
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or "\\" in pattern or "\0" in pattern or not path.parts:
        raise SourceError(
            "the pattern leads out of the drop folder",
            where=pattern,
            mend=f"write it relative to the folder and without `..` in {order.declared}",
        )
    return path.parts


def address_of(*said: str) -> str:
    """The fingerprint of what says where files are dropped and which."""
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def bounded(count: int, most: int, where: str) -> None:
    """Refuse more than `most` files or entries.

    Raises: SourceError.
    """
    if count > most:
        raise SourceError(
            f"there are more than {most:,} files",
            where=where,
            mend="have old ones moved away, or write a narrower pattern",
        )


def changed(where: str) -> SourceUnavailable:
    """A file that is no longer the one that was seen is a transfer under way, not a delivery."""
    return SourceUnavailable(
        "the file changed while it was read",
        where=where,
        mend="declare `settled: 5 min`, so that a file is taken only when its transfer is over",
    )


def deliver(
    drop: Drop, source: DropSource, order: Order, *, pattern: str, settled_seconds: float
) -> Delivery | Unchanged:
    """Take the newest settled file, or all of them, unless they are those of the last capture.

    All of them are one uncompressed ZIP of `0001.csv`, `0002.csv`… in the order of their names, its bytes a function
    of theirs alone.

    Raises: SourceError; SourceUnavailable when a file is there but still being written.
    """
    files = _settled(drop, source, order, pattern, settled_seconds)
    if source.take == "newest":
        files = [max(files, key=lambda file: (file.modified_ns, file.path))]
    bounded(len(files), MOST_FILES, pattern)
    etag = _fingerprint(files) if drop.asked else None
    if etag and order.since and (order.since.asked, order.since.etag) == (drop.asked, etag):
        return Unchanged("same ETag" if files[0].mark else "same names, sizes and times")
    dated = datetime.fromtimestamp(max(file.modified_ns for file in files) / 1e9, UTC)
    with intake(source, order, where=pattern) as arriving:
        if source.take == "all":
            _bundle(drop, files, arriving, pattern)
        else:
            for chunk in drop.read(files[0]):
                arriving.write(chunk)
    if source.take == "all":
        return Delivery(order.path, "drop.zip", "application/zip", etag, None, drop.asked, dated)
    return Delivery(order.path, PurePosixPath(files[0].path).name, None, etag, None, drop.asked, dated)


def _settled(drop: Drop, source: DropSource, order: Order, pattern: str, seconds: float) -> list[Dropped]:
    """The files that can be taken, in the order of their names; with `take: all` that is all of them or an error."""
    found = _found(drop, order, pattern)
    ready = [file for file in found if _old(file, seconds)]
    if not _enough(ready, found, source) and seconds <= _LONGEST_WAIT_SECONDS:
        time.sleep(seconds)
        before, found = frozenset(found), _found(drop, order, pattern)
        ready = [file for file in found if file in before or _old(file, seconds)]
    if not _enough(ready, found, source):
        which = "every" if source.take == "newest" else "a"
        raise SourceUnavailable(
            f"{which} matching file was written to in the last {seconds:.0f} s and may be incomplete",
            where=pattern,
            mend="wait until the transfer is over, or lower `settled`",
        )
    return ready


def _found(drop: Drop, order: Order, pattern: str) -> list[Dropped]:
    if not (found := drop.look()):
        raise NotDelivered(
            "no file matches",
            where=pattern,
            mend=f"have the file dropped, or correct the pattern in {order.declared}",
        )
    return sorted(found, key=lambda file: file.path)


def _old(file: Dropped, seconds: float) -> bool:
    return not seconds or file.modified_ns <= time.time_ns() - seconds * 1e9


def _enough(ready: Sequence[Dropped], found: Sequence[Dropped], source: DropSource) -> bool:
    return len(ready) == len(found) if source.take == "all" else bool(ready)


def _fingerprint(files: Sequence[Dropped]) -> str:
    told = ((file.path, file.mark or file.modified_ns, file.size_bytes) for file in files)
    return hashlib.sha256(repr(list(told)).encode()).hexdigest()


def _bundle(drop: Drop, files: Sequence[Dropped], arriving: Intake, where: str) -> None:
    with bundled(arriving) as bundle:
        for number, file in enumerate(files, 1):
            if not file.size_bytes:
                raise SourceError("a file is empty (0 bytes)", where=where, mend="have it dropped anew or removed")
            add(bundle, f"{number:04}{suffix_of(file.path)}", drop.read(file))


@contextmanager
def bundled(arriving: Intake) -> Iterator[zipfile.ZipFile]:
    """An uncompressed ZIP that is written to `arriving` from its start to its end."""
    with zipfile.ZipFile(cast("IO[bytes]", _Tap(arriving)), "w", zipfile.ZIP_STORED) as bundle:
        yield bundle


def add(bundle: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> None:
    """One more file; its bytes in the bundle are a function of `name` and `chunks` alone."""
    # A ZipInfo of its own has the date 1980-01-01, whatever the time.
    with bundle.open(zipfile.ZipInfo(name), "w", force_zip64=True) as into:
        for chunk in chunks:
            into.write(chunk)


def suffix_of(name: str) -> str:
    """What is kept of a delivered name, which may hold that of a person: `.csv`, or nothing."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


class _Tap:
    """An `Intake` as the file that `zipfile` writes to, from its start to its end."""

    def __init__(self, arriving: Intake) -> None:
        self._arriving = arriving

    def write(self, data: bytes) -> int:
        self._arriving.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing to do: the intake does it when it is closed."""
