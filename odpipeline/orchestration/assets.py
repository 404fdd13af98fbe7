"""One declaration → captured, conformed, staged, published: one step that drives the flow, one event per stage.

A failed blocking check does not stop the later outputs of the same Dagster step: the flow ends itself at a refusal,
and the step raises afterwards, so that `published` is never materialised by a refusal.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from odpipeline import catalogue, flow, portal
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, SourceUnavailable
from odpipeline.freshness import freshness, missing_periods
from odpipeline.landing import Capture
from odpipeline.orchestration import metadata, periodical
from odpipeline.orchestration.checks import OF_EXPECTATIONS, check_results, check_specs, unasked
from odpipeline.orchestration.describing import described, of_declaration
from odpipeline.orchestration.keys import (
    CATALOGUE,
    NIGHT,
    PORTAL,
    STAGES,
    TRIGGER_TAG,
    asset_key,
    plain,
    pool,
    system_key,
)
from odpipeline.orchestration.resources import zones
from odpipeline.quality import QualityReport, RunReport, run_reports
from odpipeline.store import Release, Staged
from odpipeline.verdict import Verdict


class Replay(dg.Config):
    """What the launchpad offers for a run of one dataset; empty for a run from its source."""

    capture: str = Field(
        default="", description="Run from this kept capture instead of the source: its SHA-256, or 12 digits of it."
    )


Event = dg.MaterializeResult[Any] | dg.AssetCheckResult

_WORDS = {
    "captured": "What the source delivered, byte for byte, kept in the private zone.",
    "conformed": "The rows that could be read as the declared table; the others are in quarantine.",
    "staged": "The complete release, anonymised, still private, waiting at the gate.",
    "published": "The release that the public sees.",
}
_KINDS = {"conformed": {"duckdb", "parquet"}, "staged": {"duckdb", "parquet"}, "published": {"csv", "parquet"}}


def dataset_assets(dataset: Dataset, town: Town) -> dg.AssetsDefinition:
    """The four assets and the checks of `dataset`, computed in one step."""

    @dg.multi_asset(
        name=plain(dataset.id),
        specs=_specs(dataset, town),
        check_specs=check_specs(dataset.id),
        can_subset=True,
        partitions_def=periodical.partitions(dataset),
        backfill_policy=dg.BackfillPolicy.single_run() if dataset.periods else None,
        pool=pool(dataset)
        if town.night.broker is None
        else None,  # a lost step would keep its place: see landing.turns
    )
    def step(context: dg.AssetExecutionContext, config: Replay, duckdb: DuckDBResource) -> Iterator[Event]:
        yield from _run(context, dataset, town, zones(town, duckdb), config.capture)

    return step


def system_specs(town: Town) -> list[dg.AssetSpec]:
    """The municipal systems that deliver something, as external assets."""
    delivered: dict[dg.AssetKey, list[Dataset]] = {}
    for dataset in town.datasets:
        delivered.setdefault(system_key(dataset), []).append(dataset)
    return [_system_spec(key, datasets, town) for key, datasets in delivered.items()]


def _system_spec(key: dg.AssetKey, datasets: list[Dataset], town: Town) -> dg.AssetSpec:
    first = datasets[0].source
    system = town.systems.get(first.system or "")
    return dg.AssetSpec(
        key,
        group_name="systems",
        description=_delivers(system.title if system else f"Where {key.path[-1]} delivers.", datasets),
        kinds=set((system.kinds if system else ()) or (first.kind,)),
        owners=[system.owner] if system and system.owner else [],
    )


def _delivers(title: str, hit: list[Dataset]) -> str:
    """The title of a system and the published datasets that are hit when it changes."""
    return "\n".join([f"**{title}**", "", "When it changes, these published datasets are hit:", "",
                      *(f"- `{dataset.id}`: {dataset.title} ({dataset.owner})" for dataset in hit)])  # fmt: skip


def public_assets(town: Town) -> list[dg.AssetsDefinition]:
    """The catalogue and the portal: rebuilt from the store, which is all they know."""
    published = [asset_key(dataset.id, "published") for dataset in town.datasets]

    @dg.asset(key=CATALOGUE, deps=published, group_name="public", kinds={"dcat"}, owners=[town.contact])
    def catalogue_asset() -> dg.MaterializeResult[Any]:
        """The DCAT-AP catalogue of everything that is published."""
        written = catalogue.build(flow.Zones.of(town).store, town)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(written))})

    @dg.asset(key=PORTAL, deps=[CATALOGUE], group_name="public", kinds={"html"}, owners=[town.contact])
    def portal_asset() -> dg.MaterializeResult[Any]:
        """The pages that citizens read."""
        known = flow.Zones.of(town)
        written = portal.build(known.store, town, known.journal)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(written))})

    return [catalogue_asset, portal_asset]


def _specs(dataset: Dataset, town: Town) -> list[dg.AssetSpec]:
    upstream = [system_key(dataset), *(asset_key(dataset.id, stage) for stage in STAGES)]
    return [
        dg.AssetSpec(
            asset_key(dataset.id, stage),
            deps=[upstream[place]],
            skippable=True,
            group_name=plain(dataset.theme_folder),
            description=described(dataset, _WORDS[stage]),
            owners=[dataset.owner],
            kinds=_KINDS.get(stage, {dataset.source.kind}),
            tags={"personal_data": str(dataset.personal_data), **{f"theme/{theme}": "" for theme in dataset.themes}},
            code_version=dataset.code_version[:12],
            metadata=of_declaration(dataset, town, stage),
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dataset.freshness.run)
            if stage == "published"
            else None,
        )
        for place, stage in enumerate(STAGES)
    ]


def _run(
    context: dg.AssetExecutionContext, dataset: Dataset, town: Town, known: flow.Zones, capture: str
) -> Iterator[Event]:
    """Drive the flow: an event for each stage that is selected, an exception for a refusal or an error."""
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    last = max(STAGES.index(stage) for stage in wanted)
    verdict: Verdict | None = None
    taken: Capture | None = None
    began = datetime.now(UTC)
    started, told = time.perf_counter(), set[str]()
    try:
        reports = run_reports(known.journal, dataset.id)
        known = periodical.patient(known, context.run)
        replay = known.landing.get(dataset.id, capture) if capture else None
        periods = periodical.asked(dataset, context.run)
        with closing(flow.recorded(dataset, town, known, replay, periods, run=context.run.run_id)) as stages:
            for reached in stages:
                taken = periodical.taken(reached, taken)
                verdict = reached if isinstance(reached, Verdict) else verdict
                events = list(
                    _events(reached, dataset, taken, next(iter(reports), None), time.perf_counter() - started)
                )
                told |= {event.check_name for event in events if isinstance(event, dg.AssetCheckResult)}  # type: ignore[misc]
                yield from _selected(_by_period(events, dataset, taken, periods, began, context), context)
                if isinstance(reached, Release):
                    made = next((report for report in reports if report.version == reached.version), None)
                    yield from _selected(unasked(dataset.id, told, None if verdict else made), context)
                if isinstance(reached, _ENDS[last]):
                    return
    except SourceUnavailable as error:
        raise _again(context, town, error) from None
    except OdpError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    if verdict and not verdict.accepted and not verdict.held:  # what waits for a person has not failed
        reasons = "; ".join(verdict.reasons)
        raise dg.Failure(f"{dataset.id}: refused, the last good release stays served: {reasons}", allow_retries=False)


def _again(context: dg.AssetExecutionContext, town: Town, error: SourceUnavailable) -> Exception:
    """A system that does not answer may do so in some minutes: the night waits, a person and a next tick do not."""
    scheduled = context.run.tags.get(TRIGGER_TAG) == NIGHT
    if scheduled and context.op_execution_context.retry_number < town.night.retries:
        context.log.warning(f"to be tried again: {error}")
        return dg.RetryRequested(town.night.retries, seconds_to_wait=town.night.pause.total_seconds())
    return dg.Failure(str(error), allow_retries=False)


_ENDS: tuple[tuple[type, ...], ...] = ((Capture,), (QualityReport,), (Verdict,), ())
"""The stage after which nothing more is to be done, when the last selected asset is the nth."""


def _by_period(
    events: list[Event],
    dataset: Dataset,
    taken: Capture | None,
    periods: list[str] | None,
    began: datetime,
    context: dg.AssetExecutionContext,
) -> Iterator[Event]:
    """`events`; of a periodical dataset each period is told by itself, since only what was delivered is there."""
    for event in events:
        if dataset.periods and taken and isinstance(event, dg.MaterializeResult) and event.asset_key:
            if event.asset_key in context.selected_asset_keys:
                stage, shown = event.asset_key.path[-1], dict(event.metadata or {})
                for one in periodical.events(dataset, stage, taken, periods, began, shown, context.instance):
                    context.log_event(one)
        else:
            yield event


def _selected(events: Iterable[Event], context: dg.AssetExecutionContext) -> Iterator[Event]:
    for event in events:
        if isinstance(event, dg.MaterializeResult):
            chosen = event.asset_key in context.selected_asset_keys
        else:
            chosen = dg.AssetCheckKey(event.asset_key, event.check_name) in context.selected_asset_check_keys  # type: ignore[arg-type]
        if chosen:
            yield event


def _events(
    reached: flow.Stage, dataset: Dataset, taken: Capture | None, before: RunReport | None, seconds: float
) -> Iterator[Event]:
    match reached:
        case Capture():
            yield _done(dataset, "captured", metadata.of_capture(reached), reached.sha256)
        case Conformed():
            yield _done(dataset, "conformed", metadata.of_conformed(reached, dataset), None)
            yield from check_results(dataset.id, reached.findings, only=("quarantine",), before=before)
        case QualityReport():
            yield from check_results(dataset.id, reached.findings, only=OF_EXPECTATIONS, before=before)
        case Staged():
            yield _done(dataset, "staged", metadata.of_staged(reached), reached.content_hash)
        case Verdict():
            told = ("privacy", "over_time", "gate")
            yield from check_results(dataset.id, reached.findings, only=told, before=before)
        case Release():
            shown = metadata.of_release(reached, dataset, unchanged=reached.checked_at > reached.published_at)
            shown["seconds"] = round(seconds, 3)
            yield _done(dataset, "published", shown, reached.content_hash)
            now = datetime.now(UTC)
            ages = freshness(dataset, checked_at=reached.checked_at, data_date=reached.data_date, now=now)
            aged = [finding for finding in ages.findings if finding.rule == "data_age"]
            aged += missing_periods(dataset, taken.there if taken else (), now)
            yield from check_results(dataset.id, aged, only=("data_age",), before=before)


def _done(dataset: Dataset, stage: str, shown: dict[str, Any], version: str | None) -> dg.MaterializeResult[Any]:
    data_version = dg.DataVersion(version) if version else None
    return dg.MaterializeResult(asset_key=asset_key(dataset.id, stage), metadata=shown, data_version=data_version)
