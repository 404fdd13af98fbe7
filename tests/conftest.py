"""What every test may use: the real municipal files, when they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the many processes compiles everything again
settings.register_profile("odp", deadline=None)  # two cores do much at once: no test is about time
settings.load_profile("odp")

_REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real municipal files beside the checkout; they are read, never copied."""
    if not _REAL.is_dir():
        pytest.skip("the real municipal files are not there: no folder shared/real beside the checkout")
    return _REAL
