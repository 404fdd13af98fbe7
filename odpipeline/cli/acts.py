"""Commands that act on what is public: rollback, withdraw, readmit, embargo, erase; without --yes they only tell."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import acts, flow
from odpipeline.cli.application import DatasetName, TownFolder, app
from odpipeline.declaration import read_town
from odpipeline.embargo import moment
from odpipeline.errors import OdpError

Who = Annotated[str, typer.Option("--as", help="Who acts: a mail address that town.yaml lets act.")]
Because = Annotated[str, typer.Option(help="Why; it is public and in the journal.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it, what would change is said.")]


@app.command()
def rollback(
    dataset: DatasetName,
    version: Annotated[int, typer.Argument(help="The version whose content the public shall see again.")],
    who: Who,
    because: Because,
    yes: Yes = False,
    town: TownFolder = Path(),
) -> None:
    """Publish the content of an old version again, as a new version; what is undone waits for `odp accept`."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    found = acts.declared(declared, zones, dataset)
    planned = acts.Rollback.planned(found, zones, version)
    _say(planned.said, yes)
    if yes:
        release = planned.done(declared, zones, who, because)
        acts.rebuild(declared, zones, forget=False)
        typer.echo(f"published: version {release.version} with the content of version {version}")


@app.command()
def withdraw(
    dataset: Annotated[str, typer.Argument(help="The dataset, also one that is declared no more.")],
    who: Who,
    because: Because,
    version: Annotated[int | None, typer.Option(help="Only this version; by default the whole dataset.")] = None,
    basis: Annotated[str | None, typer.Option("--legal-basis", help="On what ground; it is public.")] = None,
    captures: Annotated[
        bool, typer.Option("--captures", help="Also the deliveries and the quarantine in the private zone.")
    ] = False,
    yes: Yes = False,
    town: TownFolder = Path(),
) -> None:
    """Take a dataset, or one version of it, away for good: every copy; a tombstone and a proof stay."""
    if captures and version is not None:
        raise OdpError("--captures goes with the whole dataset", mend="leave out --version, or --captures")
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    planned = acts.Withdrawal.planned(dataset, zones, version, captures=captures)
    _say(planned.said, yes)
    if yes:
        proof = planned.done(declared, zones, who, because, basis, captures=captures)
        acts.rebuild(declared, zones, forget=True)
        typer.echo(json.dumps(proof, ensure_ascii=False, indent=2))


@app.command()
def readmit(dataset: DatasetName, who: Who, because: Because, yes: Yes = False, town: TownFolder = Path()) -> None:
    """Let a dataset that was withdrawn be published again, from its next run on."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    planned = acts.Readmission.planned(acts.declared(declared, zones, dataset).id, zones)
    _say(planned.said, yes)
    if yes:
        planned.done(declared, zones, who, because)
        typer.echo(f"readmitted; publish it with: odp run {dataset}")


@app.command()
def embargo(
    dataset: DatasetName,
    who: Who,
    because: Because,
    until: Annotated[
        datetime | None, typer.Option(help="Nothing new is public before; in the town's time zone.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Nothing keeps it back any more.")] = False,
    yes: Yes = False,
    town: TownFolder = Path(),
) -> None:
    """Keep new content of a dataset back until a moment, or no more, whatever its declaration says."""
    if (until is None) != lift:
        raise OdpError("say either --until or --lift", mend="odp embargo DATASET --until 2026-12-01 …")
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    found = acts.declared(declared, zones, dataset)
    ends = moment(until, declared) if until else None
    _say(
        [f"new content waits until {ends:%Y-%m-%d %H:%M} UTC" if ends else "new content is published as it comes"], yes
    )
    if yes:
        acts.keep_back(found, declared, zones, ends, who, because)


@app.command()
def erase(
    dataset: DatasetName,
    where: Annotated[list[str], typer.Option("--where", help="A published column and its value: id=12; all count.")],
    who: Who,
    because: Because,
    only_published: Annotated[
        bool, typer.Option("--only-published", help="Leave deliveries to come alone: the source has the rows no more.")
    ] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Take an earlier erasure back, for deliveries to come.")] = False,
    yes: Yes = False,
    town: TownFolder = Path(),
) -> None:
    """Take rows, such as a person's, out of every public version and of every delivery to come."""
    pairs = [_split(one) for one in where]
    condition = dict(pairs)
    if len(condition) < len(pairs):
        raise OdpError("--where names a column twice; all conditions have to hold in a row",
                       mend="say the command once for each value")  # fmt: skip
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    found = acts.declared(declared, zones, dataset)
    if lift and only_published:
        raise OdpError("--lift and --only-published do not go together", mend="an erasure of published rows stays")
    if lift:
        _say([acts.lift(found, declared, zones, condition, who, because, dry=not yes)], yes)
        return
    planned = acts.Erasure.planned(found, zones, condition, only_published=only_published)
    _say(planned.said, yes)
    if yes:
        count = planned.done(declared, zones, who, because)
        acts.rebuild(declared, zones, forget=True)
        typer.echo(f"rewritten: {count} versions")


def _split(said: str) -> tuple[str, str]:
    column, sign, value = said.partition("=")
    if not sign or not column:
        raise OdpError("--where takes a column and its value", mend="write it as id=12")
    return column, value


def _say(lines: list[str], yes: bool) -> None:
    for line in lines:
        typer.echo(line)
    if not yes:
        typer.echo("nothing was done: say --yes to do it")
