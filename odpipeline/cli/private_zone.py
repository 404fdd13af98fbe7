"""Commands about the private zone: captures, quarantine, key."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from odpipeline import flow
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.cli.telling import show, visible
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.landing import sealing, workplace


@app.command()
def captures(
    dataset: Annotated[str | None, typer.Argument(help="Only those of this dataset.")] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="First delete what is over its retention and what killed runs left; for all."),
    ] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """The deliveries kept in the private zone, and the version that was made from each."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    if sweep:
        for busy in flow.sweep(declared, zones):
            print(busy, file=sys.stderr)
    names = [declared.dataset(dataset).id] if dataset else zones.landing.datasets()
    show([row for name in names for row in _capture_rows(name, zones)], as_json)


@app.command()
def quarantine(
    dataset: DatasetName,
    values: Annotated[
        bool, typer.Option("--values", help="Show the first 1,000 cells themselves; on a terminal only.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Show the first cells that failed an expectation; on a terminal only.")
    ] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """What was set aside in the last run, by column and rule: unreadable rows, and failing ones where declared."""
    declared = read_town(town.resolve())
    zones, name = flow.Zones.of(declared), declared.dataset(dataset).id
    counts = workplace.quarantine_counts(zones.work, name)
    if not values and not failed:
        if not as_json:
            typer.echo(f"{counts['quarantined']} of {counts['rows_in']} rows are in quarantine")
        show(counts["cells"], as_json)
        return
    if not sys.stdout.isatty():
        option = "--failed" if failed else "--values"
        raise OdpError("delivered values go to a terminal only", mend=f"leave out {option}, or do not redirect it")
    print("these cells are private: do not copy them into mails, tickets or logs", file=sys.stderr)
    cells = workplace.quarantined_cells(zones.work, name, zones.seal, most=1000, failed=failed)
    show(
        [{"row": row, "column": column, "rule": rule, "value": visible(text)} for row, column, rule, text in cells],
        as_json,
    )


@app.command()
def key() -> None:
    """Make a key for the private zone (`private_key` in town.yaml); keep its secret line where secrets are kept."""
    typer.echo(sealing.new_key(), nl=False)


def _capture_rows(dataset: str, zones: flow.Zones) -> Iterator[dict[str, Any]]:
    versions = {release.capture_sha256: release.version for release in zones.store.versions(dataset)}
    current = zones.store.current(dataset)
    if current:
        versions[current.checked_capture] = current.version
    for sha256, capture in zones.landing.every(dataset):
        yield {
            "dataset": dataset,
            "capture": sha256[:12],
            "delivered": f"{capture.fetched_at:%Y-%m-%d %H:%M} UTC" if capture else None,
            "seen": f"{capture.seen_at:%Y-%m-%d %H:%M} UTC" if capture else None,
            "bytes": capture.size_bytes if capture else None,
            "sealed": ("yes" if capture.sealed else "no") if capture else "damaged",
            "version": versions.get(sha256),
        }
