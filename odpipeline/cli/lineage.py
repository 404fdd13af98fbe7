"""The command that says what hangs on what: lineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import lineage_graph as graphs
from odpipeline.cli.application import TownFolder, app
from odpipeline.declaration import read_town
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError


@app.command()
def lineage(
    what: Annotated[
        str | None, typer.Argument(help="A dataset, or a column of one, delivered or published: `aides.montant`.")
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="Instead: what is hit when this system, or host, changes.")
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart, for a page or a ticket.")] = False,
    town: TownFolder = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="As nodes and edges.")] = False,
) -> None:
    """Upstream to the municipal system, downstream to files, catalogue and datasets that refer to it."""
    if (what is None) == (system is None):
        raise OdpError("say what: a dataset, a column of one, or --system", mend="odp lineage parkings")
    declared = read_town(town.resolve())
    graph = graphs.of_system(system, declared) if system else _asked(what or "", declared)
    if as_json:
        typer.echo(json.dumps(graph.as_json(), ensure_ascii=False, indent=2))
    else:
        typer.echo(graph.as_mermaid() if mermaid else graph.as_text(), nl=False)


def _asked(what: str, town: Town) -> graphs.Graph:
    dataset, dot, column = what.partition(".")
    found = town.dataset(dataset)
    if dot and not column:
        raise OdpError("the dot says that a column follows, and none does", where=what,
                       mend=f"name one, {dataset}.COLUMN, or leave out the dot for the whole dataset")  # fmt: skip
    return graphs.of_column(found, column, town) if column else graphs.of_dataset(found, town)
