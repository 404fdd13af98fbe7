"""Sensors that keep watch: a round of `monitoring` each minute, and runs whose processes died before they spoke."""

import json

import dagster as dg

from odpipeline import flow
from odpipeline.declaration.town import Town
from odpipeline.journal import RunRecord
from odpipeline.monitoring.rounds import watch
from odpipeline.orchestration.keys import plain
from odpipeline.orchestration.periodical import Job

_SECONDS = 60


def watch_sensor(town: Town, public: Job) -> dg.SensorDefinition:
    """A round each minute; the pages are made again when a promise was broken or is kept again."""

    @dg.sensor(
        name="watch",
        job=public,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for what is wrong, opens and closes incidents, sends what is due (`odp incidents`).",
    )
    def keep_watch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        made = watch(town)
        late = json.dumps(made.late)
        told = f"{made.open} incidents open, {made.opened} new, {made.closed} closed; {made.sent} messages sent"
        if context.cursor is None or late == context.cursor:
            context.update_cursor(late)
            return dg.SkipReason(f"{told}, {made.waiting} wait")
        context.update_cursor(late)
        return dg.RunRequest(run_key=f"late/{context.last_tick_completion_time}/{late}")

    return keep_watch


def died_sensor(town: Town) -> dg.SensorDefinition:
    """Writes into the journal what a killed process could not: that its dataset failed."""

    @dg.run_failure_sensor(
        name="runs_that_died",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records datasets whose process was killed, by the system or the lack of memory.",
    )
    def died(context: dg.RunFailureSensorContext) -> None:
        note_deaths(town, context.dagster_run)

    return died


def note_deaths(town: Town, run: dg.DagsterRun) -> list[str]:
    """Record the datasets that the failed `run` was to publish and that have no line in the journal; which ones.

    Safe to repeat. A run of earlier stages only leaves no line, and is no death.
    """
    journal = flow.Zones.of(town).journal
    spoke = journal.datasets_of(run.run_id)
    silent = sorted(_to_publish(town, run) - spoke)
    for name in silent:
        journal.record(RunRecord.died(name, run.run_id))
    return silent


def _to_publish(town: Town, run: dg.DagsterRun) -> set[str]:
    """The datasets whose release `run` was to make; where it names no assets, those of its steps."""
    declared = {dataset.id for dataset in town.datasets}
    if run.asset_selection is None:
        steps = set(run.step_keys_to_execute or ())
        return {name for name in declared if plain(name) in steps}
    return {key.path[0] for key in run.asset_selection if key.path[-1] == "published"} & declared


__all__ = ["died_sensor", "note_deaths", "watch_sensor"]
