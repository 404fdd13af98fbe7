"""Which address may be contacted: the declared host alone, and never the inside of the network unless declared so.

The rules hold where the socket is opened, so that neither a redirect, nor a page's link, nor a name that resolves
to something else the second time, nor two readings of one odd URL, can get around them.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import random
import socket
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    InvalidHeader,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, parse_url
from urllib3.util.connection import create_connection

from odpipeline.errors import SourceError

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings, of retries too, show whole addresses

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

RETRIED = (429, 500, 502, 503, 504)
"""The HTTP statuses that are worth another try at once."""

_MOST_PATIENCE_SECONDS = 20


class _Patience(Retry):
    """Waits as long as the system asks for, but for no longer than 20 s: then it is asked another night, not sooner."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        return status_code in RETRIED and super().is_retry(method, status_code, has_retry_after)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        try:
            super().sleep(response)
        except InvalidHeader:
            self._sleep_backoff()

    def get_backoff_time(self) -> float:
        return super().get_backoff_time() or random.uniform(0, self.backoff_jitter)  # noqa: S311 - no secret

    def increment(
        self, method: str | None = None, url: str | None = None, response: BaseHTTPResponse | None = None, *rest: Any,
        **more: Any,
    ) -> _Patience:  # fmt: skip
        patience = self
        if response is not None and asks_too_much(response):
            patience = self.new(total=0)
        return super(_Patience, patience).increment(method, url, response, *rest, **more)


def asks_too_much(response: BaseHTTPResponse | requests.Response) -> bool:
    """Whether `Retry-After` (RFC 9110, section 10.2.3) is longer than the most that we wait."""
    try:
        asked = Retry().get_retry_after(response)  # type: ignore[arg-type]  # it looks at the headers only
    except InvalidHeader:
        return False
    return asked is not None and asked > _MOST_PATIENCE_SECONDS


_RETRIES = _Patience(
    total=2,
    status_forcelist=RETRIED,
    allowed_methods=("GET", "POST"),  # what is posted is the question for a token, which may be asked twice
    backoff_factor=0.5,
    backoff_jitter=0.5,
    raise_on_status=False,
)
"""Three tries, apart by what the system asks for, else by up to 1.5 s that no two clients share."""


def shown(url: str) -> str:
    """`url` as a message may show it: without user, query and fragment, which can hold secrets."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "an address that cannot be read"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.host}{port}{parts.path or '/'}" if parts.host else parts.path or "no address"


def joined(url: str, target: str) -> str:
    """The address of `target`, whole or relative, as the answer of `url` names it.

    Raises: SourceError when it cannot be read.
    """
    try:
        return urljoin(url, target)
    except ValueError:
        raise SourceError(
            "the answer leads to an address that cannot be read",
            where=shown(url),
            mend="ask the system's owner to mend its links",
        ) from None


@dataclass(frozen=True)
class Origin:
    """The one place that a source may contact: `scheme` http or https, `host` in lower case, `port`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of `url`.

        Raises: SourceError when it is no HTTP address or holds a user or password.
        """
        try:
            parts = parse_url(url)
        except LocationParseError:
            parts = parse_url("")
        if parts.scheme not in _PORTS or not parts.host:
            raise SourceError(
                "this is not an http:// or https:// address",
                where=shown(url),
                mend="write the whole address, or a path and the `system` that it belongs to",
            )
        if parts.auth:
            raise SourceError(
                "the address holds a user name or password",
                where=shown(url),
                mend="take it out; name the environment variables that hold them under `auth`",
            )
        host = parts.host.lower().rstrip(".")
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme])

    def check(self, url: str) -> None:
        """Let `url` pass if it is at this origin, or at its https twin on the usual ports.

        Raises: SourceError otherwise.
        """
        other = Origin.of(url)
        upgraded = (self.scheme, self.port, other.scheme, other.port) == ("http", 80, "https", 443)
        if other.host != self.host or (other != self and not upgraded):
            raise SourceError(
                f"the answer leads from {self} to {other}, which is not declared",
                where=shown(url),
                mend=f"declare {other} as the source's or the system's address if that is where the data now is",
            )

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when wrapped in IPv6.

    Not public: loopback, private, link-local, shared (RFC 6598), reserved, multicast (IANA special-purpose registries).
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def addresses(host: str, port: int, *, internal: bool, where: str) -> list[str]:
    """The IP addresses of `host`, resolved once; `internal` allows those inside the network.

    Raises: SourceError when one is inside the network; gaierror or UnicodeError when the name is unknown.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    resolved = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not internal and not all(map(is_public, resolved)):
        raise SourceError(
            "the host resolves to an address inside the network (loopback, link-local, private or reserved)",
            where=where,
            mend="say `internal: true` for the source or its system if it really is one of the town's own",
        )
    return resolved


