"""Numbers for Prometheus, read from journal and store: nothing is counted in a process that may die.

Labels are datasets, outcomes and zones; no value of a cell can be in a number that is named here.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from odpipeline import __version__, flow
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import StoreError
from odpipeline.freshness import freshness
from odpipeline.journal import RunRecord
from odpipeline.monitoring.records import Records
from odpipeline.monitoring.rounds import ROUND
from odpipeline.store import Release

_OF_DATASETS = {
    "odp_dataset_version": "The version that the public sees.",
    "odp_dataset_rows": "Rows of the published version.",
    "odp_dataset_bytes": "Bytes of the published version's files.",
    "odp_dataset_published_timestamp_seconds": "When the published version was made.",
    "odp_dataset_checked_timestamp_seconds": "When the source last confirmed the published version.",
    "odp_dataset_data_timestamp_seconds": "The newest event in the published rows.",
    "odp_dataset_data_age_seconds": "The age of the newest event in the published rows.",
    "odp_dataset_data_due_timestamp_seconds": "When the promise of the data's age is broken unless newer data comes.",
    "odp_dataset_late": "1 when a promise of freshness is broken, else 0.",
    "odp_dataset_broken": "1 when the store holds no whole current version though it should, else 0.",
    "odp_dataset_last_run_timestamp_seconds": "When the last run ended, however it did.",
    "odp_dataset_last_success_timestamp_seconds": "When a run last published or confirmed.",
    "odp_dataset_last_run_seconds": "How long the last run took.",
    "odp_dataset_last_run_rows_in": "Rows that the last run was delivered.",
    "odp_dataset_last_run_quarantined": "Rows that the last run set aside.",
}
_SUCCESSES = ("published", "unchanged")


_HOUR = timedelta(hours=1)
_AT_ONCE = 8


@dataclass(frozen=True)
class _Seen:
    """A dataset's release (None: there is none), whether it is broken, and after which run it was read when."""

    release: Release | None
    broken: bool
    run_at: datetime | None
    read_at: datetime

    def holds(self, run_at: datetime | None, now: datetime) -> bool:
        """Whether it can be no other at `now`, when the newest run was at `run_at` and nobody acted."""
        return not self.broken and self.run_at == run_at and timedelta() <= now - self.read_at < _HOUR


def _read(zones: flow.Zones, dataset: str, run_at: datetime | None, now: datetime) -> _Seen:
    try:
        return _Seen(zones.store.current(dataset), False, run_at, now)
    except StoreError:
        return _Seen(None, True, run_at, now)


