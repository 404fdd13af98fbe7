"""`odp …`: one thin function per command.

Exit statuses: 0 done; 1 an error, said in one message; 2 wrong usage; 3 the gate refused at least one dataset (the
last good release stays served); 4 at least one dataset failed before the gate.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odpipeline import catalogue, flow, portal, profiling, quality, sources
from odpipeline.declaration import editors, explain, pinned, read_town, starter
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import MODELS
from odpipeline.declaration.town import Town
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.journal import RunRecord
from odpipeline.monitoring.freshness import freshness, spoken

REFUSED, FAILED = 3, 4

_DIED = "its process died before it could say why; look at the run in Dagster"
_WRAPPED = ("title", "value", "why", "meaning")
"""The columns of tables that may take several lines."""

app = typer.Typer(
    help=__doc__.split("\n\n")[1] if __doc__ else None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TownFolder = Annotated[Path, typer.Option("--town", help="The town's folder.", envvar="ODP_TOWN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DatasetName = Annotated[str, typer.Argument(help="The dataset: its file's name without .yaml.")]


@app.command()
def check(
    town: TownFolder = Path(),
    explained: Annotated[
        str | None, typer.Option("--explain", help="Print the effective declaration of a dataset.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every declaration and suite; needs no network. Exit status 1 on any fault."""
    declared = _checked(town)
    if explained:
        rows = explain(declared.dataset(explained))
        _show([dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows], as_json)
    else:
        _show([{"dataset": d.id, "title": d.title, "declared in": d.place()} for d in declared.datasets], as_json)


