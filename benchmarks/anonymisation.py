"""Optimal k-anonymity, against anjana and pycanon: `python -m benchmarks.anonymisation [adult|adult10|town1|town10…]`.

Adult (UCI, with hierarchies and the cases of a reference tool) is read from the folder that ODP_ANONYMISATION names, or
those parts say that they are left out; `adult10` is every row ten times. `town1` and `town10` are 1 and 10 million
generated inhabitants with six quasi-identifiers, nearly all of them different: the worst case for grouping.

Peers are not dependencies of this project: name a Python that has them with ODP_PEERS. anjana generalises greedily,
without an optimum; pycanon only counts the k of a file. Each contender runs in a process of its own, start-up included;
the seconds within are told besides. `reference_seconds` of the cases were measured elsewhere: rough anchors, no rivals.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.measured import cost
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.privacy import hierarchies
from odpipeline.privacy.lattice import Quasi, load, solve

CASES = "oracle_adult_k5.json"
SCORES = {
    "loss_mean": "loss", "loss_geom": "geometric_loss", "entropy_sum": "entropy", "aecs": "average_class",
    "precision_mean": "precision", "discernibility": "discernibility", "height": "height",
}  # fmt: skip
LADDERS = {
    "age": (100, 5, 10, 20),
    "iris": (400, 8, 40),
    "sexe": (2,),
    "csp": (42, 6),
    "naf": (88, 4, 16),
    "mois": (60, 3, 12),
}
"""Column of the town → number of values, and how many share a group on each level; one more level is `*`."""
PARTS = {"adult": 1, "adult10": 10, "town1": 1_000_000, "town10": 10_000_000}
PEER_LIMIT_SECONDS = 900

_PEER = """
import csv, json, sys, time
import pandas as pd
which, table, folder, k, limit = sys.argv[1:]
quasi = json.load(open(folder + "/quasi.json"))
data = pd.read_csv(table, sep=";", dtype=str)
started = time.perf_counter()
if which == "pycanon":
    from pycanon import anonymity
    print("k of the raw file is", anonymity.k_anonymity(data, quasi), end=", ")
else:
    from anjana.anonymity import k_anonymity
    ladders = {}
    for name in quasi:
        lines = list(csv.reader(open(f"{folder}/{name}.csv", encoding="utf-8"), delimiter=";"))
        ladders[name] = {level: list(column) for level, column in enumerate(zip(*lines))}
    out = k_anonymity(data, [], quasi, int(k), float(limit) * 100, ladders)
    sizes = out.groupby(quasi).size()
    print(f"{len(data) - len(out)} suppressed, {len(sizes)} classes, discernibility "
          f"{int((sizes ** 2).sum()) + len(data) * (len(data) - len(out))}", end=", ")
