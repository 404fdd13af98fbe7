"""What only Dagster knows of the town's health: the daemon, the schedules, the code location."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta

import dagster as dg

from odpipeline.declaration.town import Town
from odpipeline.freshness import spoken
from odpipeline.operating.doctor import Line, State
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.state import made_by_several

_LONG = timedelta(hours=12)
_START = "start the daemon: systemctl start odp-daemon, or `odp ui` for development"


def look(town: Town) -> Iterator[Line]:
    """The code location, the daemon's heartbeats, and the schedules and sensors that somebody has stopped."""
    repository = definitions(town).get_repository_def()
    jobs = len(repository.get_all_jobs())
    yield Line("code location", State.OK, f"it loads: {len(repository.assets_defs_by_key)} assets, {jobs} jobs")
    if not (town.root / "dagster.yaml").is_file():
        yield Line(
            "dagster.yaml", State.FAULT, "there is none in the town's folder", "take the one that `odp init` makes"
        )
        return
    with chdir(town.root):
        try:
            opened = dg.DagsterInstance.from_config(str(town.root))
        except Exception as error:  # noqa: BLE001  # Dagster's, SQLAlchemy's or Alembic's: none is gone on with
            mend = "stop Dagster, take its storage out of a backup or set it aside: a new one is made, without old runs"
            yield Line("dagster's storage", State.FAULT, f"it cannot be opened: {type(error).__name__}", mend)
            return
        with opened as instance:
            yield from _storage(town)
            yield from _daemon(instance)
            yield from _stopped(instance, repository)
            yield from _stuck(instance)


def _storage(town: Town) -> Iterator[Line]:
    if made_by_several(town.root):
        what = "two processes that begin together can make it unusable (storage: {sqlite: …})"
        yield Line("dagster's storage", State.WARNING, what, "take `storage` from the dagster.yaml of `odp init`")
    else:
        yield Line("dagster's storage", State.OK, "it can be opened")


def _daemon(instance: dg.DagsterInstance) -> Iterator[Line]:
    statuses = instance.get_daemon_statuses()
    beats = [status.last_heartbeat.timestamp for status in statuses.values() if status.last_heartbeat]
    silent = sorted(name.lower() for name, status in statuses.items() if not status.healthy)
    if not beats:
        yield Line("daemon", State.FAULT, "it has never run: no schedule starts", _START)
    elif silent:
        last = datetime.fromtimestamp(max(beats), UTC)
        what = f"no heartbeat of {', '.join(silent)} (the last one of any at {last:%Y-%m-%d %H:%M} UTC)"
        yield Line("daemon", State.FAULT, what, _START)
    else:
        yield Line("daemon", State.OK, f"alive, {len(statuses)} parts of it")


def _stuck(instance: dg.DagsterInstance) -> Iterator[Line]:
    limit = datetime.now(UTC) - _LONG
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], updated_before=limit)
    if stuck := instance.get_runs_count(started):
        mend = "look at it in Dagster under Runs, and terminate it if its process is dead"
        yield Line("runs", State.WARNING, f"{stuck} under way, of which nothing was heard for {spoken(_LONG)}", mend)
    else:
        yield Line("runs", State.OK, "none that is stuck")


def _stopped(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Line]:
    stopped = sorted(
        state.instigator_name
        for state in instance.all_instigator_state()
        if state.status.value == "STOPPED"
        and (repository.has_schedule_def(state.instigator_name) or repository.has_sensor_def(state.instigator_name))
    )
    if stopped:
        mend = "start it in Dagster under Automation, unless somebody stopped it for a reason"
        yield Line("schedules", State.WARNING, f"stopped by a person: {', '.join(stopped)}", mend)
    else:
        count = len(repository.schedule_defs) + len(repository.sensor_defs)
        yield Line("schedules", State.OK, f"{count} schedules and sensors are switched on")
