"""Runs the night and opens the UI from the command line, on the same instance as the schedules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.orchestration.definitions import defs
from odpipeline.orchestration.night import lots, probe


def nightly_job() -> dg.JobDefinition:
    """The nightly job, for the fork server, which finds it again by this name."""
    return defs.resolve_job_def("nightly")


def catalogue_job() -> dg.JobDefinition:
    """The job that rebuilds catalogue and portal, for a process that finds it again by this name."""
    return defs.resolve_job_def("catalogue")


def run_night(town: Town, only: Sequence[Dataset]) -> None:
    """Run the night here and now, as the schedule would, and rebuild what the public reads.

    The runs land in the instance of the town's folder, where the UI shows them. How each dataset ended stands in the
    journal; a failed run raises nothing.
    """
    with instance(town.root) as dagster:
        for lot in lots(probe(only, town, dagster), town.night.lot_size):
            with dg.execute_job(dg.reconstructable(nightly_job), dagster, asset_selection=lot, raise_on_error=False):
                pass
        with dg.execute_job(dg.reconstructable(catalogue_job), dagster, raise_on_error=False):
            pass


@contextmanager
def instance(root: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that `dagster.yaml` in `root` describes; its relative paths start there."""
    os.environ["DAGSTER_HOME"] = str(root)
    os.chdir(root)
    with dg.DagsterInstance.get() as dagster:
        yield dagster


def open_ui(root: Path, port: int) -> int:
    """`dagster dev` on loopback for the town in `root`, until interrupted; returns its exit status."""
    environment = os.environ | {"DAGSTER_HOME": str(root)}
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    return subprocess.call(command, cwd=root, env=environment)  # noqa: S603  # our own interpreter, fixed words
