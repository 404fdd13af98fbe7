"""Files packed for transport: gzip, zip, 7z. Unpacked into the work folder within bounds, under names of our own.

No name in a container is ever used as a path, nothing within it is a link or a container again, and what unpacks to
more than it can honestly hold is a bomb. A workbook, a shapefile's zip or a GTFS zip is a format, not a container.
"""

from __future__ import annotations

import errno
import fnmatch
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import py7zr
from py7zr.exceptions import ArchiveError
from py7zr.io import Py7zIO, WriterFactory

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import DropSource
from odpipeline.errors import ConformError

_CHUNK_BYTES = 1 << 18
_MOST_MEMBERS = 10_000
_LONGEST_LIST_BYTES = 1 << 22
_BOMB_BYTES, _BOMB_RATIO = 100_000_000, 300
"""From how many bytes on, and beyond which ratio, a member is a bomb: text compresses up to 1:100."""
_ENCRYPTED, _LINK = 1, 0o120000
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_FORMATS = ("[content_types].xml", "mimetype")
"""Members that only a workbook has."""
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError,
           ArchiveError, ValueError, OverflowError)  # fmt: skip
"""What the libraries raise for a broken container; BadGzipFile is an OSError, and so is a place before the start."""
_PACKED = (b"PK\x03\x04", _SEVEN_ZIP)


@dataclass(frozen=True)
class _Member:
    """One file in a container: its name, what its header says it unpacks to, and how to write it to a file."""

    name: str
    size_bytes: int
    write: Callable[[IO[bytes]], None]


def unpacked(path: Path, dataset: Dataset, folder: Path) -> list[Path]:
    """The files to read: `path` itself, or those of the container that it is, in the order of their names.

    More than one only if the declaration says that all are the dataset. Raises: ConformError.
    """
    with path.open("rb") as stream:
        start = stream.read(6)
    if start[:2] == b"\x1f\x8b":
        return [_gunzipped(path, folder / "unpacked", dataset)]
    if dataset.source.reads or not start.startswith(_PACKED):
        return [path]
    with _told(dataset):
        if start == _SEVEN_ZIP:
            return _taken(list(_of_7z(path, dataset)), dataset, folder)
        with _open_zip(path) as bundle:
            names = [name.lower() for name in bundle.namelist()]
            if any(name in _FORMATS or name.endswith(".shp") for name in names):
                return [path]
            return _taken(list(_of_zip(bundle, dataset)), dataset, folder)


def write(path: Path, dataset: Dataset, choose: Callable[[list[str]], dict[str, Path]]) -> None:
    """Write the members of a zip that `choose` takes of all names, each to its path: for formats that are zips.

    Raises: ConformError.
    """
    with _told(dataset), _open_zip(path) as bundle:
        members = {member.name: member for member in _of_zip(bundle, dataset)}
        left = dataset.source.max_bytes
        for name, target in choose(list(members)).items():
            with target.open("wb") as plain:
                members[name].write(_Bounded(plain, left, dataset))  # type: ignore[arg-type]  # only `write` is used
            left -= target.stat().st_size


def _taken(members: list[_Member], dataset: Dataset, folder: Path) -> list[Path]:
    """Write the wanted members, each within its bounds and all within those of the source."""
    pattern = dataset.format.member
    wanted = [m for m in members if pattern is None or fnmatch.fnmatch(PurePosixPath(m.name).name, pattern)]
    every = dataset.format.members == "all" or dataset.periods is not None
    every |= isinstance(dataset.source, DropSource) and dataset.source.take == "all"
    if not wanted or (len(wanted) > 1 and not every):
        raise ConformError(
            f"{len(wanted)} of the {len(members)} files in the container match",
            where=dataset.place("format"),
            mend="name the one to read with format: {member: …}, or say members: all if they are one table together",
        )
    files, left = [], dataset.source.max_bytes
    for number, member in enumerate(sorted(wanted, key=lambda m: m.name), 1):
        target = folder / f"member-{number:05}"
        with target.open("wb") as plain:
            member.write(_Bounded(plain, left, dataset))  # type: ignore[arg-type]  # all that is used is `write`
        left -= target.stat().st_size
        files.append(_not_packed_again(target, dataset, folder))
    return files


def _not_packed_again(path: Path, dataset: Dataset, folder: Path) -> Path:
    """A member may be gzipped; a container in a container is refused, but for what one period was delivered in."""
    with path.open("rb") as stream:
        start = stream.read(6)
    if start[:2] == b"\x1f\x8b":
        return _gunzipped(path, folder / f"{path.name}-plain", dataset)
    if start == _SEVEN_ZIP or (start[:4] == b"PK\x03\x04" and not _is_format(path)):
        if dataset.periods:
            inner = folder / f"{path.name}-in"
            inner.mkdir(mode=0o700)
            return unpacked(path, dataset.model_copy(update={"periods": None}), inner)[0]
        raise ConformError(
            "the container holds another container",
            where=dataset.place("source"),
            mend="have the files packed once",
        )
    return path


def is_shapefile(path: Path) -> bool:
    """Whether the zip at `path` holds a shapefile."""
    try:
        with _open_zip(path) as bundle:
            return any(name.lower().endswith(".shp") for name in bundle.namelist())
    except (*_BROKEN, OSError):
        return False


def _is_format(path: Path) -> bool:
    with _open_zip(path) as bundle:
        return any(name.lower() in _FORMATS for name in bundle.namelist())


