"""Kind `ckan`: a resource of a CKAN portal: its file, or its table in the datastore.

An uploaded file is the same as long as CKAN states the same hash and date. Of a file that it only links to CKAN knows
nothing, and rows enter the datastore without a new date: there the answer's own validators or its bytes tell.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from odpipeline.declaration.source import CkanSource
from odpipeline.errors import SourceError
from odpipeline.sources import asking, elsewhere, guard, rest
from odpipeline.sources.delivery import Delivery, Order, Unchanged


def extract(source: CkanSource, order: Order) -> Delivery | Unchanged:
    """Fetch the file or the table, unless CKAN or the file's host states that it is that of the last capture.

    Raises: SourceError, SourceUnavailable, SecretMissing.
    """
    portal = asking.address(source.ckan, order).rstrip("/")
    with asking.door(source, order, portal) as door:
        resource = _resource(door, portal, source, order)
        if source.datastore:
            dump = f"{portal}/datastore/dump/{quote(resource['id'], safe='')}?bom=False"
            return _one(source, order, door, dump, None)
        url = guard.joined(f"{portal}/", resource["url"])
        who = "the portal keeps its files"
        with elsewhere.door_to(url, door, source, order, what="the portal", who=who) as there:
            return _one(source, order, there, url, _state(resource))


def _one(source: CkanSource, order: Order, door: asking.Door, url: str, state: str | None) -> Delivery | Unchanged:
    """The file at `url`, unless it is still in that `state`, or its host answers that it did not change."""
    known = asking.fingerprint(f"CKAN {url}" if state else url)
    since = order.since if order.since and order.since.asked == known else None
    if state and since and since.etag == state:
        return Unchanged("same date and hash of the resource")
    with door.get(url, since=None if state else since) as answer:
        if answer.status_code == 304 and since:
            return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
        door.save(source, answer, order)
        delivery = asking.delivered(order, url, answer, urlsplit(url).path.rpartition("/")[2])
    if state:
        return Delivery(order.path, delivery.name, delivery.media_type, state, None, known, delivery.changed_at)
    return delivery


def _resource(door: asking.Door, portal: str, source: CkanSource, order: Order) -> dict[str, Any]:
    """What CKAN states of the resource.

    Raises: SourceError when that has no address or identifier, or when there are several of that name.
    """
    action, identifier = ("resource_show", source.resource) if source.resource else ("package_show", source.dataset)
    url = f"{portal}/api/3/action/{action}"
    found = rest.at(door.document(rest.with_parameters(url, {"id": identifier})), "result")
    if source.file:
        listed = rest.at(found, "resources")
        named = [each for each in (listed if isinstance(listed, list) else []) if rest.at(each, "name") == source.file]
        if len(named) != 1:
            raise SourceError(
                f"the dataset has {len(named) or 'no'} resources of that name",
                where=guard.shown(url),
                mend=f"correct `file` in {order.declared}, or name the identifier instead: `resource`",
            )
        found = named[0]
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("id", "url")):
        raise SourceError(
            "the portal does not describe the resource as CKAN does",
            where=guard.shown(url),
            mend=f"correct the address and the resource in {order.declared}",
        )
    return found


def _state(resource: dict[str, Any]) -> str | None:
    """What CKAN states of an uploaded file's bytes, or None."""
    stated = [resource.get(key) for key in ("hash", "last_modified")]
    if resource.get("url_type") != "upload" or not any(stated):
        return None
    return asking.fingerprint(repr(stated))
