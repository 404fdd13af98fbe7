"""The publication store against plain tools, side by side in one run: `python -m benchmarks.store [rows]`.

* publish: rows → staged files → version, pointer, changelog, against DuckDB's own `COPY` of CSV and Parquet (10 million
  rows unless said otherwise), three times in turns, the shortest wall seconds and the least CPU seconds of each; what
  the store adds is the compressed CSV, hashing, syncing and copying. Once also `COPY` of the three files, the
  compressed CSV among them. With ODP_PEERS also `dvc add` of the published files, which hashes and copies them as well;
* diff: by key, every thousandth row changed, against the least SQL that counts the same, three times in turns; at
  100,000 rows also against `csv-diff` and `daff`, with the Python that ODP_PEERS names;
* small datasets: publications of three rows a second;
* verify: megabytes a second, against `sha256sum` on the same files;
* read API: requests a second and the 99th percentile with two readers, against `datasette` on the same 100,000 rows in
  SQLite, with the Python that ODP_PEERS names.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from odpipeline.duck import DuckSettings, connect, literal
from odpipeline.store import Store, diffing
from odpipeline.store.verifying import verify
from tests.servers import free_port
from tests.store.making import FIELDS, a_dataset, a_staged, a_town, facts, published, yes

LIMITS = DuckSettings(memory_limit="2GB", threads=2)
ROWS = 10_000_000
SMALL, SECONDS, READERS, ROUNDS = 50, 8.0, 2, 3
SCHEMA = {"fields": [{"name": f["name"], "type": f.get("type", "string")} for f in FIELDS], "primaryKey": ["id"]}


def rows(count: int, changed: int = 0) -> str:
    """`count` parkings, of which every thousandth has `changed` more places."""
    return f"""SELECT i AS id, 'Parking ' || i AS nom, i % 997 + CASE WHEN i % 1000 = 0 THEN {changed} ELSE 0 END
        AS places, TIMESTAMP '2026-01-01' + to_seconds(i) AS releve_le FROM range(1, {count + 1}) t(i)"""


def timed(work: Callable[[], Any]) -> float:
    """Wall seconds of `work`."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(**contenders: Callable[[], Any]) -> dict[str, float]:
    """The shortest wall seconds and the least CPU seconds of each in `ROUNDS` rounds: whoever else is at work disturbs
    none of them more than the other.
    """
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, work in contenders.items():
            began = time.process_time()
            wall[name].append(timed(work))
            cpu[name].append(time.process_time() - began)
    taken = {f"{name}_s": min(wall[name]) for name in contenders}
    return taken | {f"{name}_cpu_s": min(cpu[name]) for name in contenders}


def publishing(folder: Path, count: int) -> dict[str, float]:
    """Staging and publishing, and the two COPYs that nobody could leave out."""
    from odpipeline import published as published_rows
    from odpipeline.store import stage

    dataset, town = a_dataset(), a_town(folder)
    source = folder / "anonymised.parquet"
    with connect(LIMITS) as connection:
        published_rows.write(connection, f"({rows(count)})", dataset, source)

    def ours() -> None:
        shutil.rmtree(folder / "public", ignore_errors=True)
        staged = stage(source, dataset, town, folder / "work", LIMITS, facts=facts())
        Store(folder / "public").publish(staged, yes(staged))

    def plain() -> None:
        with connect(LIMITS) as connection:
            read = f"SELECT * FROM read_parquet({literal(source)})"
            connection.execute(
                f"COPY ({read}) TO {literal(folder / 'plain.parquet')} (FORMAT parquet, COMPRESSION zstd)"
            )
            connection.execute(f"COPY ({read}) TO {literal(folder / 'plain.csv')} (FORMAT csv, HEADER true)")

    def compressed() -> None:
        with connect(LIMITS) as connection:
            target = literal(folder / "plain.csv.gz")
            connection.execute(
                f"COPY (SELECT * FROM read_parquet({literal(source)})) TO {target} "
                "(FORMAT csv, HEADER true, COMPRESSION gzip)"
            )

    (folder / "work").mkdir()
    taken = in_turns(ours=ours, copy=plain)
    return taken | {"copy_of_three_s": taken["copy_s"] + timed(compressed)}


