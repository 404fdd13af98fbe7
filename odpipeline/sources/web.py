"""Kind `http`: one file over HTTP, streamed to disk, and only if it changed."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import unquote, urlsplit

import requests

from odpipeline.declaration.source import HttpLike, HttpSource
from odpipeline.sources import asking
from odpipeline.sources.delivery import Delivery, Order, Unchanged


def extract(source: HttpSource, order: Order) -> Delivery | Unchanged:
    """Fetch the answer, unless the system says that it is still the one of `order.since`.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    return one_file(source, order, source.http)


def one_file(source: HttpLike, order: Order, given: str, name: str = "") -> Delivery | Unchanged:
    """The file at the address `given`, if it changed; it is called `name`, or else what the answer calls it.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    url = asking.address(given, order)
    since = order.since if order.since and order.since.asked == asking.fingerprint(url) else None
    with asking.door(source, order, url) as door, door.get(url, since=since) as answer:
        if answer.status_code == 304 and since:
            return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
        door.save(source, answer, order)
        return asking.delivered(order, url, answer, name or _name(answer))


def _name(response: requests.Response) -> str:
    """The file's name: what `Content-Disposition` says (RFC 6266), else the end of the address."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    named = header.get_filename() or unquote(urlsplit(response.url).path)
    return re.split(r"[/\\]", named.rstrip("/"))[-1]
