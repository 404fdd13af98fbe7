"""How long versions stay public, and how long before a breaking change is announced: `versions` and `notice`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from odpipeline.declaration.positions import Place
from odpipeline.declaration.words import Closed, Duration

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset


LONGEST_NOTICE = timedelta(days=3650)
"""Longer than that nobody plans, and a calendar has an end."""


class Keep(Closed):
    """Which versions stay; one that any of the keys keeps stays. Without a key, all do. The current one always does."""

    last: int | None = Field(default=None, ge=1)
    """So many of the newest."""
    daily: Duration | None = None
    """The last version of each day, over this time: `30 days`."""
    monthly: Duration | None = None
    """The last version of each month, over this time: `10 years`."""

    @property
    def everything(self) -> bool:
        """True when nothing is ever removed."""
        return self.last is None and self.daily is None and self.monthly is None


def faults(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    """What is wrong with `versions` and `notice`, as (place, what)."""
    said = dataset.versions
    if said.daily and said.monthly and said.monthly <= said.daily:
        yield ("versions", "monthly"), "monthly reaches no further back than daily; leave one out, or let it"
    if dataset.notice and dataset.notice > LONGEST_NOTICE:
        yield ("notice",), "nobody waits that long; announce it at most 3650 days before"
