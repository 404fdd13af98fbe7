"""Where Dagster keeps what it knows of runs, as `dagster.yaml` of the town says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from odpipeline.errors import OdpError


def sqlite_folder(root: Path) -> Path | None:
    """The folder of the SQLite storage of the town in `root`; None when the storage is something else, or not said.

    Raises: OdpError when `dagster.yaml` cannot be read.
    """
    kind, folder = _storage(root)
    if isinstance(folder, dict):
        folder = os.environ.get(str(folder.get("env")))
    return root / folder if folder and kind in {"sqlite", "SqliteStorage"} else None


def made_by_several(root: Path) -> bool:
    """Whether the town in `root` has Dagster's bare SQLite storage; `sqlite_storage` says what is wrong with it."""
    return _storage(root)[0] == "sqlite"


def _storage(root: Path) -> tuple[str | None, Any]:
    """The kind of the storage, or its class if it is nobody's kind; the folder that is said for it."""
    file = root / "dagster.yaml"
    try:
        said: Any = yaml.safe_load(file.read_text()) if file.exists() else {}
        storage = said.get("storage", {})
        if "sqlite" in storage:
            return "sqlite", storage["sqlite"].get("base_dir")
        custom = storage.get("custom", {})
        return custom.get("class"), custom.get("config", {}).get("base_dir")
    except (OSError, yaml.YAMLError, AttributeError):
        raise OdpError("it cannot be read", where="dagster.yaml", mend="take the one that `odp init` makes") from None
