"""Fourteen usual expectations against the same written by hand: `python -m benchmarks.quality [rows…]`.

Contenders, each in a process of its own, in turn, in one run, on one generated Parquet file of ten columns in which a
few rows fail (1 and 10 million rows unless said otherwise; `50000000` takes 4 GB of disk):

* `ours`: the suite as `quality.check` evaluates it, Great Expectations included;
* `hand`: what a good engineer would write in DuckDB: one aggregate over all rows, and a grouping for each key;
* `pandas`: Great Expectations on its own pandas engine, the file read by pandas (1 M rows only: it keeps them all);
* with the Python that ODP_PEERS names, if it has them: `soda` (on DuckDB), `pandera` (on polars), `frictionless` and
  `validata`; the last two look at rows one by one, at most `SLICE` of them.

CPU seconds are beyond start-up: of ours, hand and pandas each process looks at an almost empty file first, so that all
is imported, and then measures itself; of the others an almost empty file is measured apart and taken off. What each
finds is told, so that a difference shows.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measured import Cost, cost_of
from odpipeline.duck import DuckSettings, connect, literal

ROWS = (1_000_000, 10_000_000)
PANDAS_ROWS = 1_000_000
SLICE = 100_000
RUNS = 3
LIMITS = DuckSettings(memory_limit="2GB", threads=2)
COLUMNS = ["id", "capteur", "releve_le", "jour", "type", "valeur", "debut", "fin", "code", "quartier"]
TYPES = ["vélo", "piéton", "voiture"]

EXPECTATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["capteur", "releve_le"]}),
    ("expect_column_values_to_be_between", {"column": "valeur", "min_value": 0, "max_value": 999}),
    ("expect_column_values_to_be_in_set", {"column": "type", "value_set": TYPES}),
    ("expect_column_values_to_match_regex", {"column": "code", "regex": "^C[0-9]{5}$"}),
    ("expect_column_value_lengths_to_be_between", {"column": "code", "min_value": 6, "max_value": 6}),
    ("expect_column_values_to_not_be_null", {"column": "capteur"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "fin", "column_B": "debut", "or_equal": True}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
    ("expect_column_mean_to_be_between", {"column": "valeur", "min_value": 400, "max_value": 600}),
    ("expect_column_values_to_not_be_in_set", {"column": "quartier", "value_set": ["inconnu", "quartier 0"]}),
    ("expect_column_max_to_be_between", {"column": "fin", "max_value": 100_000}),
    ("expect_table_columns_to_match_set", {"column_set": COLUMNS}),
)

Answer = tuple[bool, int | None]
"""(whether it holds, how many rows fail, None where that is no matter of rows)."""


def make(target: Path, rows: int) -> None:
    """The Parquet: mostly right, and wrong here and there."""
    with connect(LIMITS) as connection:
        connection.execute(
            f"""COPY (SELECT CASE WHEN i % 100003 = 7 THEN i - 1 ELSE i END AS id, 'capteur-' || (i % 500) AS capteur,
            TIMESTAMP '2026-01-01' + to_seconds(i // 500) AS releve_le,
            DATE '2026-01-01' + CAST(i % 300 AS INTEGER) AS jour,
            CASE WHEN i % 50021 = 3 THEN 'cheval' ELSE ['vélo', 'piéton', 'voiture'][1 + i % 3] END AS type,
            CASE WHEN i % 97 > 0 THEN round((hash(i) % 100000) / 100.0, 2) END AS valeur,
            CAST(hash(i) % 1000 AS BIGINT) AS debut,
            CAST(hash(i) % 1000 + i % 40 - CAST(i % 70001 = 9 AS BIGINT) * 50 AS BIGINT) AS fin,
            CASE WHEN i % 30011 = 5 THEN 'C12' ELSE 'C' || lpad(CAST(i % 99999 AS VARCHAR), 5, '0') END AS code,
            'quartier ' || (1 + i % 12) AS quartier
            FROM range({rows}) t(i)) TO {literal(target)} (FORMAT parquet)"""
        )


def by_ours(file: Path) -> list[Answer]:
    """The suite, as `odp run` evaluates it."""
    from odpipeline import quality

    suite = quality.Suite("mesures", tuple(quality.Expectation(kind, kwargs) for kind, kwargs in EXPECTATIONS))
    findings = quality.check(file, suite, LIMITS).findings
    return [(one.passed, _whole(one.counts.get("unexpected_count"))) for one in findings]


def by_hand(file: Path) -> list[Answer]:
    """In DuckDB's SQL."""
    types, rows = ", ".join(map(literal, TYPES)), f"read_parquet({literal(file)})"
    with connect(LIMITS) as connection:
        n, no_id, out, kind, form, length, no_sensor, order, mean, quarter, most = (
            connection.execute(
                f"""SELECT count(*), count_if(id IS NULL), count_if(NOT (valeur >= 0 AND valeur <= 999)),
            count_if(type NOT IN ({types})), count_if(NOT regexp_matches(code, '^C[0-9]{{5}}$')),
            count_if(length(code) <> 6), count_if(capteur IS NULL), count_if(NOT fin >= debut), avg(valeur),
            count_if(quartier IN ('inconnu', 'quartier 0')), max(fin) FROM {rows}"""
            ).fetchone()
            or (0,) * 11
        )
        again = [
            connection.execute(
                f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {rows} GROUP BY {key} HAVING count(*) > 1)"
            ).fetchone()
            for key in ("id", "capteur, releve_le")
        ]
        names = [name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()]
    ids, compound = (int(found[0]) if found else 0 for found in again)
    counted = [no_id, ids, compound, out, kind, form, length, no_sensor, order]
    return [
        *((count == 0, int(count)) for count in counted),
        (n >= 1, None), (400 <= mean <= 600, None), (quarter == 0, int(quarter)), (most <= 100_000, None),
        (set(names) == set(COLUMNS), None),
    ]  # fmt: skip


