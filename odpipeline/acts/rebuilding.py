"""The pages and the catalogue after an act: made again, so that nothing they show is of before it."""

from __future__ import annotations

from odpipeline import catalogue, portal
from odpipeline.declaration.town import Town
from odpipeline.flow import Zones
from odpipeline.store import layout


def rebuild(town: Town, zones: Zones, *, forget: bool) -> None:
    """Make them again; with `forget`, what they were goes from a store that keeps former contents.

    Raises: StoreError; may be repeated.
    """
    catalogue.build(zones.store, town)
    portal.build(zones.store, town, zones.journal)
    for place in layout.REBUILT if forget else ():
        zones.store.backend.forget_former(place)
