"""A sensor that looks at drop folders each minute and runs a dataset once its files have come to rest.

Two looks must see the same files, sizes and times before a run is asked for: a transfer under way is left alone. The
cursor holds fingerprints, never a name: departments write names of persons into them.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from odpipeline import flow
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import any_period
from odpipeline.declaration.source import FolderSource
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.orchestration.checks import checks_of
from odpipeline.orchestration.keys import DROP, STAGES, TRIGGER_TAG, asset_key
from odpipeline.orchestration.periodical import Job, job_name, partition_tag
from odpipeline.orchestration.schedules import DATASET_TAG, under_way

_SECONDS = 60


def drop_sensors(town: Town, job: Job, by_period: dict[str, Job]) -> list[dg.SensorDefinition]:
    """One sensor for all datasets that are delivered into folders; none when there is no such dataset.

    They run in `job`; those that are delivered by period in that of `by_period` with their name.
    """
    dropped = [dataset for dataset in town.datasets if isinstance(dataset.source, FolderSource)]
    if not dropped:
        return []

    @dg.sensor(
        name="drop_folders",
        jobs=[job, *by_period.values()],
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Runs a dataset when its dropped files have come to rest: {', '.join(d.id for d in dropped)}.",
    )
    def drop_folders(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        known: dict[str, dict[str, str]] = json.loads(context.cursor or "{}")
        store = flow.Zones.of(town).store
        asked = 0
        for dataset in dropped:
            held = known.setdefault(dataset.id, {"seen": "", "done": ""})
            seen = fingerprint(dataset, town)
            if not held["seen"] and store.current(dataset.id):
                held["done"] = seen  # what was there before we first looked is the night's
            rests, held["seen"] = seen == held["seen"], seen
            begun = dataset.periods is None or partition_tag(dataset)
            if seen and rests and seen != held["done"] and begun and not under_way(dataset, context.instance):
                held["done"], asked = seen, asked + 1
                assets = [asset_key(dataset.id, stage) for stage in STAGES]
                yield dg.RunRequest(
                    run_key=f"{dataset.id}/{seen}",
                    job_name=job_name(dataset) if dataset.periods else job.name,
                    asset_selection=assets,
                    asset_check_keys=checks_of(assets),
                    tags={DATASET_TAG: dataset.id, TRIGGER_TAG: DROP, **partition_tag(dataset)},
                )
        context.update_cursor(json.dumps({dataset.id: known[dataset.id] for dataset in dropped}))
        if not asked:
            yield dg.SkipReason("nothing new has come to rest")

    return [drop_folders]


def fingerprint(dataset: Dataset, town: Town) -> str:
    """What names, sizes and times of the matching files come to; '' when there is none, or none to be seen."""
    source = dataset.source
    assert isinstance(source, FolderSource)  # noqa: S101 - as the sensor chose
    try:
        base = town.root / (town.systems[source.system].address() if source.system else "")
        told = [
            (str(file), file.stat()) for file in sorted(Path(base).glob(any_period(source.folder))) if file.is_file()
        ]
    except (OdpError, OSError, ValueError):
        return ""  # the night says what is wrong
    if not told:
        return ""
    lines = [f"{name}\0{seen.st_size}\0{seen.st_mtime_ns}" for name, seen in told]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