def by_pandas(file: Path) -> list[Answer]:
    """Great Expectations' own way: a data frame in memory."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    asked = [ExpectationConfiguration(type=kind, kwargs=kwargs) for kind, kwargs in EXPECTATIONS]
    suite = gx.ExpectationSuite(name="s", expectations=[one.to_domain_obj() for one in asked])
    results = batch.get_batch({"dataframe": pd.read_parquet(file)}).validate(suite, result_format="BASIC").results
    found = {_asked(one.expectation_config.type, one.expectation_config.kwargs): one for one in results}
    told = [found[_asked(kind, kwargs)] for kind, kwargs in EXPECTATIONS]
    return [(bool(one.success), _whole(one.result.get("unexpected_count"))) for one in told]


def _asked(kind: str, kwargs: dict[str, Any]) -> tuple[str, str]:
    known = {name: value for name, value in kwargs.items() if name.startswith("column")}
    return kind, repr(sorted(known.items()))


def _whole(count: float | None) -> int | None:
    return None if count is None else int(count)


SIDES: dict[str, Callable[[Path], list[Answer]]] = {"ours": by_ours, "hand": by_hand, "pandas": by_pandas}

_SODA = """
import json, sys
import duckdb
from soda.scan import Scan
con = duckdb.connect(config={"memory_limit": "2GB", "threads": 2})
con.execute(f"CREATE VIEW mesures AS SELECT * FROM read_parquet('{sys.argv[1]}')")
scan = Scan()
scan.add_duckdb_connection(con)
scan.set_data_source_name("duckdb")
scan.disable_telemetry() if hasattr(scan, "disable_telemetry") else None
scan.add_sodacl_yaml_str('''
checks for mesures:
  - missing_count(id) = 0
  - duplicate_count(id) = 0
  - duplicate_count(capteur, releve_le) = 0
  - invalid_count(valeur) = 0:
      valid min: 0
      valid max: 999
  - invalid_count(type) = 0:
      valid values: [vélo, piéton, voiture]
  - invalid_count(code) = 0:
      valid regex: ^C[0-9]{5}$
  - invalid_count(code) = 0:
      valid length: 6
  - missing_count(capteur) = 0
  - failed rows:
      name: order
      fail condition: fin < debut
  - row_count >= 1
  - avg(valeur) between 400 and 600
  - invalid_count(quartier) = 0:
      invalid values: [inconnu, quartier 0]
  - max(fin) <= 100000
  - schema:
      fail:
        when required column missing: [id, capteur, releve_le, jour, type, valeur, debut, fin, code, quartier]
''')
scan.execute()
told = []
for check in scan._checks:
    value = getattr(check, "check_value", None)
    rows = not any(word in check.name for word in ("row_count", "avg", "max", "chema"))
    told.append((check.outcome.value == "pass", int(value) if rows and value is not None else None))
