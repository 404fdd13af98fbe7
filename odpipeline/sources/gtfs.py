"""Kind `gtfs`: a GTFS zip, over HTTP if it changed, or from a drop folder. One dataset is one of its tables."""

from __future__ import annotations

from odpipeline.declaration.source import FolderSource, GtfsSource
from odpipeline.sources import folder, web
from odpipeline.sources.delivery import Delivery, Order, Unchanged

_SHARED = ("system", "timeout", "deadline", "max_bytes")


def extract(source: GtfsSource, order: Order) -> Delivery | Unchanged:
    """Fetch the whole zip: which table is read is for `conform`, so that a capture can serve another one.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    if source.over_http(order.system):
        return web.one_file(source, order, source.gtfs, "gtfs.zip")
    dropped = {key: getattr(source, key) for key in _SHARED}
    return folder.extract(FolderSource(folder=source.gtfs, **dropped), order)
