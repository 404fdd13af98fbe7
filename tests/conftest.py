"""What every test may use: the real municipal files, when they are there."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
import typer.main
import typer.testing
from hypothesis import settings

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the many processes compiles everything again
settings.register_profile("odp", deadline=None)  # two cores do much at once: no test is about time
settings.load_profile("odp")
# A process builds its commands once, and here hundreds of them are typed in one process.
typer.main.get_command = typer.testing._get_command = functools.cache(typer.main.get_command)

_LONG = (
    "orchestration/test_scaling.py", "store/test_every_change.py", "orchestration/test_night.py",
    "monitoring/test_watch.py", "store/test_bucket.py", "conform/test_geographic.py", "conform/test_dirt.py",
    "privacy/test_residual_scan.py", "test_canaries.py", "privacy/test_tables.py", "conform/test_quarantine.py",
)  # fmt: skip
"""Files that take longest: begun first, so that no worker is still at one when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of `_LONG` first, the others as they were."""
    first = {Path(__file__).parent / name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: they wait for disks and servers a good part of their time."""
    return len(os.sched_getaffinity(0)) + 1


_REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real municipal files beside the checkout; they are read, never copied."""
    if not _REAL.is_dir():
        pytest.skip("the real municipal files are not there: no folder shared/real beside the checkout")
    return _REAL
