"""At most so many datasets ask one municipal system at once, wherever they run: locks in the private zone.

For nights on several machines, whose workers Dagster's pools do not know. A lock goes with the process that holds it,
however that ends.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import SourceUnavailable

_AT_ONCE, _PATIENCE_SECONDS = 2, 3600.0
"""How many datasets ask one system at once, as Dagster's pools let them, and how long another one waits for them."""
_LOOKED_SECONDS = 0.5


def turn_of(dataset: Dataset, town: Town) -> AbstractContextManager[None]:
    """A turn to ask what `dataset` asks, in a town whose nights several machines share; else nothing."""
    if town.night.broker is None or dataset.asks is None:
        return nullcontext()
    return turn(town.private_path, dataset.asks, _AT_ONCE, _PATIENCE_SECONDS)


@contextmanager
def turn(private: Path, system: str, most: int, patience_seconds: float) -> Iterator[None]:
    """Wait until fewer than `most` others ask `system`, a name of town.yaml or a host, and be one of them meanwhile.

    Raises: SourceUnavailable after `patience_seconds`.
    """
    folder = private / "turns"
    folder.mkdir(exist_ok=True, mode=0o700)
    places = [folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', system)}.{number}" for number in range(most)]
    until = time.monotonic() + patience_seconds
    while True:
        for place in places:
            with place.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        if time.monotonic() > until:
            raise SourceUnavailable(
                f"{most} other datasets were asking this system for {patience_seconds:.0f} s",
                where=system,
                mend="wait for the next run; if it goes on, look for a run that hangs",
            )
        time.sleep(_LOOKED_SECONDS)
