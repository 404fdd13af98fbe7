"""How every kind of source over HTTP asks: one door to one host, with what lets us in, within limits.

An answer is asked for only if it changed (RFC 9110, section 13); each redirect and each page's link is followed by
hand, to the declared host alone (`guard`). Messages show an address without its query, which can hold secrets.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import NameResolutionError, ReadTimeoutError

from odpipeline.declaration.source import HttpLike
from odpipeline.errors import NotDelivered, OdpError, SourceError, SourceUnavailable
from odpipeline.sources import complaints, entering, guard
from odpipeline.sources.delivery import Delivery, Order, Validators, intake

CHUNK_BYTES = 1 << 16
_CONNECT_SECONDS, _SMALL_FILE_SECONDS = 10.0, 300.0
_REDIRECTS = 5
_REDIRECT_CODES = frozenset({301, 302, 303, 307, 308})
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)", re.IGNORECASE)
_LARGEST_PAGE = 64_000_000
_BOMB_BYTES, _BOMB_RATIO = 50_000_000, 300
"""From how many bytes on, and beyond which ratio, a compressed answer is a bomb: text compresses up to 1:100."""


@dataclass(frozen=True)
class Door:
    """How one source is asked: the session that reaches its `origin` only, and what goes with each request."""

    session: requests.Session
    origin: guard.Origin
    timeout: tuple[float, float]
    entry: entering.Entry
    pace: _Pace
    deadline: float
    declared: str
    is_platform: bool = False
    """Whether an open-data platform answers, whose words about a question that it refuses are shown."""

    @contextmanager
    def get(
        self, url: str, *, since: Validators | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """The good answer behind `url`, its body still to be read; each hop is checked before it is contacted.

        With `since` the answer may be 304. An answer that says that the token has expired is asked for once more.
        Raises: SourceError, SourceUnavailable.
        """
        conditions = _conditions(since)
        for _ in range(_REDIRECTS + 1):
            self.origin.check(url)
            with self._asked(url, {**(headers or {}), **conditions}) as response:
                if response.status_code not in _REDIRECT_CODES or "location" not in response.headers:
                    self._refuse_bad(response, conditional=bool(conditions))
                    yield response
                    return
                url = guard.joined(response.url, response.headers["location"])
        raise SourceError(
            f"the answer redirects more than {_REDIRECTS} times",
            where=guard.shown(url),
            mend=f"write the final address in {self.declared}",
        )

    def page(self, response: requests.Response) -> bytes:
        """The body of one page or small document, held in memory.

        Raises: SourceError when it is larger than 64 MB or HTML, SourceUnavailable when it breaks off.
        """
        body, where = bytearray(), guard.shown(response.url)
        with self._worded(response.url):
            for chunk in response.iter_content(CHUNK_BYTES):
                body += chunk
                if len(body) > _LARGEST_PAGE:
                    raise SourceError(
                        f"one page is larger than {_LARGEST_PAGE:,} bytes",
                        where=where,
                        mend=f"ask for smaller pages in {self.declared}",
                    )
        if _HTML.match(body):
            raise self._web_page(where)
        return bytes(body)

    def document(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        """A small JSON document.

        Raises: SourceError, SourceUnavailable.
        """
        with self.get(url, headers=headers) as response:
            body = self.page(response)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise SourceError(
                "the answer is no JSON", where=guard.shown(url), mend=f"see what it answers; correct {self.declared}"
            ) from None

    def save(self, source: HttpLike, response: requests.Response, order: Order) -> None:
        """Stream the body to where the delivery goes.

        Raises: SourceError when it is too large, too slow, a compression bomb, or HTML.
        """
        where = guard.shown(response.url)
        with self._worded(response.url), intake(source, order, where=where) as arriving:
            for chunk in response.iter_content(CHUNK_BYTES):
                arriving.write(chunk)
                if arriving.size_bytes > _BOMB_BYTES and arriving.size_bytes > _BOMB_RATIO * response.raw.tell():
                    raise SourceError(
                        f"the answer unpacks to more than {_BOMB_RATIO} times its size",
                        where=where,
                        mend="ask the system's owner what it sends; have it answer uncompressed if this is right",
                    )
        with order.path.open("rb") as file:
            if _HTML.match(file.read(1024)):
                raise self._web_page(where)

    @contextmanager
    def _asked(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """The raw answer, asked at most twice: the second time when a token of ours has expired."""
        for renewed in (False, True):
            self.pace.wait()
            entry = self.entry.headers(renew=renewed)
            with self._worded(url):
                response = self.session.get(
                    url, headers={**headers, **entry}, stream=True, allow_redirects=False, timeout=self.timeout
                )
            if response.status_code == 401 and self.entry.renews and not renewed:
                response.close()
                continue
            with response:
                yield response
                return

    def _refuse_bad(self, response: requests.Response, *, conditional: bool) -> None:
        """Let only data through: any status but 200 (or an expected 304) and any web page is an error."""
        status, where = response.status_code, guard.shown(response.url)
        if status == 304 and conditional:
            return
        if status == 429 or status >= 500:
            tries = ", at the third try too" if status in guard.RETRIED else ""
            if guard.asks_too_much(response):
                tries = ", and asks to come again later"
            raise SourceUnavailable(
                f"the system cannot deliver now (HTTP {status}{tries})",
                where=where,
                mend="wait for the next run; if it goes on, ask the system's owner",
            )
        if status != 200:
            if self.is_platform and (told := complaints.said(self._start(response))):
                mend = f"correct what {self.declared} asks for"
                raise SourceError(f"the platform refuses (HTTP {status}): {told}", where=where, mend=mend)
            what, mend = _STATUS.get(status, (f"the system answers HTTP {status} instead of data", "ask its owner why"))
            told = mend.format(entry=self.entry.told, declared=self.declared)
            raise (NotDelivered if status in _GONE else SourceError)(what, where=where, mend=told)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceError(
                "the answer is compressed in a way that was not asked for",
                where=where,
                mend="have the system answer in gzip or uncompressed",
            )
        if media_type(response) in ("text/html", "application/xhtml+xml"):
            raise self._web_page(where)

    def _start(self, response: requests.Response) -> bytes:
        with self._worded(response.url):
            return next(response.iter_content(CHUNK_BYTES), b"")

    def _web_page(self, where: str) -> SourceError:
        return SourceError(
            "the system answered an HTML page instead of data (a login or error page?)",
            where=where,
            mend=f"open the address in a browser and correct {self.declared} to the download itself",
        )

    @contextmanager
    def _worded(self, url: str) -> Iterator[None]:
        """What the network does, in words; the library's own message could show the query."""
        try:
            yield
        except OdpError:
            raise
        except requests.RequestException as error:
            raise self._fault(error, guard.shown(url)) from None

    def _fault(self, error: requests.RequestException, where: str) -> SourceError:
        cause = error.args[0] if error.args else None
        cause = getattr(cause, "reason", cause)
        later = "wait for the next run; if it goes on, ask the system's owner"
        if time.monotonic() > self.deadline:
            mend = f"raise `deadline` in {self.declared}, or have the system deliver faster"
            return SourceUnavailable("the delivery was not complete before its `deadline`", where=where, mend=mend)
        if isinstance(error, requests.exceptions.SSLError):
            mend = "have its certificate renewed, or point REQUESTS_CA_BUNDLE to the authority that signed it"
            return SourceError("the system's TLS certificate cannot be trusted", where=where, mend=mend)
        if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
            what = f"the system stayed silent for more than {self.timeout[1]:.0f} s"
            return SourceUnavailable(what, where=where, mend=f"raise `timeout` in {self.declared} if it is just slow")
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return SourceUnavailable("the answer broke off before its end", where=where, mend=later)
        if isinstance(error, requests.exceptions.ContentDecodingError):
            return SourceError("the answer says gzip but is not", where=where, mend="have the system's owner mend it")
        if isinstance(cause, NameResolutionError):
            mend = f"correct the address in {self.declared}, or ask the network's owner about DNS"
            return SourceUnavailable("the host's name is unknown", where=where, mend=mend)
        if isinstance(error, requests.ConnectionError):
            return SourceUnavailable("the system cannot be reached, at the third try neither", where=where, mend=later)
        return SourceError(
            f"the system cannot be asked ({type(error).__name__})", where=where, mend="check the address"
        )


