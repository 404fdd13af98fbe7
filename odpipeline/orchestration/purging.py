"""Once a week Dagster forgets old runs and gives their room back: each dataset's night leaves about 280 kB behind.

Deleting a run empties its rows and frees no disk: the file of its events stays, and the shared index keeps its size
until VACUUM. Nothing is lost by it: what was published, refused and approved stands in store and journal.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from odpipeline.declaration.town import Town
from odpipeline.orchestration.state import sqlite_folder

_CRON = "0 6 * * 0"
_BATCH = 200
_PATIENCE_SECONDS = 60.0
_INDEX = "index"
_OLD_CHECKS = """DELETE FROM asset_check_executions
    WHERE id NOT IN (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name)
    AND run_id NOT IN (SELECT run_id FROM event_logs WHERE run_id IS NOT NULL)"""
"""A check's results stay when their runs are deleted, each with its whole event; the UI shows the newest."""
_OFTEN, _OFTEN_KEPT = ("frequent", "public_pages"), timedelta(days=7)
"""A dataset at each fifth minute makes 288 runs of its own and as many of the pages in a day: these go sooner."""
_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Purged:
    """How many `runs` went, and the bytes of Dagster's storage `before` and `after`; `busy` files kept their room."""

    runs: int
    before: int
    after: int
    busy: int


def purge(instance: dg.DagsterInstance, folder: Path | None, older: timedelta, now: datetime | None = None) -> Purged:
    """Delete the runs that ended longer than `older` ago, frequent ones after a week, and free their room.

    Room is freed in `folder`, where the storage is SQLite; this may run while Dagster works: a file that is in use
    beyond our patience keeps its room until the next time.
    """
    before, busy = _size(folder), 0
    now = now or datetime.now(UTC)
    gone = _deleted(instance, folder, dg.RunsFilter(statuses=_OVER, updated_before=now - older))
    for job in _OFTEN:
        often = dg.RunsFilter(job_name=job, statuses=_OVER, updated_before=now - min(older, _OFTEN_KEPT))
        gone += _deleted(instance, folder, often)
    for database in sorted(folder.rglob("*.db")) if folder and gone else ():
        if database.parent.name != "runs" or database.stem == _INDEX:  # the others are of runs that stay
            busy += not _vacuumed(database)
    return Purged(gone, before, _size(folder), busy)


def purging(town: Town) -> tuple[dg.JobDefinition, dg.ScheduleDefinition]:
    """The job that purges, and its schedule: Sunday mornings, after the night."""

    @dg.op(description="Deletes runs that are older than `night.keep_runs` of town.yaml, and frees their room.")
    def purge_runs(context: dg.OpExecutionContext) -> None:
        purged = purge(context.instance, sqlite_folder(town.root), town.night.keep_runs)
        freed = (purged.before - purged.after) / 1e6
        context.log.info(f"{purged.runs} runs are gone, {freed:,.1f} MB are free; {purged.busy} files were in use")

    @dg.job(description="Forget old runs of Dagster; the town's own record stays.", executor_def=dg.in_process_executor)
    def purge_old_runs() -> None:
        purge_runs()

    schedule = dg.ScheduleDefinition(
        name="sundays_purge", job=purge_old_runs, cron_schedule=_CRON, execution_timezone=town.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING, description="Sundays: forget old runs, free their room.",
    )  # fmt: skip
    return purge_old_runs, schedule


def _deleted(instance: dg.DagsterInstance, folder: Path | None, chosen: dg.RunsFilter) -> int:
    gone = 0
    while records := instance.get_run_records(chosen, limit=_BATCH):
        for record in records:
            instance.delete_run(record.dagster_run.run_id)
            for file in folder.glob(f"history/runs/{record.dagster_run.run_id}.db*") if folder else ():
                file.unlink(missing_ok=True)  # it has no rows any more
            gone += 1
    return gone


def _vacuumed(database: Path) -> bool:
    """Give the free room of `database` back; False when others kept it busy all the time."""
    try:
        with closing(sqlite3.connect(database, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'asset_check_executions'").fetchone():
                connection.execute(_OLD_CHECKS)
            connection.execute("VACUUM")
            return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False


def _size(folder: Path | None) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.db*") if file.is_file()) if folder else 0
