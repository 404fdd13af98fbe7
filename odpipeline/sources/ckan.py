"""Kind `ckan`: a resource of a CKAN portal: its file, or its table in the datastore.

An uploaded file is the same as long as CKAN states the same hash or date; of a file that it only links to, CKAN knows
nothing, and rows enter the datastore without a new date: there the answer's own validators or its bytes tell.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
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
    with asking.door(source, order, portal) as opened:
        door = replace(opened, is_platform=True)
        resource = _resource(door, portal, source, order)
        if source.datastore:
            return _one(source, order, door, f"{portal}/datastore/dump/{quote(_text(resource, 'id'))}?bom=False", None)
        url = guard.joined(f"{portal}/", _text(resource, "url"))
        state = next((f"{key} {v}" for key in ("hash", "last_modified") if (v := _text(resource, key))), None)
        uploaded = resource.get("url_type") == "upload"
        with _door_to(url, door, source, order) as there:
            return _one(source, order, there, url, state if uploaded else None)


def _one(source: CkanSource, order: Order, door: asking.Door, url: str, state: str | None) -> Delivery | Unchanged:
    """The file at `url`, unless it is still in that `state`, or its host answers that it did not change."""
    known = asking.fingerprint(f"CKAN {url}" if state else url)
    since = order.since if order.since and order.since.asked == known else None
    if state and since and since.etag == state:
        return Unchanged(f"same {state.split()[0]}")
    with door.get(url, since=None if state else since) as answer:
        if answer.status_code == 304 and since:
            return Unchanged("304 by ETag" if since.etag else "304 by Last-Modified")
        door.save(source, answer, order)
        delivery = asking.delivered(order, url, answer, urlsplit(url).path.rpartition("/")[2])
    return replace(delivery, etag=state, last_modified=None, asked=known) if state else delivery


def _door_to(
    url: str, door: asking.Door, source: CkanSource, order: Order
) -> AbstractContextManager[asking.Door]:  # fmt: skip
    return elsewhere.door_to(url, door, source, order, what="the portal", who="the file is kept")


def _resource(door: asking.Door, portal: str, source: CkanSource, order: Order) -> dict[str, Any]:
    """What CKAN states of the resource.

    Raises: SourceError when there is none, or several of that name.
    """
    action, identifier = ("resource_show", source.resource) if source.resource else ("package_show", source.dataset)
    url = f"{portal}/api/3/action/{action}"
    result = rest.at(door.document(rest.with_parameters(url, {"id": identifier})), "result")
    found = [result]
    if source.dataset:
        listed = rest.at(result, "resources")
        found = [r for r in (listed if isinstance(listed, list) else []) if rest.at(r, "name") == source.file]
    if len(found) == 1 and isinstance(found[0], dict) and _text(found[0], "id"):
        return found[0]
    if len(found) > 1:
        what, mend = (
            "the dataset has several resources of that name",
            "name the right one by its identifier: `resource`",
        )
    else:
        what, mend = "the portal states no such resource", "correct it to what the dataset's page shows"
    raise SourceError(what, where=guard.shown(url), mend=f"{mend}, in {order.declared}")


def _text(resource: dict[str, Any], key: str) -> str:
    """A text of the resource that can be kept or asked for; else an empty one."""
    value = resource.get(key)
    return value if isinstance(value, str) and len(value) <= 2000 and value.isprintable() else ""
