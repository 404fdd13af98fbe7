"""The whole flow against the same result written by hand: `python -m benchmarks.flow [rows…]`.

Contenders, each in a process of its own, in turn, in one run:

* `flow`: capture, conform, 10 expectations, one column dropped and one generalised, CSV and Parquet published;
* `hand`: the same files written by hand in DuckDB SQL (typed read, the ten checks in one aggregate, sorted output,
  SHA-256 of the files);
* `town`: what a town would write: pandas, Great Expectations on pandas (1 M rows only).

Start-up (imports, an almost empty file through the same way) is measured apart and taken off.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.measured import Cost, cost

COLUMNS = (
    "id",
    "releve_le",
    "jour",
    "capteur",
    "quartier",
    "type",
    "valeur",
    "compte",
    "taux",
    "actif",
    "code",
    "agent",
)

DECLARATION = """
title: Mesures
description: Mesures synthétiques.
owner: mesures@ville.example
source: {folder: mesures.csv}
fields:
  - {name: id, type: integer, constraints: {required: true, unique: true}}
  - {name: releve_le, type: datetime, constraints: {required: true}}
  - {name: jour, type: date}
  - {name: capteur, constraints: {required: true}}
  - {name: quartier}
  - {name: type, constraints: {enum: [vélo, piéton, voiture]}}
  - {name: valeur, type: number, constraints: {minimum: 0, maximum: 1000}}
  - {name: compte, type: integer, constraints: {minimum: 0}}
  - {name: taux, type: number}
  - {name: actif, type: boolean}
  - {name: code, constraints: {pattern: "C[0-9]{5}"}}
  - {name: agent}
key: [id]
personal_data: present
legal_basis: CRPA L312-1-2
privacy:
  columns: {id: keep, releve_le: keep, jour: {generalise: {date: month}}, capteur: keep, quartier: keep, type: keep,
    valeur: keep, compte: keep, taux: keep, actif: keep, code: keep, agent: drop}
