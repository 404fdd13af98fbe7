"""Kind `http`: one file, or the pages of one JSON answer, over HTTP.

The answer is streamed to disk within limits; it is asked for only if it changed (RFC 9110, section 13); each redirect
and each page's link is followed by hand, to the declared host alone (`guard`). Messages show an address without its
query, which can hold secrets.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import NameResolutionError, ReadTimeoutError

from odpipeline.declaration.source import HttpSource
from odpipeline.errors import OdpError, SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import guard, pages
from odpipeline.sources.delivery import Delivery, Order, Unchanged, Validators, intake

_CHUNK_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0
_REDIRECTS = 5
_REDIRECT_CODES = frozenset({301, 302, 303, 307, 308})
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)", re.IGNORECASE)


@dataclass(frozen=True)
class _Door:
    """How one source is asked: the session that reaches its `origin` only, and what goes with each request."""

    session: requests.Session
    origin: guard.Origin
    timeout: tuple[float, float]
    token_name: str | None
    declared: str


def extract(source: HttpSource, order: Order) -> Delivery | Unchanged:
    """Fetch the answer, unless the system says that it is still the one of `order.since`.

    Of a paginated answer it is the first page that is asked for conditionally: its ETag stands for the whole.
    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    url = _address(source, order)
    origin = guard.Origin.of(url)
    asked = hashlib.sha256(url.encode()).hexdigest()
    since = order.since if order.since and order.since.asked == asked else None
    internal = source.internal or bool(order.system and order.system.internal)
    token_name = source.token or (order.system.token if order.system else None)
    with guard.session(origin, internal=internal) as session:
        session.headers.update(_authorization(token_name, url))
        timeout = min(_CONNECT_SECONDS, source.timeout.total_seconds()), source.timeout.total_seconds()
        door = _Door(session, origin, timeout, token_name, order.declared)
        with _answer(door, url, since) as first:
            if first.status_code == 304 and since:
                return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
            if source.pages:
                name = "pages.ndjson"
                media_type: str | None = "application/x-ndjson"
                _take_pages(source, order, door, first)
            else:
                name, media_type = _name(first), _media_type(first)
                _take_file(source, order, first)
            etag, modified = _header(first, "ETag"), _header(first, "Last-Modified")
            return Delivery(order.path, name, media_type, etag, modified, asked)


def _address(source: HttpSource, order: Order) -> str:
    """The whole address; one that is given whole beside a system must be that system's."""
    base = order.system.address() if order.system else ""
    if "://" not in source.http:
        if not base:
            raise SourceError(
                f"the path {urlsplit(source.http).path} belongs to no address",
                where=order.declared,
                mend="name the `system` that it is below, or write the whole address",
            )
        return f"{base.rstrip('/')}/{source.http.lstrip('/')}"
    if base:
        guard.Origin.of(base).check(source.http)
    return source.http


def _authorization(variable: str | None, url: str) -> dict[str, str]:
    if variable is None:
        return {}
    if not (token := os.environ.get(variable, "").strip()):
        raise SecretMissing(variable, needed_for="the bearer token of the source", where=guard.shown(url))
    if not (token.isascii() and token.isprintable()):
        raise SourceError(
            f"the token in {variable} holds characters that HTTP does not allow",
            where=guard.shown(url),
            mend=f"set {variable} anew, without line breaks or accents",
        )
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def _answer(door: _Door, url: str, since: Validators | None = None) -> Iterator[requests.Response]:
    """The good answer behind `url`, its body still to be read; each hop is checked before it is contacted."""
    wanted = _conditions(since)
    for _ in range(_REDIRECTS + 1):
        door.origin.check(url)
        with _worded(door, url):
            get = door.session.get
            with get(url, headers=wanted, stream=True, allow_redirects=False, timeout=door.timeout) as response:
                if response.status_code not in _REDIRECT_CODES or "location" not in response.headers:
                    _refuse_bad(response, door, conditional=bool(wanted))
                    yield response
                    return
                url = guard.joined(response.url, response.headers["location"])
    raise SourceError(
        f"the answer redirects more than {_REDIRECTS} times",
        where=guard.shown(url),
        mend=f"write the final address in {door.declared}",
    )


def _conditions(since: Validators | None) -> dict[str, str]:
    if since and since.etag:
        return {"If-None-Match": since.etag}
    return {"If-Modified-Since": since.last_modified} if since and since.last_modified else {}


