"""Kind `wfs`: one layer of a WFS 2.0 server (OGC 09-025r2): GeoJSON page by page, or GML in one piece."""

from __future__ import annotations

import re
from dataclasses import replace

from odpipeline.declaration.source import Paging, WfsSource
from odpipeline.errors import SourceError
from odpipeline.sources import asking, complaints, features, guard, rest
from odpipeline.sources.delivery import Delivery, Order

_HEAD_BYTES = 1 << 16
_OPENING = re.compile(rb"<(?:\w+:)?FeatureCollection\b[^>]*>")
_COUNTED = re.compile(rb'\bnumber(Matched|Returned)="(\d{1,15})"')


def extract(source: WfsSource, order: Order) -> Delivery:
    """Fetch the whole layer.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked = {
        "service": "WFS", "version": "2.0.0", "request": "GetFeature", "typeNames": source.layer,
        "srsName": source.srs, "cql_filter": source.filter, "sortBy": source.sort,
        "outputFormat": source.output or ("application/json" if source.format == "geojson" else None),
    }  # fmt: skip
    url = rest.with_parameters(asking.address(source.wfs, order), {k: v for k, v in asked.items() if v})
    if source.format == "geojson":
        return features.fetch(source, order, url, Paging(offset="startIndex", size="count", of=source.page_size))
    return _gml(source, order, url)


def _gml(source: WfsSource, order: Order, url: str) -> Delivery:
    """The layer in one answer.

    Raises: SourceError when the server answers an exception, or not all of it.
    """
    where = guard.shown(url)
    with asking.door(source, order, url) as opened:
        door = replace(opened, is_platform=True)
        with door.get(url) as answer:
            door.save(source, answer, order)
            delivery = replace(asking.delivered(order, url, answer, "layer.gml"), etag=None, last_modified=None)
    with order.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if told := complaints.exception_report(head):
        mend = f"correct what {order.declared} asks for"
        raise SourceError(f"the platform answers: {told}", where=where, mend=mend)
    opening = _OPENING.search(head)
    counted = {key: int(number) for key, number in _COUNTED.findall(opening[0] if opening else b"")}
    if len(counted) == 2 and counted[b"Returned"] < counted[b"Matched"]:
        raise SourceError(
            f"the server gives {counted[b'Returned']:,} of {counted[b'Matched']:,} features at once",
            where=where,
            mend=f"write format: geojson in {order.declared}, which is read page by page",
        )
    return delivery
