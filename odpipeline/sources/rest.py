"""Kind `rest`: the records of a JSON API, page by page, each page one line of the delivery.

A page is kept in its own spelling: parsing it and writing it anew would round numbers. Line breaks can stand only
between its tokens (RFC 8259), so that blanks in their place change nothing. The end is never guessed from a short
page, since many systems give fewer records than they are asked for: a page without records, without a next address or
cursor, or the declared total is the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

from odpipeline.declaration.source import HttpLike, Paging, RestSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import asking, guard, newer
from odpipeline.sources.delivery import Delivery, Intake, Order, Unchanged, intake

MEDIA_TYPE = "application/x-ndjson"
"""The media type of a delivery of pages."""

_REFUSAL = re.compile(r"<(?:\w+:)?Exception\b[^>]*\bexceptionCode=[\"']([\w.]{1,60})[\"']")
"""The code of an OGC ExceptionReport (OWS Common, 8), which comes with status 200 too."""
_BREAKS = str.maketrans("\r\n", "  ")


def extract(source: RestSource, order: Order) -> Delivery | Unchanged:
    """Fetch every page; an answer of one page is fetched only if it changed.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked = {key: str(value).lower() if isinstance(value, bool) else value for key, value in source.params.items()}
    since = before = None
    if source.incremental:
        before = newer.before(order)
        asked |= newer.question(source.incremental, order, before)
    url = with_parameters(asking.address(source.rest, order), asked)
    if order.since and order.since.asked == asking.fingerprint(url) and not source.paging and not source.incremental:
        since = order.since
    with asking.door(source, order, url) as door:
        if not source.paging:
            with door.get(url, since=since) as answer:
                if answer.status_code == 304 and since:
                    return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
                body = door.page(answer)
                with intake(source, order, where=guard.shown(url)) as arriving:
                    arriving.write(Page(body, 1, order, guard.shown(url)).line)
                delivery = asking.delivered(order, url, answer, "pages.ndjson")
        else:
            fetch(source, order, door, url, source.paging)
            delivery = Delivery(order.path, "pages.ndjson", MEDIA_TYPE)
    if source.incremental:
        newer.merge(order, before)
        return Delivery(order.path, "pages.ndjson", MEDIA_TYPE)
    return delivery


def fetch(
    source: HttpLike, order: Order, door: asking.Door, url: str, paging: Paging,
    headers: Mapping[str, str] | None = None,
) -> int:  # fmt: skip
    """Write every page from `url` on to where the delivery goes, one a line; the number of records.

    A list that changes while it is read is read once more from its start.
    Raises: SourceError, SourceUnavailable.
    """
    for moved in (False, True):
        try:
            with intake(source, order, where=guard.shown(url)) as arriving:
                return _follow(order, door, url, paging, arriving, headers)
        except _Moved:
            if moved:
                raise SourceUnavailable(
                    "the list changed while it was read, twice",
                    where=guard.shown(url),
                    mend="fetch it at a quieter hour, or sort it by an identifier with `params`",
                ) from None
    raise AssertionError  # the second round returns or raises


class _Moved(Exception):
    """The number of records does not fit what was read."""


