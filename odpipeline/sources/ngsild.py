"""Kind `ngsild`: the entities of one type in an NGSI-LD context broker (ETSI GS CIM 009), page by page."""

from __future__ import annotations

from dataclasses import replace

from odpipeline.declaration.source import NgsiLdSource, Paging
from odpipeline.sources import asking, rest
from odpipeline.sources.delivery import Delivery, Order

_COUNT = "NGSILD-Results-Count"
_CONTEXT = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


def extract(source: NgsiLdSource, order: Order) -> Delivery:
    """Fetch every entity; what was read is compared with the number that the broker counts.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked = {"type": source.type, "count": "true", "attrs": ",".join(source.attrs), "q": source.q}
    asked["options"] = source.options if source.options == "keyValues" else None
    address = f"{asking.address(source.ngsild, order).rstrip('/')}/entities"
    url = rest.with_parameters(address, {key: value for key, value in asked.items() if value})
    with asking.door(source, order, url) as opened:
        door = replace(opened, is_platform=True)
        door.session.headers["Accept"] = "application/json"  # with JSON-LD each entity would hold its context
        if source.context:
            door.session.headers["Link"] = _CONTEXT.format(source.context)
        if source.tenant:
            door.session.headers["NGSILD-Tenant"] = source.tenant
        paging = Paging(offset="offset", size="limit", of=source.page_size, total_header=_COUNT)
        rest.fetch(source, order, door, url, paging)
    return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
