"""Reading deliveries, against what else reads them: `python -m benchmarks.extraction [part…]`, see `PARTS`.

Contenders run each in a process of its own, in turn, in one run; a run on an almost empty input is taken off as
start-up. `peers` needs frictionless and validata-table, which are not dependencies of this project: name a Python that
has them with ODP_PEERS, or the part says that it is left out. `detection` compares with csv-detective on a folder of
real files, named by ODP_REAL.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmarks.flow import HAND_READ, make
from benchmarks.measured import cost

FIELDS = {
    "id": "integer", "releve_le": "datetime", "jour": "date", "capteur": "string", "quartier": "string",
    "type": "string", "valeur": "number", "compte": "integer", "taux": "number", "actif": "boolean", "code": "string",
    "agent": "string",
}  # fmt: skip
"""The columns of `benchmarks.flow.make`."""

_PEER = """
import sys
which, csv_file, schema = sys.argv[1:]
if which == "frictionless":
    from frictionless import Resource, Schema, system, validate
    with system.use_context(trusted=True):
        report = validate(Resource(path=csv_file, schema=Schema.from_descriptor(schema)), limit_errors=10)
    sys.exit(0 if report.valid else f"{which} found errors")
from validata_core import validate
report = validate(csv_file, schema)
"""


def conform(delivery: Path, folder: Path, fields: dict[str, str], form: dict[str, object]) -> None:
    """Type a delivery as the flow does: into Parquet, with a quarantine."""
    from odpipeline.conform import conform as conformed
    from odpipeline.declaration.dataset import Dataset
    from odpipeline.duck import DuckSettings
    from odpipeline.landing import Capture

    folder.mkdir()
    dataset = Dataset.model_validate(
        {"title": "t", "description": "d", "owner": "a@ville.example", "source": {"folder": "x"}, "format": form,
         "fields": [{"name": name, "type": kind} for name, kind in fields.items()], "personal_data": "none"}
    )  # fmt: skip
    now = datetime.now(UTC)
    size = delivery.stat().st_size
    capture = Capture("mesures", delivery, delivery.name, None, "0" * 64, size, now, now, None, None)
    found = conformed(capture, dataset, folder, DuckSettings("1500MB", 2, folder / "spill"))
    if found.quarantined:
        sys.exit("rows were set aside")


def by_conform(delivery: Path, folder: Path) -> None:
    """Ours, for the CSV."""
    conform(delivery, folder, FIELDS, {})


def by_duckdb(delivery: Path, folder: Path) -> None:
    """DuckDB's own reader with declared types: nothing is kept, numbered, or set aside."""
    folder.mkdir()
    connection = duckdb.connect(config={"memory_limit": "1500MB", "threads": "2"})
    read = HAND_READ.format(csv=delivery)
    connection.execute(f"COPY (SELECT * FROM {read}) TO '{folder / 'o.parquet'}' (FORMAT parquet, COMPRESSION lz4_raw)")


def by_sql(url: str, folder: Path) -> None:
    """Our `sql` source: rows of a query as Parquet."""
    from odpipeline.declaration.dataset import Dataset
    from odpipeline.declaration.town import System
    from odpipeline.sources import fetch

    folder.mkdir()
    dataset = Dataset.model_validate(
        {"title": "t", "description": "d", "owner": "a@ville.example", "fields": [{"name": "id"}],
         "source": {"sql": "SELECT * FROM mesures", "system": "base", "timeout": "10 min"}, "personal_data": "none"}
    )  # fmt: skip
    fetch(dataset, System(title="Base", url=url), folder, folder)


def by_copy(url: str, folder: Path) -> None:
    """A binary COPY by the same driver, of which nothing is kept: the least that moves the rows."""
    import adbc_driver_postgresql.dbapi as dbapi

    folder.mkdir()
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM mesures")
        with cursor.fetch_record_batch() as reader:
            for _ in reader:
                pass


def by_pandas(url: str, folder: Path) -> None:
    """`pandas.read_sql` over the same driver, and `to_parquet`: the whole table in memory."""
    import adbc_driver_postgresql.dbapi as dbapi
    import pandas as pd

    folder.mkdir()
    with dbapi.connect(url) as connection:
        pd.read_sql("SELECT * FROM mesures", connection).to_parquet(folder / "o.parquet")


