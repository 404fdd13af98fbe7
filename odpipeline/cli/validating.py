"""Commands about files of others: validate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import validating
from odpipeline.cli.application import REFUSED, AsJson, TownFolder, app
from odpipeline.cli.telling import show, visible
from odpipeline.errors import OdpError
from odpipeline.validating import outputs

_FEW = 10


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The file: CSV, a workbook, JSON, Parquet, GeoJSON…")],
    schema: Annotated[
        str, typer.Option(help="A Table Schema: a file, an address, or a name that was taken: scdl/subventions@2.1.")
    ],
    town: TownFolder = Path(),
    as_json: AsJson = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, which code hosts show.")] = False,
    junit: Annotated[bool, typer.Option("--junit", help="Print JUnit XML, which test reports show.")] = False,
) -> None:
    """Check any file against a Table Schema, alone: nothing is fetched, published or kept; 3 when it is not valid."""
    if as_json + sarif + junit > 1:
        raise OdpError("--json, --sarif and --junit are three things", mend="ask for one of them")
    found = validating.validate(file, validating.schema_at(schema, town.resolve()))
    if junit:
        typer.echo(outputs.as_junit(found))
    elif sarif or as_json:
        told = outputs.as_sarif(found) if sarif else outputs.as_json(found)
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _tell(found)
    if not found.valid:
        raise typer.Exit(REFUSED)


def _tell(found: validating.Validation) -> None:
    if found.issues:
        show([_row(one) for one in found.issues], as_json=False)
    errors = sum(one.level == "error" for one in found.issues)
    warnings = len(found.issues) - errors
    verdict = "valid" if found.valid else "not valid"
    typer.echo(f"{verdict}: {found.rows:,} rows, {errors} errors, {warnings} warnings ({found.schema})")


def _row(one: validating.Result) -> dict[str, str]:
    more = ", …" if len(one.rows) > _FEW else ""
    return {
        "level": one.level,
        "error": one.code,
        "column": visible(", ".join(one.columns)),
        "rows": ", ".join(map(str, one.rows[:_FEW])) + more,
        "why": visible(one.message),
    }