class TownCollector(Collector):
    """The numbers of one town, as they are at the moment of the scrape.

    A bucket is asked four times for a release, so what was read in one counts until a run or an act is in the journal,
    an hour at most; what goes round the journal, such as a hand in the bucket, is seen that late here.
    """

    def __init__(self, town: Town) -> None:
        self._town = town
        self._seen: dict[str, _Seen] = {}

    def collect(self) -> Iterator[Metric]:
        """Every number; one dataset that cannot be read does not hide the others."""
        zones = flow.Zones.of(self._town)
        gauges = {name: GaugeMetricFamily(name, words, labels=["dataset"]) for name, words in _OF_DATASETS.items()}
        runs = CounterMetricFamily("odp_runs", "Runs by how they ended.", labels=["dataset", "outcome"])
        ended: dict[str, float] = {}
        for tally in zones.journal.tallies():
            runs.add_metric([tally.dataset, tally.outcome], tally.runs)
            if tally.outcome in _SUCCESSES:
                ended[tally.dataset] = max(ended.get(tally.dataset, 0.0), tally.last.timestamp())
        last = {dataset.id: zones.journal.last(dataset.id) for dataset in self._town.datasets}
        self._look(zones, last)
        for dataset in self._town.datasets:
            seen = self._seen[dataset.id]
            numbers = {
                "odp_dataset_broken": float(seen.broken),
                "odp_dataset_last_success_timestamp_seconds": ended.get(dataset.id),
            }
            numbers |= _of_release(dataset, seen.release) | _of_run(last[dataset.id])
            for name, number in numbers.items():
                if number is not None:
                    gauges[name].add_metric([dataset.id], number)
        yield from (*gauges.values(), runs, *_of_watch(Records(zones.journal)), *self._of_machine())

    def _look(self, zones: flow.Zones, last: Mapping[str, RunRecord | None]) -> None:
        """Read the releases anew that may be others than those seen."""
        now = datetime.now(UTC)
        acted = {act.dataset for act in zones.journal.acts_since(now - _HOUR)}

        def look(dataset: str) -> _Seen:
            run = last[dataset]
            run_at, seen = run.ended_at if run else None, self._seen.get(dataset)
            quiet = zones.store.elsewhere and dataset not in acted
            return seen if quiet and seen and seen.holds(run_at, now) else _read(zones, dataset, run_at, now)

        with ThreadPoolExecutor(_AT_ONCE if zones.store.elsewhere else 1) as pool:
            self._seen = dict(zip(last, pool.map(look, last), strict=True))

    def _of_machine(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("odp_disk_free_bytes", "Free room where a zone lies.", labels=["zone"])
        folders = {"private": self._town.private_path, "state": self._town.root}
        if self._town.store_path.is_dir():
            folders["store"] = self._town.store_path
        for zone, folder in folders.items():
            free.add_metric([zone], shutil.disk_usage(folder).free)
        info = GaugeMetricFamily("odp_info", "Always 1; the version of odpipeline is in the label.", labels=["version"])
        info.add_metric([__version__], 1)
        yield from (free, info)


def _of_watch(records: Records) -> Iterator[Metric]:
    counted = Counter((str(one.problem.cause), str(one.problem.severity)) for one in records.open())
    opened = GaugeMetricFamily("odp_incidents_open", "Open incidents.", labels=["cause", "severity"])
    for labels, count in sorted(counted.items()):
        opened.add_metric(list(labels), count)
    yield opened
    waiting = GaugeMetricFamily("odp_messages_waiting", "Messages that no channel has taken yet.")
    waiting.add_metric([], len(records.waiting()))
    yield waiting
    if last := records.marked(ROUND):
        watched = GaugeMetricFamily("odp_watch_timestamp_seconds", "When the last round of the watch was made.")
        watched.add_metric([], last.timestamp())
        yield watched


def text(town: Town) -> str:
    """Everything in Prometheus' text format."""
    return generate_latest(_registry(town)).decode()


def serve(town: Town, port: int) -> threading.Thread:
    """Serve `/metrics` on loopback, in a thread that is returned."""
    _, thread = start_http_server(port, addr="127.0.0.1", registry=_registry(town))
    return thread


def names(town: Town) -> set[str]:
    """The names of all metrics, as queries write them."""
    found = TownCollector(town).collect()
    return {metric.name + ("_total" if metric.type == "counter" else "") for metric in found}


def _registry(town: Town) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TownCollector(town))
    return registry


def _of_release(dataset: Dataset, release: Release | None) -> dict[str, float | None]:
    now = datetime.now(UTC)
    checked_at, data_date = (release.checked_at, release.data_date) if release else (None, None)
    ages = freshness(dataset, checked_at=checked_at, data_date=data_date, now=now)
    numbers: dict[str, float | None] = {"odp_dataset_late": float(ages.late)}
    if release is None:
        return numbers
    return numbers | {
        "odp_dataset_version": release.version,
        "odp_dataset_rows": release.rows,
        "odp_dataset_bytes": sum(file.size_bytes for file in release.files),
        "odp_dataset_published_timestamp_seconds": release.published_at.timestamp(),
        "odp_dataset_checked_timestamp_seconds": release.checked_at.timestamp(),
        "odp_dataset_data_timestamp_seconds": release.data_date.timestamp() if release.data_date else None,
        "odp_dataset_data_due_timestamp_seconds": ages.data_due.timestamp() if ages.data_due else None,
        "odp_dataset_data_age_seconds": ages.data_age.total_seconds() if ages.data_age is not None else None,
    }


def _of_run(last: RunRecord | None) -> dict[str, float | None]:
    if last is None or last.ended_at is None:
        return {}
    return {
        "odp_dataset_last_run_timestamp_seconds": last.ended_at.timestamp(),
        "odp_dataset_last_run_seconds": last.seconds,
        "odp_dataset_last_run_rows_in": last.rows_in,
        "odp_dataset_last_run_quarantined": last.quarantined,
    }
