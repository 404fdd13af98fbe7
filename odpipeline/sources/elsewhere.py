"""The door to an address that a system's own answer leads to: at the same host, or at one that is declared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from odpipeline.declaration.source import CkanSource, GbfsSource
from odpipeline.errors import SourceError
from odpipeline.sources import asking, guard
from odpipeline.sources.delivery import Order


@contextmanager
def door_to(
    url: str, home: asking.Door, source: CkanSource | GbfsSource, order: Order, *, what: str, who: str
) -> Iterator[asking.Door]:
    """The door to `url`: `home`, or one to an address of `hosts`, which gets no secret of ours.

    `what` leads there, `who` keeps things there: both are for the message.
    Raises: SourceError when it is neither.
    """
    if is_at(url, home.origin):
        yield home
        return
    if not any(is_at(url, guard.Origin.of(host)) for host in source.hosts):
        other = guard.Origin.of(url)
        raise SourceError(
            f"{what} leads from {home.origin} to {other}, which is not declared",
            where=guard.shown(url),
            mend=f"add `hosts: [{other}]` to {order.declared} if {who} there",
        )
    open_source = source.model_copy(update={"auth": None})
    open_system = order.system.model_copy(update={"auth": None}) if order.system else None
    with asking.door(open_source, replace(order, system=open_system), url) as door:
        yield door


def is_at(url: str, origin: guard.Origin) -> bool:
    """Whether `url` is at `origin`."""
    try:
        origin.check(url)
    except SourceError:
        return False
    return True
