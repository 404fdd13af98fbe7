"""Withdrawal: on order of law or of reason, every copy goes, and a tombstone says so (RGPD, article 17; CRPA L312-1-2).

The dataset cannot come back before somebody decides it and says why (`Readmission`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from odpipeline.acts.recording import as_planned, recorded
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, located
from odpipeline.flow import Zones
from odpipeline.journal import Act
from odpipeline.landing.workplace import workplace
from odpipeline.store import Release, Tombstone

_ACT, _PROOF = "withdrawal", "withdrawal proof"


@dataclass(frozen=True)
class Withdrawal:
    """Of a whole dataset, or of one `number`; `versions` are those whose bytes go, `captures` how many deliveries.

    `alike` are other versions with the content of `number`, which stay.
    """

    dataset: str
    number: int | None
    versions: tuple[Release, ...]
    captures: int
    alike: tuple[int, ...] = ()

    @classmethod
    def planned(cls, dataset: str, zones: Zones, number: int | None, *, captures: bool) -> Withdrawal:
        """The withdrawal of `dataset`, or of version `number` of it.

        Raises: OdpError when there is nothing of it, or the version is the one that the public sees.
        """
        with located(dataset):
            gone = zones.store.tombstone(dataset)
            versions = zones.store.versions(dataset) if gone is None else []
            every, alike = versions, list[int]()
            if number is not None:
                versions = _one(versions, number, zones.store.tombstone(dataset, number))
            if not versions and gone is None and (number is None or zones.store.tombstone(dataset, number) is None):
                raise OdpError("nothing of it was ever published", mend="look at the identifier: odp status")
            if number is not None and versions:
                twins = (one for one in every if one.content_hash == versions[0].content_hash)
                alike = [one.version for one in twins if one.version != number]
        kept = len(zones.landing.every(dataset)) if captures else 0
        return cls(dataset, number, tuple(versions), kept, tuple(alike))

    @property
    def said(self) -> list[str]:
        """What would change, a line each."""
        files = [file for release in self.versions for file in release.files]
        named = ", ".join(str(release.version) for release in reversed(self.versions)) or "none (withdrawn already)"
        lines = [
            f"versions {named}: {len(files)} files, {sum(file.size_bytes for file in files)} bytes go for good",
            "the pages about them and the entry in the catalogue go",
        ]
        if self.alike:
            lines.append(f"the same content stays in version {', '.join(map(str, self.alike))}")
        if self.number is None:
            lines.append("the dataset is not published any more until it is readmitted")
        if self.captures:
            lines.append(f"{self.captures} captures, the quarantine and whatever waits in the private zone go")
        return lines

    def done(
        self, town: Town, zones: Zones, who: str, because: str, basis: str | None, *, captures: bool
    ) -> dict[str, Any]:
        """Withdraw; the proof. The reason and the legal basis are public.

        Raises: OdpError when it may not be, or a copy could not be removed; PublicationRace when somebody published
        since it was planned: nothing is changed then.
        """
        with located(self.dataset), workplace(zones.work, self.dataset, zones.seal) as folder:
            zones.store.ready()
            if self.number is None and self.versions:
                now = zones.store.versions(self.dataset)
                as_planned(self.dataset, now, {release.version for release in self.versions})
            hashes = {str(release.version): release.content_hash for release in self.versions}
            details = {"version": self.number, "versions": hashes, "legal_basis": basis, "captures": captures}
            act = recorded(zones, town, self.dataset, _ACT, who, because, details)
            grave = zones.store.tombstone(self.dataset, self.number) or self._tombstone(act.because, basis)
            if self.number is not None:
                for release in zones.store.versions(self.dataset):  # the one after it shows what changed from it
                    if release.previous == self.number:
                        zones.store.forget_changes(release, act.because)
            proof = zones.store.withdraw(grave)
            zones.waiting.drop(self.dataset)
            if captures:
                proof = {**proof, "captures_deleted": zones.landing.forget(self.dataset, f"withdrawal: {act.because}")}
                for left in folder.iterdir():
                    if left.name != ".lock":
                        shutil.rmtree(left) if left.is_dir() else left.unlink()
            zones.journal.act(replace(act, act=_PROOF, at=datetime.now(UTC), details=proof))
            _complete(proof)
            return proof

    def _tombstone(self, because: str, basis: str | None) -> Tombstone:
        newest = self.versions[0]
        whole = self.number is None
        files = tuple(
            replace(file, name=f"{release.version}/{file.name}") if whole else file
            for release in self.versions
            for file in release.files
        )
        return Tombstone(
            dataset=self.dataset, version=self.number, kind="withdrawal", at=datetime.now(UTC), reason=because,
            legal_basis=basis, previous=newest.version if whole else newest.previous,
            content_hash=newest.content_hash, files=files,
        )  # fmt: skip


@dataclass(frozen=True)
class Readmission:
    """Of a withdrawn dataset, whose tombstone is `grave`: it may be published again."""

    grave: Tombstone

    @classmethod
    def planned(cls, dataset: str, zones: Zones) -> Readmission:
        """The readmission of `dataset`.

        Raises: OdpError when it was not withdrawn, or not yet whole.
        """
        with located(dataset):
            if (grave := zones.store.tombstone(dataset)) is None:
                raise OdpError("it was not withdrawn", mend="publish it: odp run")
            said = [act for act in zones.journal.acts(dataset) if act.act in (_ACT, _PROOF) and _whole(act)]
            if said and said[0].act == _ACT and said[0].details.get("captures"):
                raise OdpError(
                    "its withdrawal was cut short, and its captures were to go as well",
                    mend=f"finish it first, by the same command: odp withdraw {dataset} --captures",
                )
        return cls(grave)

    @property
    def said(self) -> list[str]:
        """What would change, a line each."""
        return ["the tombstone goes; the next run publishes the dataset, with the numbers going on"]

    def done(self, town: Town, zones: Zones, who: str, because: str) -> None:
        """Readmit; the decision is in the journal. A withdrawal that was cut short is finished first.

        Raises: ApprovalRefused when it is not this person's to decide, OdpError when a copy could not be removed.
        """
        dataset = self.grave.dataset
        with located(dataset), workplace(zones.work, dataset, zones.seal):
            details = {"withdrawn_at": f"{self.grave.at:%Y-%m-%d}", "reason": self.grave.reason}
            recorded(zones, town, dataset, "readmission", who, because, details)
            _complete(zones.store.withdraw(self.grave))
            zones.store.readmit(dataset)


def _complete(proof: Mapping[str, Any]) -> None:
    if proof["still_there"]:
        raise OdpError(
            f"{len(proof['still_there'])} objects are still there after the withdrawal",
            mend="look at the rights of the store, then run the same command again",
        )


def _whole(act: Act) -> bool:
    return act.details.get("version") is None


def _one(versions: list[Release], number: int, grave: Tombstone | None) -> list[Release]:
    if versions and versions[0].version == number:
        raise OdpError(
            f"version {number} is the one that the public sees",
            mend="roll back or publish a correction first, or withdraw the whole dataset",
        )
    found = [release for release in versions if release.version == number]
    if not found and grave is None:
        known = ", ".join(str(release.version) for release in reversed(versions)) or "none"
        raise OdpError(f"version {number} is not there", mend=f"there are: {known}")
    return found
