"""Commands that keep the pipeline in service: doctor."""

from __future__ import annotations

from pathlib import Path

import typer

from odpipeline.cli.application import AsJson, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.operating import doctor as health
from odpipeline.operating.doctor import Line, State


@app.command()
def doctor(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """Look at versions, disks, clock, secrets, store, private zone, journal and daemon. Exit status 1 on any fault."""
    lines = _looked(town)
    show([vars(line) for line in lines], as_json)
    raise typer.Exit(1 if any(line.state is State.FAULT for line in lines) else 0)


def _looked(folder: Path) -> list[Line]:
    try:
        declared = read_town(folder.resolve())
    except OdpError as error:
        return [*health.versions(), Line("declarations", State.FAULT, error.what, error.mend or "see: odp check")]
    from odpipeline.orchestration import health as of_dagster  # heavy: only when it is wanted

    return [*health.look(declared), *of_dagster.look(declared)]
