"""The servers and the order that every test of a source begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import System
from odpipeline.sources.delivery import Order
from tests.servers import Server, http_server
from tests.servers import postgresql as postgresql_server

DECLARED = "assets/mobilite/parkings.yaml:6"


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Order]:
    """Makes an order: `order(since=…, url=…)`; what is not in the signature describes the system."""

    def make(
        since: Any = None, earlier: Path | None = None, key: tuple[str, ...] = (), records: str | None = None,
        **system: Any,
    ) -> Order:  # fmt: skip
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        dataset = Dataset.model_validate(
            {"title": "Parkings", "description": "Places libres.", "owner": "parkings@ville.example",
             "source": {"folder": "parkings.csv"}, "fields": [{"name": name} for name in (*key, "places")],
             "key": list(key), "format": {"records": records}, "personal_data": "none"}
        )  # fmt: skip
        known = System(title="Parkings", **system) if system else None
        return Order(known, dataset, tmp_path, work, since, lambda: earlier, DECLARED)

    return make
