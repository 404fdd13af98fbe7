"""Bytes → UTF-8 text on disk: as declared, else UTF-8 if the whole file is valid, else Windows-1252.

A rule, not a guess: French files are one or the other, and the same file is always read the same way.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import ConformError

_ACCENT = re.compile(rb"\xc3[\x80-\xbf]")
_CHUNK = 1 << 18
"""Bytes read at once."""


def as_utf8(path: Path, dataset: Dataset, folder: Path) -> Path:
    """A file with the text of `path` in UTF-8: `path` itself when it is already.

    Raises: ConformError naming the byte and the line that the encoding cannot hold.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    declared = dataset.format.encoding
    if declared is None and start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        declared = "utf-16"
    if declared in (None, "utf-8"):
        bad = _unreadable(path, "utf-8")
        if bad is None:
            return path
        if declared == "utf-8":
            raise _wrong(path, "utf-8", bad, dataset)
    encoding = declared or "cp1252"
    if encoding != "utf-16" and _accented_utf8(path):
        raise ConformError(
            f"the delivery is declared as {encoding}, but it is UTF-8: its accents would be published wrong",
            where=dataset.place("format", "encoding"),
            mend="declare format: {encoding: utf-8}, which fits",
        )
    if encoding != "utf-16" and (line := _line_of_utf8(path)):
        raise ConformError(
            f"the encoding of the delivery changes on its way: {encoding}, and UTF-8 on line {line}",
            where=dataset.place("format", "encoding"),
            mend="have the source write one encoding; files that were glued together often have two",
        )
    target = folder / "utf8.txt"
    bad = _unreadable(path, encoding, target)
    if bad is not None:
        raise _wrong(path, encoding, bad, dataset)
    return target


def _unreadable(path: Path, encoding: str, target: Path | None = None) -> int | None:
    """The offset of the first byte that `encoding` cannot hold, or None; the text goes to `target` on the way."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    with path.open("rb") as stream, (target or Path("/dev/null")).open("w", encoding="utf-8", newline="") as text:
        while True:
            chunk = stream.read(_CHUNK)
            waiting = len(decoder.getstate()[0])
            if encoding == "utf-8" and chunk and not waiting and chunk.isascii():
                offset += len(chunk)  # nothing to prove, and a hundred times faster than proving it
                continue
            try:
                decoded = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return offset - waiting + error.start
            if target:
                text.write(decoded)
            if not chunk:
                return None
            offset += len(chunk)


def _line_of_utf8(path: Path) -> int:
    """The first line, from 1, with an accent in UTF-8, in a file that is not UTF-8 as a whole; 0 when there is none.

    `é` in UTF-8 reads as `Ã©` in the encodings of one byte, in which no French word holds that pair.
    """
    lines, before = 1, b""
    for chunk in chunks(path, 0):
        if found := _ACCENT.search(before + chunk):
            return lines + (before + chunk).count(b"\n", 0, found.start()) - before.count(b"\n")
        lines += chunk.count(b"\n")
        before = chunk[-1:]
    return 0


def _accented_utf8(path: Path) -> bool:
    """Whether the file is valid UTF-8 and has more than ASCII: no other encoding reads so by chance."""
    return _unreadable(path, "utf-8") is None and not all(chunk.isascii() for chunk in chunks(path, 0))


def chunks(path: Path, start: int, end: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` to `end`, in chunks of bounded size."""
    left = (path.stat().st_size if end is None else end) - start
    with path.open("rb") as stream:
        stream.seek(start)
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def with_plain_line_ends(path: Path, target: Path) -> Path:
    """`target`, with the text of `path` in which every CR LF and every lone CR is LF."""
    held = b""
    with target.open("wb") as plain:
        for chunk in chunks(path, 0):
            text = held + chunk
            held = b"\r" if text.endswith(b"\r") else b""
            plain.write(text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        plain.write(held.replace(b"\r", b"\n"))
    return target


def _wrong(path: Path, encoding: str, offset: int, dataset: Dataset) -> ConformError:
    line = 1 + sum(chunk.count(b"\n") for chunk in chunks(path, 0, offset))
    fits = [other for other in ("utf-8", "cp1252") if other != encoding and _unreadable(path, other) is None]
    return ConformError(
        f"the delivery is not {encoding}: byte {offset}, line {line}",
        where=dataset.place("format", "encoding"),
        mend=f"declare format: {{encoding: {fits[0]}}}, which fits" if fits else "ask the source which encoding it is",
    )
