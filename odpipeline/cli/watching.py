"""Commands that keep watch: incidents, alert test, watch."""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from odpipeline import flow
from odpipeline.cli.application import AsJson, TownFolder, app
from odpipeline.cli.telling import show, visible
from odpipeline.declaration import read_town
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.freshness import spoken
from odpipeline.monitoring import channels
from odpipeline.monitoring.incidents import Incident
from odpipeline.monitoring.problems import KINDS
from odpipeline.monitoring.records import Records
from odpipeline.monitoring.rounds import watch as watch_once

_NEWEST = 100

incidents_app = typer.Typer(help="What is wrong, since when, and who looks after it.", invoke_without_command=True)
alert_app = typer.Typer(help="The ways by which people are told.", no_args_is_help=True)
app.add_typer(incidents_app, name="incidents")
app.add_typer(alert_app, name="alert")


@incidents_app.callback()
def incidents(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones as well, the newest first.")] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """The incidents that are open: their number, what is wrong, since when, what to do."""
    if context.invoked_subcommand:
        return
    declared = read_town(town.resolve())
    records = Records(flow.Zones.of(declared).journal)
    found = records.newest(_NEWEST) if everything else records.open()
    if not found and not as_json:
        typer.echo("no incident is open")
        return
    show([_row(incident, declared, as_json) for incident in found], as_json)


@incidents_app.command()
def ack(
    number: Annotated[int, typer.Argument(help="The incident's number.")],
    because: Annotated[str, typer.Option(help="Who does what until when; kept in the journal.")],
    town: TownFolder = Path(),
) -> None:
    """Say that you look after an incident: no reminder of it is sent any more, its closing notice still is."""
    declared = read_town(town.resolve())
    if not because.strip():
        raise OdpError("the reason is empty", mend='say it: --because "the supplier is at it"')
    found = Records(flow.Zones.of(declared).journal).acknowledge(number, getpass.getuser(), because.strip())
    typer.echo(f"{found.problem.name}: {KINDS[found.problem.cause].title}: you look after it")


@alert_app.command(name="test")
def try_ways(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """Send a message through every channel, and by mail to the contact. Exit status 1 if one does not take it."""
    declared = read_town(town.resolve())
    ways = [*([declared.contact] if declared.alerts.mail else []), *declared.alerts.channels]
    if not ways:
        raise OdpError("no channel is declared", where="town.yaml", mend="declare alerts.mail or alerts.channels")
    rows = [_tried(way, declared) for way in ways]
    show(rows, as_json)
    raise typer.Exit(1 if any(row["state"] != "taken" for row in rows) else 0)


@app.command()
def watch(
    every: Annotated[
        int | None, typer.Option(min=5, help="Go on for ever, with so many seconds between two rounds.")
    ] = None,
    town: TownFolder = Path(),
) -> None:
    """One round of the watch, as the sensor `watch` of Dagster makes each minute: for towns without its daemon."""
    declared = read_town(town.resolve())
    while True:
        made = watch_once(declared)
        typer.echo(f"{made.open} incidents open, {made.opened} new, {made.closed} closed; "
                   f"{made.sent} messages sent, {made.waiting} wait")  # fmt: skip
        if every is None:
            return
        time.sleep(every)


def _row(incident: Incident, town: Town, as_json: bool) -> dict[str, Any]:
    problem, zone = incident.problem, ZoneInfo(town.timezone)
    state = "closed" if incident.closed_at else "over?" if incident.absent_since else "open"
    row: dict[str, Any] = {
        "number": incident.id,
        "about": problem.name,
        "what": KINDS[problem.cause].title,
        "since": f"{problem.since.astimezone(zone):%Y-%m-%d %H:%M}",
        "for": spoken((incident.closed_at or datetime.now(UTC)) - problem.since),
        "state": f"open, {incident.acknowledged_by} is at it" if incident.acknowledged_by else state,
        "told": incident.told,
        "datasets": len(problem.datasets),
        "why": visible(problem.what),
    }
    if as_json:
        row |= {"cause": str(problem.cause), "severity": str(problem.severity), "datasets": list(problem.datasets),
                "run": problem.run, "because": incident.because}  # fmt: skip
    return row


def _tried(way: str, town: Town) -> dict[str, Any]:
    now = datetime.now(ZoneInfo(town.timezone))
    body = f"A message to try the way, sent by {getpass.getuser()} at {now:%H:%M}. Nothing is wrong.\n"
    try:
        channels.send(town, way, f"[odp {town.publisher.name}] test", body)
    except channels.Undelivered as error:
        return {"destination": way, "state": "not taken", "why": f"{error}\n{visible(error.details)}".strip()}
    return {"destination": way, "state": "taken", "why": ""}
