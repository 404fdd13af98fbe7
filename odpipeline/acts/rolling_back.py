"""Rollback: a new version with the content of an old one, because what came after it is wrong.

What is undone comes again from its source the next night: the gate refuses exactly that content from then on, until it
is accepted, and lets any other through. An old content must hold to what the declaration asks today: a column that is
dropped now, or a greater k, keeps it where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from odpipeline import privacy
from odpipeline.acts.recording import recorded
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, located
from odpipeline.flow import Zones
from odpipeline.landing.workplace import workplace
from odpipeline.store import Release, diffing, rewriting
from odpipeline.verdict import Finding


@dataclass(frozen=True)
class Rollback:
    """From `current` back to the content of `target`; `said` tells what would change."""

    dataset: Dataset
    current: Release
    target: Release

    @classmethod
    def planned(cls, dataset: Dataset, zones: Zones, number: int) -> Rollback:
        """The rollback to version `number`.

        Raises: OdpError when it is no public version, or says what is public already.
        """
        versions = zones.store.versions(dataset.id)
        by_number = {release.version: release for release in versions}
        if number not in by_number:
            known = ", ".join(str(one) for one in sorted(by_number)) or "none"
            raise OdpError(f"version {number} is not there", where=dataset.id, mend=f"there are: {known}")
        current, target = versions[0], by_number[number]
        if current.content_hash == target.content_hash:
            raise OdpError(f"version {current.version} has the content of version {number}", where=dataset.id,
                           mend="there is nothing to roll back")  # fmt: skip
        return cls(dataset, current, target)

    @property
    def said(self) -> list[str]:
        """What would change, a line each."""
        now, then = self.current, self.target
        told = (
            f"a new version after {now.version} has the content of version {then.version} ({then.content_hash[:12]}, "
            f"{then.rows} rows, published on {then.published_at:%Y-%m-%d}); version {now.version} ({now.rows} rows) "
            "stays at its address, and its content is refused from then on until it is accepted"
        )
        return [told]

    def done(self, town: Town, zones: Zones, who: str, because: str) -> Release:
        """Roll back; the new version. The reason is public.

        Raises: OdpError when it may not be, PublicationRace when somebody published meanwhile.
        """
        with located(self.dataset.id), workplace(zones.work, self.dataset.id, zones.seal) as folder:
            zones.store.ready()
            files = zones.store.fetched(self.target, folder / "rollback")
            erased = [one.where for one in zones.erasures.of(self.dataset.id)]
            parquet = files / f"{self.dataset.id}.parquet"
            if erased and rewriting.matching(parquet, self.target.columns, erased, zones.duck):
                raise OdpError(
                    f"version {self.target.version} still holds rows that were to be erased",
                    mend="the erasure was cut short: run the same odp erase again, then roll back",
                )
            blocking = [finding.message for finding in self._measured(town, zones, files, folder) if finding.blocks]
            if blocking:
                raise OdpError(
                    f"version {self.target.version} does not hold to what the declaration asks today: {blocking[0]}",
                    mend="roll back to another version, or correct the source and run",
                )
            details = {
                "from": self.current.version, "to": self.target.version, "content_hash": self.target.content_hash,
                "undone": self.current.content_hash,
            }  # fmt: skip
            act = recorded(zones, town, self.dataset.id, "rollback", who, because, details)
            why = f"rollback to version {self.target.version}: {act.because}"
            now = zones.store.fetched(self.current, folder / "current") / f"{self.dataset.id}.parquet"
            then, schemas = files / f"{self.dataset.id}.parquet", (self.current.schema, self.target.schema)
            found = diffing.compare(now, then, schemas, replace(zones.duck, spill=folder / "spill"))
            return zones.store.republish(self.target, files, self.current, why, diffing.counts(found))

    def _measured(self, town: Town, zones: Zones, files: Path, folder: Path) -> tuple[Finding, ...]:
        duck = replace(zones.duck, spill=folder / "spill", patience=town.gate_time.total_seconds())
        parquet, csv = (files / f"{self.dataset.id}.{ending}" for ending in ("parquet", "csv"))
        declared = privacy.summary(self.dataset, ())["table"]
        if declared and self.target.privacy.get("table") == declared:
            measured: tuple[Finding, ...] = ()  # its secrets were audited as they are declared still
        else:
            measured = privacy.measure(parquet, csv, self.dataset, duck)
        return (*measured, *privacy.scan(parquet, csv, self.dataset, duck))
