"""Kind `opendatasoft`: one dataset of a portal, exported whole, if the portal has processed it again.

Its exports are used and not its records: those end after 10,000.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from odpipeline.declaration.source import OpendatasoftSource
from odpipeline.sources import asking, rest
from odpipeline.sources.delivery import Delivery, Order, Unchanged

_CATALOGUE = "api/explore/v2.1/catalog/datasets"
_CLOCK = re.compile(r"\bnow\s*\(", re.IGNORECASE)


def extract(source: OpendatasoftSource, order: Order) -> Delivery | Unchanged:
    """Fetch the export, unless the portal states that the data are those of the last capture.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    about = f"{asking.address(source.opendatasoft, order).rstrip('/')}/{_CATALOGUE}/{source.dataset}"
    asked = {key: value for key in ("where", "select") if (value := getattr(source, key))}
    url = rest.with_parameters(f"{about}/exports/{source.export}", asked)
    # The portal's date is no header that could be sent back, so that it belongs to the pair of both addresses.
    fingerprint = asking.fingerprint(f"{about} {url}")
    with asking.door(source, order, about) as opened:
        door = replace(opened, is_platform=True)
        processed = None if _CLOCK.search(source.where or "") else _processed(door.document(about))
        if processed and order.since and (order.since.asked, order.since.last_modified) == (fingerprint, processed):
            return Unchanged("same data_processed")
        with door.get(url) as answer:
            door.save(source, answer, order)
            delivery = asking.delivered(order, url, answer, f"export.{source.export}")
    return replace(delivery, etag=None, last_modified=processed, asked=fingerprint)


def _processed(document: Any) -> str | None:
    """When the data were last processed, else modified; read before the export, so that it is never too new."""
    for key in ("data_processed", "modified"):
        stated = rest.at(document, f"metas.default.{key}")
        try:
            datetime.fromisoformat(stated)
        except (TypeError, ValueError):
            continue
        return str(stated)
    return None
