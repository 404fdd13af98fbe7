"""Kind `opendatasoft`: one dataset of a portal, exported whole, if the portal has processed it again.

Its exports are used and not its records: those end after 10,000.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

from odpipeline.declaration.source import OpendatasoftSource
from odpipeline.errors import SourceError
from odpipeline.sources import asking, guard, rest
from odpipeline.sources.delivery import Delivery, Order, Unchanged

_CATALOGUE = "api/explore/v2.1/catalog/datasets"
_CSV = {"delimiter": ";", "use_labels": "false"}
"""Columns are called by their identifiers: labels change with the portal's language."""
_CLOCK = re.compile(r"\bnow\s*\(", re.IGNORECASE)


def extract(source: OpendatasoftSource, order: Order) -> Delivery | Unchanged:
    """Fetch the export, unless the portal states that the data are those of the last capture.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    portal = asking.address(source.opendatasoft, order).rstrip("/")
    about = f"{portal}/{_CATALOGUE}/{quote(source.dataset, safe='')}"
    asked = {key: value for key in ("where", "select") if (value := getattr(source, key))}
    url = rest.with_parameters(f"{about}/exports/{source.export}", asked | (_CSV if source.export == "csv" else {}))
    known = asking.fingerprint(f"{about} {url}")  # of both: the portal's date is no header that could be sent back
    with asking.door(source, order, about) as door:
        processed = _processed(door.document(about), about, order)
        if _CLOCK.search(f"{source.where} {source.select}"):
            processed = None  # the answer changes by itself
        if processed and order.since and (order.since.asked, order.since.last_modified) == (known, processed):
            return Unchanged("same data_processed")
        with door.get(url) as answer:
            door.save(source, answer, order)
            media_type = asking.media_type(answer)
    return Delivery(order.path, f"export.{source.export}", media_type, None, processed, known)


def _processed(document: Any, about: str, order: Order) -> str | None:
    """When the data were last processed, else modified; read before the export, so that it is never too new.

    Raises: SourceError when the portal describes no dataset.
    """
    if not isinstance(rest.at(document, "metas.default"), dict):
        raise SourceError(
            "the portal does not describe the dataset as Opendatasoft does",
            where=guard.shown(about),
            mend=f"correct the address and the dataset in {order.declared}",
        )
    for key in ("data_processed", "modified"):
        stated = rest.at(document, f"metas.default.{key}")
        try:
            datetime.fromisoformat(stated)
        except (TypeError, ValueError):
            continue
        return str(stated)
    return None
