"""Datasets that are delivered period by period, as Dagster's partitions: one for each period, under its own name.

The release is always whole. A partition is materialised when its period is part of the capture that the release was
made from; one that the system never delivered stays missing in the UI. A backfill asks for its periods anew, all of
them in one run, which makes one release.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from odpipeline import flow
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import NAMES, PeriodKind
from odpipeline.declaration.town import Town
from odpipeline.landing import Capture
from odpipeline.orchestration.keys import TRIGGER_TAG, asset_key
from odpipeline.sources import periodical

Job = Any
"""What `dg.define_asset_job` returns; its type is not public."""

_BEGINS: dict[PeriodKind, str] = {
    "day": "0 0 * * *", "week": "0 0 * * 1", "month": "0 0 1 * *", "quarter": "0 0 1 */3 *", "year": "0 0 1 1 *",
}  # fmt: skip
_SPOKEN: dict[PeriodKind, str] = {
    "day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly",
}  # fmt: skip
_PATIENCE_SECONDS = 3600.0
_PARTITION, _FROM, _TO = "dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def partitions(dataset: Dataset) -> dg.PartitionsDefinition[str] | None:
    """The periods of `dataset`, in the town's time zone; None when it has none."""
    if (said := dataset.periods) is None:
        return None
    return dg.TimeWindowPartitionsDefinition(
        start=said.first,
        fmt=NAMES[said.every],
        cron_schedule=_BEGINS[said.every],
        timezone=dataset.timezone,
        end_offset=int(said.running),
    )


def job_name(dataset: Dataset) -> str:
    """The job of datasets with the same periods, for Dagster mixes no others with them: `monthly_since_2025_01`."""
    assert dataset.periods  # noqa: S101 - asked of periodical datasets only
    running = "_running" if dataset.periods.running else ""
    return f"{_SPOKEN[dataset.periods.every]}_since_{dataset.periods.first.replace('-', '_')}{running}"


def jobs(
    town: Town,
    assets: dict[str, dg.AssetsDefinition],
    executor: dg.ExecutorDefinition,
    without: dg.AssetSelection,
    config: dict[str, Any],
) -> dict[str, Job]:
    """One job for each kind of periods in `town`, by its name, `without` what else would join; `assets`: by dataset."""
    named: dict[str, list[Dataset]] = {}
    for dataset in town.datasets:
        if dataset.periods:
            named.setdefault(job_name(dataset), []).append(dataset)
    return {
        name: dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets(*(assets[dataset.id] for dataset in datasets)) - without,
            executor_def=executor,
            config=config,
            description=f"One dataset that is delivered period by period, from source to release: "
            f"{', '.join(dataset.id for dataset in datasets)}.",
        )
        for name, datasets in named.items()
    }


def asked(dataset: Dataset, run: dg.DagsterRun) -> list[str] | None:
    """The periods that `run` was started for by a person; None for those that are due."""
    if dataset.periods is None or TRIGGER_TAG in run.tags:
        return None
    if name := run.tags.get(_PARTITION):
        return [name]
    if _FROM in run.tags:
        return periodical.chosen(dataset, [f"{run.tags[_FROM]}:{run.tags[_TO]}"], datetime.now(UTC))
    return None


def patient(known: flow.Zones, run: dg.DagsterRun) -> flow.Zones:
    """`known` for `run`: the ranges of a backfill follow each other, and a tick's run follows its slow probe."""
    waits = "dagster/backfill" in run.tags or TRIGGER_TAG in run.tags
    return replace(known, patience_seconds=_PATIENCE_SECONDS) if waits else known


def taken(reached: flow.Stage, before: Capture | None) -> Capture | None:
    """The capture of this run, as far as its periods have rows."""
    if isinstance(reached, Capture):
        return reached
    if isinstance(reached, Conformed) and reached.empty and before:
        return replace(
            before, periods={name: mark for name, mark in before.periods.items() if name not in reached.empty}
        )
    return before


def events(
    dataset: Dataset,
    stage: str,
    capture: Capture,
    names: Collection[str] | None,
    since: datetime,
    shown: dict[str, Any],
    instance: dg.DagsterInstance,
) -> list[dg.AssetMaterialization]:
    """What to tell of one stage: a materialisation of each period that is new to Dagster, and of the newest.

    Where a person named `names`, of those instead that the system had since then: what it has not, gets none. The last
    one told has all that is `shown`, the others say where to look.
    """
    key, held = asset_key(dataset.id, stage), capture.there
    told = set(held) - instance.get_materialized_partitions(key)
    if names is None:
        told |= set(held[-1:])
    else:
        told |= {name for name in held if name in names and capture.periods[name].at >= since.isoformat()}
    found = [name for name in held if name in told]
    return [
        dg.AssetMaterialization(key, metadata=shown if name == found[-1] else {"told_by": found[-1]}, partition=name)
        for name in found
    ]


def partition_tag(dataset: Dataset) -> dict[str, str]:
    """What a run of what is due has to say to Dagster: the newest period stands for all of them."""
    names = periodical.all_due(dataset, datetime.now(UTC)) if dataset.periods else []
    return {_PARTITION: names[-1]} if names else {}


def whole(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Those of `datasets` that are delivered as a whole, and can share a run."""
    return [dataset for dataset in datasets if dataset.periods is None]
