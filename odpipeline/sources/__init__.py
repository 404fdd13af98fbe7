"""One module per kind of municipal system; the table below holds kind → module.

A new kind is one model in `odpipeline/declaration/source.py`, one module here with an `extract(source, order)`, and
one line in `KINDS`; a test holds the three together.
"""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import System, Town
from odpipeline.errors import OdpError, SourceError, located
from odpipeline.sources import periodical
from odpipeline.sources.delivery import Delivery, Order, PeriodMark, Unchanged, Validators

__all__ = ["KINDS", "Delivery", "PeriodMark", "Unchanged", "Validators", "extract", "fetch"]

KINDS: dict[str, str] = {
    "http": "web",
    "rest": "rest",
    "sql": "database",
    "folder": "folder",
    "sftp": "sftp",
    "s3": "s3",
    "gbfs": "gbfs",
    "gtfs": "handed",
    "gtfs_rt": "gtfs_rt",
    "totem": "handed",
    "opendatasoft": "opendatasoft",
    "ckan": "ckan",
    "wfs": "wfs",
    "ogcapi": "ogcapi",
    "sensorthings": "sensorthings",
    "ngsild": "ngsild",
    "python": "town_code",
}
"""Kind of source, as declared → the module beside this one whose `extract(source, order)` fetches it.

Imported when a source is asked: an SSH or S3 client is a third of a second that no other command should pay.
"""


def extract(
    dataset: Dataset,
    town: Town,
    folder: Path,
    since: Validators | None,
    earlier: Callable[[], Path | None] = lambda: None,
    asked: periodical.Asked | None = None,
) -> Delivery | Unchanged:
    """Fetch what `dataset.source` declares into `folder` (made if need be), or learn that nothing changed.

    `since`, `earlier`: the validators and the bytes of the last capture, see `delivery.Order`. `asked`: which
    periods of a periodical dataset; by default those that are due.

    Raises: SourceError, SourceUnavailable, SecretMissing; OdpError when the disk is full.
    """
    with located(dataset.id):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        order = Order(_system(dataset, town), dataset, town.root, folder, since, earlier, dataset.place("source"))
        if dataset.periods:
            return periodical.extract(order, _ordered, asked or periodical.Asked(), datetime.now(UTC))
        return _ordered(order)


def fetch(dataset: Dataset, system: System | None, root: Path, folder: Path) -> Delivery:
    """Fetch into `folder` what a dataset that nobody has declared yet would deliver.

    Raises: SourceError, SourceUnavailable, SecretMissing; OdpError when the disk is full.
    """
    delivered = _ordered(Order(system, dataset, root, folder, None, lambda: None, "the draft"))
    assert isinstance(delivered, Delivery)  # noqa: S101 - nothing to compare with
    return delivered


def _ordered(order: Order) -> Delivery | Unchanged:
    try:
        module = importlib.import_module(f"odpipeline.sources.{KINDS[order.dataset.source.kind]}")
        delivered: Delivery | Unchanged = module.extract(order.dataset.source, order)
        return delivered
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OdpError(
            "the disk is full: the delivery could not be written",
            where="the private zone",
            mend="free space where `private` of town.yaml points, or lower `retention`, and run again",
        ) from None


def _system(dataset: Dataset, town: Town) -> Any:
    name = dataset.source.system
    if name is not None and name not in town.systems:
        raise SourceError(
            f"there is no system {name!r}",
            where=dataset.place("source", "system"),
            mend=f"town.yaml has: {', '.join(town.systems) or 'none'}",
        )
    return town.systems[name] if name is not None else None
