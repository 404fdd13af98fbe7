"""Kind `wfs`: one layer of a WFS 2.0 server (OGC 09-025r2): JSON page by page, anything else in one answer."""

from __future__ import annotations

import re

from odpipeline.declaration.source import Paging, WfsSource
from odpipeline.errors import SourceUnavailable
from odpipeline.sources import asking, guard, rest, tally
from odpipeline.sources.delivery import Delivery, Order

_HEAD_BYTES = 1 << 16
_OPENING = re.compile(rb"<(?:\w+:)?FeatureCollection\b[^>]*>")
_COUNTED = re.compile(rb"\bnumber(Matched|Returned)=[\"'](\d{1,15})[\"']")


def extract(source: WfsSource, order: Order) -> Delivery:
    """Fetch every feature; what came is compared with the number that the service tells first.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked = {
        "service": "WFS", "version": "2.0.0", "request": "GetFeature", "typeNames": source.layer,
        "srsName": source.srs, "cql_filter": source.filter, "sortBy": source.sort,
    }  # fmt: skip
    url = rest.with_parameters(asking.address(source.wfs, order), {key: value for key, value in asked.items() if value})
    features = rest.with_parameters(url, {"outputFormat": source.output})
    with asking.door(source, order, url) as door:
        if "json" in source.output.lower():
            told = _told(door, rest.with_parameters(url, {"resultType": "hits"}), order)
            paging = Paging(offset="startIndex", size="count", of=source.size)
            tally.check(told, rest.fetch(source, order, door, features, paging), "features", url)
            return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
        with door.get(features) as answer:
            door.save(source, answer, order)
            delivery = Delivery(order.path, "layer", asking.media_type(answer))
    with order.path.open("rb") as file:
        _refuse_part(file.read(_HEAD_BYTES), order, features)
    return delivery


def _told(door: asking.Door, url: str, order: Order) -> int | None:
    """How many features the service says that there are; it may not know.

    Raises: SourceError when it answers no count at all.
    """
    with door.get(url) as answer:
        body = door.page(answer)
    if not _OPENING.search(body[:_HEAD_BYTES]):
        _ = rest.Page(body, 1, order, guard.shown(url)).document  # words a refusal; JSON says nothing that is known
    return _counts(body[:_HEAD_BYTES]).get(b"Matched")


def _refuse_part(head: bytes, order: Order, url: str) -> None:
    """Let through an answer that says nothing of being a refusal, or a part of what there is."""
    if b"ExceptionReport" in head[:1000]:
        _ = rest.Page(head, 1, order, guard.shown(url)).document
    counts = _counts(head)
    if counts.get(b"Returned", 0) < counts.get(b"Matched", 0) and b"Returned" in counts:
        raise SourceUnavailable(
            f"the service gives {counts[b'Returned']:,} of {counts[b'Matched']:,} features in one answer",
            where=guard.shown(url),
            mend=f"leave `output` out of {order.declared}: JSON is read page by page",
        )


def _counts(head: bytes) -> dict[bytes, int]:
    opening = _OPENING.search(head)
    return {key: int(number) for key, number in _COUNTED.findall(opening[0] if opening else b"")}