_STATUS = {
    204: ("the delivery is empty (HTTP 204)", "ask the system's owner why it delivers nothing"),
    401: ("the system wants to know who asks (HTTP 401)", "check {entry} in {declared}"),
    403: ("the system does not let us in (HTTP 403)", "check {entry} in {declared} and what it gives access to"),
    404: ("there is nothing at this address (HTTP 404)", "correct the address in {declared}"),
    410: ("the system has removed what was here (HTTP 410)", "find its new address and correct {declared}"),
}
"""HTTP status → what it means here, how to mend."""
_GONE = (204, 404, 410)


@dataclass(frozen=True)
class _Pace:
    """At least `seconds` between two requests to one host, whichever process of this machine asks."""

    seconds: float
    file: Path

    def wait(self) -> None:
        """Return when the next request may go."""
        if not self.seconds:
            return
        with self.file.open("a+") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # who waits in line keeps the line
            turn.seek(0)
            try:
                ready = float(turn.read()) + self.seconds
            except ValueError:  # new, or half written when the machine stopped
                ready = 0.0
            time.sleep(max(0.0, min(self.seconds, ready - time.time())))
            turn.truncate(0)
            turn.write(repr(time.time()))


@contextmanager
def door(source: HttpLike, order: Order, url: str) -> Iterator[Door]:
    """The door to the origin of `url`, as the source and its system declare it.

    Raises: SourceError when the address cannot be, SecretMissing.
    """
    origin = guard.Origin.of(url)
    internal = source.internal or bool(order.system and order.system.internal)
    auth = source.auth or (order.system.auth if order.system else None)
    silence = source.timeout.total_seconds()
    pause = order.system.pause.total_seconds() if order.system else 0.0
    named = hashlib.sha256(str(origin).encode()).hexdigest()[:16]
    deadline = time.monotonic() + source.deadline.total_seconds()
    with guard.session(origin, internal=internal, deadline=deadline) as session:
        yield Door(
            session,
            origin,
            (min(_CONNECT_SECONDS, silence), silence),
            entering.Entry(auth, internal, deadline, guard.shown(url)),
            _Pace(pause, order.folder.parent / f".pace-{named}"),
            deadline,
            order.declared,
            source.is_platform,
        )


