"""A whole night through `odp run --night`: lots, hard deaths, and one line a dataset."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from odpipeline.journal import DIED, Journal
from odpipeline.orchestration.night import _PRELOAD
from tests.towns import deliver, write_town

DIES = """
import os
import odpipeline.conform
_conform = odpipeline.conform.conform
def conform(capture, dataset, *rest):
    if dataset.id == "fatale":
        os._exit(137)  # as the kernel does when memory runs out
    return _conform(capture, dataset, *rest)
odpipeline.conform.conform = conform
"""


def night(folder: Path, *more: str, dying: bool = False) -> tuple[int, dict[str, dict]]:
    environment = dict(os.environ)
    if dying:
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(DIES)
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
    command = [sys.executable, "-m", "odpipeline.cli", "run", "--night", "--json", "--town", str(folder), *more]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert ended.stdout, ended.stderr
    return ended.returncode, {row["dataset"]: row for row in json.loads(ended.stdout)}


def by_month(folder: Path) -> None:
    """One dataset more, of which two months were delivered."""
    declared = (folder / "assets/sports/piscines.yaml").read_text().replace("depot/piscines", "depot/{period:%Y%m}")
    (folder / "assets/sports/entrees.yaml").write_text(declared + "periods: {every: month, first: 2026-08}\n")
    for month in ("2026-08", "2026-10"):
        text = f"jour,piscine,entrees\n{month}-01,Bassin,7\n"
        (folder / f"depot/{month.replace('-', '')}.csv").write_text(text)


def test_a_hard_death_costs_one_dataset_and_an_unchanged_night_costs_no_run(tmp_path, monkeypatch):
    folder = write_town(tmp_path, "fatale", "piscines", "patinoires")
    by_month(folder)
    status, rows = night(folder, dying=True)
    assert status == 4
    assert rows["fatale"]["verdict"] == "failed"
    assert rows["fatale"]["reason"].startswith("fatale: its process died before it could say why")
    noted = Journal.at(folder / ".odp/private").last("fatale")
    assert noted is not None
    assert (noted.error, bool(noted.run)) == (DIED, True)
    assert {rows[name]["verdict"] for name in ("piscines", "patinoires", "entrees")} == {"published"}
    assert "piscines" in (folder / ".odp/public/catalogue.jsonld").read_text()

    deliver(folder, "patinoires", rows=2)
    status, rows = night(folder, "piscines", "patinoires")
    assert status == 3
    assert (rows["piscines"]["verdict"], rows["piscines"]["version"]) == ("unchanged", 1)
    assert rows["patinoires"]["verdict"] == "refused"
    monkeypatch.chdir(folder)  # the relative paths of dagster.yaml start there
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["entrees", "published"])) == {"2026-08", "2026-10"}
        captured = instance.get_latest_materialization_event(dg.AssetKey(["piscines", "captured"]))
    assert captured.asset_materialization.metadata["delivery"].value == "same SHA-256"


@pytest.mark.parametrize("name", _PRELOAD)
def test_what_is_loaded_once_for_all_datasets_is_there(name):
    assert importlib.util.find_spec(name) is not None