def by_sheet(delivery: Path, folder: Path) -> None:
    """Ours, for the workbook."""
    conform(delivery, folder, {"id": "integer", "nom": "string", "valeur": "number", "jour": "date"}, {})


def by_openpyxl(delivery: Path, folder: Path) -> None:
    """openpyxl, reading only, into lists."""
    import openpyxl

    folder.mkdir()
    book = openpyxl.load_workbook(delivery, read_only=True)
    if not sum(1 for _ in book.worksheets[0].iter_rows(values_only=True)):
        sys.exit("nothing was read")


def by_pandas_sheet(delivery: Path, folder: Path) -> None:
    """`pandas.read_excel` with openpyxl, and `to_parquet`."""
    import pandas as pd

    folder.mkdir()
    pd.read_excel(delivery).to_parquet(folder / "o.parquet")


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {
    "conform": by_conform, "duckdb": by_duckdb, "sheet": by_sheet, "openpyxl": by_openpyxl,
    "pandas-sheet": by_pandas_sheet,
}  # fmt: skip
DATABASE: dict[str, Callable[[str, Path], None]] = {"sql": by_sql, "copy": by_copy, "pandas": by_pandas}


def spent(contender: str, given: str, work: Path) -> float:
    """CPU seconds of one contender in a fresh process and a fresh folder."""
    shutil.rmtree(work / "out", ignore_errors=True)
    return cost("benchmarks.extraction", "--contender", contender, given, str(work / "out")).cpu_seconds


def compared(title: str, contenders: tuple[str, ...], given: str, tiny: str, work: Path) -> None:
    """One line for each contender; the first is ours."""
    start = {name: spent(name, tiny, work) for name in contenders}
    net = {name: spent(name, given, work) - start[name] for name in contenders}
    ours = net[contenders[0]]
    for name, seconds in net.items():
        print(
            f"{title:28} {name:13} {seconds:8.2f} CPU s beyond start-up   {ours / seconds:5.2f} = ours / {name}",
            flush=True,
        )


def csv_rows(work: Path) -> None:
    """10 million rows of CSV into typed Parquet, against DuckDB's own reader."""
    make(work / "tiny.csv", 10)
    cost("benchmarks.flow", "--make", str(work / "big.csv"), "10000000")
    compared("CSV, 10 M rows", ("conform", "duckdb"), str(work / "big.csv"), str(work / "tiny.csv"), work)


def peers(work: Path) -> None:
    """100,000 rows of CSV, against what validates Table Schemas elsewhere."""
    if not (python := os.environ.get("ODP_PEERS")):
        print("peers are left out: ODP_PEERS names no Python that has frictionless and validata-table")
        return
    make(work / "tiny.csv", 10)
    make(work / "peers.csv", 100_000)
    schema = work / "schema.json"
    schema.write_text(json.dumps({"fields": [{"name": n, "type": t, **_spelled(t)} for n, t in FIELDS.items()]}))
    ours = spent("conform", str(work / "peers.csv"), work) - spent("conform", str(work / "tiny.csv"), work)
    print(f"{'CSV, 100,000 rows':28} {'conform':13} {ours:8.2f} CPU s beyond start-up")
    (work / "peer.py").write_text(_PEER)
    for name in ("frictionless", "validata"):
        net = [_child([python, str(work / "peer.py"), name, str(work / file), str(schema)]) for file in
               ("tiny.csv", "peers.csv")]  # fmt: skip
        if None in net:
            print(f"{'':28} {name:13} could not run")
            continue
        seconds = (net[1] or 0) - (net[0] or 0)
        print(f"{'':28} {name:13} {seconds:8.2f} CPU s beyond start-up   {seconds / ours:5.1f} times ours")


def _spelled(kind: str) -> dict[str, str]:
    return {"format": "%Y-%m-%d %H:%M:%S"} if kind == "datetime" else {}


