"""The dates of releases as the watch needs them, read in the store only where they may have changed.

A round each minute would ask a bucket four times for each dataset. What changes a release leaves a line in the journal:
each run at its end, each act before it begins and mostly when it is done. So a dataset is read anew when its newest run
is another than when it was last read, when an act on it is younger than an hour, and when what was read breaks a
promise, which only something new can mend. Whatever goes round the journal (a hand in the store, a process killed
between its publication and its line) is met within the hour: each round reads those anew that it has not read for
longest, a sixtieth of all. A store that does not answer is noticed by one question at each round.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.journal import RunRecord
from odpipeline.monitoring.records import Records, Sighting

_HOUR = timedelta(hours=1)
_ROUNDS = 60


@dataclass
class Sightings:
    """What is known of the releases of `datasets` at `now`, where the newest runs are `ended`."""

    datasets: Collection[str]
    zones: Zones
    records: Records
    ended: Mapping[str, RunRecord]
    now: datetime

    def __post_init__(self) -> None:
        known = self.records.sightings()
        self._known = {name: known[name] for name in self.datasets if name in known}
        self._acted = {act.dataset for act in self.zones.journal.acts_since(self.now - _HOUR)}
        oldest = sorted(self._known, key=lambda name: self._known[name].seen_at)
        self._turn = set(oldest[: -(-len(oldest) // _ROUNDS)])

    def of(self, dataset_id: str, *, anew: bool = False) -> Sighting:
        """When the current release was last confirmed, and the date of its data; None twice when there is none.

        With `anew`, from the store whatever is known.
        Raises: OdpError when it cannot be read; it is then read again at the next round.
        """
        known = self._known.get(dataset_id)
        if known and not anew and self._holds(dataset_id, known):
            return known
        try:
            release = self.zones.store.current(dataset_id)
        except OdpError:
            self.records.unseen(dataset_id)
            raise
        checked_at, data_date = (release.checked_at, release.data_date) if release else (None, None)
        seen = Sighting(dataset_id, self._run(dataset_id), checked_at, data_date, self.now)
        self.records.saw(seen)
        return seen

    def _holds(self, dataset_id: str, known: Sighting) -> bool:
        """Whether nothing can have changed since."""
        young = timedelta() <= self.now - known.seen_at < _HOUR
        untouched = dataset_id not in self._acted and dataset_id not in self._turn
        return young and untouched and known.run_at == self._run(dataset_id)

    def _run(self, dataset_id: str) -> datetime | None:
        last = self.ended.get(dataset_id)
        return last.ended_at if last else None


__all__ = ["Sightings"]
