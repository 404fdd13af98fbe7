"""Kinds `gtfs` and `totem`: one file, over HTTP if it changed, or from a drop folder, that `conform` knows how to read.

What is read of it is for `conform`: a capture of a GTFS zip can serve another of its tables.
"""

from __future__ import annotations

from odpipeline.declaration.source import FolderSource, HandedSource
from odpipeline.sources import folder, web
from odpipeline.sources.delivery import Delivery, Order, Unchanged

_NAMES = {"gtfs": "gtfs.zip", "totem": "totem.xml"}
_SHARED = ("system", "timeout", "deadline", "max_bytes")


def extract(source: HandedSource, order: Order) -> Delivery | Unchanged:
    """Fetch the whole file.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    place = getattr(source, source.kind)
    if source.over_http(order.system):
        return web.one_file(source, order, place, _NAMES[source.kind])
    dropped = {key: getattr(source, key) for key in _SHARED}
    return folder.extract(FolderSource(folder=place, **dropped), order)