def _child(command: list[str]) -> float | None:
    """CPU seconds of a command, or None when it fails."""
    pid = os.posix_spawn(command[0], command, dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    return None if status else usage.ru_utime + usage.ru_stime


def sql_rows(work: Path) -> None:
    """5 million rows of PostgreSQL into Parquet, against the bare COPY."""
    from tests.servers import postgresql

    with postgresql() as url:
        for name, rows in (("tiny", 10), ("big", 5_000_000)):
            _filled(url, rows)
            if name == "tiny":
                start = {contender: spent(contender, url, work) for contender in DATABASE}
        net = {contender: spent(contender, url, work) - start[contender] for contender in DATABASE}
        for name, seconds in net.items():
            print(f"{'PostgreSQL, 5 M rows':28} {name:13} {seconds:8.2f} CPU s beyond start-up   "
                  f"{net['sql'] / seconds:5.2f} = ours / {name}")  # fmt: skip


def _filled(url: str, rows: int) -> None:
    import adbc_driver_postgresql.dbapi as dbapi

    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS mesures")
        cursor.execute(
            "CREATE TABLE mesures AS SELECT i::bigint AS id, 'capteur ' || i % 500 AS capteur, "
            "i / 7.0::float8 AS valeur, DATE '2026-01-01' + (i % 300)::int AS jour, i % 2 = 0 AS actif "
            f"FROM generate_series(1, {rows}) i"
        )


def excel_rows(work: Path) -> None:
    """200,000 rows of a workbook, against openpyxl and pandas."""
    import openpyxl

    for name, rows in (("tiny.xlsx", 10), ("big.xlsx", 200_000)):
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Feuille")
        sheet.append(["id", "nom", "valeur", "jour"])
        for number in range(rows):
            sheet.append([number, f"équipement {number % 97}", number / 7, "2026-03-29"])
        book.save(work / name)
    contenders = ("sheet", "openpyxl", "pandas-sheet")
    compared("Excel, 200,000 rows", contenders, str(work / "big.xlsx"), str(work / "tiny.xlsx"), work)


def unchanged(_: Path) -> None:
    """A source that has nothing new: how long, and how many bytes of a body are read."""
    from odpipeline.declaration.dataset import Dataset
    from odpipeline.declaration.town import Town
    from odpipeline.sources import Delivery, Unchanged, Validators, extract
    from tests.servers import http_server

    with http_server() as server, tempfile.TemporaryDirectory() as folder:
        body = b"id;n\n" * 2_000_000
        server.answers["/x.csv"] = lambda v: (
            v.say(304) if v.headers["If-None-Match"] == '"1"' else v.say(200, body, ETag='"1"')
        )
        dataset = Dataset.model_validate(
            {"title": "t", "description": "d", "owner": "a@ville.example", "fields": [{"name": "id"}],
             "source": {"http": "/x.csv", "system": "s"}, "personal_data": "none"}
        )  # fmt: skip
        town = Town.model_validate(
            {"publisher": {"name": "v", "siren": "219900001", "homepage": "https://v.example", "email": "a@v.example"},
             "contact": "a@v.example", "dpo": "a@v.example", "systems": {"s": {"title": "s", "url": server.at(""),
             "internal": True}}}
        )  # fmt: skip
        town._root = Path(folder)
        began = time.perf_counter()
        first = extract(dataset, town, Path(folder), None)
        whole = time.perf_counter() - began
        assert isinstance(first, Delivery)
        since = Validators(first.etag, first.last_modified, "0" * 64, first.asked)
        began = time.perf_counter()
        answer = extract(dataset, town, Path(folder), since)
        print(f"unchanged source: {1000 * (time.perf_counter() - began):.1f} ms ({answer}), no body; "
              f"the whole file of 10 MB: {1000 * whole:.1f} ms")  # fmt: skip
        assert isinstance(answer, Unchanged)


def detection(work: Path) -> None:
    """Encoding and delimiter of real files, against csv-detective; the truth is the table in the folder's README."""
    if not (folder := os.environ.get("ODP_REAL")):
        print("detection is left out: ODP_REAL names no folder of real files with a README.md that says what they are")
        return
    from csv_detective import routine

    real = Path(folder)
    told = re.findall(
        r"^\| (\S+) \|[^|]*\|[^|]*\| ([^,|]+), '(.)', \d+", (real / "README.md").read_text(), re.MULTILINE
    )
    score: dict[str, list[int]] = {"ours": [], "csv-detective": []}
    seconds = dict.fromkeys(score, 0.0)
    for name, encoding, delimiter in told:
        began = time.perf_counter()
        mine = _detected(real / name, work)
        seconds["ours"] += time.perf_counter() - began
        began = time.perf_counter()
        try:
            found = routine(str(real / name), save_results=False, num_rows=500)
            theirs = str(found["encoding"]), str(found["separator"])  # type: ignore[call-overload]
        except Exception as error:  # noqa: BLE001 - what fails there is a wrong answer
            theirs = type(error).__name__, ""
        seconds["csv-detective"] += time.perf_counter() - began
        for who, answer in (("ours", mine), ("csv-detective", theirs)):
            score[who].append(_right(answer, encoding, delimiter))
        marks = " ".join(
            f"{who} {'right' if score[who][-1] else f'WRONG {a}'}"
            for who, a in (("ours", mine), ("csv-detective", theirs))
        )
        print(f"{name:75} {encoding:12} {delimiter!r}: {marks}")
    for who, marks_of in score.items():
        each = 1000 * seconds[who] / max(1, len(marks_of))
        print(f"{who}: {sum(marks_of)} of {len(marks_of)} right, {each:.0f} ms a file")


def types(work: Path) -> None:
    """Types of the columns of the schemas' own valid examples, against csv-detective; the truth is the schema."""
    if not (folder := os.environ.get("ODP_REAL")):
        print("types are left out: ODP_REAL names no folder of real files")
        return
    from csv_detective import routine

    from odpipeline.duck import DuckSettings
    from odpipeline.profiling import profile

    right = {"ours": 0, "csv-detective": 0}
    columns = 0
    for example in sorted(Path(folder, "schemas").rglob("*valide*.csv")):
        schemas = [*example.parent.glob("*schema*.json"), *example.parent.parent.glob("schema.json")]
        if "invalide" in example.name or not schemas:
            continue
        declared = {f["name"]: f.get("type", "string") for f in json.loads(schemas[0].read_text())["fields"]}
        mine = {c.name: c.said.get("type", "string") for c in
                profile(example, {"folder": "x"}, work, DuckSettings()).columns if c.filled}  # fmt: skip
        found = routine(str(example), save_results=False, num_rows=500)
        theirs = {name: _THEIR_TYPES.get(said["python_type"], "string") for name, said in found["columns"].items()}  # type: ignore[call-overload]
        for name, guess in mine.items():
            if (truth := declared.get(name)) is None:
                continue
            columns += 1
            for who, said in (("ours", guess), ("csv-detective", theirs.get(name, ""))):
                right[who] += said == truth
            if guess != truth:
                print(f"{example.relative_to(folder)} {name}: {truth}, ours {guess}, theirs {theirs.get(name)}")
    print(", ".join(f"{who}: {count} of {columns} columns as the schema says" for who, count in right.items()))


_THEIR_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "date": "date", "datetime": "datetime",
                "json": "array"}  # fmt: skip


