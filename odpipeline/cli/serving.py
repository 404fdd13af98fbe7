"""Commands that serve pages on loopback: serve, ui."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odpipeline.cli.application import TownFolder, app
from odpipeline.declaration import read_town
from odpipeline.store.choosing import opened


@app.command()
def serve(
    town: TownFolder = Path(),
    port: Annotated[int, typer.Option(help="The port on loopback.")] = 8080,
) -> None:
    """Serve the published files, pages and the read API on loopback: a preview, or behind a proxy."""
    import uvicorn

    from odpipeline.portal.serving import application

    uvicorn.run(application(opened(read_town(town.resolve()))), host="127.0.0.1", port=port, log_level="warning")


@app.command()
def ui(
    town: TownFolder = Path(),
    port: Annotated[int, typer.Option(help="The port on loopback.")] = 3000,
) -> None:
    """Open Dagster on loopback for the town, until interrupted."""
    from odpipeline.orchestration.webserver import open_ui

    raise typer.Exit(open_ui(town.resolve(), port))