def differing(folder: Path, count: int) -> dict[str, float]:
    """The difference by key of two files of `count` rows."""
    files = [folder / f"{name}.parquet" for name in ("old", "new")]
    with connect(LIMITS) as connection:
        for file, changed in zip(files, (0, 7), strict=True):
            connection.execute(f"COPY ({rows(count, changed)}) TO {literal(file)} (FORMAT parquet, COMPRESSION zstd)")

    def least() -> None:
        with connect(LIMITS) as connection:
            old, new = (f"read_parquet({literal(file)})" for file in files)
            differs = " OR ".join(f"o.{name} IS DISTINCT FROM n.{name}" for name in ("nom", "places", "releve_le"))
            connection.execute(
                f"SELECT count_if(o.id IS NULL), count_if(n.id IS NULL), count_if(o.id = n.id AND ({differs})) "
                f"FROM {old} o FULL JOIN {new} n ON o.id = n.id"
            ).fetchone()

    found = diffing.compare(files[0], files[1], (SCHEMA, SCHEMA), LIMITS)
    assert found.changed == count // 1000

    def ours() -> None:
        diffing.compare(files[0], files[1], (SCHEMA, SCHEMA), LIMITS, folder / "changes.parquet")

    return in_turns(ours=ours, sql=least)


def peers_of_diff(folder: Path, peers: str) -> dict[str, float]:
    """`csv-diff` and `daff` on 100,000 rows, imports taken off."""
    files = [folder / f"{name}.csv" for name in ("small-old", "small-new")]
    with connect(LIMITS) as connection:
        for file, changed in zip(files, (0, 7), strict=True):
            connection.execute(f"COPY ({rows(100_000, changed)}) TO {literal(file)} (FORMAT csv, HEADER true)")
    programmes = {
        "csv-diff": "from csv_diff import load_csv, compare\n"
        "began = time.perf_counter()\n"
        "compare(load_csv(open(sys.argv[1]), key='id'), load_csv(open(sys.argv[2]), key='id'))\n",
        "daff": "import csv, daff\nbegan = time.perf_counter()\n"
        "a, b = (daff.PythonTableView(list(csv.reader(open(p)))) for p in sys.argv[1:3])\n"
        "flags = daff.CompareFlags()\nalign = daff.Coopy.compareTables(a, b, flags).align()\n"
        "out = daff.PythonTableView([])\ndaff.TableDiff(align, flags).hilite(out)\n",
    }
    seconds = {}
    for name, text in programmes.items():
        said = f"import sys, time\n{text}print(time.perf_counter() - began)"
        ended = subprocess.run([peers, "-c", said, *map(str, files)], capture_output=True, text=True, check=False)
        seconds[name] = float(ended.stdout) if ended.returncode == 0 else float("nan")
    return seconds


def dvc(folder: Path, peers: str) -> float:
    """Seconds of `dvc add` on the published files, without its start-up (`dvc status`)."""
    home, command = folder / "dvc", str(Path(peers).with_name("dvc"))
    home.mkdir()
    for ending in ("csv", "parquet"):
        (home / f"parkings.{ending}").write_bytes((folder / f"plain.{ending}").read_bytes())

    def run(*said: str) -> None:
        subprocess.run([command, *said], cwd=home, check=True, capture_output=True)

    run("init", "--no-scm")
    start = timed(lambda: run("status"))
    return timed(lambda: run("add", "parkings.csv", "parkings.parquet")) - start


def small(folder: Path) -> float:
    """Publications a second of a dataset of three rows; staging is not counted."""
    staged = [a_staged(folder / f"s{n}", rows(3, n * 1000).replace("% 1000 = 0", "= 1")) for n in range(SMALL)]
    store = Store(folder / "small")
    return SMALL / timed(lambda: [store.publish(one, yes(one)) for one in staged])


