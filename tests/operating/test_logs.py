"""Logs as JSON lines: identifiers, counts and outcomes of each stage; never a cell."""

import json
import os
import subprocess
import sys

import pytest

from odpipeline.errors import OdpError
from odpipeline.operating import logs
from odpipeline.progress import LOGGER
from tests.towns import deliver, write_town


def test_each_stage_and_the_end_are_one_line_with_run_and_dataset(tmp_path):
    folder = write_town(tmp_path, "piscines", "patinoires")
    deliver(folder, "patinoires", cell="Dupont-Secret")
    command = [sys.executable, "-m", "odpipeline.cli", "run", "--town", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"ODP_LOG": "json"})
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    of_one = [line for line in lines if line["dataset"] == "piscines"]
    assert [line["event"] for line in of_one] == [
        "captured", "conformed", "checked", "anonymised", "staged", "judged", "published", "ended",
    ]  # fmt: skip
    assert len({line["run"] for line in of_one}) == 1
    assert (of_one[-1]["outcome"], of_one[-1]["rows"], of_one[-1]["version"]) == ("published", 20, 1)
    [refused] = [line for line in lines if line["dataset"] == "patinoires" and line["event"] == "ended"]
    assert (refused["level"], refused["outcome"]) == ("warning", "refused")
    assert refused["run"] not in {line["run"] for line in of_one}
    assert "Dupont-Secret" not in ended.stderr


def test_an_unknown_form_is_an_error_and_without_one_nothing_is_written(monkeypatch):
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    with pytest.raises(OdpError, match="say json"):
        logs.configure("xml")
    logs.configure("json")
    logs.configure("json")
    assert len(LOGGER.handlers) == 1
    logs.configure()
    assert LOGGER.handlers == []
