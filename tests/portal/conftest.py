import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from odpipeline import catalogue, portal
from odpipeline.portal.serving import application
from odpipeline.store import Store
from tests.store.making import a_dataset, a_town, parkings, published


def filled(folder: Path) -> Store:
    """Two datasets, one with two versions, with catalogue and pages."""
    store = Store(folder / "public")
    published(store, folder)
    published(store, folder, parkings(1200, places=20))
    published(store, folder, dataset=a_dataset("budget", title="Budget <primitif> & annexes", licence="ODbL-1.0"))
    catalogue.build(store, a_town(folder))
    portal.build(store, a_town(folder))
    return store


@contextmanager
def served(store: Store) -> Iterator[str]:
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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return filled(tmp_path)


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    with served(store) as at:
        yield at


@pytest.fixture(scope="module")
def still_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """For tests that publish nothing: one for all of them."""
    return filled(tmp_path_factory.mktemp("still"))


@pytest.fixture(scope="module")
def still(still_store: Store) -> Iterator[str]:
    with served(still_store) as at:
        yield at
