"""Commands about quality: suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from odpipeline import flow, profiling, quality
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError


@app.command()
def suite(
    dataset: DatasetName,
    propose: Annotated[
        bool, typer.Option("--propose", help="Propose more, from the last captures; --json prints the suite file.")
    ] = False,
    attempt: Annotated[
        bool, typer.Option("--try", help="Say of every kept capture whether it would be refused today.")
    ] = False,
    captures: Annotated[int, typer.Option(min=1, help="With --propose: how many captures, the last seen first.")] = 10,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """The effective Great Expectations suite of a dataset, in Great Expectations' own JSON; or help with writing it."""
    declared = read_town(town.resolve())
    found = declared.dataset(dataset)
    if propose and attempt:
        raise OdpError("--propose and --try are two things", mend="save what is proposed, then try it")
    if propose:
        _propose(found, flow.Zones.of(declared), captures, as_json)
    elif attempt:
        _try(found, flow.Zones.of(declared), as_json)
    else:
        typer.echo(json.dumps(quality.suite_for(found).as_gx_json(), ensure_ascii=False, indent=2))


def _propose(dataset: Dataset, zones: flow.Zones, captures: int, as_json: bool) -> None:
    expectations, advice = profiling.proposed(dataset, zones, captures)
    if as_json:
        typer.echo(json.dumps(profiling.with_own(dataset, expectations), ensure_ascii=False, indent=2))
        return
    rows = [{"proposed": p.type, "value": _arguments(p.kwargs), "why": p.evidence} for p in expectations]
    rows += [{"proposed": f"in the declaration: {a.key}", "value": f"{a.value:g}", "why": a.evidence} for a in advice]
    if not rows:
        typer.echo("nothing to propose: what the captures keep to is in the suite already")
        return
    show(rows, as_json=False)
    typer.echo(f"read it line by line; as a suite file: odp suite {dataset.id} --propose --json; then: --try")


def _try(dataset: Dataset, zones: flow.Zones, as_json: bool) -> None:
    told = [_tried_row(tried) for tried in profiling.tried(dataset, zones)]
    show(told, as_json)
    if not as_json:
        refused = sum(row["verdict"] == "would be refused" for row in told)
        typer.echo(f"{refused} of {len(told)} captures would be refused")


def _arguments(kwargs: Any) -> str:
    return ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in kwargs.items())


def _tried_row(tried: profiling.Tried) -> dict[str, Any]:
    return {
        "capture": tried.sha256[:12],
        "delivered": f"{tried.delivered:%Y-%m-%d %H:%M} UTC" if tried.delivered else None,
        "rows in": tried.rows_in,
        "quarantined": tried.quarantined,
        "verdict": "would be refused" if tried.refused else "accepted",
        "why": "; ".join(tried.reasons),
    }
