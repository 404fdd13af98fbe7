"""Once a day the store is read again: a check `store_verified` on every dataset's `published`."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster_duckdb import DuckDBResource

from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import Records
from odpipeline.orchestration.keys import asset_key
from odpipeline.orchestration.resources import zones
from odpipeline.store import Store
from odpipeline.store.verifying import Flaw, Verified, verify

SAMPLE = 3
"""How many versions besides the current one are read each day; `odp verify` reads all."""
CHECK = "store_verified"
_CRON = "30 5 * * *"


def verification(town: Town) -> tuple[dg.AssetChecksDefinition, dg.JobDefinition, dg.ScheduleDefinition]:
    """The checks, the job that evaluates them all in one step, and its schedule, after the night."""
    specs = [
        dg.AssetCheckSpec(
            CHECK, asset=asset_key(dataset.id, "published"),
            description="Every published byte against manifests, signatures and changelog; a sample of old versions.",
        )
        for dataset in town.datasets
    ]  # fmt: skip

    @dg.multi_asset_check(name=CHECK, specs=specs, can_subset=True)
    def store_verified(context: dg.AssetCheckExecutionContext, duckdb: DuckDBResource) -> Iterator[dg.AssetCheckResult]:
        known = zones(town, duckdb)
        records = Records(known.journal)
        for key in sorted(context.selected_asset_check_keys):
            name = key.asset_key.path[0]
            found = _looked_at(known.store, name)
            told = None if found.sound else _told(found)
            records.sign(f"dataset:{name}", Cause.STORE, told, datetime.now(UTC))
            yield _result(key, found)

    job = dg.define_asset_job(
        "verify_store",
        selection=dg.AssetSelection.checks(store_verified),
        executor_def=dg.in_process_executor,
        description="Reads the publication store again: bytes, manifests, signatures, changelog.",
    )
    schedule = dg.ScheduleDefinition(
        name="verify_store", job=job, cron_schedule=_CRON, execution_timezone=town.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every morning, after the night.",
    )  # fmt: skip
    return store_verified, job, schedule  # type: ignore[return-value]  # an unresolved job, which Dagster resolves


def _looked_at(store: Store, dataset: str) -> Verified:
    try:
        return verify(store.backend, dataset, listed=store.backend, sample=SAMPLE)
    except OdpError as error:  # a check that could not run has not passed
        return Verified(dataset, flaws=[Flaw(error.where, error.what, error.mend)])


def _told(found: Verified) -> str:
    return "; ".join(f"{flaw.where}: {flaw.what}" for flaw in found.flaws)


def _result(key: dg.AssetCheckKey, found: Verified) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=found.sound,
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_told(found) or "as it was published",
        metadata={
            "versions": found.versions, "files": found.files, "bytes": found.size_bytes, "signed": found.signed,
            "flaws": len(found.flaws),
        },
    )  # fmt: skip
