"""Dagster's own processes killed at a bad moment: messages come once, and the night needs no webserver."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.monitoring.records import Records
from odpipeline.monitoring.rounds import ROUND
from odpipeline.orchestration.state import sqlite_folder
from tests.mail_server import mail_server
from tests.servers import free_port, until
from tests.towns import deliver, write_town

ALERTS = "alerts: {mail: {env: ODP_TEST_MAIL}, settle: 0 s, digest: '23:59'}\n"

TRAPPED = """
import os, pathlib, signal
from odpipeline.monitoring import outbox
from odpipeline.orchestration import watching
watching._SECONDS = 1  # a round each second
_deliver = outbox.deliver
def deliver(*rest):
    trap = pathlib.Path(os.environ["ODP_TOWN"], "trap")
    if trap.exists():
        trap.unlink()
        os.killpg(0, signal.SIGKILL)
    return _deliver(*rest)
outbox.deliver = deliver
"""
"""The whole daemon is killed when an incident is recorded and its message is about to be sent, if there is a trap."""

HELD = """
import os, pathlib, time
import odpipeline.conform
_conform = odpipeline.conform.conform
def conform(capture, dataset, *rest):
    here = pathlib.Path(os.environ["ODP_TOWN"])
    (here / "held").touch()
    for _ in range(2400):
        if not (here / "hold").exists():
            break
        time.sleep(0.05)
    return _conform(capture, dataset, *rest)
odpipeline.conform.conform = conform
"""
"""Holds a dataset after its capture, while a file says so."""


@contextmanager
def dagster(folder: Path, program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of Dagster's processes in a group of its own, with what the town's `site` changes."""
    (folder / ".odp").mkdir(exist_ok=True)
    command = [Path(sys.executable).parent / program, *words, "-w", folder / "workspace.yaml"]
    with (folder / ".odp" / f"{program}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=surroundings(folder), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def surroundings(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path, "ODP_TOWN": str(folder), "DAGSTER_HOME": str(folder)}


def changed(folder: Path, code: str) -> None:
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(code)


def test_a_daemon_killed_between_a_failure_and_its_message_tells_it_once_when_it_is_back(tmp_path, monkeypatch) -> None:
    folder = write_town(tmp_path / "ville", "piscines")
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + ALERTS)
    changed(folder, TRAPPED)
    town = read_town(folder)
    zones = flow.Zones.of(town)
    deliver(folder, "piscines", cell="beaucoup")
    list(flow.recorded(town.dataset("piscines"), town, zones))
    records = Records(zones.journal)
    with mail_server() as (mailbox, address):
        monkeypatch.setenv("ODP_TEST_MAIL", address)
        (folder / "trap").touch()
        with dagster(folder, "dagster-daemon", "run") as daemon:
            assert daemon.wait(90) == -signal.SIGKILL
        assert (mailbox.received, [incident.told for incident in records.open()]) == ([], [1])
        with dagster(folder, "dagster-daemon", "run"):
            until(lambda: len(mailbox.received) >= 2)
            for _ in range(2):
                seen = records.marked(ROUND)
                until(lambda seen=seen: records.marked(ROUND) != seen)
        assert sorted(recipient for recipient, _ in mailbox.received) == [town.contact, "sports@ville.example"]


TOGETHER = """
import os, pathlib, sys, time
import dagster as dg
import dagster._core.instance.factory, odpipeline.orchestration.sqlite_storage
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path("go").exists():
    time.sleep(0.001)
with dg.DagsterInstance.get() as instance:
    instance.get_runs_count()
"""


def test_processes_that_begin_together_make_one_whole_storage(tmp_path: Path) -> None:
    folder = write_town(tmp_path / "ville", "piscines")
    processes = [
        subprocess.Popen([sys.executable, "-c", TOGETHER, str(n)], cwd=folder, env=surroundings(folder))
        for n in range(4)
    ]
    until(lambda: all((folder / str(n)).exists() for n in range(len(processes))))
    (folder / "go").touch()
    assert [process.wait(90) for process in processes] == [0, 0, 0, 0]
    state = sqlite_folder(folder)
    assert state is not None
    for database in (state / "schedules/schedules.db", state / "history/runs.db", state / "history/runs/index.db"):
        with closing(sqlite3.connect(database)) as connection:
            assert len(connection.execute("SELECT version_num FROM alembic_version").fetchall()) == 1


def test_the_night_goes_on_when_the_webserver_is_killed(tmp_path: Path) -> None:
    folder = write_town(tmp_path / "ville", "piscines")
    changed(folder, HELD)
    (folder / "hold").touch()
    port = free_port()

    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    command = [sys.executable, "-m", "odpipeline.cli", "run", "--night", "--json", "--town", str(folder)]
    with (
        dagster(folder, "dagster-webserver", "-h", "127.0.0.1", "-p", str(port)) as webserver,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=surroundings(folder), cwd=folder) as night,
    ):
        until(answers)
        until((folder / "held").exists)
        os.killpg(webserver.pid, signal.SIGKILL)
        webserver.wait()
        assert not answers()
        (folder / "hold").unlink()
        said, _ = night.communicate(timeout=90)
    [row] = json.loads(said)
    assert (night.returncode, row["verdict"]) == (0, "published")
