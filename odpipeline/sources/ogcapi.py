"""Kind `ogcapi`: one collection of an OGC API Features server (OGC 17-069r4), by the links from page to page."""

from __future__ import annotations

from urllib.parse import quote

from odpipeline.declaration.source import OgcApiSource, Paging
from odpipeline.sources import asking, features, rest
from odpipeline.sources.delivery import Delivery, Order


def extract(source: OgcApiSource, order: Order) -> Delivery:
    """Fetch the whole collection.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    items = f"{asking.address(source.ogcapi, order).rstrip('/')}/collections/{quote(source.collection)}/items"
    asked = {key: str(value).lower() if isinstance(value, bool) else value for key, value in source.params.items()}
    # `f` is no part of the standard, but what pygeoapi, ldproxy and GeoServer know; others leave it aside.
    url = rest.with_parameters(items, {"f": "json", **asked})
    return features.fetch(source, order, url, Paging(next="links", size="limit", of=source.page_size))
