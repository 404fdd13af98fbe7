"""The names of assets: dataset and stage, the stage as a participle; municipal systems and hosts stand upstream."""

from __future__ import annotations

import re

import dagster as dg

from odpipeline.declaration.dataset import Dataset

STAGES = ("captured", "conformed", "staged", "published")
"""The four assets of a dataset, in the order of the flow."""

TRIGGER_TAG, NIGHT, CALENDAR, DROP, HAND = "odp/trigger", "night", "calendar", "drop", "hand"
"""The tag of a run that says what asked for it, and its values (`hand`: `odp run --night`); one of the UI has none."""

CATALOGUE, PORTAL = dg.AssetKey("catalogue"), dg.AssetKey("portal")


def asset_key(dataset: str, stage: str) -> dg.AssetKey:
    """The key of one stage of one dataset: `parkings/published`."""
    return dg.AssetKey([dataset, stage])


def system_key(dataset: Dataset) -> dg.AssetKey:
    """The key of what delivers the dataset: its declared system, or the host, or `files` for a folder of the town."""
    return dg.AssetKey(["systems", dataset.asks or "files"])


def pool(dataset: Dataset) -> str:
    """The pool that limits how many datasets ask one municipal system, or one host, at once."""
    return plain(dataset.asks or dataset.id)


def plain(name: str) -> str:
    """`name` as Dagster takes it for ops and groups: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name) or "town"