@app.command()
def run(
    datasets: Annotated[list[str] | None, typer.Argument(help="The datasets; by default all.")] = None,
    night: Annotated[
        bool, typer.Option("--night", help="As the nightly schedule does: through Dagster, in lots.")
    ] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Take datasets from their sources to published releases, then rebuild catalogue and portal."""
    declared = _checked(town)
    chosen = [declared.dataset(name) for name in datasets] if datasets else list(declared.datasets)
    zones = flow.Zones.of(declared)
    began = datetime.now(UTC)
    if night:
        os.environ["ODP_TOWN"] = str(declared.root)
        from odpipeline.orchestration.launch import run_night  # heavy, and reads ODP_TOWN: only when it is wanted

        run_night(chosen)
    else:
        _run_here(chosen, declared, zones)
    ended = {record.dataset: record for record in zones.journal.since(began)}
    records = [ended.get(d.id, RunRecord(d.id, "failed", (_DIED,))) for d in chosen]
    _show([_run_row(record) for record in records], as_json)
    if not as_json:
        typer.echo(f"published files: {declared.store_path}\nindex: {declared.store_path / 'index.html'}")
        typer.echo("see it in Dagster: make ui, or: odp ui" if night else "serve it: odp serve")
    outcomes = {record.outcome for record in records}
    raise typer.Exit(FAILED if "failed" in outcomes else REFUSED if "refused" in outcomes else 0)


@app.command()
def status(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """What the public sees of each dataset, how old it is, and how the last run ended."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    _show([_status_row(dataset, zones) for dataset in declared.datasets], as_json)


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
    _show(rows, as_json)


@app.command()
def suite(dataset: DatasetName, town: TownFolder = Path()) -> None:
    """The effective Great Expectations suite of a dataset, in Great Expectations' own JSON."""
    declared = read_town(town.resolve())
    typer.echo(json.dumps(quality.suite_for(declared.dataset(dataset)).as_gx_json(), ensure_ascii=False, indent=2))


@app.command()
def accept(
    dataset: DatasetName,
    content_hash: Annotated[str, typer.Argument(help="The refused content's hash: all of it or its first 12 digits.")],
    because: Annotated[str, typer.Option(help="Why it is right; kept in the journal.")],
    town: TownFolder = Path(),
) -> None:
    """Accept one shrunken content that the gate refused; the next run publishes exactly that content."""
    declared = read_town(town.resolve())
    if len(content_hash) < 12 or not set(content_hash) <= set("0123456789abcdef"):
        raise OdpError(
            f"{content_hash!r} is no content hash",
            mend="give at least the first 12 hexadecimal digits that the refusal names",
        )
    found = declared.dataset(dataset)
    flow.Zones.of(declared).journal.accept(found.id, content_hash, who=getpass.getuser(), because=because)
    typer.echo(f"accepted; publish it with: odp run {found.id}")


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
    _show(rows, as_json)


@app.command(name="take-schema")
def take_schema(
    name: Annotated[str, typer.Argument(help="Owner, name and version: scdl/subventions@2.1.")],
    origin: Annotated[str, typer.Argument(help="The address of the Table Schema, or a file.")],
    town: TownFolder = Path(),
) -> None:
    """Take a Table Schema into the town and pin it by its hash, so that datasets can name it."""
    content = sources.small_file(origin) if "://" in origin else _bytes(Path(origin))
    typer.echo(f"taken: {pinned.take(town.resolve(), name, content, origin)}; name it with: schema: {name}")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OdpError(
            f"the file cannot be read ({error.strerror})", where=str(file), mend="correct its path"
        ) from None


@app.command()
def serve(
    town: TownFolder = Path(),
    port: Annotated[int, typer.Option(help="The port on loopback.")] = 8080,
) -> None:
    """Serve the published files and pages on loopback, as a preview."""
    import uvicorn

    from odpipeline.portal.serving import application

    uvicorn.run(application(read_town(town.resolve()).store_path), host="127.0.0.1", port=port, log_level="warning")


@app.command()
def ui(
    town: TownFolder = Path(),
    port: Annotated[int, typer.Option(help="The port on loopback.")] = 3000,
) -> None:
    """Open Dagster on loopback for the town, until interrupted."""
    from odpipeline.orchestration.webserver import open_ui

    raise typer.Exit(open_ui(town.resolve(), port))


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


def main() -> None:
    """Run a command; an `OdpError` becomes one message on standard error and its exit status."""
    try:
        app()
    except OdpError as error:
        print(error, file=sys.stderr)  # the edge
        sys.exit(error.exit_status)


def _checked(folder: Path) -> Town:
    """The town, with every suite read as well: all faults at once, of declarations first."""
    declared = read_town(folder.resolve())
    faults = [fault for dataset in declared.datasets for fault in quality.suite_faults(dataset)]
    if faults:
        raise DeclarationErrors(faults)
    return declared


def _run_here(chosen: list[Dataset], town: Town, zones: flow.Zones) -> None:
    """Drive each dataset's flow in this process; progress on a terminal, silence in logs."""
    console = Console(stderr=True)
    for dataset in chosen:
        with console.status(dataset.id) as spinner:
            try:
                for reached in flow.recorded(dataset, town, zones):
                    spinner.update(f"{dataset.id}: {type(reached).__name__.lower()}")
            except OdpError:
                continue  # the journal holds the message, and the table shows it
    catalogue.build(zones.store, town)
    portal.build(zones.store, town)


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
    return {
        "dataset": dataset.id,
        "version": release.version if release else None,
        "rows": release.rows if release else None,
        "data age": spoken(ages.data_age) if ages.data_age is not None else None,
        "checked": f"{spoken(ages.run_age)} ago" if ages.run_age is not None else None,
        "fresh": "late" if ages.late else "yes",
        "verdict": last.outcome if last else "never run",
        "reason": "; ".join([*(last.reasons if last else ()), *late]),
    }


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """One reporter for all commands: JSON for machines, a table for people."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False, header_style="bold")
    told = {row["dataset"]: row.pop("reason") for row in rows if row.get("reason")}
    for name in rows[0] if rows else ():
        if name != "reason":
            table.add_column(name, overflow="fold", no_wrap=name not in _WRAPPED)
    for row in rows:
        table.add_row(*(Text("–" if value is None else str(value)) for name, value in row.items() if name != "reason"))
    console.print(table)
    for dataset, reason in told.items():
        typer.echo(f"{dataset}: {reason.removeprefix(dataset + ': ')}")


__all__ = ["app", "main"]


if __name__ == "__main__":
    main()