def session(origin: Origin, *, internal: bool, deadline: float) -> requests.Session:
    """An HTTP session that connects to `origin.host` and nowhere else; `internal` allows addresses inside the network.

    Nothing is read after `deadline` (on the clock of `time.monotonic`), not one byte of headers that drip.
    Proxies and `.netrc` of the environment are ignored: the one would hide the address, the other would send
    credentials that nobody declared. `REQUESTS_CA_BUNDLE` is honoured.
    """
    guarded = _Session()
    guarded.trust_env = False
    guarded.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    guarded.headers.update({"User-Agent": "odpipeline", "Accept": "*/*", "Accept-Encoding": "gzip"})
    for scheme in _PORTS:
        guarded.mount(f"{scheme}://", _GuardedAdapter(origin, internal, deadline))
    return guarded


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: redirects are ours to follow. To find the next one, the library would read a body without bounds."""


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, origin: Origin, internal: bool, deadline: float) -> None:
        self._pools = _pools(origin, internal, deadline)
        super().__init__(max_retries=_RETRIES)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _Timed(RawIOBase):
    """What a socket delivers until `deadline`: a read is then a time-out, however steadily it drips."""

    def __init__(self, raw: RawIOBase, deadline: float) -> None:
        self._raw, self._deadline = raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline:
            raise TimeoutError("the deadline is over")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pools(origin: Origin, internal: bool, deadline: float) -> dict[str, type[HTTPConnectionPool]]:
    class Timed(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp = BufferedReader(_Timed(self.fp.detach(), deadline))

        def _safe_read(self, amt: int) -> bytes:
            if amt < 0:  # a chunk of negative length would be read to its end, into memory
                raise HTTPException("a chunk of negative length")
            return super()._safe_read(amt)  # type: ignore[misc,no-any-return]  # typeshed leaves it out

    class Plain(HTTPConnection):
        response_class = Timed

        def _new_conn(self) -> socket.socket:
            return _connect(self, origin, internal)

    class Tls(HTTPSConnection):
        response_class = Timed

        def _new_conn(self) -> socket.socket:
            return _connect(self, origin, internal)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _connect(connection: HTTPConnection, origin: Origin, internal: bool) -> socket.socket:
    """Resolve once, check what was resolved, and connect to exactly that: no second resolution can differ."""
    host = connection.host.strip("[]")
    if host.lower() != origin.host.strip("[]"):
        raise SourceError("a host that is not declared was about to be contacted", where=host, mend="declare it")
    try:
        found = addresses(host, connection.port, internal=internal, where=str(origin))
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    return _open(connection, found)


def _open(connection: HTTPConnection, addresses: list[str]) -> socket.socket:
    failure: Exception = OSError("no address")
    for address in addresses:
        try:
            return create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except TimeoutError as error:
            failure = ConnectTimeoutError(connection, "timed out")
            failure.__cause__ = error
        except OSError as error:
            failure = NewConnectionError(connection, "not reachable")
            failure.__cause__ = error
    raise failure