print(json.dumps(told))
"""

_PANDERA = """
import json, sys
import polars as pl
import pandera.polars as pa
from pandera.errors import SchemaErrors
C = pa.Check
schema = pa.DataFrameSchema({
    "id": pa.Column(int, nullable=False, unique=True, coerce=False),
    "capteur": pa.Column(str, nullable=False), "releve_le": pa.Column(nullable=True), "jour": pa.Column(nullable=True),
    "type": pa.Column(str, C.isin(["vélo", "piéton", "voiture"])),
    "valeur": pa.Column(float, [C.in_range(0, 999),
              C(lambda d: d.lazyframe.select(pl.col(d.key).mean().is_between(400, 600)))], nullable=True),
    "debut": pa.Column(int), "fin": pa.Column(int, C.less_than_or_equal_to(100000)),
    "code": pa.Column(str, [C.str_matches("^C[0-9]{5}$"), C.str_length(6, 6)]),
    "quartier": pa.Column(str, C.notin(["inconnu", "quartier 0"])),
}, checks=[C(lambda d: d.lazyframe.select(pl.col("fin") >= pl.col("debut")))], unique=["capteur", "releve_le"],
   strict=True)
failed = {}
try:
    schema.validate(pl.read_parquet(sys.argv[1]), lazy=True)
except SchemaErrors as error:
    cases = error.failure_cases
    for column, check, n in cases.group_by(["column", "check"]).len().rows():
        failed[f"{column} {check}"] = n
