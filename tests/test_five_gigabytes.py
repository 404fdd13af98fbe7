"""A delivery of five gigabytes goes the whole way, from its drop folder to a range of bytes, in little memory.

It needs 35 GB of disk and some minutes, so it waits to be asked for: ODP_FIVE_GIGABYTES=1; another number is another
size in gigabytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from odpipeline.duck import DuckSettings, connect, literal
from odpipeline.store import Release, Store
from tests.servers import free_port

ASKED = float(os.environ.get("ODP_FIVE_GIGABYTES", "0"))
SIZE_BYTES = int((5 if ASKED == 1 else ASKED) * 1_000_000_000)
ROW_BYTES, LIMIT_MB = 180, 1500
RUN_MB, SERVE_MB = LIMIT_MB + 700, 300
"""The most resident memory of a run: what DuckDB may take, and Python with its libraries; of a server."""
TOWN = f"""
publisher: {{name: Ville d’Essai, siren: "219900001", homepage: "https://ville.example", email: a@ville.example}}
contact: a@ville.example
dpo: dpo@ville.example
memory_limit: {LIMIT_MB}MB
"""
MESURES = """
title: Mesures
description: Mesures de capteurs.
owner: mesures@ville.example
themes: [ENVI]
source: {folder: mesures.csv, settled: 0 min}
fields:
  - {name: id, type: integer, constraints: {required: true, unique: true}}
  - {name: releve_le, type: datetime, constraints: {required: true}}
  - {name: capteur, constraints: {required: true}}
  - {name: valeur, type: number, constraints: {minimum: 0, maximum: 1000}}
  - {name: remarque}
key: [id]
personal_data: none
"""
MEASURED = """
import re, sys
from pathlib import Path
from odpipeline.cli import main
try:
    main()
finally:
    print(*re.findall(r"VmHWM:.*", Path("/proc/self/status").read_text()))
"""
"""`odp`, and at its end its peak of resident memory. Not ru_maxrss: a child starts with that of its parent."""


def odp(folder: Path, *said: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MEASURED, *said]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def peak_mb(told: str) -> float:
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", told)
    return int(peak) / 1000


def delivered(file: Path) -> int:
    """A CSV of the size that is asked for, its keys in no order; the number of its rows."""
    rows = SIZE_BYTES // ROW_BYTES
    step = next(step for step in (7_919, 104_729) if rows % step)
    with connect(DuckSettings(memory_limit="500MB", threads=2)) as connection:
        connection.execute(
            f"""COPY (SELECT (i * {step}) % {rows} AS id, TIMESTAMP '2026-01-01' + to_seconds(i) AS releve_le,
            'capteur-' || i % 500 AS capteur, i % 100000 / 100 AS valeur,
            'relevé ' || translate(md5(CAST(i AS VARCHAR)), '0123456789', ' eairstnlu')
            || ', capteur nettoyé et remis à zéro, vent faible, ciel dégagé, passage d’engins à proximité' AS remarque
            FROM range({rows}) t(i)) TO {literal(file)} (FORMAT csv, HEADER true)"""
        )
    return rows


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    with odp(folder, "serve", "--port", str(port)) as server:
        for _ in range(300):
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=2)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        try:
            yield f"http://127.0.0.1:{port}", server
        finally:
            server.terminate()


def ranges_are_those_of(release: Release, url: str) -> None:
    """What is asked for in the middle of the files, and the whole CSV in pieces."""
    csv = release.folder / "mesures.csv"
    size = csv.stat().st_size
    with csv.open("rb") as file:
        for start in (0, size // 2, size - 1000):
            file.seek(start)
            answer = requests.get(
                f"{url}/datasets/mesures/latest/mesures.csv",
                headers={"Range": f"bytes={start}-{start + 999}"}, timeout=60,
            )  # fmt: skip
            assert (answer.status_code, answer.content) == (206, file.read(1000))
            assert answer.headers["Content-Range"] == f"bytes {start}-{start + 999}/{size}"
    digest = hashlib.sha256()
    whole = requests.get(
        f"{url}/datasets/mesures/latest/mesures.csv", headers={"Accept-Encoding": "identity"}, stream=True, timeout=60
    )
    for piece in whole.iter_content(1 << 20):
        digest.update(piece)
    assert digest.hexdigest() == next(file.sha256 for file in release.files if file.name == "mesures.csv")


@pytest.mark.skipif(not ASKED, reason="takes minutes and 35 GB of disk: ODP_FIVE_GIGABYTES=1 python -m pytest -s …")
@pytest.mark.timeout(3600)
def test_five_gigabytes_go_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "assets" / "mesures").mkdir(parents=True)
    (tmp_path / "assets" / "mesures" / "mesures.yaml").write_text(MESURES)
    (tmp_path / "town.yaml").write_text(TOWN)
    rows = delivered(tmp_path / "mesures.csv")
    size = (tmp_path / "mesures.csv").stat().st_size
    began = time.perf_counter()
    with odp(tmp_path, "run", "mesures") as run:
        told, _ = run.communicate()
    assert run.returncode == 0, told
    seconds, peak = time.perf_counter() - began, peak_mb(told)
    release = Store(tmp_path / ".odp" / "public").current("mesures")
    assert release is not None
    assert (release.version, release.rows) == (1, rows)
    with served(tmp_path) as (url, server):
        ranges_are_those_of(release, url)
        at_serving = peak_mb(Path(f"/proc/{server.pid}/status").read_text())
    sys.stdout.write(f"{size / 1e9:.2f} GB: {seconds:.0f} s, {peak:.0f} MB; served with {at_serving:.0f} MB\n")
    assert peak < RUN_MB
    assert at_serving < SERVE_MB
