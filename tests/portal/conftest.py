import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from odpipeline import catalogue, portal
from odpipeline.portal.serving import application
from odpipeline.store import Store
from tests.store.making import a_dataset, a_town, parkings, published


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two datasets, one with two versions, with catalogue and pages."""
    store = Store(tmp_path / "public")
    published(store, tmp_path)
    published(store, tmp_path, parkings(1200, places=20))
    published(store, tmp_path, dataset=a_dataset("budget", title="Budget <primitif> & annexes", licence="ODbL-1.0"))
    catalogue.build(store, a_town(tmp_path))
    portal.build(store, a_town(tmp_path))
    return store


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """A real server on a free port of loopback."""
    config = uvicorn.Config(application(store), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