def _detected(path: Path, work: Path) -> tuple[str, str]:
    """(encoding, delimiter) as a delivery is read that says nothing about itself but its first line's names."""
    from odpipeline.conform import delimited, encoding
    from odpipeline.declaration.dataset import Dataset

    dataset = Dataset.model_validate(
        {"title": "t", "description": "d", "owner": "a@ville.example", "source": {"folder": "x"},
         "fields": [{"name": "?1"}, {"name": "?2"}], "personal_data": "none"}
    )  # fmt: skip
    text = encoding.as_utf8(path, dataset, work)
    same = text == path
    sample = text.read_bytes()[: 1 << 20].decode("utf-8-sig", "replace")
    try:
        return ("utf-8" if same else "not utf-8"), delimited._delimiter(sample, dataset)
    except Exception as error:  # noqa: BLE001 - a refusal is an answer too
        return ("utf-8" if same else "not utf-8"), type(error).__name__


def _right(answer: tuple[str, str], encoding: str, delimiter: str) -> int:
    said = answer[0].lower().replace("_", "-")
    unicode_ = said.startswith(("utf-8", "ascii"))
    wanted = encoding.startswith(("utf-8", "ascii"))
    return int(unicode_ == wanted and answer[1] == delimiter)


PARTS: dict[str, Callable[[Path], None]] = {
    "csv": csv_rows, "peers": peers, "sql": sql_rows, "excel": excel_rows, "unchanged": unchanged,
    "detection": detection, "types": types,
}  # fmt: skip


def main(parts: list[str]) -> None:
    """Measure each part in a temporary folder."""
    for part in parts or list(PARTS):
        with tempfile.TemporaryDirectory(prefix="odp-bench-") as temporary:
            PARTS[part](Path(temporary))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contender"]:
        which, given, out = sys.argv[2:]
        if which in DATABASE:
            DATABASE[which](given, Path(out))
        else:
            CONTENDERS[which](Path(given), Path(out))
    else:
        main(sys.argv[1:])