print(json.dumps(sorted(failed.items())))
"""

_FRICTIONLESS = """
import json, sys
from frictionless import Checklist, Resource, Schema, checks, system
schema = Schema.from_descriptor({"fields": [
    {"name": "id", "type": "integer", "constraints": {"required": True, "unique": True}},
    {"name": "capteur", "type": "string", "constraints": {"required": True}},
    {"name": "releve_le", "type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}, {"name": "jour", "type": "date"},
    {"name": "type", "type": "string", "constraints": {"enum": ["vélo", "piéton", "voiture"]}},
    {"name": "valeur", "type": "number", "constraints": {"minimum": 0, "maximum": 999}},
    {"name": "debut", "type": "integer"}, {"name": "fin", "type": "integer", "constraints": {"maximum": 100000}},
    {"name": "code", "type": "string", "constraints": {"pattern": "C[0-9]{5}", "minLength": 6, "maxLength": 6}},
    {"name": "quartier", "type": "string"}], "primaryKey": ["capteur", "releve_le"]})
extra = [checks.row_constraint(formula="fin >= debut"),
         checks.forbidden_value(field_name="quartier", values=["inconnu"])]
with system.use_context(trusted=True):
    report = Resource(path=sys.argv[1], schema=schema).validate(Checklist(checks=extra), limit_errors=100000)
told = {}
for error in report.flatten(["fieldName", "type"]):
    name = " ".join(map(str, error))
    told[name] = told.get(name, 0) + 1
print(json.dumps(sorted(told.items())))
"""

_VALIDATA = """
import json, sys
from validata_core import resource_service, validation_service
schema = {"fields": [
    {"name": "id", "type": "integer", "constraints": {"required": True, "unique": True}},
    {"name": "capteur", "type": "string", "constraints": {"required": True}},
    {"name": "releve_le", "type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}, {"name": "jour", "type": "date"},
    {"name": "type", "type": "string", "constraints": {"enum": ["vélo", "piéton", "voiture"]}},
    {"name": "valeur", "type": "number", "constraints": {"minimum": 0, "maximum": 999}},
    {"name": "debut", "type": "integer"}, {"name": "fin", "type": "integer", "constraints": {"maximum": 100000}},
    {"name": "code", "type": "string", "constraints": {"pattern": "C[0-9]{5}", "minLength": 6, "maxLength": 6}},
    {"name": "quartier", "type": "string"}], "primaryKey": ["capteur", "releve_le"],
    "custom_checks": [{"name": "compare-columns-value", "params": {"column": "fin", "column2": "debut", "op": ">="}}]}
report = validation_service.validate_resource(
    resource_service.from_file_content(sys.argv[1], open(sys.argv[1], "rb").read()), schema, True)
print(json.dumps(len(report.errors)))
"""
PEERS = {"soda": _SODA, "pandera": _PANDERA, "frictionless": _FRICTIONLESS, "validata": _VALIDATA}
BY_ROW = ("frictionless", "validata")


def as_csv(parquet: Path, rows: int) -> Path:
    """The first rows as CSV, for those that read no Parquet."""
    target = parquet.with_suffix(f".{rows}.csv")
    with connect(LIMITS) as connection:
        connection.execute(f"COPY (FROM read_parquet({literal(parquet)}) LIMIT {rows}) TO {literal(target)} (HEADER)")
    return target


def compared(rows: int, work: Path) -> None:
    """Every contender on one file."""
    file, tiny, told = work / f"{rows}.parquet", work / "tiny.parquet", work / "told.json"
    make(file, rows)
    make(tiny, 100)
    sides = ["ours", "hand", *(["pandas"] if rows <= PANDAS_ROWS else [])]
    if "ODP_PEERS" in os.environ:
        sides += [side for side in PEERS if side not in BY_ROW or rows <= PANDAS_ROWS]
    else:
        print("peers are left out: ODP_PEERS names no Python that has them")
    seconds: dict[str, float] = {}
    for side in sides:
        looked, small = (as_csv(file, SLICE), as_csv(tiny, 100)) if side in BY_ROW else (file, tiny)
        runs = [_net(side, looked, small, told) for _ in range(RUNS if side in ("ours", "hand") else 1)]
        net, whole = min(net for net, _ in runs), runs[0][1]
        seconds[side] = net * (rows / SLICE if side in BY_ROW else 1)
        slice_of = f", from {SLICE:,} rows" if side in BY_ROW else ""
        print(
            f"{rows:>11,}  {side:12} {seconds[side]:8.2f} CPU s beyond start-up, {whole.cpu_seconds:6.1f} with it, "
            f"{seconds[side] / seconds['ours']:7.2f} of ours, peak {whole.peak_bytes / 1e6:,.0f} MB{slice_of}",
            flush=True,
        )
        print(f"{'':13}{_summary(told)}", flush=True)
    print(f"{rows:>11,}  ours / hand = {seconds['ours'] / seconds['hand']:.2f}", flush=True)


def _net(side: str, file: Path, tiny: Path, told: Path) -> tuple[float, Cost]:
    """CPU seconds beyond start-up, and the cost of the whole process; what it found is in `told`."""
    if side in SIDES:
        whole = cost_of([sys.executable, "-m", "benchmarks.quality", "--side", side, str(file), str(tiny)], told)
        return float(told.read_text().split("\n", 1)[0]), whole
    command = [os.environ["ODP_PEERS"], "-c", PEERS[side]]
    start = cost_of([*command, str(tiny)], told)
    whole = cost_of([*command, str(file)], told)
    return whole.cpu_seconds - start.cpu_seconds, whole


def _summary(told: Path) -> str:
    """What a contender found, in one line: ours and pandas in the order of `EXPECTATIONS`, the others in their own."""
    lines = [line for line in told.read_text().splitlines() if line[:1] == "[" or line.isdigit()]
    found = json.loads(lines[-1]) if lines else []
    if not isinstance(found, list):
        return f"{found} errors"
    return "  ".join(_word(*one) for one in found)


def _word(held: bool | str, count: int | None) -> str:
    if isinstance(held, str):
        return f"{held} {count}"
    return "holds" if held else f"fails {'' if count is None else count}".strip()


def alone(side: str, file: Path, tiny: Path) -> None:
    """One of our own contenders: its CPU seconds on a line, then what it found."""
    SIDES[side](tiny)
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = SIDES[side](file)
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        alone(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            for count in map(int, sys.argv[1:] or ROWS):
                compared(count, Path(folder))
