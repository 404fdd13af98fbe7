"""What Prometheus reads is what journal and store say; the example board asks for nothing else."""

import json
import re
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.journal import Journal, RunRecord
from odpipeline.operating import metrics
from tests.servers import free_port
from tests.store.making import published
from tests.towns import ROOT, write_town


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_town(tmp_path / "ville", "piscines", "parkings")


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """Name and labels → number."""
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_numbers_are_those_of_journal_and_store(folder, tmp_path):
    town = read_town(folder)
    moment = datetime(2026, 11, 24, 1, tzinfo=UTC)
    journal = Journal.at(town.private_path)
    for outcome in ("unchanged", "refused", "refused"):
        journal.record(RunRecord("parkings", outcome, rows_in=9, quarantined=2, seconds=1.5, ended_at=moment))
    published(flow.Zones.of(town).store, tmp_path / "work")
    text = CliRunner().invoke(app, ["metrics", "--town", str(folder)]).stdout
    told = numbers(text)
    assert told["odp_dataset_version", "parkings"] == 1
    assert told["odp_dataset_rows", "parkings"] == 3
    assert told["odp_dataset_last_run_quarantined", "parkings"] == 2
    assert told["odp_dataset_last_success_timestamp_seconds", "parkings"] == moment.timestamp()
    assert told["odp_runs_total", "parkings", "refused"] == 2
    assert told["odp_dataset_late", "piscines"] == 1  # never published
    assert ("odp_dataset_rows", "piscines") not in told


def test_a_broken_release_is_a_number_and_hides_no_other(folder, tmp_path):
    town = read_town(folder)
    store = flow.Zones.of(town).store
    published(store, tmp_path / "work")
    (town.store_path / "datasets/parkings/current.json").write_text("{")
    told = numbers(metrics.text(town))
    assert (told["odp_dataset_broken", "parkings"], told["odp_dataset_broken", "piscines"]) == (1, 0)


def test_they_are_served_on_loopback(folder):
    port = free_port()
    metrics.serve(read_town(folder), port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert ("odp_info", "0.1.0") in numbers(answer.read().decode())


def test_the_example_board_asks_only_for_numbers_that_exist(folder):
    board = json.loads((ROOT / "deploy/grafana/odpipeline.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["definition"] for one in board["templating"]["list"] if one["type"] == "query"]
    assert set(re.findall(r"odp_\w+", " ".join(asked))) <= metrics.names(read_town(folder))
    assert len(asked) == len(board["panels"]) + 1
