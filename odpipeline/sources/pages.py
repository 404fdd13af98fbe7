"""The pages of one JSON answer: each becomes one line of a file, until a page names no next one.

A page is kept in its own spelling: parsing it and writing it anew would round numbers.
Line breaks can stand only between its tokens (RFC 8259), so that blanks in their place change nothing.
"""

from __future__ import annotations

import json
from typing import Any

from odpipeline.declaration.source import Pages
from odpipeline.errors import SourceError
from odpipeline.sources import guard
from odpipeline.sources.delivery import Intake

MOST_BYTES = 64_000_000
"""The largest page: unlike a file, a page is held in memory."""

_BREAKS = str.maketrans("\r\n", "  ")


class Trail:
    """Follows the links from page to page. `where` and `declared` are for messages."""

    def __init__(self, pages: Pages, where: str, declared: str) -> None:
        self._pages, self._where, self._declared = pages, where, declared
        self._seen: set[str] = set()

    def follow(self, url: str, body: bytes, arriving: Intake) -> str | None:
        """Write the page that `url` answered as one line; return the next page's address, None after the last.

        Raises: SourceError, naming the number of the page, when it is no JSON object, leads back to one that was
        read, or is one too many.
        """
        self._seen.add(url)
        line, document = self._read(body)
        arriving.write(line)
        following = self._next(document)
        if following is None:
            return None
        target = guard.joined(url, following)
        if target in self._seen:
            raise self._error("leads back to a page that was read already", "ask the system's owner to mend its links")
        if len(self._seen) >= self._pages.most:
            raise self._error("still names a next one", f"raise `pages.most` in {self._declared} if there are more")
        return target

    def _read(self, body: bytes) -> tuple[bytes, dict[str, Any]]:
        try:
            text = body.decode(json.detect_encoding(body)).removeprefix("\ufeff")
            document = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            # ValueError: no JSON, no text, or NaN, which JSON does not have; RecursionError: nested without end.
            document = None
        if not isinstance(document, dict):
            number = len(self._seen)
            raise SourceError(
                f"page {number} is not a JSON object",
                where=self._where,
                mend=f"see what it answers; `pages` in {self._declared} is for objects that name the next page",
            )
        return text.strip().translate(_BREAKS).encode() + b"\n", document

    def _next(self, document: dict[str, Any]) -> str | None:
        found: Any = document
        for key in self._pages.next.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, str):
            raise self._error(
                f"holds no address under `{self._pages.next}`", f"correct `pages.next` in {self._declared}"
            )
        return found

    def _error(self, what: str, mend: str) -> SourceError:
        return SourceError(f"page {len(self._seen)} {what}", where=self._where, mend=mend)


def _refuse_constant(_: str) -> None:
    raise ValueError
