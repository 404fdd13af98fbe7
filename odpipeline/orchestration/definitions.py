"""The `Definitions` that workspace.yaml points at: the town's declarations as Dagster sees them.

The town is the folder in `ODP_TOWN`, or the one in which Dagster was started. Loading reads declarations only: no
source, no store and no check engine is touched.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from odpipeline.declaration import read_town
from odpipeline.declaration.town import Town
from odpipeline.orchestration.assets import dataset_assets, public_assets, system_specs
from odpipeline.orchestration.keys import CATALOGUE, PORTAL
from odpipeline.orchestration.night import lot_executor
from odpipeline.orchestration.resources import duckdb_resource
from odpipeline.orchestration.schedules import frequent_schedules, nightly_schedule
from odpipeline.orchestration.sensors import catalogue_sensors


def definitions(town: Town) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of `town`."""
    datasets = [dataset_assets(dataset, town) for dataset in town.datasets]
    of_datasets = dg.AssetSelection.assets(*datasets) if datasets else dg.AssetSelection.keys()
    nightly = dg.define_asset_job("nightly", selection=of_datasets, executor_def=lot_executor(at_once=2))
    frequent = dg.define_asset_job("frequent", selection=of_datasets, executor_def=dg.in_process_executor)
    public = dg.define_asset_job(
        "catalogue", selection=dg.AssetSelection.keys(CATALOGUE, PORTAL), executor_def=dg.in_process_executor
    )
    return dg.Definitions(
        assets=[*system_specs(town), *datasets, *public_assets(town)],
        jobs=[nightly, frequent, public],
        schedules=[nightly_schedule(town, nightly), *frequent_schedules(town, frequent)],
        sensors=catalogue_sensors([nightly, frequent], public),
        resources={"duckdb": duckdb_resource(town)},
    )


town = read_town(Path(os.environ.get("ODP_TOWN", ".")).resolve())
"""The town of this process."""

defs = definitions(town)
"""What Dagster loads."""
