"""Kind `gbfs`: one feed of a shared-mobility system, found by its discovery file (GBFS 1.0 to 3.0).

The ladder of change: within the `ttl` that the last capture states (at most an hour, should a clock or a promise be
wrong) nothing is asked but the discovery file; then not modified; then the same `last_updated`.
"""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from odpipeline.declaration.source import GbfsSource
from odpipeline.errors import SourceError
from odpipeline.sources import asking, elsewhere, guard, rest
from odpipeline.sources.delivery import Delivery, Order, Unchanged, intake

_LONGEST_TTL = timedelta(hours=1)
_USUAL_LANGUAGE = "fr"
_NAME = re.compile(r"[A-Za-z_-]{1,40}")


def extract(source: GbfsSource, order: Order) -> Delivery | Unchanged:
    """Fetch the feed's JSON as sent, unless it is still that of the last capture.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    discovery = asking.address(source.gbfs, order)
    with asking.door(source, order, discovery) as door:
        url = _feed(door.document(discovery), discovery, source, order)
        since = order.since if order.since and order.since.asked == asking.fingerprint(url) else None
        before = _stated(order) if since else None
        if before and before.is_fresh():
            return Unchanged("within the ttl of the last capture")
        with _door_to(url, door, source, order) as feed, feed.get(url, since=since) as answer:
            if answer.status_code == 304 and since:
                return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
            body = feed.page(answer)
            stated = _Stated.of(body)
            if stated is None:
                raise SourceError(
                    "the feed is no JSON object", where=guard.shown(url), mend="ask the operator what it answers"
                )
            if before and before.last_updated and before.last_updated == stated.last_updated:
                return Unchanged("same last_updated")
            with intake(source, order, where=guard.shown(url)) as arriving:
                arriving.write(body)
            return asking.delivered(order, url, answer, f"{source.feed}.json")


class _Stated:
    """What a feed says of itself: `last_updated` (POSIX seconds in 1.x and 2.x, ISO 8601 in 3.0) and `ttl`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.last_updated, self.ttl = document.get("last_updated"), document.get("ttl")

    @classmethod
    def of(cls, body: bytes) -> _Stated | None:
        """What `body` states, or None when it is no JSON object."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return cls(document) if isinstance(document, dict) else None

    def is_fresh(self) -> bool:
        """Whether the operator promises that nothing is new yet."""
        try:
            updated = (
                datetime.fromisoformat(self.last_updated)
                if isinstance(self.last_updated, str)
                else datetime.fromtimestamp(int(self.last_updated or 0), UTC)
            )
            age = datetime.now(UTC) - updated
            return timedelta() <= age < min(timedelta(seconds=int(self.ttl or 0)), _LONGEST_TTL)
        except (TypeError, ValueError, OverflowError, OSError):
            return False


def _stated(order: Order) -> _Stated | None:
    earlier = order.earlier()
    return _Stated.of(earlier.read_bytes()) if earlier else None


def _feed(document: Any, discovery: str, source: GbfsSource, order: Order) -> str:
    """The address of the feed that is declared.

    Raises: SourceError when there is no such feed, or not in that language.
    """
    feeds = rest.at(document, "data.feeds")  # 3.0
    if feeds is None:
        feeds = rest.at(_language(rest.at(document, "data"), discovery, source, order), "feeds")
    listed = {
        feed["name"]: feed["url"]
        for feed in (feeds if isinstance(feeds, list) else [])
        if isinstance(feed, dict) and isinstance(feed.get("name"), str) and isinstance(feed.get("url"), str)
    }
    if source.feed not in listed:
        raise SourceError(
            f"the discovery file has no feed {source.feed}",
            where=guard.shown(discovery),
            mend=f"it has: {_told(listed)}; correct `feed` in {order.declared}",
        )
    return guard.joined(discovery, listed[source.feed])


def _language(data: Any, discovery: str, source: GbfsSource, order: Order) -> Any:
    """The part of a discovery file of 1.x or 2.x that is in the declared language, in French, or in the only one."""
    languages = data if isinstance(data, dict) else {}
    only = next(iter(languages)) if len(languages) == 1 else _USUAL_LANGUAGE
    wanted = source.language or (_USUAL_LANGUAGE if _USUAL_LANGUAGE in languages else only)
    if wanted not in languages:
        raise SourceError(
            f"the discovery file lists no feeds in the language {wanted}",
            where=guard.shown(discovery),
            mend=f"it has: {_told(languages)}; correct `language` in {order.declared}",
        )
    return languages[wanted]


def _told(names: Any) -> str:
    """Names as a message may show them: only those that look like names of feeds or languages."""
    return ", ".join(name for name in list(names)[:40] if _NAME.fullmatch(name)) or "none"


def _door_to(url: str, home: asking.Door, source: GbfsSource, order: Order) -> AbstractContextManager[asking.Door]:
    return elsewhere.door_to(url, home, source, order, what="the discovery file", who="the operator keeps its feeds")
