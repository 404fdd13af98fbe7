"""Kind `sensorthings`: entities of an OGC SensorThings API 1.1 (OGC 18-088), oldest first where they are observations.

What a live sensor adds while its observations are read then comes on the last page, and moves none of the others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from odpipeline.declaration.source import Paging, SensorThingsSource
from odpipeline.sources import asking, features, rest
from odpipeline.sources.delivery import Delivery, Order

RECORDS = "value"
"""Where the records of a page stand."""

_TIME = "phenomenonTime"


def extract(source: SensorThingsSource, order: Order) -> Delivery:
    """Fetch every page.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    asked = {"$expand": source.expand} if source.expand else {}
    asked["$orderby"] = f"{_TIME} asc" if source.entities.endswith("Observations") else "@iot.id asc"
    if source.since:
        asked["$filter"] = f"{_TIME} ge {datetime.now(UTC) - source.since:%Y-%m-%dT%H:%M:%SZ}"
    address = f"{asking.address(source.sensorthings, order).rstrip('/')}/{source.entities}"
    url = rest.with_parameters(address, asked)
    with asking.door(source, order, url) as opened:
        paging = Paging(next="@iot.nextLink", size="$top", of=source.page_size)
        door = replace(opened, is_platform=True)
        rest.fetch(source, features.with_records(order, RECORDS), door, url, paging)
    return Delivery(order.path, "pages.ndjson", rest.MEDIA_TYPE)
