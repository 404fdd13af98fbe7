"""Commands that run datasets and say how they stand: check, run, status, versions, replay, accept."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from odpipeline import acts, catalogue, flow, portal, unpublished
from odpipeline.cli.application import FAILED, HELD, REFUSED, AsJson, DatasetName, TownFolder, app, checked
from odpipeline.cli.telling import show
from odpipeline.declaration import explain, read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.freshness import freshness, spoken
from odpipeline.journal import RunRecord
from odpipeline.landing import Capture
from odpipeline.operating import logs
from odpipeline.sources import periodical


@app.command()
def check(
    town: TownFolder = Path(),
    explained: Annotated[
        str | None, typer.Option("--explain", help="Print the effective declaration of a dataset.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every declaration and suite; needs no network. Exit status 1 on any fault."""
    declared = checked(town)
    if explained:
        rows = explain(declared.dataset(explained))
        show([dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows], as_json)
    else:
        show([{"dataset": d.id, "title": d.title, "declared in": d.place()} for d in declared.datasets], as_json)


@app.command()
def run(
    datasets: Annotated[list[str] | None, typer.Argument(help="The datasets; by default all.")] = None,
    night: Annotated[
        bool, typer.Option("--night", help="As the nightly schedule does: through Dagster, in lots.")
    ] = False,
    periods: Annotated[
        list[str] | None,
        typer.Option("--period", help="Ask for this period again, `2026-03`, or for several, `2026-03:2026-05`."),
    ] = None,
    log: Annotated[str | None, typer.Option("--log", help="`json`: what each stage did, as lines on stderr.")] = None,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Take datasets from their sources to published releases, then rebuild catalogue and portal."""
    if log:
        os.environ[logs.VARIABLE] = log  # the processes of a night read it there
        logs.configure()
    declared = checked(town)
    chosen = [declared.dataset(name) for name in datasets] if datasets else list(declared.datasets)
    asked = _periods(chosen, periods or [], night=night)
    zones = flow.Zones.of(declared)
    if zones.seal:
        zones.seal.ready()
    began = datetime.now(UTC)
    if night:
        os.environ["ODP_TOWN"] = str(declared.root)
        from odpipeline.orchestration.launch import run_night  # heavy, and reads ODP_TOWN: only when it is wanted

        run_night(chosen)
    else:
        _run_here(chosen, declared, zones, periods=asked)
    outcomes = _told(chosen, zones, began, as_json)
    if not as_json:
        typer.echo(f"published files: {declared.store_path}\nindex: {declared.store_path / 'index.html'}")
        typer.echo("see it in Dagster: make ui, or: odp ui" if night else "serve it: odp serve")
    raise typer.Exit(_exit_status(outcomes))


@app.command()
def status(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """What the public sees of each dataset, how old it is, and how the last run ended."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    show([_status_row(dataset, zones) for dataset in declared.datasets], as_json)


@app.command()
def versions(dataset: DatasetName, town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """Every version of a dataset, the newest first."""
    declared = read_town(town.resolve())
    rows = [
        {
            "version": release.version,
            "published at": f"{release.published_at:%Y-%m-%d %H:%M} UTC",
            "rows": release.rows,
            "why": release.why,
            "content": release.content_hash[:12],
        }
        for release in flow.Zones.of(declared).store.versions(declared.dataset(dataset).id)
    ]
    show(rows, as_json)


@app.command()
def periods(dataset: DatasetName, town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """Every period of a dataset that is delivered by period: which were delivered, and which each run asks for."""
    declared = read_town(town.resolve())
    found, now = declared.dataset(dataset), datetime.now(UTC)
    names, zones = periodical.chosen(found, [], now), flow.Zones.of(declared)
    since = zones.landing.validators(found.id)
    held, system = since.periods if since else {}, declared.systems.get(found.source.system or "")
    due = periodical.due(
        found,
        since,
        system,
        periodical.Asked(public=unpublished.compared(found, zones.landing, zones.store, zones.journal)),
        now,
    )
    show([{"period": name, "delivered": held[name].at[:16].replace("T", " ") if name in held else "never",
           "next run": "asks" if name in due else "keeps",
           "sha256": held[name].sha256[:12] if name in held else None} for name in names], as_json)  # fmt: skip


@app.command()
def replay(
    dataset: DatasetName,
    capture: Annotated[str, typer.Option(help="The capture: the first 12 digits of its SHA-256, or more.")],
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the result, if the gate accepts it, until the next delivery.")
    ] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Run a dataset from an old capture: compare with the version made from it, or publish it again."""
    declared = checked(town)
    zones = flow.Zones.of(declared)
    found = declared.dataset(dataset)
    chosen = zones.landing.get(found.id, capture)
    if publish:
        began = datetime.now(UTC)
        _run_here([found], declared, zones, chosen)
        raise typer.Exit(_exit_status(_told([found], zones, began, as_json)))
    compared = flow.compared(found, declared, zones, chosen)
    show([_comparison_row(found, compared)], as_json)
    raise typer.Exit(0 if compared.verdict.accepted else REFUSED)


@app.command()
def accept(
    dataset: DatasetName,
    content_hash: Annotated[str, typer.Argument(help="The refused content's hash: all of it or its first 12 digits.")],
    because: Annotated[str, typer.Option(help="Why it is right; kept in the journal.")],
    until: Annotated[
        datetime | None, typer.Option(help="The last day on which it counts; by default for good.")
    ] = None,
    town: TownFolder = Path(),
) -> None:
    """Accept one unusual content that the gate refused; the next run publishes exactly that content."""
    declared = read_town(town.resolve())
    if len(content_hash) < 12 or not set(content_hash) <= set("0123456789abcdef"):
        raise OdpError(
            f"{content_hash!r} is no content hash",
            mend="give at least the first 12 hexadecimal digits that the refusal names",
        )
    found, zones = declared.dataset(dataset), flow.Zones.of(declared)
    zones.journal.accept(
        found.id,
        content_hash,
        who=getpass.getuser(),
        because=because,
        until=until.astimezone() + timedelta(days=1) if until else None,
    )
    if told := acts.announce(found, zones, content_hash, because):
        portal.build(zones.store, declared, zones.journal)
        typer.echo(f"announced: it comes on {told.until:%Y-%m-%d %H:%M} UTC at the earliest, by the first run after")
    else:
        typer.echo(f"accepted; publish it with: odp run {found.id}")


def _periods(chosen: list[Dataset], names: list[str], *, night: bool) -> list[str] | None:
    """The periods to ask for; None when none is named."""
    if not names:
        return None
    if night or len(chosen) != 1:
        raise OdpError("--period is for one dataset, run here", mend="name the dataset, without --night")
    return periodical.chosen(chosen[0], names, datetime.now(UTC))


def _run_here(
    chosen: list[Dataset],
    town: Town,
    zones: flow.Zones,
    replay: Capture | None = None,
    periods: list[str] | None = None,
) -> None:
    """Drive each dataset's flow in this process; progress on a terminal, silence in logs."""
    console = Console(stderr=True)
    for dataset in chosen:
        with console.status(dataset.id) as spinner:
            try:
                for reached in flow.recorded(dataset, town, zones, replay, periods):
                    spinner.update(f"{dataset.id}: {type(reached).__name__.lower()}")
            except OdpError:
                continue  # the journal holds the message, and the table shows it
    catalogue.build(zones.store, town)
    portal.build(zones.store, town, zones.journal)


def _told(chosen: list[Dataset], zones: flow.Zones, began: datetime, as_json: bool) -> set[str]:
    """Print how each dataset ended since `began`; the outcomes."""
    ended = {record.dataset: record for record in zones.journal.since(began)}
    records = [ended.get(d.id, RunRecord.died(d.id)) for d in chosen]
    show([_run_row(record) for record in records], as_json)
    return {record.outcome for record in records}


def _exit_status(outcomes: set[str]) -> int:
    ranked = {"failed": FAILED, "refused": REFUSED, "held": HELD}
    return next((status for outcome, status in ranked.items() if outcome in outcomes), 0)


def _run_row(record: RunRecord) -> dict[str, Any]:
    return {
        "dataset": record.dataset,
        "rows in": record.rows_in,
        "quarantined": record.quarantined,
        "published": record.published,
        "version": record.version,
        "verdict": record.outcome,
        "seconds": record.seconds,
        "reason": "; ".join(record.reasons),
    }


def _status_row(dataset: Dataset, zones: flow.Zones) -> dict[str, Any]:
    release, last = zones.store.current(dataset.id), zones.journal.last(dataset.id)
    ages = freshness(
        dataset,
        checked_at=release.checked_at if release else None,
        data_date=release.data_date if release else None,
        now=datetime.now(UTC),
    )
    late = [finding.message for finding in ages.findings if not finding.passed]
    due = ages.data_due.astimezone(ZoneInfo(dataset.timezone)) if ages.data_due else None
    return {
        "dataset": dataset.id,
        "version": release.version if release else None,
        "rows": release.rows if release else None,
        "data age": spoken(ages.data_age) if ages.data_age is not None else None,
        "due": f"{due:%Y-%m-%d %H:%M}" if due else None,
        "checked": f"{spoken(ages.run_age)} ago" if ages.run_age is not None else None,
        "fresh": "late" if ages.late else "yes",
        "verdict": last.outcome if last else "never run",
        "reason": "; ".join([*(last.reasons if last else ()), *late]),
    }


def _comparison_row(dataset: Dataset, compared: flow.Comparison) -> dict[str, Any]:
    release, staged = compared.release, compared.staged
    then = release and ("as then" if release.code_version == dataset.code_version else "changed since")
    return {
        "dataset": dataset.id,
        "capture": compared.capture.sha256[:12],
        "version made from it": release.version if release else None,
        "same bytes": ("yes" if compared.same_bytes else "no") if release else None,
        "declaration": then,
        "rows": staged.rows if staged else None,
        "content": staged.content_hash[:12] if staged else None,
        "verdict": "accepted" if compared.verdict.accepted else "refused",
        "reason": "; ".join(compared.verdict.reasons),
    }
