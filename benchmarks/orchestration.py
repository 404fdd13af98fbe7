"""A generated town of 300 datasets through Dagster: `python -m benchmarks.orchestration [datasets]`.

Measured in one run: loading the code location; the first night (everything is new); an all-unchanged night; an
all-changed night (10,000 rows each); and the same all-changed night by calling `flow.py` directly, for the overhead
of orchestration on each dataset.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.measured import cost

ROWS = 10_000

DECLARATION = """
title: Mesures {number}
description: Mesures synthétiques.
owner: mesures@ville.example
source: {{folder: "data/{number}.csv"}}
fields:
  - {{name: id, type: integer, constraints: {{required: true, unique: true}}}}
  - {{name: jour, type: date}}
  - {{name: capteur, constraints: {{required: true}}}}
  - {{name: valeur, type: number, constraints: {{minimum: 0, maximum: 1000}}}}
key: [id]
personal_data: none
"""

TOWN = """
publisher: {name: Ville, siren: "219900001", homepage: "https://ville.example", email: a@ville.example}
contact: a@ville.example
dpo: d@ville.example
threads: 1
memory_limit: 500MB
"""


def make_town(folder: Path, datasets: int) -> None:
    """A town folder with `datasets` declarations and Dagster's two files."""
    (folder / "assets" / "mesures").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "town.yaml").write_text(TOWN)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copyfile(Path(__file__).parents[1] / name, folder / name)
    for number in range(datasets):
        (folder / "assets" / "mesures" / f"mesures-{number}.yaml").write_text(DECLARATION.format(number=number))


def deliver(folder: Path, datasets: int, night: int) -> None:
    """New rows for every dataset."""
    for number in range(datasets):
        duckdb.execute(
            f"""COPY (SELECT i AS id, DATE '2026-01-01' + CAST(i % 300 AS INTEGER) AS jour,
            'capteur-' || (i % 50) AS capteur,
            round((hash(i + {night * datasets + number}) % 100000) / 100.0, 2) AS valeur
            FROM range({ROWS}) t(i)) TO '{folder / "data" / f"{number}.csv"}' (HEADER)"""
        )


def load() -> None:
    """What Dagster does to a code location: build the definitions and the snapshot of the repository."""
    from dagster._core.remote_representation.external_data import RepositorySnap

    started = time.perf_counter()
    from odpipeline.orchestration.definitions import defs

    RepositorySnap.from_def(defs.get_repository_def())
    print(f"code location loaded in {time.perf_counter() - started:.1f} s")


def night() -> None:
    """One night through Dagster."""
    from odpipeline.orchestration.definitions import town
    from odpipeline.orchestration.launch import run_night

    run_night(town.datasets)


def direct() -> None:
    """The same night by calling the flow, dataset after dataset, in one process."""
    from odpipeline import flow
    from odpipeline.declaration import read_town

    town = read_town(Path(os.environ["ODP_TOWN"]))
    for dataset in town.datasets:
        *_, _last = flow.recorded(dataset, town, flow.Zones.of(town))


def main(datasets: int) -> None:
    """Measure everything and print one line each."""
    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
        folder = Path(temporary)
        make_town(folder, datasets)
        os.environ |= {"ODP_TOWN": str(folder), "DAGSTER_HOME": str(folder), "ODP_BENCH_LOG": str(folder / "log")}
        deliver(folder, datasets, 1)
        cost("benchmarks.orchestration", "load")
        spent = {"first night": _timed("night")}
        spent["all-unchanged night"] = _timed("night")
        deliver(folder, datasets, 2)
        spent["all-changed night"] = _timed("night")
        deliver(folder, datasets, 3)
        spent["all-changed, flow called directly"] = _timed("direct")
        for name, seconds in spent.items():
            print(f"{name:34} {seconds:7.1f} s  {seconds / datasets:6.3f} s a dataset")
        overhead = spent["all-changed night"] - spent["all-changed, flow called directly"]
        print(f"overhead of orchestration          {overhead / datasets:6.3f} s a dataset")


def _timed(part: str) -> float:
    return cost("benchmarks.orchestration", part).wall_seconds


if __name__ == "__main__":
    parts = {"load": load, "night": night, "direct": direct}
    if sys.argv[1:2] and sys.argv[1] in parts:
        os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
        with Path(os.environ["ODP_BENCH_LOG"]).open("a") as log:  # Dagster's log lines are not the benchmark's
            os.dup2(log.fileno(), 2)
            parts[sys.argv[1]]()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 300)