class _Modest(io.FileIO):
    """A file that is not read by more than 4 MiB at once: a zip lists its members in one piece, of any length."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _LONGEST_LIST_BYTES:
            raise zipfile.BadZipFile
        return super().read(-1 if size is None else size)


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`, unless its list of members is endless.

    Raises: whatever `zipfile` raises, for `_told` to word.
    """
    with _Modest(path) as file, zipfile.ZipFile(file) as bundle:
        yield bundle


def _of_zip(bundle: zipfile.ZipFile, dataset: Dataset) -> Iterator[_Member]:
    """The files of a zip.

    Raises: ConformError for what an honest one does not hold.
    """
    infos = bundle.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise _hostile(f"more than {_MOST_MEMBERS} files", dataset)
    if len(set(bundle.namelist())) < len(infos):
        raise _hostile("two files of one name", dataset)
    for info in infos:
        if info.is_dir():
            continue
        _refuse_path(info.filename, dataset)
        if info.external_attr >> 16 & 0o170000 == _LINK:
            raise _hostile("a link", dataset)
        if info.flag_bits & _ENCRYPTED:
            raise _locked(dataset)

        def write(plain: IO[bytes], info: zipfile.ZipInfo = info) -> None:
            size = 0
            with bundle.open(info) as packed:
                while chunk := packed.read(_CHUNK_BYTES):
                    size += len(chunk)
                    if size > _BOMB_BYTES and size > _BOMB_RATIO * info.compress_size:
                        raise _hostile(f"a file that unpacks to more than {_BOMB_RATIO} times its size", dataset)
                    plain.write(chunk)

        yield _Member(info.filename, info.file_size, write)


def _of_7z(path: Path, dataset: Dataset) -> Iterator[_Member]:
    with py7zr.SevenZipFile(path) as archive:
        if archive.needs_password():
            raise _locked(dataset)
        infos = archive.list()
    if len(infos) > _MOST_MEMBERS:
        raise _hostile(f"more than {_MOST_MEMBERS} files", dataset)
    packed = path.stat().st_size
    for info in infos:
        if info.is_directory:
            continue
        _refuse_path(info.filename, dataset)
        if info.is_symlink:
            raise _hostile("a link", dataset)
        if info.uncompressed > max(_BOMB_BYTES, _BOMB_RATIO * packed):
            raise _hostile(f"a file that unpacks to more than {_BOMB_RATIO} times the container's size", dataset)

        def write(plain: IO[bytes], name: str = info.filename) -> None:
            with py7zr.SevenZipFile(path) as archive:
                archive.extract(targets=[name], factory=_Into(plain))

        yield _Member(info.filename, info.uncompressed, write)


class _Into(WriterFactory):
    """Lets py7zr write its one member into our file, in a stream."""

    def __init__(self, plain: IO[bytes]) -> None:
        self._plain = plain

    def create(self, filename: str) -> Py7zIO:  # noqa: ARG002 - the name inside is never used
        return _Writer(self._plain)


class _Writer(Py7zIO):
    def __init__(self, plain: IO[bytes]) -> None:
        self._plain, self._size = plain, 0

    def write(self, s: bytes | bytearray) -> int:
        self._plain.write(s)
        self._size += len(s)
        return len(s)

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002 - nothing is read back
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002 - it is written from start to end
        return offset

    def flush(self) -> None:
        """Nothing waits here."""

    def size(self) -> int:
        return self._size


class _Bounded:
    """A file that refuses more than `left` bytes."""

    def __init__(self, plain: IO[bytes], left: int, dataset: Dataset) -> None:
        self._plain, self._left, self._dataset = plain, left, dataset

    def write(self, chunk: bytes) -> int:
        """Add `chunk`.

        Raises: ConformError when it gets too large.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise ConformError(
                f"the delivery unpacks to more than {self._dataset.source.max_bytes} bytes",
                where=self._dataset.place("source"),
                mend="raise max_bytes if that is right",
            )
        return self._plain.write(chunk)


def _gunzipped(path: Path, target: Path, dataset: Dataset) -> Path:
    with _told(dataset), gzip.open(path) as packed, target.open("wb") as plain:
        bounded = _Bounded(plain, dataset.source.max_bytes, dataset)
        most, size = max(_BOMB_BYTES, _BOMB_RATIO * path.stat().st_size), 0
        while chunk := packed.read(_CHUNK_BYTES):
            bounded.write(chunk)
            if (size := size + len(chunk)) > most:
                raise _hostile(f"a file that unpacks to more than {_BOMB_RATIO} times its size", dataset)
    return target


def _refuse_path(name: str, dataset: Dataset) -> None:
    """We never use the name; whoever packs `../` means harm, or packs what nobody should trust."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise _hostile("a path that leads out of it", dataset)


def _hostile(what: str, dataset: Dataset) -> ConformError:
    return ConformError(
        f"the container holds {what}",
        where=dataset.place("source"),
        mend="ask the source what it sends; nothing was read",
    )


def _locked(dataset: Dataset) -> ConformError:
    return ConformError(
        "the container is encrypted", where=dataset.place("source"), mend="have it packed without a password"
    )


@contextmanager
def _told(dataset: Dataset) -> Iterator[None]:
    """What the libraries say of a broken container, without their words: those may hold names."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # our disk, not their file
        raise _broken(dataset) from None
    except _BROKEN:
        raise _broken(dataset) from None


def _broken(dataset: Dataset) -> ConformError:
    return ConformError(
        "the container is broken, or was packed in a way that cannot be read",
        where=dataset.place("source"),
        mend="ask for it again, as a plain gzip, zip or 7z",
    )
