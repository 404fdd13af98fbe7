"""Opens Dagster's UI, daemon and code server for a town, for development."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def open_ui(root: Path, port: int) -> int:
    """`dagster dev` on loopback for the town in `root`, until interrupted; returns its exit status."""
    environment = os.environ | {"DAGSTER_HOME": str(root), "ODP_TOWN": str(root)}
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    return subprocess.call(command, cwd=root, env=environment)  # noqa: S603  # our own interpreter, fixed words
