"""Commands that explain the last run to people: report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import flow, portal
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.monitoring.situation import situation
from odpipeline.quality import run_reports
from odpipeline.quality.owner import owner_text
from odpipeline.quality.wording import LANGUAGES, Language


@app.command()
def report(
    dataset: DatasetName,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page about the last check into this file instead; private.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="With --html: fr or en.")] = "fr",
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """A short French text for the data's owner: what the last run found, since when, what to do, what is served."""
    declared = read_town(town.resolve())
    found, zones = declared.dataset(dataset), flow.Zones.of(declared)
    reports = run_reports(zones.journal, found.id)
    if html is None and not as_json:
        typer.echo(owner_text(*situation(found, declared, zones, reports)), nl=False)
        return
    if not reports:
        raise OdpError("no run has checked a delivery yet", where=found.id, mend=f"run it: odp run {found.id}")
    if as_json:
        typer.echo(json.dumps(reports[0].as_json(), ensure_ascii=False, indent=2))
    if html is not None:
        served = zones.store.current(found.id)
        page = portal.run_page(reports[0], reports[1:], found.title, declared, served, _language(language))
        _write(html, page)
        typer.echo(f"written: {html} (not for the public: the public reads the release's own page)", err=True)


def _language(said: str) -> Language:
    for language in LANGUAGES:
        if said == language:
            return language
    raise OdpError(f"there is no page in {said!r}", mend=f"ask for one of: {', '.join(LANGUAGES)}")


def _write(file: Path, page: str) -> None:
    try:
        file.write_text(page)
    except OSError as error:
        raise OdpError(
            f"the file cannot be written ({error.strerror})", where=str(file), mend="name another one"
        ) from None
