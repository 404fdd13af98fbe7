"""The kept captures of a dataset, each read as its declaration says today; nothing is recorded or published."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from odpipeline import conform
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError, located
from odpipeline.flow import Zones
from odpipeline.landing import Capture
from odpipeline.landing.workplace import workplace


@dataclass(frozen=True)
class Reread:
    """One kept capture by its `sha256`; `rows` is None when it cannot be read today, and `why` says so.

    The files of `rows` are there until the next one is asked for.
    """

    sha256: str
    capture: Capture | None
    rows: Conformed | None
    why: str = ""


def reread(dataset: Dataset, zones: Zones, most: int | None = None) -> Generator[Reread]:
    """The captures that are kept, the last seen first, `most` at most.

    Raises: OdpError when there is none, when a run is under way, or when the key of the private zone is not set.
    """
    kept = zones.landing.every(dataset.id)[:most]
    if not kept:
        raise OdpError(
            "no capture is kept", where=f"captures/{dataset.id}", mend=f"fetch one first: odp run {dataset.id}"
        )
    with located(dataset.id), workplace(zones.work, dataset.id, zones.seal) as folder:
        for sha256, capture in kept:
            place = folder / "reread"
            place.mkdir(mode=0o700)
            try:
                yield _reread(dataset, zones, sha256, capture, place)
            finally:
                shutil.rmtree(place)


def _reread(dataset: Dataset, zones: Zones, sha256: str, capture: Capture | None, place: Path) -> Reread:
    if capture is None:
        return Reread(sha256, None, None, "the capture is damaged")
    try:
        clear = zones.landing.open(zones.landing.get(dataset.id, sha256), place)
        return Reread(sha256, capture, conform.conform(clear, dataset, place, zones.duck))
    except OdpError as error:
        return Reread(sha256, capture, None, str(error))
