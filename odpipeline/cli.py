"""`odp …`: one thin function per command.

Exit statuses: 0 done; 1 an error, said in one message; 2 wrong usage; 3 the gate refused at least one dataset (the
last good release stays served); 4 at least one dataset failed before the gate.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odpipeline import catalogue, flow, portal, profiling, quality
from odpipeline.declaration import editors, explain, pinned, read_town, starter
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import MODELS
from odpipeline.declaration.town import Town
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.journal import RunRecord
from odpipeline.landing import Capture, sealing, workplace
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
    if zones.seal:
        zones.seal.ready()
    began = datetime.now(UTC)
    if night:
        os.environ["ODP_TOWN"] = str(declared.root)
        from odpipeline.orchestration.launch import run_night  # heavy, and reads ODP_TOWN: only when it is wanted

        run_night(chosen)
    else:
        _run_here(chosen, declared, zones)
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
    _show([row for name in names for row in _capture_rows(name, zones)], as_json)


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
    declared = _checked(town)
    zones = flow.Zones.of(declared)
    found = declared.dataset(dataset)
    chosen = zones.landing.get(found.id, capture)
    if publish:
        began = datetime.now(UTC)
        _run_here([found], declared, zones, chosen)
        raise typer.Exit(_exit_status(_told([found], zones, began, as_json)))
    compared = flow.compared(found, declared, zones, chosen)
    _show([_comparison_row(found, compared)], as_json)
    raise typer.Exit(0 if compared.verdict.accepted else REFUSED)


@app.command()
def quarantine(
    dataset: DatasetName,
    values: Annotated[
        bool, typer.Option("--values", help="Show the first 1,000 cells themselves; on a terminal only.")
    ] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """What could not be read in the last run, by column and rule."""
    declared = read_town(town.resolve())
    zones, name = flow.Zones.of(declared), declared.dataset(dataset).id
    counts = workplace.quarantine_counts(zones.work, name)
    if not values:
        if not as_json:
            typer.echo(f"{counts['quarantined']} of {counts['rows_in']} rows are in quarantine")
        _show(counts["cells"], as_json)
        return
    if not sys.stdout.isatty():
        raise OdpError("delivered values go to a terminal only", mend="leave out --values, or do not redirect it")
    print("these cells are private: do not copy them into mails, tickets or logs", file=sys.stderr)
    cells = workplace.quarantined_cells(zones.work, name, zones.seal, most=1000)
    _show(
        [{"row": row, "column": column, "rule": rule, "value": _visible(text)} for row, column, rule, text in cells],
        as_json,
    )


@app.command()
def key() -> None:
    """Make a key for the private zone (`private_key` in town.yaml); keep its secret line where secrets are kept."""
    typer.echo(sealing.new_key(), nl=False)


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
    found = declared.dataset(dataset)
    flow.Zones.of(declared).journal.accept(
        found.id,
        content_hash,
        who=getpass.getuser(),
        because=because,
        until=until.astimezone() + timedelta(days=1) if until else None,
    )
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
    from odpipeline.sources.asking import small_file  # an HTTP client: only where it asks

    content = small_file(origin) if "://" in origin else _bytes(Path(origin))
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
    seal = sealing.Seal.of(declared)
    if seal is None:
        print("notice: the private zone is not encrypted; see `odp key --help`", file=sys.stderr)
    elif declared.production:
        seal.ready()
    return declared


def _run_here(chosen: list[Dataset], town: Town, zones: flow.Zones, replay: Capture | None = None) -> None:
    """Drive each dataset's flow in this process; progress on a terminal, silence in logs."""
    console = Console(stderr=True)
    for dataset in chosen:
        with console.status(dataset.id) as spinner:
            try:
                for reached in flow.recorded(dataset, town, zones, replay):
                    spinner.update(f"{dataset.id}: {type(reached).__name__.lower()}")
            except OdpError:
                continue  # the journal holds the message, and the table shows it
    catalogue.build(zones.store, town)
    portal.build(zones.store, town)


def _told(chosen: list[Dataset], zones: flow.Zones, began: datetime, as_json: bool) -> set[str]:
    """Print how each dataset ended since `began`; the outcomes."""
    ended = {record.dataset: record for record in zones.journal.since(began)}
    records = [ended.get(d.id, RunRecord(d.id, "failed", (_DIED,))) for d in chosen]
    _show([_run_row(record) for record in records], as_json)
    return {record.outcome for record in records}


def _exit_status(outcomes: set[str]) -> int:
    return FAILED if "failed" in outcomes else REFUSED if "refused" in outcomes else 0


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


def _visible(text: str | None) -> str:
    """`text` with every sign spelt out that a terminal would obey or hide."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text or "")


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
