"""Commands that help to write declarations: new, sources, take-schema, init, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import profiling
from odpipeline.cli.application import AsJson, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import editors, pinned, read_town, starter
from odpipeline.declaration.source import MODELS
from odpipeline.errors import OdpError


@app.command()
def new(
    origin: Annotated[str, typer.Argument(help="An address https://…, a file, or env:NAME for a database's address.")],
    as_name: Annotated[str, typer.Option("--as", help="The dataset's identifier.")],
    theme: Annotated[str, typer.Option(help="The folder below assets/.")] = "divers",
    query: Annotated[str | None, typer.Option("--sql", help="For a database: the SELECT.")] = None,
    town: TownFolder = Path(),
) -> None:
    """Look at a source and write a complete draft of its declaration and suite, every guess commented."""
    declared = read_town(town.resolve())
    for written in profiling.draft(declared, origin, as_name, theme, query):
        typer.echo(str(written.relative_to(declared.root)))
    typer.echo(f"next: read the draft line by line, then: odp check && odp run {as_name}")


@app.command(name="sources")
def kinds_of_sources(as_json: AsJson = False) -> None:
    """Every kind of source with its keys, from the code itself."""
    rows = [
        {"kind": model.kind, "key": name, "mandatory": "yes" if key.is_required() else "", "meaning": key.description}
        for model in MODELS
        for name, key in model.model_fields.items()
    ]
    show(rows, as_json)


@app.command(name="take-schema")
def take_schema(
    name: Annotated[str, typer.Argument(help="Owner, name and version: scdl/subventions@2.1.")],
    origin: Annotated[str, typer.Argument(help="The address of the Table Schema, or a file.")],
    town: TownFolder = Path(),
) -> None:
    """Take a Table Schema into the town and pin it by its hash, so that datasets can name it."""
    from odpipeline.sources.asking import small_file  # an HTTP client: only where it asks

    content = small_file(origin) if "://" in origin else _bytes(Path(origin))
    typer.echo(f"taken: {pinned.take(town.resolve(), name, content, origin)}; name it with: schema: {name}")


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")]) -> None:
    """Make a new town's folder that runs as it is: declarations, a small dataset, Dagster's files."""
    for written in starter.write(folder):
        typer.echo(written)
    typer.echo(f"next: cd {folder} && odp check && odp run")


@app.command()
def schema(
    part: Annotated[str, typer.Argument(help="`dataset` or `town`.")] = "dataset",
) -> None:
    """The JSON Schema of a declaration, for editors."""
    if part not in editors.SCHEMAS:
        raise OdpError(f"there is no schema of {part!r}", mend=f"ask for one of: {', '.join(editors.SCHEMAS)}")
    typer.echo(json.dumps(editors.SCHEMAS[part](), ensure_ascii=False, indent=2))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OdpError(
            f"the file cannot be read ({error.strerror})", where=str(file), mend="correct its path"
        ) from None