"""

TOWN = """
publisher: {name: Ville, siren: "219900001", homepage: "https://ville.example", email: a@ville.example}
contact: a@ville.example
dpo: d@ville.example
memory_limit: 1500MB
"""

HAND_READ = """read_csv('{csv}', header=true, columns={{'id':'BIGINT','releve_le':'TIMESTAMP','jour':'DATE',
 'capteur':'VARCHAR',
 'quartier':'VARCHAR','type':'VARCHAR','valeur':'DOUBLE','compte':'BIGINT','taux':'DOUBLE','actif':'BOOLEAN',
 'code':'VARCHAR','agent':'VARCHAR'}})"""


def make(csv: Path, rows: int) -> None:
    """A synthetic CSV of `rows` rows and 12 columns, the same every time."""
    duckdb.execute(
        f"""COPY (SELECT i AS id, TIMESTAMP '2026-01-01' + to_seconds(i % 20000000) AS releve_le,
        DATE '2026-01-01' + CAST(i % 300 AS INTEGER) AS jour, 'capteur-' || (i % 500) AS capteur,
        'quartier ' || (i % 12) AS quartier, ['vélo', 'piéton', 'voiture'][1 + i % 3] AS type,
        round((hash(i) % 100000) / 100.0, 2) AS valeur, hash(i + 1) % 5000 AS compte,
        round((hash(i + 2) % 10000) / 10000.0, 4) AS taux, i % 7 > 0 AS actif,
        'C' || lpad(CAST(i % 99999 AS VARCHAR), 5, '0') AS code, 'agent ' || (i % 97) AS agent
        FROM range({rows}) t(i) ORDER BY hash(i)) TO '{csv}' (HEADER)"""
    )


def by_flow(csv: Path, folder: Path) -> None:
    """The declared dataset through `flow.publication`."""
    from odpipeline import flow
    from odpipeline.declaration import read_town

    (folder / "assets" / "mesures").mkdir(parents=True)
    (folder / "assets" / "mesures" / "mesures.yaml").write_text(DECLARATION)
    (folder / "town.yaml").write_text(TOWN)
    town = read_town(folder)
    os.link(csv, folder / "mesures.csv")
    *_, last = flow.recorded(town.dataset("mesures"), town, flow.Zones.of(town))
    if getattr(last, "version", None) != 1:
        sys.exit(f"the flow did not publish: {last}")


def by_hand(csv: Path, folder: Path) -> None:
    """The same files in plain DuckDB SQL."""
    folder.mkdir()
    connection = duckdb.connect(config={"memory_limit": "1500MB", "threads": "2", "temp_directory": str(folder / "s")})
    connection.execute(f"CREATE TEMP VIEW typed AS SELECT * FROM {HAND_READ.format(csv=csv)}")
    checks = connection.execute(
        """SELECT count(*), count(*) FILTER (id IS NULL), count(*) - count(DISTINCT id),
        count(*) FILTER (releve_le IS NULL),
        count(*) FILTER (capteur IS NULL), count(*) FILTER (type NOT IN ('vélo', 'piéton', 'voiture')),
        count(*) FILTER (valeur NOT BETWEEN 0 AND 1000), count(*) FILTER (compte < 0),
        count(*) FILTER (NOT regexp_full_match(code, 'C[0-9]{5}')) FROM typed"""
    ).fetchone()
    if checks is None or any(checks[1:]):
        sys.exit("a check failed")
    connection.execute(
        f"""COPY (SELECT * EXCLUDE (agent) REPLACE (strftime(jour, '%Y-%m') AS jour) FROM typed ORDER BY id)
        TO '{folder / "mesures.parquet"}' (FORMAT parquet, COMPRESSION zstd)"""
    )
    connection.execute(
        f"COPY (SELECT * FROM read_parquet('{folder / 'mesures.parquet'}')) TO '{folder / 'mesures.csv'}' (HEADER)"
    )
    for file in ("mesures.parquet", "mesures.csv"):
        with (folder / file).open("rb") as stream:
            hashlib.file_digest(stream, "sha256")


def by_town(csv: Path, folder: Path) -> None:
    """What a town would write: pandas, and Great Expectations on pandas."""
    import great_expectations as gx
    import pandas as pd

    folder.mkdir()
    table = pd.read_csv(csv, parse_dates=["releve_le", "jour"])
    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    e = gx.expectations
    suite = gx.ExpectationSuite(
        name="s",
        expectations=[
            e.ExpectColumnValuesToNotBeNull(column="id"), e.ExpectColumnValuesToBeUnique(column="id"),
            e.ExpectColumnValuesToNotBeNull(column="releve_le"), e.ExpectColumnValuesToNotBeNull(column="capteur"),
            e.ExpectColumnValuesToBeInSet(column="type", value_set=["vélo", "piéton", "voiture"]),
            e.ExpectColumnValuesToBeBetween(column="valeur", min_value=0, max_value=1000),
            e.ExpectColumnValuesToBeBetween(column="compte", min_value=0),
            e.ExpectColumnValuesToMatchRegex(column="code", regex="^C[0-9]{5}$"),
            e.ExpectTableRowCountToBeBetween(min_value=1),
            e.ExpectTableColumnsToMatchOrderedList(column_list=list(COLUMNS)),
        ],
    )  # fmt: skip
    context.variables.progress_bars = {"globally": False}
    result = batch.get_batch({"dataframe": table}).validate(suite)
    if not result.success:
        sys.exit("a check failed")
    table["jour"] = table["jour"].dt.strftime("%Y-%m")
    table = table.drop(columns=["agent"]).sort_values("id")
    table.to_csv(folder / "mesures.csv", index=False)
    table.to_parquet(folder / "mesures.parquet", compression="zstd", index=False)


CONTENDERS = {"flow": by_flow, "hand": by_hand, "town": by_town}


def run(contender: str, csv: Path, work: Path) -> Cost:
    """One contender on one file in a fresh process and a fresh folder."""
    folder = work / "out"
    shutil.rmtree(folder, ignore_errors=True)
    return cost("benchmarks.flow", "--contender", contender, str(csv), str(folder))


def main(sizes: list[int]) -> None:
    """Measure every size and print one line for each contender, with its ratios."""
    with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
        work = Path(temporary)
        make(work / "tiny.csv", 10)
        start = {name: run(name, work / "tiny.csv", work) for name in CONTENDERS}
        for name, spent in start.items():
            print(f"start-up  {name:5} {spent.cpu_seconds:7.2f} CPU s  {spent.peak_bytes / 1e6:8.0f} MB")
        for rows in sizes:
            csv = work / f"{rows}.csv"
            cost("benchmarks.flow", "--make", str(csv), str(rows))  # apart: a child starts with its parent's peak
            net: dict[str, float] = {}
            for name in CONTENDERS:
                if name == "town" and rows > 1_000_000:
                    continue
                spent = run(name, csv, work)
                net[name] = spent.cpu_seconds - start[name].cpu_seconds
                print(
                    f"{rows:>9} {name:5} {net[name]:7.2f} CPU s beyond start-up  {spent.wall_seconds:7.2f} s wall  "
                    f"{spent.peak_bytes / 1e6:8.0f} MB  {net['flow'] / net[name]:5.2f} = flow / {name}"
                )
            csv.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contender"]:
        CONTENDERS[sys.argv[2]](Path(sys.argv[3]), Path(sys.argv[4]))
    elif sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or [1_000_000, 10_000_000])
