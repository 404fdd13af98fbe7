"""A small town in a folder, for tests that need a whole one: one theme, drop-folder sources, Dagster's two files."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TOWN = """
publisher: {name: Ville d’Essai, siren: "219900001", homepage: "https://ville.example", email: donnees@ville.example}
contact: donnees@ville.example
dpo: dpo@ville.example
memory_limit: 500MB
"""

PISCINES = """
title: Fréquentation des piscines
description: Entrées par piscine et par jour.
owner: sports@ville.example
themes: [EDUC]
source: {folder: "depot/NAME.csv"}
fields:
  - {name: jour, type: date, constraints: {required: true}}
  - {name: piscine, constraints: {required: true}}
  - {name: entrees, type: integer, constraints: {minimum: 0}}
key: [jour, piscine]
personal_data: none
"""


def write_town(folder: Path, *datasets: str, declaration: str = PISCINES) -> Path:
    """A town with one declaration for each name, and a good delivery for each."""
    (folder / "assets" / "sports").mkdir(parents=True)
    (folder / "depot").mkdir()
    (folder / "town.yaml").write_text(TOWN)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in datasets:
        (folder / "assets" / "sports" / f"{name}.yaml").write_text(declaration.replace("NAME", name))
        deliver(folder, name)
    return folder


def deliver(folder: Path, name: str, rows: int = 20, *, header: str = "jour,piscine,entrees", cell: str = "") -> None:
    """A delivery of `rows` rows; `cell` stands instead of the last row's number."""
    lines = [header, *(f"2026-10-{1 + n % 28:02},Bassin {n // 28},{100 + n}" for n in range(rows))]
    if cell:
        lines[-1] = lines[-1].rsplit(",", 1)[0] + "," + cell
    (folder / "depot" / f"{name}.csv").write_text("\n".join(lines) + "\n")


def keep_runs_in(folder: Path, storage: str) -> None:
    """Put `storage` in the place of the block of that name in the town's dagster.yaml."""
    file = folder / "dagster.yaml"
    said = file.read_text()
    start, end = said.index("\nstorage:") + 1, said.index("\nlocal_artifact_storage:")
    file.write_text(said[:start] + storage + said[end:])


def published_bytes(folder: Path) -> dict[str, bytes]:
    """Everything a citizen can read of the datasets, by path, but for the note of when it was last checked."""
    public = folder / ".odp" / "public" / "datasets"
    return {
        str(path.relative_to(public)): path.read_bytes()
        for path in sorted(public.rglob("*"))
        if path.is_file() and path.name not in {"checked.json", ".lock"}
    }
