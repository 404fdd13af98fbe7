"""Commands about quality: suite."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from odpipeline import quality
from odpipeline.cli.application import DatasetName, TownFolder, app
from odpipeline.declaration import read_town


@app.command()
def suite(dataset: DatasetName, town: TownFolder = Path()) -> None:
    """The effective Great Expectations suite of a dataset, in Great Expectations' own JSON."""
    declared = read_town(town.resolve())
    typer.echo(json.dumps(quality.suite_for(declared.dataset(dataset)).as_gx_json(), ensure_ascii=False, indent=2))
