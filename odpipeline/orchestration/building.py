"""A town's declarations as Dagster sees them.

Building reads nothing but the declarations that are given: no source, no store and no check engine is touched.
"""

from __future__ import annotations

import dagster as dg

from odpipeline.declaration.town import Town
from odpipeline.orchestration import periodical
from odpipeline.orchestration.approval import approval_job
from odpipeline.orchestration.assets import dataset_assets, public_assets, system_specs
from odpipeline.orchestration.drops import drop_sensors
from odpipeline.orchestration.keys import CATALOGUE, PORTAL
from odpipeline.orchestration.purging import purging
from odpipeline.orchestration.resources import duckdb_resource
from odpipeline.orchestration.scaling import night_executor
from odpipeline.orchestration.schedules import frequent_schedules, nightly_schedule, periodical_schedules
from odpipeline.orchestration.sensors import catalogue_sensors
from odpipeline.orchestration.verification import verification
from odpipeline.orchestration.watching import died_sensor, watch_sensor

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Reasons stand in the journal and in the run's events; a terminal would only show their stack traces."""


def definitions(town: Town) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of `town`."""
    by_name = {dataset.id: dataset_assets(dataset, town) for dataset in town.datasets}
    datasets = list(by_name.values())
    shared = [by_name[dataset.id] for dataset in periodical.whole(town.datasets)]
    checks, verifying, every_morning = verification(town)
    besides = dg.AssetSelection.checks(checks)
    of_datasets = dg.AssetSelection.assets(*shared) - besides
    nightly = dg.define_asset_job(
        "nightly",
        selection=of_datasets,
        executor_def=night_executor(town),
        config=_QUIET,
        description="Datasets from source to release, two at once, or as many as there are workers.",
    )
    frequent = dg.define_asset_job(
        "frequent",
        selection=of_datasets,
        executor_def=dg.in_process_executor,
        config=_QUIET,
        description="One dataset from source to release, lightly: for calendars of its own, and for dropped files. "
        "In the launchpad, `capture` runs it from a kept capture instead.",
    )
    alone = night_executor(town) if town.night.broker else dg.in_process_executor
    by_period = periodical.jobs(town, by_name, alone, besides, _QUIET)
    public = dg.define_asset_job(
        "public_pages",
        selection=dg.AssetSelection.assets(CATALOGUE, PORTAL),
        executor_def=dg.in_process_executor,
        config=_QUIET,
        description="The catalogue and the portal, from the store, which is all they know.",
    )
    approve = approval_job(town)
    purge, on_sundays = purging(town)
    return dg.Definitions(
        assets=[*system_specs(town), *datasets, *public_assets(town)],
        asset_checks=[checks],
        jobs=[nightly, frequent, *by_period.values(), public, approve, verifying, purge],
        schedules=[
            nightly_schedule(town, nightly),
            *frequent_schedules(town, frequent),
            *periodical_schedules(town, by_period),
            every_morning,
            on_sundays,
        ],
        sensors=[
            *catalogue_sensors([nightly, frequent, *by_period.values(), approve], public),
            *drop_sensors(town, frequent, by_period),
            watch_sensor(town, public),
            died_sensor(town),
        ],
        resources={"duckdb": duckdb_resource(town)},
    )
