"""A night over two workers of Celery: Redis, Dagster and journal in PostgreSQL, the store in a bucket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import obstore
import pytest
from dagster_celery.make_app import make_app

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.orchestration.scaling import worker_settings
from odpipeline.store import verifying
from tests.s3_server import KEY, SECRET, s3_server
from tests.servers import a_database, postgresql, redis, until
from tests.towns import deliver, keep_runs_in, write_town

REDELIVER = 20
"""Seconds."""

TOWN = """
journal: {env: ODP_JOURNAL_URL}
night: {executor: celery, broker: {env: ODP_BROKER_URL}, redeliver: REDELIVER s}
store: {bucket: ville, endpoint: "ENDPOINT", internal: true, access_key: {id: ODP_S3_ID, secret: ODP_S3_SECRET}}
"""

HELD = """
import os, pathlib, time
import odpipeline.conform
_conform = odpipeline.conform.conform
def conform(capture, dataset, *rest):
    here = pathlib.Path(os.environ["ODP_TOWN"])
    if dataset.id == "lente" and (here / "hold").exists():
        (here / "held-by").write_text(os.environ["WORKER"])
        while (here / "hold").exists():
            time.sleep(0.05)
    return _conform(capture, dataset, *rest)
odpipeline.conform.conform = conform
"""
"""Holds one dataset after its capture, while a file says so."""

DATASETS = ("lente", "patinoires", "piscines", "stades")


@pytest.fixture
def ville(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    with ExitStack() as stack:
        server, bucket = stack.enter_context(postgresql()), stack.enter_context(s3_server())
        broker = stack.enter_context(redis())
        obstore.put(bucket.bucket("ville"), "attente", b"")  # makes the bucket
        folder = write_town(tmp_path / "ville", *DATASETS)
        declared = (folder / "town.yaml").read_text() + TOWN.replace("ENDPOINT", bucket.endpoint).replace(
            "REDELIVER", str(REDELIVER)
        )
        (folder / "town.yaml").write_text(declared)
        keep_runs_in(folder, "storage: {postgres: {postgres_url: {env: ODP_DAGSTER_URL}}}")
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(HELD)
        dagster = a_database(server).replace("postgresql:", "postgresql+psycopg2:")
        set_to = {
            "ODP_TOWN": folder, "DAGSTER_HOME": folder, "ODP_BROKER_URL": broker, "ODP_S3_ID": KEY,
            "ODP_S3_SECRET": SECRET, "ODP_JOURNAL_URL": a_database(server), "ODP_DAGSTER_URL": dagster,
        }  # fmt: skip
        for name, value in set_to.items():
            monkeypatch.setenv(name, str(value))
        yield folder


@contextmanager
def worker(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker, and its processes in a group of their own; what is asked of it before it is ready waits in Redis."""
    environment = os.environ | {"WORKER": name, "PYTHONPATH": f"{folder / 'site'}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "celery", "-A", "odpipeline.orchestration.worker", "worker", "-Q", "dagster",
               "--concurrency", "1", "-n", f"{name}@%h"]  # fmt: skip
    with (
        (folder / f"{name}.log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def begin(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "odpipeline.cli", "run", "--night", "--json", "--town", str(folder)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(night: subprocess.Popen[str]) -> dict[str, tuple[str, int | None]]:
    """Dataset → verdict and version."""
    said, complaints = night.communicate(timeout=200)
    assert said, complaints
    return {row["dataset"]: (row["verdict"], row["version"]) for row in json.loads(said)}


def _given_back(folder: Path, killed: float) -> bool:
    """Let Celery look now, as each worker does every 100 s, for what was taken long ago; whether none is left."""
    with make_app(worker_settings(read_town(folder))).connection() as connection:
        channel = connection.default_channel
        channel.qos.restore_visible(interval=1)
        oldest = channel.client.zrange(channel.unacked_index_key, 0, 0, withscores=True)
    return all(taken > killed for _, taken in oldest)


def test_a_worker_that_is_killed_loses_nothing_and_publishes_nothing_half(ville):
    (ville / "hold").touch()
    with worker(ville, "un") as one, worker(ville, "deux") as two:
        night = begin(ville)
        store = flow.Zones.of(read_town(ville)).store
        others = [name for name in DATASETS if name != "lente"]
        until(lambda: (ville / "held-by").exists() or night.poll() is not None)
        assert night.poll() is None, night.communicate()
        until(lambda: all(store.current(name) for name in others))  # by the other worker
        doomed = {"un": one, "deux": two}[(ville / "held-by").read_text()]
        os.killpg(doomed.pid, signal.SIGKILL)
        doomed.wait()
        killed = time.time()
        assert store.current("lente") is None
        (ville / "hold").unlink()
        until(lambda: _given_back(ville, killed))
        assert ended(night) == dict.fromkeys(DATASETS, ("published", 1))
    assert [verifying.verify(store.backend, name, listed=store.backend).flaws for name in DATASETS] == [[]] * 4

    for name in others:
        deliver(ville, name, rows=21)
    with worker(ville, "trois"):
        assert ended(begin(ville)) == {"lente": ("unchanged", 1)} | dict.fromkeys(others, ("published", 2))


def test_a_broker_without_celery_is_no_declaration(tmp_path):
    folder = write_town(tmp_path, "piscines")
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + "night: {executor: celery}\n")
    with pytest.raises(OdpError, match="go together"):
        read_town(folder)
