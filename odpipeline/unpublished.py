"""What the last run of a periodical dataset was delivered and could not publish, and asks for again."""

from __future__ import annotations

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import OdpError
from odpipeline.journal import Journal
from odpipeline.landing import Landing
from odpipeline.store import Store


def compared(dataset: Dataset, landing: Landing, store: Store, journal: Journal) -> dict[str, str] | None:
    """Period → SHA-256 in what the public release was made from, to compare the last capture with.

    None where there is nothing to make good; empty when nothing is public, or what it was made from is gone.
    """
    last = journal.last(dataset.id)
    if dataset.periods is None or last is None or last.outcome not in ("failed", "refused"):
        return None
    if (current := store.current(dataset.id)) is None:
        return {}
    try:
        capture = landing.get(dataset.id, current.checked_capture)
    except OdpError:
        return {}
    return {name: mark.sha256 for name, mark in capture.periods.items()}