def _refuse_bad(response: requests.Response, door: _Door, *, conditional: bool) -> None:
    """Let only data through: any status but 200 (or an expected 304) and any web page is an error."""
    status, where = response.status_code, guard.shown(response.url)
    if status == 304 and conditional:
        return
    if status == 429 or status >= 500:
        tries = ", at the third try too" if status in guard.RETRIED else ""
        raise SourceUnavailable(
            f"the system cannot deliver now (HTTP {status}{tries})",
            where=where,
            mend="wait for the next run; if it goes on, ask the system's owner",
        )
    if status != 200:
        what, mend = _STATUS.get(status, (f"the system answers HTTP {status} instead of data", "ask its owner why"))
        token = f"the token in {door.token_name}" if door.token_name else "`token` (none is declared)"
        raise SourceError(what, where=where, mend=mend.format(token=token, declared=door.declared))
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise SourceError(
            "the answer is compressed in a way that was not asked for",
            where=where,
            mend="have the system answer in gzip or uncompressed",
        )
    if _media_type(response) in ("text/html", "application/xhtml+xml"):
        raise _web_page(where, door.declared)


_STATUS = {
    204: ("the delivery is empty (HTTP 204)", "ask the system's owner why it delivers nothing"),
    401: ("the system wants to know who asks (HTTP 401)", "check {token} in {declared}"),
    403: ("the system does not let us in (HTTP 403)", "check {token} in {declared} and what it gives access to"),
    404: ("there is nothing at this address (HTTP 404)", "correct the address in {declared}"),
    410: ("the system has removed what was here (HTTP 410)", "find its new address and correct {declared}"),
}
"""HTTP status → what it means here, how to mend."""


def _web_page(where: str, declared: str) -> SourceError:
    return SourceError(
        "the system answered an HTML page instead of data (a login or error page?)",
        where=where,
        mend=f"open the address in a browser and correct {declared} to the download itself",
    )


def _take_file(source: HttpSource, order: Order, response: requests.Response) -> None:
    where = guard.shown(response.url)
    with intake(order, max_bytes=source.max_bytes, where=where) as arriving:
        for chunk in response.iter_content(_CHUNK_BYTES):
            arriving.write(chunk)
    with order.path.open("rb") as file:
        if _HTML.match(file.read(1024)):
            raise _web_page(where, order.declared)


def _take_pages(source: HttpSource, order: Order, door: _Door, first: requests.Response) -> None:
    """Each page becomes one line, until a page names no next one."""
    assert source.pages  # noqa: S101 - for the type checker: the caller has looked
    where = guard.shown(first.url)
    trail = pages.Trail(source.pages, where, order.declared)
    with intake(order, max_bytes=source.max_bytes, where=where) as arriving:
        following = trail.follow(first.url, _page(first, where, order), arriving)
        while following:
            with _answer(door, following) as response:
                following = trail.follow(response.url, _page(response, where, order), arriving)


def _page(response: requests.Response, where: str, order: Order) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > pages.MOST_BYTES:
            raise SourceError(
                f"one page is larger than {pages.MOST_BYTES:,} bytes",
                where=where,
                mend=f"ask for smaller pages in {order.declared}",
            )
    if _HTML.match(body):
        raise _web_page(where, order.declared)
    return bytes(body)


def _header(response: requests.Response, name: str) -> str | None:
    """A validator, if it is one that we could send back."""
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= 500 and value.isascii() and value.isprintable() else None


def _media_type(response: requests.Response) -> str | None:
    value = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return value if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", value) else None


def _name(response: requests.Response) -> str:
    """The file's name: what `Content-Disposition` says (RFC 6266), else the end of the address."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    named = header.get_filename() or unquote(urlsplit(response.url).path)
    return re.split(r"[/\\]", named.rstrip("/"))[-1]


@contextmanager
def _worded(door: _Door, url: str) -> Iterator[None]:
    """What the network does, in words; the library's own message could show the query."""
    where = guard.shown(url)
    try:
        yield
    except OdpError:
        raise
    except requests.RequestException as error:
        raise _fault(error, where, door) from None


def _fault(error: requests.RequestException, where: str, door: _Door) -> SourceError:
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", cause)
    later = "wait for the next run; if it goes on, ask the system's owner"
    if isinstance(error, requests.exceptions.SSLError):
        mend = "have its certificate renewed, or point REQUESTS_CA_BUNDLE to the authority that signed it"
        return SourceError("the system's TLS certificate cannot be trusted", where=where, mend=mend)
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        what = f"the system stayed silent for more than {door.timeout[1]:.0f} s"
        return SourceUnavailable(what, where=where, mend=f"raise `timeout` in {door.declared} if it is just slow")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return SourceUnavailable("the answer broke off before its end", where=where, mend=later)
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return SourceError("the answer says gzip but is not", where=where, mend="have the system's owner mend it")
    if isinstance(cause, NameResolutionError):
        mend = f"correct the address in {door.declared}, or ask the network's owner about DNS"
        return SourceUnavailable("the host's name is unknown", where=where, mend=mend)
    if isinstance(error, requests.ConnectionError):
        return SourceUnavailable("the system cannot be reached, at the third try neither", where=where, mend=later)
    return SourceError(f"the system cannot be asked ({type(error).__name__})", where=where, mend="check the address")
