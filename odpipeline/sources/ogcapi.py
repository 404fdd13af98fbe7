"""Kind `ogcapi`: one collection of an OGC API Features server (OGC 17-069r4), by the links from page to page."""

from __future__ import annotations

from urllib.parse import quote

from odpipeline.declaration.source import OgcApiSource, Paging
from odpipeline.sources import asking, rest, tally
from odpipeline.sources.delivery import Delivery, Order

_JSON = {"Accept": "application/geo+json, application/json"}


def extract(source: OgcApiSource, order: Order) -> Delivery:
    """Fetch every item; what came is compared with the number that the service tells first, if it counts.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    items = f"{asking.address(source.ogcapi, order).rstrip('/')}/collections/{quote(source.collection, safe='')}/items"
    asked = {key: str(value).lower() if isinstance(value, bool) else value for key, value in source.params.items()}
    # `f` is no part of the standard, but servers that answer HTML by default know it; links leave it out again.
    url = rest.with_parameters(items, {"f": "json", **asked})
    with asking.door(source, order, url) as door:
        told = rest.at(door.document(rest.with_parameters(url, {"limit": 1}), headers=_JSON), "numberMatched")
        read = rest.fetch(source, order, door, url, Paging(next="links", size="limit", of=source.size), _JSON)
    tally.check(told if isinstance(told, int) else None, read, "items", url)
    return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
