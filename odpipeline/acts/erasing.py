"""Erasure of rows, such as those of a person who asks for it (RGPD, article 17), from every version there is.

The current version is followed by one without the rows, so that a reader sees the one or the other; then every version
that held them is rewritten at its own address, with new hashes and a line in the changelog. What must not come back
is kept as a condition in the private zone, and taken out of every delivery from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odpipeline.acts.recording import as_planned, recorded
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, located
from odpipeline.flow import Zones
from odpipeline.landing.workplace import workplace
from odpipeline.store import Release, layout, retention, rewriting


@dataclass(frozen=True)
class Erasure:
    """The rows of `dataset` in which every column of `condition` has its value; `held` maps versions to how many.

    `damaged` are versions whose rewriting was cut short.
    """

    dataset: Dataset
    condition: Mapping[str, str]
    held: dict[int, int]
    damaged: tuple[int, ...]

    @classmethod
    def planned(cls, dataset: Dataset, zones: Zones, condition: Mapping[str, str]) -> Erasure:
        """What would be erased.

        Raises: OdpError when nothing is meant, or a column is not published.
        """
        with located(dataset.id), workplace(zones.work, dataset.id, zones.seal) as folder:
            versions = zones.store.versions(dataset.id)
            if not versions:
                raise OdpError("nothing of it is public", mend="there is nothing to erase")
            if not condition:
                raise OdpError("no row is named", mend="name it by its key: --where id=…")
            if strangers := set(condition) - set(versions[0].columns):
                raise OdpError(f"{', '.join(sorted(strangers))}: not published", mend="name published columns")
            held, damaged = {}, []
            for release in versions:
                files = zones.store.fetched(release, folder / f"{release.version}")
                parquet = files / f"{dataset.id}.parquet"
                held[release.version] = rewriting.matching(parquet, release.columns, [condition], zones.duck)
                if not all(_same(files / file.name, file.sha256) for file in release.files):
                    damaged.append(release.version)
        return cls(dataset, dict(condition), held, tuple(damaged))

    @property
    def said(self) -> list[str]:
        """What would change, a line each; no value."""
        lines = [f"version {number}: {rows} rows go" for number, rows in self.held.items() if rows]
        lines += [f"version {number}: an erasure that was cut short is finished" for number in self.damaged]
        always = "such rows are taken out of every delivery from then on; captures stay as long as their retention says"
        if self.dataset.periods:
            always += ", and the rows of a period in them until the source delivers it without"
        return [*(lines or ["no version holds such a row"]), always]

    def done(self, town: Town, zones: Zones, who: str, because: str) -> int:
        """Erase; how many versions were rewritten. The reason is public, the condition is not.

        Raises: OdpError when it may not be, or a version cannot be rewritten, PublicationRace when somebody published
        since it was planned: nothing is changed then.
        """
        with located(self.dataset.id), workplace(zones.work, self.dataset.id, zones.seal) as folder:
            zones.store.ready()
            versions = zones.store.versions(self.dataset.id)
            as_planned(self.dataset.id, versions, self.held)
            concerned = [one for one in versions if self._concerns(one)]
            rewritten = [self._without(zones, release, folder) for release in concerned]  # all, or nothing is changed
            details = {"columns": sorted(self.condition), "versions": {str(k): v for k, v in self.held.items() if v}}
            act = recorded(zones, town, self.dataset.id, "erasure", who, because, details)
            zones.erasures.add(self.dataset.id, self.condition)
            zones.waiting.drop(self.dataset.id)
            current = zones.store.current(self.dataset.id)
            for one in rewritten:
                if current and one.release.version == current.version and self.held.get(current.version):
                    zones.store.correct(one, f"rows erased: {act.because}")
            zones.store.follow(self.dataset.id)
            for number in retention.orphans(zones.store.backend, self.dataset.id):  # no run is under way: they are dead
                zones.store.backend.purge(layout.version(self.dataset.id, number))
            for one in rewritten:
                zones.store.rewrite(one, act.because)
            versions = zones.store.versions(self.dataset.id)
            touched = {one.version for one in versions if one.erasures}  # now, and in one that was cut short
            for release in versions:  # what came after shows the rows as removed
                if release.previous in touched:
                    zones.store.forget_changes(release, act.because)
            return len(rewritten)

    def _concerns(self, release: Release) -> bool:
        return bool(self.held.get(release.version)) or release.version in self.damaged

    def _without(self, zones: Zones, release: Release, folder: Path) -> rewriting.Rewritten:
        files = zones.store.fetched(release, folder / f"{release.version}")
        target = folder / f"without-{release.version}"
        return rewriting.without(release, files, [self.condition], self.dataset, target, zones.duck)


def _same(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256