@dataclass(frozen=True)
class Page:
    """One page: its `body`, its `number` from 1; `where` is for messages. Raises SourceError when it is no JSON."""

    body: bytes
    number: int
    order: Order
    where: str

    @property
    def line(self) -> bytes:
        """The page as one line of NDJSON."""
        return self._text.strip().translate(_BREAKS).encode() + b"\n"

    @cached_property
    def document(self) -> Any:
        """The page, parsed."""
        try:
            found = json.loads(self._text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            found = None  # no JSON, NaN, which JSON does not have, or nested without end
        if not isinstance(found, dict | list):
            if said := _REFUSAL.search(self._text):
                raise self.error(f"is a refusal ({said[1]})", f"correct what {self.order.declared} asks for")
            raise self.error("is not JSON", f"see what it answers; {self.order.declared} is for a JSON API")
        return found

    def records(self) -> int:
        """How many records stand at `format.records`."""
        path = self.order.dataset.records
        found = at(self.document, path) if path else self.document
        if not isinstance(found, list):
            raise self.error(
                f"holds no list at {path or 'its top'}",
                f"give the dotted path with format: {{records: …}} beside {self.order.declared}",
            )
        return len(found)

    def error(self, what: str, mend: str) -> SourceError:
        """An error about this page."""
        return SourceError(f"page {self.number} {what}", where=self.where, mend=mend)

    @property
    def _text(self) -> str:
        try:
            return self.body.decode(json.detect_encoding(self.body)).removeprefix("\ufeff")
        except ValueError:
            raise self.error("is not text", "see what it answers") from None


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path of a parsed document, or None; a key that holds dots itself goes first."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def with_parameters(url: str, parameters: dict[str, Any]) -> str:
    """`url` with query parameters added, or replaced where they stand already."""
    parts = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def _follow(
    order: Order, door: asking.Door, url: str, paging: Paging, arriving: Intake, headers: Mapping[str, str] | None
) -> int:
    read, seen, total, before = 0, set[str](), None, b""
    following: str | None = with_parameters(url, _first(paging))
    while following:
        seen.add(following)
        with door.get(following, headers=headers) as response:
            page = Page(door.page(response), len(seen), order, guard.shown(url))
            count = page.records()
            total = _total(page, paging, total)
            if count or not read:
                arriving.write(page.line)
            read += count
            following = _next(url, following, page, response, paging, count, read, total)
        if following in seen:
            raise page.error("leads back to a page that was read already", "ask the system's owner to mend its links")
        if count and page.body == before:
            mend = f"see which parameters the system knows, and correct `paging` in {order.declared}"
            raise page.error("is the page before once more", mend)
        before = page.body
        if following and len(seen) >= paging.most:
            raise page.error("still names a next one", f"raise `paging.most` in {order.declared} if there are more")
    if total is not None and read != total:
        raise _Moved
    return read


def _first(paging: Paging) -> dict[str, Any]:
    asked: dict[str, Any] = {paging.size: paging.of} if paging.size else {}
    if paging.page:
        asked[paging.page] = paging.first
    if paging.offset:
        asked[paging.offset] = 0
    return asked


def _total(page: Page, paging: Paging, before: int | None) -> int | None:
    if paging.total is None:
        return None
    found = at(page.document, paging.total)
    if not isinstance(found, int):
        raise page.error(f"holds no number under `{paging.total}`", f"correct `paging.total` in {page.order.declared}")
    if before not in (None, found):
        raise _Moved
    return found


def _next(
    url: str, current: str, page: Page, response: requests.Response, paging: Paging, count: int, read: int,
    total: int | None,
) -> str | None:  # fmt: skip
    """The address of the page after `current`, or None."""
    if paging.next:
        return _linked(current, at(page.document, paging.next), page, paging.next)
    if paging.link:
        return _linked(current, response.links.get("next", {}).get("url"), page, "Link")
    if paging.cursor and paging.key:
        cursor = at(page.document, paging.key)
        return with_parameters(current, {paging.cursor: cursor}) if cursor not in (None, "", False) else None
    if not count or (total is not None and read >= total):
        return None
    step = {paging.offset: read} if paging.offset else {str(paging.page): paging.first + page.number}
    return with_parameters(url, _first(paging) | step)


def _linked(current: str, target: Any, page: Page, key: str) -> str | None:
    if isinstance(target, list):  # of links, as OGC and HAL write them
        target = next(
            (link.get("href") for link in target if isinstance(link, dict) and link.get("rel") == "next"), None
        )
    if target in (None, ""):
        return None
    if not isinstance(target, str):
        raise page.error(f"holds no address under `{key}`", f"correct `paging` in {page.order.declared}")
    return guard.joined(current, target)


def _refuse_constant(_: str) -> None:
    raise ValueError
