"""Commands about the protection of persons: privacy, register."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from odpipeline import flow, profiling
from odpipeline.catalogue.register import register as entries
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError
from odpipeline.privacy.risk import Risk, risk
from odpipeline.quality import run_reports
from odpipeline.store import Release

_SAID = ("legal_basis", "quasi_identifiers", "k", "population", "allowed")


@app.command()
def privacy(
    dataset: DatasetName,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", help="k=7, suppression=5 % or score=entropy on the last capture; publishes nothing."),
    ] = None,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """For the data protection officer: how well the persons in the current release are hidden, and what was found."""
    declared = read_town(town.resolve())
    found, zones = declared.dataset(dataset), flow.Zones.of(declared)
    told = _what_if(found, zones, what_if) if what_if else _told(found, zones)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for heading, value in told.items():
        if isinstance(value, dict):
            show([{heading: name, "value": _short(one)} for name, one in value.items()] or [{heading: "–"}], False)
        else:
            typer.echo(f"{heading}: {_short(value)}")


@app.command()
def register(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """The register of processing (RGPD, article 30) that the declarations amount to: CSV, or JSON."""
    rows = entries(read_town(town.resolve()))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif rows:
        writer = csv.DictWriter(sys.stdout, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        typer.echo("no dataset about persons is declared", err=True)


def _told(dataset: Dataset, zones: flow.Zones) -> dict[str, Any]:
    release = zones.store.current(dataset.id)
    if release is None:
        raise OdpError("nothing was published yet", where=dataset.id, mend=f"publish it: odp run {dataset.id}")
    now = _risk(release, dataset, zones)
    earlier = zones.store.versions(dataset.id, 2)[1:]
    before = _risk(earlier[0], dataset, zones) if earlier else None
    report = next(iter(run_reports(zones.journal, dataset.id)), None)
    findings = [entry.finding for entry in report.recorded] if report else []
    return {
        "dataset": dataset.id,
        "version": release.version,
        "techniques": release.privacy.get("columns", {}),
        "said to the public": {name: release.privacy.get(name) for name in _SAID},
        "risk": now.as_json() if now else {},
        "version before": before.as_json() if before else {},
        "identifiers found in the last run": {
            f"{one.column} ({one.rule.removeprefix('identifier_')})": one.counts.get("cells")
            for one in findings
            if one.rule.startswith("identifier_")
        },
    }


def _risk(release: Release, dataset: Dataset, zones: flow.Zones) -> Risk | None:
    with tempfile.TemporaryDirectory() as folder:
        return risk(zones.store.parquet(release, Path(folder)), dataset, zones.duck)


def _what_if(dataset: Dataset, zones: flow.Zones, asked: list[str]) -> dict[str, Any]:
    changes = {}
    for one in asked:
        key, sign, value = one.partition("=")
        if not sign or not value.strip():
            raise OdpError(f"--what-if {one!r} is no change", mend="write key=value, such as k=7")
        changes[key.strip()] = value.strip()
    found = profiling.what_if(dataset, zones, changes)
    return {
        "dataset": dataset.id,
        "what if": changes,
        "rows": {"read": found.rows_in, "published": found.rows, "suppressed": found.suppressed},
        "levels": dict(found.generalisation),
        "risk": found.risk.as_json() if found.risk else {},
        "would refuse": {finding.rule: finding.message for finding in found.findings if finding.blocks},
    }


def _short(value: Any) -> str:
    if value is None or value in ({}, []):
        return "–"
    return ", ".join(f"{name}: {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)
