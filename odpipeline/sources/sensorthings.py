"""Kind `sensorthings`: entities of an OGC SensorThings API 1.1 (OGC 18-088), observations oldest first.

What a live sensor adds while its observations are read then comes on the last page, and moves none of the others.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from odpipeline.declaration.source import Paging, SensorThingsSource
from odpipeline.sources import asking, rest
from odpipeline.sources.delivery import Delivery, Order

_TIME, _PATH = "phenomenonTime", "/()'"


def extract(source: SensorThingsSource, order: Order) -> Delivery:
    """Fetch every entity, by the links from page to page.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked: dict[str, Any] = {"$orderby": f"{_TIME} asc"} if source.entities.endswith("Observations") else {}
    for key, value in source.params.items():
        asked[key] = str(value).lower() if isinstance(value, bool) else value
    if source.since:
        young = f"{_TIME} ge {datetime.now(UTC) - source.since:%Y-%m-%dT%H:%M:%SZ}"
        asked["$filter"] = f"({asked['$filter']}) and {young}" if "$filter" in asked else young
    service = asking.address(source.sensorthings, order).rstrip("/")
    url = rest.with_parameters(f"{service}/{quote(source.entities, safe=_PATH)}", asked)
    with asking.door(source, order, url) as door:
        rest.fetch(source, order, door, url, Paging(next="@iot.nextLink", size="$top", of=source.size))
    return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
