"""Commands that keep the pipeline in service: doctor, backup, restore, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odpipeline import catalogue, flow, portal
from odpipeline.cli.application import AsJson, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.operating import backup as backups
from odpipeline.operating import doctor as health
from odpipeline.operating.doctor import Line, State
from odpipeline.operating.restore import Restore


@app.command()
def doctor(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """Look at versions, disks, clock, secrets, store, private zone, journal and daemon. Exit status 1 on any fault."""
    lines = _looked(town)
    show([vars(line) for line in lines], as_json)
    raise typer.Exit(1 if any(line.state is State.FAULT for line in lines) else 0)


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where backups are kept, on another disk; each gets a folder in it.")],
    private: Annotated[
        bool, typer.Option("--private", help="Also the sealed captures and the releases that wait for a yes.")
    ] = False,
    keep: Annotated[int | None, typer.Option(min=1, help="Delete all but so many, the newest ones.")] = None,
    town: TownFolder = Path(),
) -> None:
    """Copy store, journal and Dagster's storage, consistently, while runs go on; every file with its hash."""
    from odpipeline.orchestration.state import sqlite_folder  # as above

    declared = read_town(town.resolve())
    state = sqlite_folder(declared.root)
    written = backups.make(declared, folder.resolve(), state=state, private=private, keep=keep)
    held = backups.read(written)
    typer.echo(f"{written}: {len(held.files)} files, {held.size_bytes / 1e6:,.1f} MB")
    if state is None:
        typer.echo("Dagster's storage is not SQLite: back its database up with its own tool (pg_dump)")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="The backup: the folder that holds backup.json.")],
    into: Annotated[Path, typer.Option("--into", help="A town that has published nothing yet: a fresh checkout.")],
    newest: Annotated[
        str | None,
        typer.Option(
            "--journal",
            help="The newest journal there is, a file or the variable with its address: names the acts to do again.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, the backup is checked and all is said.")
    ] = False,
) -> None:
    """Put a backup back, after comparing every byte with its hash, and verify the store afterwards."""
    from odpipeline.orchestration.state import sqlite_folder  # as above

    declared = read_town(into.resolve())
    planned = Restore.planned(folder.resolve(), declared, sqlite_folder(declared.root))
    for line in planned.said(newest):
        typer.echo(line)
    if not yes:
        typer.echo("nothing was done: say --yes to do it")
        return
    if flaws := planned.done():
        raise OdpError("\n".join(flaws), mend="take an older backup")
    catalogue.build(flow.Zones.of(declared).store, declared)
    portal.build(flow.Zones.of(declared).store, declared, flow.Zones.of(declared).journal)
    typer.echo("restored and verified; look at it with: odp status, then start the services")


@app.command()
def metrics(
    port: Annotated[int | None, typer.Option(help="Serve them on this port of loopback, until interrupted.")] = None,
    town: TownFolder = Path(),
) -> None:
    """Print what Prometheus reads: versions, rows, ages, outcomes and durations by dataset, and free room."""
    from odpipeline.operating import metrics as numbers  # the client of Prometheus: only where it is wanted

    declared = read_town(town.resolve())
    if port is None:
        typer.echo(numbers.text(declared), nl=False)
    else:
        numbers.serve(declared, port).join()


def _looked(folder: Path) -> list[Line]:
    try:
        declared = read_town(folder.resolve())
    except OdpError as error:
        return [*health.versions(), Line("declarations", State.FAULT, error.what, error.mend or "see: odp check")]
    from odpipeline.orchestration import health as of_dagster  # heavy: only when it is wanted

    return [*health.look(declared), *of_dagster.look(declared)]
