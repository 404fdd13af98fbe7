"""Kind `s3`: the objects of a bucket, on AWS or on any store that speaks S3.

An object is there whole or not at all, so that none has to settle; its ETag tells that it is the one of the last
capture, and then its bytes are not read. The key is the declared one alone: what the machine's own AWS environment,
files or metadata service offer has no say.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from odpipeline.declaration.source import S3Source
from odpipeline.declaration.town import System
from odpipeline.errors import SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import drops, guard
from odpipeline.sources.delivery import Delivery, Order, Unchanged
from odpipeline.sources.drops import Dropped

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, S3Credential

_CHUNK_BYTES = 1 << 18
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_WILD = frozenset("*?[")
_NOWHERE = "http://127.0.0.1:0"
"""A proxy that cannot be reached: port 0 is nobody's."""


def extract(source: S3Source, order: Order) -> Delivery | Unchanged:
    """Copy the objects that match, unless they are those of the last capture.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    drops.parts(source.s3, order)
    bucket = _Bucket.of(source, order)
    return drops.deliver(bucket, source, order, pattern=source.s3, settled_seconds=0)


class _Bucket:
    """The objects of a bucket whose keys match the pattern."""

    def __init__(self, store: S3Store, pattern: str, where: str, order: Order, take: str) -> None:
        self._store, self._pattern, self._where, self._declared = store, pattern, where, order.declared
        self.asked = drops.address_of("s3", where, pattern, take)

    @classmethod
    def of(cls, source: S3Source, order: Order) -> _Bucket:
        """The bucket as the system declares it.

        Raises: SourceError, SecretMissing.
        """
        system = order.system
        if system is None:
            raise SourceError(
                "an S3 source needs to know its bucket",
                where=order.declared,
                mend="name the `system` of town.yaml whose `url` is s3://bucket/prefix",
            )
        bucket, prefix = _address(system)
        endpoint = system.endpoint or f"https://s3.{system.region}.amazonaws.com"
        origin = guard.Origin.of(endpoint)
        _check(origin, internal=source.internal or system.internal)
        store = _store(bucket, endpoint, origin, system, source)
        return cls(store, prefix + source.s3, f"{origin}/{bucket}", order, source.take)

    def look(self) -> list[Dropped]:
        """The objects that match now; a pattern without a wildcard needs no right to list."""
        with _worded(self._where, self._declared):
            if not _WILD & set(self._pattern):
                return [_seen(obstore.head(self._store, self._pattern))]
            return [_seen(told) for told in self._listed() if self._matches(told["path"])]

    def _listed(self) -> Iterator[obstore.ObjectMeta]:
        """Everything below the part of the pattern that has no wildcard."""
        plain = []
        for part in self._pattern.split("/")[:-1]:
            if _WILD & set(part):
                break
            plain.append(part)
        count = 0
        for some in obstore.list(self._store, prefix="/".join(plain) or None):
            count += len(some)
            drops.bounded(count, drops.MOST_ENTRIES, self._pattern)
            yield from some

    def _matches(self, key: str) -> bool:
        names, parts = key.split("/"), self._pattern.split("/")
        return len(names) == len(parts) and all(map(fnmatchcase, names, parts))

    def read(self, file: Dropped) -> Iterator[bytes]:
        """The object's bytes: those that were seen, whatever has taken its place since."""
        wanted: GetOptions = {"if_match": file.mark} if file.mark else {}
        read_bytes = 0
        with _worded(self._where, self._declared):
            chunks = iter(obstore.get(self._store, file.path, options=wanted).stream(min_chunk_size=_CHUNK_BYTES))
        while True:
            with _worded(self._where, self._declared):
                chunk = bytes(next(chunks, b""))
            if not chunk:
                break
            read_bytes += len(chunk)
            yield chunk
        if read_bytes != file.size_bytes:
            raise drops.changed(self._pattern)


def _seen(told: obstore.ObjectMeta) -> Dropped:
    return Dropped(told["path"], told["size"], int(told["last_modified"].timestamp() * 1e6) * 1000, told["e_tag"] or "")


def _address(system: System) -> tuple[str, str]:
    """The bucket, and the prefix of its keys with a slash at its end."""
    try:
        url = urlsplit(system.address())
    except ValueError:
        url = urlsplit("")
    if url.scheme != "s3" or not url.hostname or url.netloc != url.hostname or url.query or url.fragment:
        raise SourceError(
            "the address is not one of a bucket",
            where=f"the system “{system.title}”",
            mend="write s3://bucket or s3://bucket/prefix; the store's own address is the system's `endpoint`",
        )
    prefix = url.path.strip("/")
    return url.hostname, f"{prefix}/" if prefix else ""


