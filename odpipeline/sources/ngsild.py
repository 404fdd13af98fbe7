"""Kind `ngsild`: the entities of one type in an NGSI-LD context broker (ETSI GS CIM 009), page by page."""

from __future__ import annotations

from typing import Any

from odpipeline.declaration.source import NgsiLdSource, Paging
from odpipeline.sources import asking, rest, tally
from odpipeline.sources.delivery import Delivery, Order

_COUNT = "NGSILD-Results-Count"
_CONTEXT = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


def extract(source: NgsiLdSource, order: Order) -> Delivery:
    """Fetch every entity; what came is compared with the number that the broker tells first, if it counts.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked: dict[str, Any] = {"type": source.type, "options": "keyValues"}
    asked |= {"attrs": ",".join(source.attrs)} if source.attrs else {}
    asked |= {"q": source.q} if source.q else {}
    headers = {"Accept": "application/json"}  # in JSON-LD each entity would hold its context
    headers |= {"Link": _CONTEXT.format(source.context)} if source.context else {}
    headers |= {"NGSILD-Tenant": source.tenant} if source.tenant else {}
    url = rest.with_parameters(f"{asking.address(source.ngsild, order).rstrip('/')}/entities", asked)
    with asking.door(source, order, url) as door:
        counting = rest.with_parameters(url, {"count": "true", "limit": 1, "offset": 0})
        with door.get(counting, headers=headers) as answer:
            told = answer.headers.get(_COUNT, "")
        paging = Paging(offset="offset", size="limit", of=source.size)
        read = rest.fetch(source, order, door, url, paging, headers)
    tally.check(int(told) if told.isascii() and told.isdigit() else None, read, "entities", url)
    return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
