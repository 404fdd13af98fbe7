"""Every test of this folder builds definitions within an instance of its own."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture(autouse=True)
def _no_instance_of_another_test() -> Iterator[None]:
    """Dagster goes on asking the last instance that there was, also when that has gone."""
    with dg.DagsterInstance.ephemeral():
        yield
