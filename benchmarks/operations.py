"""What keeping a town in service costs: `python -m benchmarks.operations [datasets]`.

A night of a generated town, then: what Dagster's storage grew by, what the purge leaves of it and how long it takes, a
backup of everything, a look of `odp doctor`, and one scrape of the numbers. `incidents` instead of a number measures
the watch alone: 10,000 runs that fail or do not, and a round after each hundred. `workers` measures the same night on
one machine without Celery, with one worker and with two: Redis, journal and Dagster's storage in PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measured import cost
from benchmarks.orchestration import deliver, make_town


def main(datasets: int) -> None:
    """Measure everything and print one line each."""
    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
        folder = Path(temporary)
        make_town(folder, datasets)
        os.environ |= {"ODP_TOWN": str(folder), "DAGSTER_HOME": str(folder), "ODP_BENCH_LOG": str(folder / "log")}
        before = 0
        for night in (1, 2):
            deliver(folder, datasets, night)
            seconds = cost("benchmarks.orchestration", "night").wall_seconds
            size = _size(folder / ".odp/dagster")
            print(f"night {night}: {seconds:.0f} s, and Dagster's storage grew by {(size - before) / 1e6:.1f} MB")
            before = size
        _kept_in_service(folder)


def _kept_in_service(folder: Path) -> None:
    import dagster as dg

    from odpipeline.declaration import read_town
    from odpipeline.operating import backup, doctor, metrics
    from odpipeline.orchestration import purging

    os.chdir(folder)
    town, state = read_town(folder), folder / ".odp/dagster"
    kept = folder / "kept"
    _timed("backup", lambda: backup.make(town, kept, state=state, private=False))
    print(f"backup: {_size(kept) / 1e6:.1f} MB in {sum(1 for _ in kept.rglob('*'))} files")
    _timed("one scrape of the numbers", lambda: metrics.text(town))
    _timed("odp doctor, without Dagster's part", lambda: list(doctor.look(town)))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        later = datetime.now(UTC) + timedelta(days=31)
        _timed("purge of both nights", lambda: purging.purge(instance, state, timedelta(days=30), later))
    print(f"Dagster's storage after the purge {_size(state) / 1e6:7.1f} MB")


def incidents(runs: int = 10_000, datasets: int = 300) -> None:
    """Rounds over a journal that fills with `runs` of `datasets`, a third of them failed; one line each."""
    from odpipeline import flow
    from odpipeline.declaration import read_town
    from odpipeline.journal import RunRecord
    from odpipeline.monitoring.records import Records
    from odpipeline.monitoring.rounds import watch

    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
        folder = Path(temporary)
        make_town(folder, datasets)
        town = read_town(folder)
        zones, now, spent, rounds = flow.Zones.of(town), datetime.now(UTC), 0.0, 0
        records = Records(zones.journal)
        for number in range(runs):
            bad = number % 7 in (1, 4)
            ended = RunRecord(town.datasets[number % datasets].id, "failed" if bad else "published",
                              ("it failed",) if bad else (), error="SourceError" if bad else None)  # fmt: skip
            zones.journal.record(ended)
            if number % 100 == 99:
                now += timedelta(minutes=20)
                started = time.perf_counter()
                watch(town, now)
                spent, rounds = spent + time.perf_counter() - started, rounds + 1
        known = len(records.newest(runs))
        told = f"{spent:6.2f} s, {spent / rounds * 1000:6.1f} ms a round, {known} incidents"
        print(f"{runs:,} runs in {rounds} rounds: {told}")
        _timed(f"one more round, {datasets} datasets", lambda: watch(town, now))


WORKERS_TOWN = """
journal: {env: ODP_JOURNAL_URL}
"""
CELERY = "night: {executor: celery, broker: {env: ODP_BROKER_URL}}\n"


def workers(datasets: int = 40) -> None:
    """An all-changed night of `datasets` without Celery, with one worker of one process, and with two."""
    from tests.servers import a_database, postgresql, redis
    from tests.towns import keep_runs_in

    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary, postgresql() as server, redis() as broker:
        folder = Path(temporary)
        make_town(folder, datasets)
        alone = (folder / "town.yaml").read_text() + WORKERS_TOWN
        keep_runs_in(folder, "storage: {postgres: {postgres_url: {env: ODP_DAGSTER_URL}}}")
        os.environ |= {
            "ODP_TOWN": str(folder), "DAGSTER_HOME": str(folder), "ODP_BENCH_LOG": str(folder / "log"),
            "ODP_JOURNAL_URL": a_database(server), "ODP_BROKER_URL": broker,
            "ODP_DAGSTER_URL": a_database(server).replace("postgresql:", "postgresql+psycopg2:"),
        }  # fmt: skip
        for night, (told, declared, count) in enumerate(
            (("the first, to begin with", alone, 0), ("no Celery, two processes", alone, 0),
             ("one worker", alone + CELERY, 1), ("two workers", alone + CELERY, 2)), 1,
        ):  # fmt: skip
            (folder / "town.yaml").write_text(declared)
            deliver(folder, datasets, night)
            with ExitStack() as running:
                for number in range(count):
                    running.enter_context(_worker(folder, number))
                _all_answer(folder, count)
                spent = cost("benchmarks.orchestration", "night").wall_seconds
            from odpipeline import flow
            from odpipeline.declaration import read_town

            town = read_town(folder)
            made = {flow.Zones.of(town).store.current(dataset.id).version for dataset in town.datasets}
            assert made == {night}, "a dataset was not published"
            print(f"{told:36} {spent:7.1f} s  {spent / datasets:6.3f} s a dataset")


@contextmanager
def _worker(folder: Path, number: int) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "odpipeline.orchestration.worker", "worker", "-Q", "dagster",
               "--concurrency", "1", "-n", f"w{number}@%h"]  # fmt: skip
    with (folder / "workers.log").open("ab") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _all_answer(folder: Path, count: int) -> None:
    """Wait until `count` workers answer."""
    from dagster_celery.make_app import make_app

    from odpipeline.declaration import read_town
    from odpipeline.orchestration.scaling import worker_settings

    if count:
        app = make_app(worker_settings(read_town(folder)))
        while len(app.control.ping(timeout=2)) < count:
            pass


def _timed(name: str, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    work()
    print(f"{name:36} {time.perf_counter() - started:7.2f} s")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    if sys.argv[1:] == ["incidents"]:
        incidents()
    elif sys.argv[1:] == ["workers"]:
        workers()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 300)