def verifying(folder: Path) -> dict[str, float]:
    """Megabytes a second of the store that `publishing` left."""
    store = Store(folder / "public")
    release = store.current("parkings")
    assert release is not None
    size = sum(file.size_bytes for file in release.files) / 1e6
    files = [str(release.folder / file.name) for file in release.files]
    plain = timed(lambda: subprocess.run(["sha256sum", *files], check=True, capture_output=True))
    return {"ours_MB_s": size / timed(lambda: verify(store.backend, "parkings")), "sha256sum_MB_s": size / plain}


@contextmanager
def api(folder: Path) -> Any:
    """Our API on 100,000 rows, in a process of its own."""
    published(Store(folder / "api"), folder / "api-work", rows(100_000))
    port = free_port()
    said = (
        "import sys, uvicorn\nfrom pathlib import Path\nfrom odpipeline.portal.serving import application\n"
        "from odpipeline.store import Store\n"
        "uvicorn.run(application(Store(Path(sys.argv[1]))), host='127.0.0.1', port=int(sys.argv[2]), log_level='error')"
    )
    with subprocess.Popen([sys.executable, "-c", said, str(folder / "api"), str(port)]) as server:
        _up(f"http://127.0.0.1:{port}/api/v1/datasets")
        yield f"http://127.0.0.1:{port}/api/v1/parkings/records?select=id,nom,places&where=places=%d&limit=100"
        server.terminate()


@contextmanager
def datasette(folder: Path, peers: str) -> Any:
    """datasette on the same rows, in SQLite with an index on the column that is asked for."""
    import sqlite3

    file = folder / "parkings.db"
    with connect(LIMITS) as connection, sqlite3.connect(file) as target:
        target.execute("CREATE TABLE parkings (id INTEGER PRIMARY KEY, nom TEXT, places INTEGER, releve_le TEXT)")
        found = connection.execute(f"SELECT id, nom, places, CAST(releve_le AS VARCHAR) FROM ({rows(100_000)})")
        target.executemany("INSERT INTO parkings VALUES (?, ?, ?, ?)", found.fetchall())
        target.execute("CREATE INDEX i ON parkings (places)")
    port = free_port()
    command = [str(Path(peers).with_name("datasette")), "serve", "-p", str(port), str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        _up(f"http://127.0.0.1:{port}/parkings.json")
        yield f"http://127.0.0.1:{port}/parkings/parkings.json?places=%d&_size=100&_shape=objects&_col=nom"
        server.terminate()


def _up(url: str) -> None:
    for _ in range(200):
        try:
            if requests.get(url, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not come up")


def load(url: str) -> dict[str, float]:
    """Requests a second, and the 99th percentile in milliseconds, with `READERS` readers."""
    taken: list[float] = []
    until = time.perf_counter() + SECONDS

    def read(start: int) -> None:
        with requests.Session() as session:
            for n in range(start, 10**9, READERS):
                began = time.perf_counter()
                if began > until:
                    return
                assert session.get(url % (n % 997), timeout=10).status_code == 200
                taken.append(time.perf_counter() - began)

    readers = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return {"requests_s": len(taken) / SECONDS, "p99_ms": statistics.quantiles(taken, n=100)[98] * 1000}


def main() -> None:
    """Run everything once and print one line of JSON a part."""
    count, peers = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, os.environ.get("ODP_PEERS")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        told: dict[str, Any] = {"rows": count, "publish": publishing(folder, count), "verify": verifying(folder)}
        if peers:
            told["dvc_add_s"] = dvc(folder, peers)
        told["diff"] = differing(folder, count)
        hundred = differing(folder, 100_000)
        told["diff_100k"] = {"ours_s": hundred["ours_s"], **(peers_of_diff(folder, peers) if peers else {})}
        told["small_publications_s"] = small(folder)
        with api(folder) as url:
            told["api"] = load(url)
        if peers:
            with datasette(folder, peers) as url:
                told["datasette"] = load(url)
    for name, value in told.items():
        print(json.dumps({name: value}, default=str))


if __name__ == "__main__":
    main()
