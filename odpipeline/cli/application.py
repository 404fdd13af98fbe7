"""The application that commands register with, and the arguments that they share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from odpipeline import quality
from odpipeline.declaration import read_town
from odpipeline.declaration.town import Town
from odpipeline.errors import DeclarationErrors
from odpipeline.landing import sealing

REFUSED, FAILED, HELD = 3, 4, 5

app = typer.Typer(
    help="Exit statuses: 0 done; 1 an error, said in one message; 2 wrong usage; 3 the gate refused at least one "
    "dataset (the last good release stays served); 4 at least one dataset failed before the gate; 5 at least one "
    "release waits for an approval, and nothing worse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TownFolder = Annotated[Path, typer.Option("--town", help="The town's folder.", envvar="ODP_TOWN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DatasetName = Annotated[str, typer.Argument(help="The dataset: its file's name without .yaml.")]


def checked(folder: Path) -> Town:
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
