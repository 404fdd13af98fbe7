"""Real municipal files, served over HTTP with their real encodings and dirt, through Dagster."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.journal import RunRecord
from odpipeline.orchestration.building import definitions
from odpipeline.store import Store


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def night(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, RunRecord], Store]]:
    """One run of the whole town through Dagster: how each dataset ended, and the store."""
    folder = tmp_path_factory.mktemp("real") / "town"
    shutil.copytree(Path(__file__).with_name("real_town"), folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(real)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    os.environ["ODP_REAL_URL"] = f"http://127.0.0.1:{server.server_port}"
    town = read_town(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        definitions(town).resolve_job_def("frequent").execute_in_process(instance=instance, raise_on_error=False)
    zones = flow.Zones.of(town)
    yield {d.id: record for d in town.datasets if (record := zones.journal.last(d.id))}, zones.store
    server.shutdown()
    server.server_close()
    thread.join()
    del os.environ["ODP_REAL_URL"]


def rows(store: Store, dataset: str, sql: str) -> list[tuple]:
    release = store.current(dataset)
    assert release is not None
    return duckdb.execute(f"SELECT {sql} FROM read_parquet('{release.folder / dataset}.parquet')").fetchall()


@pytest.mark.parametrize(
    ("dataset", "rows_in", "quarantined"),
    [
        ("covoiturage-corse", 60, 0),
        ("covoiturage-calvados", 37, 0),
        ("comptages", 3650, 0),
        ("equipements-nantes", 224, 2),  # two latitudes with a point among decimal commas
        ("places-gironde", 86, 0),
        ("subventions", 4, 0),
    ],
)
def test_each_real_file_is_published_and_every_row_is_accounted_for(night, dataset, rows_in, quarantined):
    record = night[0][dataset]
    assert (record.outcome, record.rows_in, record.quarantined) == ("published", rows_in, quarantined), record.reasons
    assert record.published == rows_in - quarantined


def test_accents_survive_windows_1252(night):
    assert rows(night[1], "covoiturage-corse", "count(*) FILTER (type = 'Supermarché')")[0][0] > 0


def test_decimal_commas_become_numbers(night):
    [(west, east)] = rows(night[1], "equipements-nantes", "min(longitude), max(longitude)")
    assert -2 < west < east < -1


def test_offsets_become_utc(night):
    assert rows(night[1], "comptages", "min(debut)::VARCHAR") == [("2021-12-31 23:00:00",)]
