"""The night: what is cheap to probe is probed first, the rest runs in lots, each dataset in a process of its own.

A lot is one Dagster run; its steps run two at once in processes forked from a server that has already imported
Great Expectations, so that the hard death of one dataset costs that dataset alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from odpipeline import flow
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.landing import Capture
from odpipeline.orchestration import metadata, periodical
from odpipeline.orchestration.keys import STAGES, asset_key
from odpipeline.store import Release

_PRELOAD = [
    "dagster", "dagster._core.instance.factory", "odpipeline.orchestration.sqlite_storage",
    "dagster._core.storage.root", "dagster._core.storage.local_compute_log_manager",
    "dagster._core.workspace.autodiscovery", "upath.implementations.local", "odpipeline.quality.engine",
    "odpipeline.orchestration.launch", "odpipeline.conform.delimited", "odpipeline.sources.folder",
]  # fmt: skip
"""What each process of a dataset would load by itself; a name that is there no more is passed over."""
_PATIENCE_SECONDS = 40.0
"""How long all probes together may take: Dagster gives a schedule's tick 60 seconds. What has not answered runs."""


def lot_executor(at_once: int) -> dg.ExecutorDefinition:
    """Processes from a preloaded fork server, `at_once` of them: a dead process is one dataset lost."""
    settings = {"max_concurrent": at_once, "start_method": {"forkserver": {"preload_modules": _PRELOAD}}}
    return dg.multiprocess_executor.configured(settings)


def probe(datasets: Iterable[Dataset], town: Town, instance: dg.DagsterInstance) -> list[Dataset]:
    """The datasets that must run: those that cannot be probed, have never been published, or have something new.

    What is unchanged is confirmed in the store, recorded in the journal and told to Dagster, without a run. A probe
    that fails is no answer: its dataset runs, and the run says what is wrong.
    """
    listed = list(datasets)
    zones = flow.Zones.of(town)
    pool = ThreadPoolExecutor(max_workers=4)
    asked = {dataset.id: pool.submit(_confirmed, dataset, town, zones) for dataset in listed}
    answered, _ = wait(asked.values(), timeout=_PATIENCE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    found = {name: future.result() for name, future in asked.items() if future in answered}
    for dataset in listed:
        if (confirmed := found.get(dataset.id)) is not None:
            capture, release = confirmed
            told = {
                "captured": metadata.of_capture(capture),  # it says why there is nothing new
                "published": metadata.of_release(release, dataset, unchanged=True),
            }
            for stage, shown in told.items():
                for event in _confirmations(dataset, stage, capture, shown, instance):
                    instance.report_runless_asset_event(event)
    return [dataset for dataset in listed if found.get(dataset.id) is None]


def _confirmations(
    dataset: Dataset, stage: str, capture: Capture, shown: dict[str, Any], instance: dg.DagsterInstance
) -> list[dg.AssetMaterialization]:
    if dataset.periods:
        return periodical.events(dataset, stage, capture, None, datetime.now(UTC), shown, instance)
    return [dg.AssetMaterialization(asset_key(dataset.id, stage), metadata=shown)]


def lots(datasets: Sequence[Dataset], size: int) -> list[list[dg.AssetKey]]:
    """The assets of `datasets`, `size` datasets to a lot."""
    return [
        [asset_key(dataset.id, stage) for dataset in datasets[start : start + size] for stage in STAGES]
        for start in range(0, len(datasets), size)
    ]


def _confirmed(dataset: Dataset, town: Town, zones: flow.Zones) -> tuple[Capture, Release] | None:
    """Capture and current release if the source has nothing new, else None; whatever goes wrong is left to the run."""
    if not dataset.source.probed or zones.store.current(dataset.id) is None:
        return None
    try:
        with closing(flow.recorded(dataset, town, zones)) as stages:
            capture, reached = next(stages), next(stages)
            if not isinstance(capture, Capture) or not isinstance(reached, Release):
                return None
            next(stages, None)  # lets the journal be written
            return capture, reached
    except OdpError:
        return None
