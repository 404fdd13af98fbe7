"""Commands about releases that wait for a person: approve, approvals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odpipeline import approving, catalogue, flow, portal
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.journal import Approval


@app.command()
def approve(
    dataset: DatasetName,
    content_hash: Annotated[str, typer.Argument(help="The hash of the content that waits: all of it or 12 digits.")],
    who: Annotated[str, typer.Option("--as", help="Who says yes: the mail address of a person in the role.")],
    because: Annotated[str, typer.Option(help="Why; kept in the journal.")],
    town: TownFolder = Path(),
) -> None:
    """Say yes to one release that waits, and publish exactly its bytes."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    release = flow.approve(declared.dataset(dataset), declared, zones, content_hash, who, because)
    if release is None:
        typer.echo("approved; the first run after its embargo publishes it")
        return
    catalogue.build(zones.store, declared)
    portal.build(zones.store, declared, zones.journal)
    typer.echo(f"approved and published: version {release.version}, {release.rows} rows")


@app.command()
def approvals(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset, and every yes that was said.")] = None,
    look: Annotated[Path | None, typer.Option(help="A new folder to write the waiting files to.")] = None,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """The releases that wait for a yes; of one dataset, also every yes that was said."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    chosen = [declared.dataset(dataset)] if dataset else list(declared.datasets)
    waiting = [held for one in chosen if (held := zones.waiting.get(one.id))]
    if look:
        if not dataset or not waiting or look.exists():
            raise OdpError("--look takes a dataset that waits, and a folder that is not there yet", mend="name both")
        zones.waiting.open(waiting[0], look)
    said = [approving.said(held) for held in waiting]
    show(said if said or as_json else [], as_json)
    if dataset and not as_json:
        show([_row(yes) for yes in zones.journal.approvals(dataset)], as_json=False)


def _row(yes: Approval) -> dict[str, str]:
    return {
        "content": yes.content_hash[:12],
        "approved at": f"{yes.approved_at:%Y-%m-%d %H:%M} UTC",
        "role": yes.role,
        "by": f"{yes.who} ({yes.account})",
        "why": yes.because,
    }
