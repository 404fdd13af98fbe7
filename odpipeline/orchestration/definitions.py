"""The `Definitions` that workspace.yaml points at: those of the town in `ODP_TOWN`, or where Dagster was started."""

from __future__ import annotations

import os
from pathlib import Path

from odpipeline.declaration import read_town
from odpipeline.operating import logs
from odpipeline.orchestration.building import definitions

logs.configure()  # in each process that Dagster starts

town = read_town(Path(os.environ.get("ODP_TOWN", ".")).resolve())
"""The town of this process."""

defs = definitions(town)
"""What Dagster loads."""
