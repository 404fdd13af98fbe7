"""Runs the night from the command line, on the same instance as the schedules.

The town is that of `definitions`: `ODP_TOWN` names it before this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from odpipeline.declaration.dataset import Dataset
from odpipeline.orchestration.checks import checks_of
from odpipeline.orchestration.definitions import defs, town
from odpipeline.orchestration.keys import HAND, TRIGGER_TAG
from odpipeline.orchestration.night import lots, probe
from odpipeline.orchestration.periodical import job_name, partition_tag, whole
from odpipeline.orchestration.watching import note_deaths

_PROCESS_TAG = "odp/process"


def job(name: str) -> dg.JobDefinition:
    """The job of this name, for the processes that find it again by it."""
    return defs.resolve_job_def(name)


def run_night(only: Sequence[Dataset]) -> None:
    """Run the night here and now, as the schedule would, and rebuild what the public reads.

    The runs land in the instance that `dagster.yaml` of the town's folder describes, where the UI shows them. How each
    dataset ended stands in the journal, also when its process was killed; a failed run raises nothing. What the
    processes say goes to `night.log` in the private zone.
    """
    os.environ["DAGSTER_HOME"] = str(town.root)
    os.chdir(town.root)  # the relative paths of dagster.yaml start there
    with dg.DagsterInstance.get() as instance, _quietly(town.private_path / "night.log"):
        bury(instance)
        changed = probe(only, town, instance)
        for lot in lots(whole(changed), town.night.lot_size):
            _run("nightly", lot, instance)
        for dataset in changed:
            if dataset.periods:
                _run(job_name(dataset), lots([dataset], 1)[0], instance, {TRIGGER_TAG: HAND, **partition_tag(dataset)})
        with dg.execute_job(_found_again("public_pages"), instance, raise_on_error=False):
            pass


def _found_again(name: str) -> Any:  # its type is not public
    return dg.build_reconstructable_job(__name__, "job", (name,))


def _run(
    name: str, assets: list[dg.AssetKey], instance: dg.DagsterInstance, tags: dict[str, str] | None = None
) -> None:
    chosen = _found_again(name).get_subset(
        asset_selection=frozenset(assets), asset_check_selection=frozenset(checks_of(assets))
    )
    tags = {_PROCESS_TAG: str(os.getpid()), **(tags or {})}
    with dg.execute_job(chosen, instance, tags=tags, raise_on_error=False) as ended:
        if not ended.success:
            note_deaths(town, ended.dagster_run)


def bury(instance: dg.DagsterInstance) -> int:
    """Mark runs of `run_night` as failed whose process was killed, note their datasets, free their places; how many.

    Nobody else would: without a daemon they stay under way for ever, and two of them leave no place for a third.
    """
    under_way = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    dead = [run for run in under_way if _PROCESS_TAG in run.tags and not _alive(int(run.tags[_PROCESS_TAG]))]
    for run in dead:
        instance.report_run_failed(run, "its process was killed")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        note_deaths(town, run)
    return len(dead)


def _alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


@contextmanager
def _quietly(log: Path) -> Iterator[None]:
    """Everything that this process and its children write to standard error goes to the end of `log` meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = os.dup(2)
    try:
        with log.open("a") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