def _check(origin: guard.Origin, *, internal: bool) -> None:
    """Refuse a store inside the network.

    What remains: the library resolves the name again when it connects, so that a name server that lies the second
    time is not caught; and it follows a redirect to another port of this host, or to a name below it. Other hosts it
    cannot reach: see `_store`.
    """
    try:
        guard.addresses(origin.host.strip("[]"), origin.port, internal=internal, where=str(origin))
    except (socket.gaierror, UnicodeError):
        mend = "correct `endpoint` of the system in town.yaml, or ask the network's owner about DNS"
        raise SourceUnavailable("the host's name is unknown", where=str(origin), mend=mend) from None


def _store(bucket: str, endpoint: str, origin: guard.Origin, system: System, source: S3Source) -> S3Store:
    """The library's store, with everything said that it would else look up in the environment (`AWS_…`).

    `aws_endpoint_url_s3` goes before `endpoint`; a credential provider goes before a session token, and nothing is
    asked of a metadata service. The proxy leads nowhere and the store's host alone goes around it: neither a proxy of
    the environment nor a redirect to another host is followed.
    """
    credential = _credential(system)
    silent = source.timeout
    return S3Store(
        bucket,
        aws_endpoint_url_s3=endpoint,
        endpoint=endpoint,
        region=system.region,
        skip_signature=False,
        request_payer=False,
        virtual_hosted_style_request=False,
        s3_express=False,
        server_side_encryption="AES256",  # concerns what is written, which is nothing; without it SSE-C keys are sent
        credential_provider=lambda: credential,
        client_options={
            "allow_http": origin.scheme == "http",
            "allow_invalid_certificates": False,
            "connect_timeout": min(timedelta(seconds=10), silent),
            "read_timeout": silent,
            "timeout": source.deadline,
            **_authority(),
            "proxy_url": _NOWHERE,
            "proxy_excludes": origin.host.strip("[]"),
            "user_agent": "odpipeline",
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(minutes=3)},
    )


def _authority() -> ClientConfig:
    """The authority that the machine trusts beside the usual ones, named as for HTTP: `REQUESTS_CA_BUNDLE`."""
    named = os.environ.get("REQUESTS_CA_BUNDLE")
    return {"root_certificate": Path(named).read_bytes()} if named and Path(named).is_file() else {}


def _credential(system: System) -> S3Credential:
    where = f"the system “{system.title}”"
    if not (system.auth and system.auth.access_key):
        raise SourceError(
            "an S3 source needs an access key",
            where=where,
            mend="say `auth: {access_key: {id: VARIABLE, secret: VARIABLE}}` of the system in town.yaml",
        )
    values = []
    for variable in (system.auth.access_key.id, system.auth.access_key.secret):
        if not (value := os.environ.get(variable, "").strip()):
            raise SecretMissing(variable, needed_for=where)
        values.append(value)
    return {"access_key_id": values[0], "secret_access_key": values[1], "token": None, "expires_at": None}


@contextmanager
def _worded(where: str, declared: str) -> Iterator[None]:
    """What the store says, in words: the library's own message quotes keys and answers."""
    later = "wait for the next run; if it goes on, ask the store's owner"
    try:
        yield
    except PreconditionError:
        raise SourceUnavailable("an object was replaced while it was read", where=where, mend=later) from None
    except (BaseError, FileNotFoundError, TimeoutError) as error:
        if isinstance(error, FileNotFoundError) or _status(error) == 404:
            mend = f"correct the pattern in {declared} or the bucket in town.yaml"
            raise SourceError("there is no such object or bucket", where=where, mend=mend) from None
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _status(error) in (401, 403):
            mend = "check the variables of `auth` and the right to list and read the bucket"
            raise SourceError("the store does not let us in", where=where, mend=mend) from None
        if "InvalidCertificate" in str(error):
            mend = "have its certificate renewed, or point REQUESTS_CA_BUNDLE to the authority that signed it"
            raise SourceError("the store's TLS certificate cannot be trusted", where=where, mend=mend) from None
        what = f"the store cannot be asked, at the third try neither ({type(error).__name__})"
        raise SourceUnavailable(what, where=where, mend=later) from None


def _status(error: Exception) -> int | None:
    """The HTTP status, which the library only writes into its message when it lists."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None
