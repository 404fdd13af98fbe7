"""`odp …`: one thin function per command, in modules by what the commands are about.

Importing this package registers every command with `app`.
"""

from __future__ import annotations

import sys

from odpipeline.cli import (
    acts,
    approvals,
    declaring,
    lineage,
    operating,
    privacy,
    private_zone,
    quality,
    reporting,
    running,
    serving,
    store,
    validating,
    watching,
)
from odpipeline.cli.application import app
from odpipeline.errors import OdpError
from odpipeline.operating import logs


def main() -> None:
    """Run a command; an `OdpError` becomes one message on standard error and its exit status."""
    try:
        logs.configure()
        app()
    except OdpError as error:
        print(error, file=sys.stderr)  # the edge
        sys.exit(error.exit_status)


__all__ = [
    "acts", "app", "approvals", "declaring", "lineage", "main",
    "operating", "privacy", "private_zone", "quality", "reporting",
    "running", "serving", "store", "validating", "watching",
]  # fmt: skip
