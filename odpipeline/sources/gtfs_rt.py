"""Kind `gtfs_rt`: one GTFS-Realtime feed, a protobuf message, over HTTP if it changed."""

from __future__ import annotations

from odpipeline.declaration.source import GtfsRtSource
from odpipeline.sources import web
from odpipeline.sources.delivery import Delivery, Order, Unchanged


def extract(source: GtfsRtSource, order: Order) -> Delivery | Unchanged:
    """Fetch the feed; what it holds is for `conform`.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    return web.one_file(source, order, source.gtfs_rt, "feed.pb")
