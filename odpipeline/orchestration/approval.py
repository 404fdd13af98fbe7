"""Saying yes in Dagster: a job whose run configuration names what waits, who approves it and why."""

from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from odpipeline import flow
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.orchestration.keys import asset_key
from odpipeline.orchestration.resources import zones


class Yes(dg.Config):
    """What `odp approve` takes."""

    dataset: str = Field(description="The dataset whose release waits.")
    content_hash: str = Field(description="The hash of the content that waits: all of it or its first 12 digits.")
    approver: str = Field(description="Who says yes: the mail address of a person in the role.")
    because: str = Field(description="Why; kept in the journal.")


def approval_job(town: Town) -> dg.JobDefinition:
    """The job `approve`: publishes exactly the bytes that wait, or fails and says why."""

    @dg.op(description="Publishes the release that waits for exactly this yes.")
    def say_yes(context: dg.OpExecutionContext, config: Yes, duckdb: DuckDBResource) -> None:
        try:
            dataset = town.dataset(config.dataset)
            where = zones(town, duckdb)
            release = flow.approve(dataset, town, where, config.content_hash, config.approver, config.because)
        except OdpError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        if release is None:
            context.log.info("approved; the first run after its embargo publishes it")
            return
        shown: dict[str, Any] = {"version": release.version, "rows": release.rows, "content": release.content_hash[:12]}
        key = asset_key(dataset.id, "published")
        context.log_event(dg.AssetMaterialization(key, metadata=shown, description="approved by a person"))

    @dg.job(description="Say yes to a release that waits.", executor_def=dg.in_process_executor)
    def approve() -> None:
        say_yes()

    return approve
