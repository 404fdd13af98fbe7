"""The commands that look into the private zone, as typed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from odpipeline.landing import sealing
from tests.commands import odp
from tests.towns import deliver, write_town

PLANTED = "douze\x1b[2JPlante-Ici\u00a0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sealed town in production that has published version 1, and then version 2 with a cell in quarantine."""
    folder = write_town(tmp_path_factory.mktemp("sealed"), "piscines")
    with (folder / "town.yaml").open("a") as town:
        town.write("production: true\nprivate_key: ODP_PRIVATE_KEY\n")
    with (folder / "assets/sports/piscines.yaml").open("a") as declared:
        declared.write("quality: {quarantine: 10 %}\n")
    os.environ["ODP_PRIVATE_KEY"] = odp("key").stdout
    assert odp("run", cwd=folder).returncode == 0
    deliver(folder, "piscines", rows=22, cell=PLANTED)
    ran = odp("run", cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    yield folder
    del os.environ["ODP_PRIVATE_KEY"]


def on_a_terminal(*words: str, cwd: Path) -> tuple[str, str]:
    """What a command shows on a terminal, and what it says on standard error."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "odpipeline.cli", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, cwd=cwd, text=True) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (chunk := os.read(ours, 65536))
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
        said = running.stderr.read() if running.stderr else ""
    os.close(ours)
    return shown.decode(), said


def captures(folder: Path, *words: str) -> list[dict]:
    return json.loads(odp("captures", "piscines", "--json", *words, cwd=folder).stdout)


def test_captures_say_which_version_was_made_of_them(folder):
    last, first = captures(folder)
    assert (last["version"], first["version"]) == (2, 1)
    assert {row["sealed"] for row in (last, first)} == {"yes"}
    assert last["bytes"] == (folder / "depot/piscines.csv").stat().st_size
    assert len(first["capture"]) == 12
    assert first["capture"] in odp("captures", cwd=folder).stdout


def test_a_replay_compares(folder):
    _, first = captures(folder)
    done = odp("replay", "piscines", "--capture", first["capture"], "--json", cwd=folder)
    [row] = json.loads(done.stdout)
    assert done.returncode == 0
    assert (row["version made from it"], row["same bytes"], row["declaration"]) == (1, "yes", "as then")
    assert (row["rows"], row["verdict"]) == (20, "accepted")


def test_a_replay_of_what_is_not_there_is_told(folder):
    done = odp("replay", "piscines", "--capture", "0" * 12, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("captures/piscines: there is no capture 000000000000; ")


def test_quarantine_counts_without_the_key(folder, monkeypatch):
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    counted = odp("quarantine", "piscines", "--json", cwd=folder)
    assert json.loads(counted.stdout) == [{"column": "entrees", "rule": "integer", "rows": 1}]
    assert odp("quarantine", "piscines", cwd=folder).stdout.startswith("1 of 22 rows are in quarantine\n")


def test_values_are_shown_on_a_terminal_only_with_nothing_that_it_would_obey(folder):
    refused = odp("quarantine", "piscines", "--values", cwd=folder)
    assert refused.returncode == 1
    assert refused.stderr == "delivered values go to a terminal only; leave out --values, or do not redirect it\n"
    assert refused.stdout == ""
    shown, said = on_a_terminal("quarantine", "piscines", "--values", cwd=folder)
    assert r"douze\x1b[2JPlante-Ici\xa0" in shown
    assert said == "these cells are private: do not copy them into mails, tickets or logs\n"


def test_failing_cells_are_counted_without_the_key_and_shown_with_it_on_a_terminal(tmp_path, monkeypatch):
    folder = write_town(tmp_path, "piscines")
    with (folder / "town.yaml").open("a") as town:
        town.write("private_key: ODP_PRIVATE_KEY\n")
    monkeypatch.setenv("ODP_PRIVATE_KEY", odp("key").stdout)
    deliver(folder, "piscines", cell="-987654")
    assert odp("run", cwd=folder).returncode == 3
    shown, _ = on_a_terminal("quarantine", "piscines", "--failed", "--values", cwd=folder)
    assert "-987654" in shown
    redirected = odp("quarantine", "piscines", "--failed", "--values", cwd=folder)
    assert (redirected.returncode, redirected.stdout) == (1, "")
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    without = odp("quarantine", "piscines", "--failed", cwd=folder)
    assert "987654" not in without.stdout + without.stderr


def test_values_need_the_key(folder, monkeypatch):
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    shown, said = on_a_terminal("quarantine", "piscines", "--values", cwd=folder)
    assert "Plante-Ici" not in shown + said
    assert "the environment variable ODP_PRIVATE_KEY is not set, and the private zone needs it" in said


def test_quarantine_before_any_run_says_so(tmp_path):
    folder = write_town(tmp_path, "piscines")
    done = odp("quarantine", "piscines", cwd=folder)
    assert (done.returncode, done.stderr) == (
        1, "piscines: no run has read a delivery yet; run it: odp run piscines\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run"])
def test_production_does_nothing_without_its_key(folder, monkeypatch, command):
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    done = odp(command, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("town.yaml, private_key: the environment variable ODP_PRIVATE_KEY is not set")


def test_a_replay_publishes_when_told_to_and_the_next_run_the_latest_again(folder):
    _, first = captures(folder)
    done = odp("replay", "piscines", "--capture", first["capture"], "--publish", "--json", cwd=folder)
    [row] = json.loads(done.stdout)
    assert (done.returncode, row["version"], row["published"]) == (0, 3, 20)
    public = folder / ".odp/public/datasets/piscines/versions"
    assert (public / "3/piscines.parquet").read_bytes() == (public / "1/piscines.parquet").read_bytes()
    assert odp("run", cwd=folder).returncode == 0
    assert (public / "4/piscines.csv").read_bytes() == (public / "2/piscines.csv").read_bytes()


def test_a_sweep_removes_what_a_killed_run_left(folder):
    left = folder / ".odp/private/work/piscines/delivery"
    left.write_text("Plante-Ici")
    done = odp("captures", "--sweep", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not left.exists()


def test_a_key_is_one_that_age_takes():
    said = odp("key").stdout
    assert said.startswith("# public key: age1")
    assert said.splitlines()[1].startswith("AGE-SECRET-KEY-1")
    assert said != sealing.new_key()