def small_file(url: str) -> bytes:
    """What a public address gives, at most 64 MB, such as a schema.

    Raises: SourceError, SourceUnavailable.
    """
    origin = guard.Origin.of(url)
    deadline = time.monotonic() + _SMALL_FILE_SECONDS
    with guard.session(origin, internal=False, deadline=deadline) as session:
        entry, pace = entering.Entry(None, False, deadline, guard.shown(url)), _Pace(0.0, Path())
        asked = Door(session, origin, (_CONNECT_SECONDS, 60.0), entry, pace, deadline, "the address")
        with asked.get(url) as answer:
            return asked.page(answer)


def address(given: str, order: Order) -> str:
    """The whole address; one that is given whole beside a system must be that system's.

    Raises: SourceError.
    """
    base = order.system.address() if order.system else ""
    if "://" not in given:
        if not base:
            raise SourceError(
                f"the path {given.partition('?')[0]} belongs to no address",
                where=order.declared,
                mend="name the `system` that it is below, or write the whole address",
            )
        return f"{base.rstrip('/')}/{given.lstrip('/')}"
    if base:
        guard.Origin.of(base).check(given)
    return given


def fingerprint(url: str) -> str:
    """What validators belong to; see `Validators.asked`."""
    return hashlib.sha256(url.encode()).hexdigest()


def delivered(order: Order, url: str, response: requests.Response, name: str) -> Delivery:
    """What was saved from `response`, the answer of `url`, with the validators that we could send back."""
    return Delivery(
        order.path,
        name,
        media_type(response),
        _header(response, "ETag"),
        _header(response, "Last-Modified"),
        fingerprint(url),
    )


def media_type(response: requests.Response) -> str | None:
    """The answer's media type without parameters, or None when it has none that can be read."""
    value = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return value if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", value) else None


def _header(response: requests.Response, name: str) -> str | None:
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= 500 and value.isascii() and value.isprintable() else None


def _conditions(since: Validators | None) -> dict[str, str]:
    if since and since.etag:
        return {"If-None-Match": since.etag}
    return {"If-Modified-Since": since.last_modified} if since and since.last_modified else {}
