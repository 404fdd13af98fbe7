"""The sample town on three nights, its clock stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.simulators import systems

NOW = datetime(2026, 11, 25, 1, 32, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]

Environment = dict[str, str]


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Environment]]:
    """Night number → the environment of its systems, which run until the session ends."""
    running: dict[int, Environment] = {}
    with ExitStack() as stack:

        def started(number: int) -> Environment:
            if number not in running:
                folder = tmp_path_factory.mktemp(f"night{number}")
                running[number] = stack.enter_context(systems(number, folder, now=NOW))
            return running[number]

        yield started
