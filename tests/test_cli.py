"""Every command, as typed: what it prints, as text and as JSON, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import odp
from tests.towns import deliver, write_town


def typed(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as a person's shell starts it."""
    return subprocess.run([sys.executable, "-m", "odpipeline.cli", *words], capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new town from `odp init`, run once."""
    folder = tmp_path_factory.mktemp("init") / "ville"
    assert typed("init", str(folder)).returncode == 0
    ran = typed("run", cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "notice: the private zone is not encrypted; see `odp key --help`\n")
    return folder


def test_a_new_town_checks_and_publishes_as_it_is(town):
    assert odp("check", cwd=town).returncode == 0
    published = (town / ".odp/public/datasets/piscines/latest/piscines.csv").read_bytes()
    assert published.startswith(b"date,piscine,entrees\r\n2026-11-01,Jean-Bouin,187\r\n")
    assert "Fréquentation des piscines" in (town / ".odp/public/index.html").read_text()


def test_a_new_town_loads_in_dagster(town):
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    assert subprocess.run(command, capture_output=True, cwd=town).returncode == 0


def test_a_refusal_is_told_once_and_leaves_nothing_else_on_standard_error(tmp_path):
    folder = write_town(tmp_path / "ville", "piscines")
    deliver(folder, "piscines", cell="beaucoup")
    ended = typed("run", cwd=folder)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1), ended.stderr
    assert ended.stdout.count("in quarantine") == 1


def test_init_never_overwrites(town):
    again = odp("init", str(town))
    assert again.returncode == 1
    assert "is not empty" in again.stderr


def test_status_and_versions_speak_json(town):
    [row] = json.loads(odp("status", "--json", cwd=town).stdout)
    assert (row["dataset"], row["version"], row["rows"], row["verdict"]) == ("piscines", 1, 4, "published")
    [version] = json.loads(odp("versions", "piscines", "--json", cwd=town).stdout)
    assert version["version"] == 1


def test_explain_says_where_each_value_comes_from(town):
    rows = {row["key"]: row for row in json.loads(odp("check", "--explain", "piscines", "--json", cwd=town).stdout)}
    assert rows["title"]["origin"] == "assets/equipements/piscines.yaml:1"
    assert rows["licence"]["origin"].startswith("town.yaml:")
    assert rows["shrink"]["origin"] == "default"


def test_suite_prints_great_expectations_own_json(town):
    suite = json.loads(odp("suite", "piscines", cwd=town).stdout)
    assert "expect_column_values_to_not_be_null" in {e["type"] for e in suite["expectations"]}


def test_schema_prints_json_schema():
    assert json.loads(odp("schema", "dataset").stdout)["$schema"].startswith("https://json-schema.org/")
    assert odp("schema", "portail").returncode == 1


def test_an_unknown_dataset_names_the_known_ones(town):
    ended = odp("run", "piscine", cwd=town)
    assert ended.returncode == 1
    assert "there is no dataset 'piscine'; the town has: piscines" in ended.stderr


def test_no_town_here_says_what_to_do(tmp_path):
    ended = typed("check", cwd=tmp_path)
    assert ended.returncode == 1
    assert "odp init" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_refusal_has_its_own_exit_status_and_can_be_accepted(tmp_path):
    folder = write_town(tmp_path, "piscines")
    assert odp("run", cwd=folder).returncode == 0
    deliver(folder, "piscines", rows=3)
    refused = odp("run", cwd=folder)
    assert refused.returncode == 3
    content = refused.stdout.split("odp accept piscines ")[1][:12]
    assert odp("accept", "piscines", content, "--because", "bassin fermé", cwd=folder).returncode == 0
    assert odp("run", cwd=folder).returncode == 0


def test_accept_takes_no_word_for_a_hash(town):
    ended = odp("accept", "piscines", "oui", "--because", "x", cwd=town)
    assert ended.returncode == 1
    assert "first 12 hexadecimal digits" in ended.stderr


def test_a_failed_run_has_its_own_exit_status(tmp_path):
    folder = write_town(tmp_path, "piscines")
    (folder / "depot/piscines.csv").unlink()
    ended = typed("run", cwd=folder)
    assert ended.returncode == 4
    assert "Traceback" not in ended.stderr
