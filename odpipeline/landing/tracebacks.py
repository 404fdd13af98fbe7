"""What nobody foresaw: tracebacks, which may quote cells, in the private zone; for people one message without any."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError, located
from odpipeline.landing.sealing import Seal


@contextmanager
def foreseen(dataset: Dataset, folder: Path, seal: Seal | None) -> Iterator[None]:
    """A bug, or something that nobody foresaw: its traceback may quote cells, and stays in `folder`, sealed by `seal`.

    Raises: OdpError, naming the dataset, whatever happened.
    """
    try:
        with located(dataset.id):
            yield
    except OdpError:
        raise
    except Exception as error:  # noqa: BLE001  # the edge: whatever it was, no cell may reach a log
        try:
            file = _kept(dataset, folder, seal, "".join(traceback.format_exception(error)))
            mend = f"its traceback is in the private zone, faults/{file.name}: report it, without the cells"
        except OSError as refused:
            mend = f"its traceback could not be kept ({type(refused).__name__}): look at the disk of the private zone"
        told = OdpError(f"stopped by an unexpected {type(error).__name__}", mend=mend)
        told.dataset = dataset.id
        raise told from None


def _kept(dataset: Dataset, folder: Path, seal: Seal | None, text: str) -> Path:
    folder.mkdir(exist_ok=True, mode=0o700)
    file = folder / f"{dataset.id}-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
    if seal:
        seal.close_text(text, file := file.with_suffix(".txt.age"))
        return file
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as kept:
        kept.write(text)
    return file


def forget_tracebacks(dataset: Dataset, folder: Path) -> None:
    """Tracebacks may quote cells: they are kept no longer than the deliveries."""
    oldest = time.time() - dataset.retention.total_seconds()
    for file in folder.glob(f"{dataset.id}-[0-9]*.txt*"):
        if file.stat().st_mtime < oldest:
            file.unlink()
