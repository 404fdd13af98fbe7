"""The room that is left where the town's things lie."""

from __future__ import annotations

import shutil
from pathlib import Path

from odpipeline.declaration.town import Town

ROOM_FAULT, ROOM_WARNING = 1 << 30, 5 << 30
"""Bytes that must be free for a night to end well, and those below which somebody should look."""


def room(town: Town) -> dict[str, int]:
    """Zone → bytes that are free on its disk. A store in a bucket has no disk."""
    folders = {"private zone": town.private_path, "state": town.root}
    if isinstance(town.store, str):
        folders["store"] = town.store_path
    return {name: shutil.disk_usage(_there(folder)).free for name, folder in folders.items()}


def _there(folder: Path) -> Path:
    return folder if folder.exists() else _there(folder.parent)
