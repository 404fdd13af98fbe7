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
    file = root / "dagster.yaml"
    try:
        said: Any = yaml.safe_load(file.read_text()) if file.exists() else {}
        folder = said.get("storage", {}).get("sqlite", {}).get("base_dir")
    except (OSError, yaml.YAMLError, AttributeError):
        raise OdpError("it cannot be read", where="dagster.yaml", mend="take the one that `odp init` makes") from None
    if isinstance(folder, dict):
        folder = os.environ.get(str(folder.get("env")))
    return root / folder if folder else None