print(f"{time.perf_counter() - started:.2f} s within")
"""


def make(part: str, folder: Path) -> None:
    """`rows.csv`, `quasi.json` and one hierarchy a column, all below `folder`."""
    if part.startswith("adult"):
        source = Path(os.environ["ODP_ANONYMISATION"]) / "adult"
        quasi = (source / "adult.csv").read_text().split("\n", 1)[0].split(";")
        for name in quasi:
            (folder / f"{name}.csv").write_bytes((source / f"hierarchy_{name}.csv").read_bytes())
        rows = f"read_csv({literal(source / 'adult.csv')}, delim=';', all_varchar=true), range({PARTS[part]})"
        chosen = ", ".join(map(quote, quasi))
    else:
        quasi, rows = list(LADDERS), f"range({PARTS[part]}) t(i)"
        for name, (values, *widths) in LADDERS.items():
            lines = (";".join([str(v), *(str(v // width) for width in widths), "*"]) for v in range(values))
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        chosen = ", ".join(
            f"CAST(floor({v} * pow((hash(i, '{name}') % 1000000) / 1000000.0, 1.5)) AS INTEGER) AS {name}"
            for name, (v, *_) in LADDERS.items()
        )
    (folder / "quasi.json").write_text(json.dumps(quasi))
    duckdb.execute(f"COPY (SELECT {chosen} FROM {rows}) TO {literal(folder / 'rows.csv')} (HEADER, DELIMITER ';')")


def ours(folder: str, k: str, limit: str, score: str) -> None:
    """Read the rows, group them, find the optimum."""
    started = time.perf_counter()
    with connect(DuckSettings(spill=Path(folder) / "spill")) as connection:
        quasi = json.loads((Path(folder) / "quasi.json").read_text())
        relation = f"read_csv({literal(Path(folder) / 'rows.csv')}, delim=';', header=true, all_varchar=true)"
        for name in quasi:
            hierarchies.ladder(connection, Path(folder), f"{name}.csv", f"l_{name}", relation, name, where="")
        problem = load(connection, relation, [Quasi(name, f"l_{name}") for name in quasi])
    loaded = time.perf_counter()
    found = solve(problem, int(k), limit=float(limit), score=score, seconds=600)
    told = "nothing found"
    if found:
        told = (
            f"{score} {found.score:.10g}, gap {found.gap:.2%}, {found.suppressed} suppressed, {found.classes} classes"
        )
        told += f", {found.evaluated} of {found.nodes} nodes"
    ended = time.perf_counter()
    within = f"{ended - started:.2f} s within ({loaded - started:.2f} to read and group)"
    print(f"{len(problem.counts)} distinct tuples, {told}, {within}", end=", ", flush=True)


def main(part: str) -> None:
    """All contenders on one table."""
    if part.startswith("adult") and not os.environ.get("ODP_ANONYMISATION"):
        print(f"{part} is left out: ODP_ANONYMISATION names no folder with adult/ and {CASES}")
        return
    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
        folder = Path(temporary)
        make(part, folder)
        print(f"--- {part}: {(folder / 'rows.csv').stat().st_size / 1e6:.0f} MB of CSV")
        for k, limit, score, anchor in _asked(part):
            print(f"odpipeline, k = {k}, limit {limit:.0%}: ", end="", flush=True)
            spent = cost("benchmarks.anonymisation", "ours", str(folder), str(k), str(limit), score)
            print(f"{spent.wall_seconds:.2f} s in all, {spent.peak_bytes / 1e6:.0f} MB{anchor}")
        k, limit, *_ = _asked(part)[-1]
        for which in ("anjana", "pycanon"):
            _peer(which, folder, k, limit)


def _asked(part: str) -> list[tuple[int, float, str, str]]:
    if part != "adult":
        return [(11, 0.02, score, "") for score in ("loss", "entropy", "discernibility")]
    cases = json.loads((Path(os.environ["ODP_ANONYMISATION"]) / CASES).read_text())
    return [
        (case["models"][0]["k"], case["suppression_limit"], SCORES[case["metric"]],
         f" (reference: {case['score']:.10g}, {case['reference_seconds']} s elsewhere)")
        for case in cases
    ]  # fmt: skip


def _peer(which: str, folder: Path, k: int, limit: float) -> None:
    if not (python := os.environ.get("ODP_PEERS")):
        print(f"{which} is left out: ODP_PEERS names no Python that has it")
        return
    print(f"{which}: ", end="", flush=True)
    command = [python, "-c", _PEER, which, str(folder / "rows.csv"), str(folder), str(k), str(limit)]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stderr=errors)
        try:
            process.wait(PEER_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"stopped after {PEER_LIMIT_SECONDS} s")
            return
        errors.seek(0)
        if process.returncode:
            print(f"failed: {errors.read().decode().strip().splitlines()[-1][:200]}")
            return
    print(f"    {which}: {time.perf_counter() - started:.2f} s in all")


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(*sys.argv[2:])
    else:
        for name in sys.argv[1:] or PARTS:
            main(name)
