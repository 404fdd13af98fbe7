"""Logs as JSON lines: identifiers, counts and outcomes of each stage; never a cell."""

import json

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.monitoring.rounds import watch
from odpipeline.operating import logs
from tests.towns import deliver, write_town


@pytest.fixture(autouse=True)
def silence_afterwards(monkeypatch):
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    yield
    logs.configure()


def ours() -> list:
    return [handler for handler in logs.LOGGER.handlers if isinstance(handler.formatter, logs.JsonLines)]


def test_each_stage_and_the_end_are_one_line_with_run_and_dataset(tmp_path, capsys):
    folder = write_town(tmp_path, "piscines", "patinoires")
    deliver(folder, "patinoires", cell="Dupont-Secret")
    town = read_town(folder)
    logs.configure("json")
    for dataset in town.datasets:
        list(flow.recorded(dataset, town, flow.Zones.of(town)))
    said = capsys.readouterr().err
    lines = [json.loads(line) for line in said.splitlines()]
    of_one = [line for line in lines if line["dataset"] == "piscines"]
    assert [line["event"] for line in of_one] == [
        "captured", "conformed", "checked", "anonymised", "staged", "judged", "published", "ended",
    ]  # fmt: skip
    assert len({line["run"] for line in of_one}) == 1
    assert (of_one[-1]["outcome"], of_one[-1]["rows"], of_one[-1]["version"]) == ("published", 20, 1)
    [refused] = [line for line in lines if line["dataset"] == "patinoires" and line["event"] == "ended"]
    assert (refused["level"], refused["outcome"]) == ("warning", "refused")
    assert refused["run"] not in {line["run"] for line in of_one}
    assert "Dupont-Secret" not in said


def test_an_unknown_form_is_an_error_and_without_one_nothing_is_written():
    with pytest.raises(OdpError, match="say json"):
        logs.configure("xml")
    logs.configure("json")
    logs.configure("json")
    assert len(ours()) == 1
    logs.configure()
    assert ours() == []


def test_what_watch_and_lineage_have_to_say_are_such_lines_too(tmp_path, capsys, monkeypatch):
    folder = write_town(tmp_path, "piscines")
    nobody = "http://127.0.0.1:9"
    monkeypatch.setenv("ODP_TEST_SWITCH", nobody)
    more = f"alerts: {{dead_man: {{env: ODP_TEST_SWITCH}}}}\nopenlineage: {{url: '{nobody}'}}\n"
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + more)
    town = read_town(folder)
    logs.configure("json")
    list(flow.recorded(town.datasets[0], town, flow.Zones.of(town), run="5f0c"))
    watch(town)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [lineage] = [line for line in lines if line["event"] == "an event of lineage is not taken"]
    assert (lineage["dataset"], lineage["run"]) == ("piscines", "5f0c")
    [switch] = [line for line in lines if line["event"] == "the dead man's switch does not answer"]
    assert switch["switch"] == "ODP_TEST_SWITCH"
    assert nobody not in json.dumps(lines)
