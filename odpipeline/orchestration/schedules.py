"""The town's calendar: one schedule for the night, one for each cron that declarations name."""

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.orchestration.checks import checks_of
from odpipeline.orchestration.describing import calendar_name
from odpipeline.orchestration.keys import CALENDAR, NIGHT, STAGES, TRIGGER_TAG, asset_key
from odpipeline.orchestration.night import lots, probe
from odpipeline.orchestration.periodical import Job, job_name, partition_tag, whole

DATASET_TAG = "odp/dataset"
"""The tag of a run that serves one dataset."""

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def nightly_schedule(town: Town, job: Job) -> dg.ScheduleDefinition:
    """Every dataset once a night, in lots; what is unchanged is confirmed without a run."""

    @dg.schedule(
        name="nightly",
        job=job,
        cron_schedule=town.night.cron,
        execution_timezone=town.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every dataset once a night: probe what is cheap to probe, run the rest in lots.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        changed = probe(whole(town.datasets), town, context.instance)
        night = context.scheduled_execution_time.date().isoformat()
        for number, lot in enumerate(lots(changed, town.night.lot_size), start=1):
            yield dg.RunRequest(
                run_key=f"{night}/{number}",
                asset_selection=lot,
                asset_check_keys=checks_of(lot),
                tags={"odp/night": night, TRIGGER_TAG: NIGHT},
            )
        if not changed:
            yield dg.SkipReason("every source is unchanged; the releases were confirmed")

    return nightly


def frequent_schedules(town: Town, job: Job) -> list[dg.ScheduleDefinition]:
    """One schedule for each declared cron; each dataset in a light run of its own."""
    by_cron: dict[str, list[Dataset]] = defaultdict(list)
    for dataset in whole(town.datasets):
        if dataset.schedule != "nightly":
            by_cron[dataset.schedule].append(dataset)
    return [_each(calendar_name(cron), cron, datasets, town, job) for cron, datasets in sorted(by_cron.items())]


def periodical_schedules(town: Town, jobs: dict[str, Job]) -> list[dg.ScheduleDefinition]:
    """The same for datasets that are delivered by period, by job: a schedule has one. And in the night."""
    by_name: dict[tuple[str, str, str], list[Dataset]] = defaultdict(list)
    for dataset in town.datasets:
        if dataset.periods:
            job = job_name(dataset)
            by_name[f"nightly_{job}", town.night.cron, job].append(dataset)
            if dataset.schedule != "nightly":
                by_name[f"{calendar_name(dataset.schedule)}_{job}", dataset.schedule, job].append(dataset)
    return [_each(name, cron, found, town, jobs[job]) for (name, cron, job), found in sorted(by_name.items())]


def _each(name: str, cron: str, datasets: list[Dataset], town: Town, job: Job) -> dg.ScheduleDefinition:
    trigger = NIGHT if name.startswith("nightly_") else CALENDAR
    names = ", ".join(dataset.id for dataset in datasets)

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=town.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"At {cron}: {names}.",
    )
    def frequent(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        begun = [dataset for dataset in datasets if dataset.periods is None or partition_tag(dataset)]
        free = [dataset for dataset in begun if not under_way(dataset, context.instance)]
        changed = probe(free, town, context.instance)
        for dataset in changed:
            assets = [asset_key(dataset.id, stage) for stage in STAGES]
            yield dg.RunRequest(
                run_key=f"{dataset.id}/{context.scheduled_execution_time.isoformat()}",
                asset_selection=assets,
                asset_check_keys=checks_of(assets),
                tags={
                    DATASET_TAG: dataset.id,
                    TRIGGER_TAG: trigger,
                    "dagster/priority": "1",
                    **partition_tag(dataset),
                },
            )
        if not changed:
            yield dg.SkipReason("unchanged, still under way, or no period is over yet")

    return frequent


def under_way(dataset: Dataset, instance: dg.DagsterInstance) -> bool:
    """True when a run of this dataset waits or works: a second one would only lose the race."""
    filters = dg.RunsFilter(tags={DATASET_TAG: dataset.id}, statuses=_UNDER_WAY)
    return bool(instance.get_run_records(filters, limit=1))
