"""Erasure of rows, such as those of a person who asks for it (RGPD, article 17), from every version there is.

The current version is followed by one without the rows, so that a reader sees the one or the other; then every version
that held them is rewritten at its own address, with new hashes and a line in the changelog. What must not come back
is kept as a condition in the private zone, and taken out of every delivery from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from odpipeline import privacy
from odpipeline.acts.recording import as_planned, recorded
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, StoreError, located
from odpipeline.flow import Zones
from odpipeline.landing.erasures import Kept
from odpipeline.landing.workplace import forget, workplace
from odpipeline.store import Release, copying, layout, releases, retention, rewriting
from odpipeline.store.releases import StoredFile


@dataclass(frozen=True)
class Erasure:
    """The rows of `dataset` in which every column of `condition` has its value; `held` maps versions to how many.

    `damaged` are versions whose rewriting was cut short, `showing` those whose list of changes has such rows of a
    version that is there no more, `untold` says of versions why their rows cannot be told by it. With
    `only_published`, deliveries are left as they are.
    """

    dataset: Dataset
    condition: Mapping[str, str]
    held: dict[int, int]
    damaged: tuple[int, ...]
    showing: tuple[int, ...]
    only_published: bool
    untold: tuple[str, ...] = ()

    @classmethod
    def planned(
        cls, dataset: Dataset, zones: Zones, condition: Mapping[str, str], *, only_published: bool = False
    ) -> Erasure:
        """What would be erased.

        Raises: OdpError when nothing is meant, a column is not published, or its values are others in each release, so
        that the rows of the next delivery could not be told by them; StoreError when a version is not what was
        published, nor what an erasure that was cut short has made of it.
        """
        with located(dataset.id), workplace(zones.work, dataset.id, zones.seal) as folder:
            versions = zones.store.versions(dataset.id)
            if not versions:
                raise OdpError("nothing of it is public", mend="there is nothing to erase")
            if not condition:
                raise OdpError("no row is named", mend="name it by its key: --where id=…")
            if strangers := set(condition) - set(versions[0].columns):
                raise OdpError(f"{', '.join(sorted(strangers))}: not published", mend="name published columns")
            if not only_published and (others := privacy.fleeting(dataset, condition)):
                raise OdpError(
                    f"the values of {', '.join(others)} are others in each release: the rows would come back",
                    mend="name them by columns that stay, such as a stable key; or have them taken out of the source "
                    "first, and say --only-published for the values of each version",
                )
            held, damaged, showing = {}, [], []
            there = {release.version for release in versions}
            for release in versions:
                files = _files(zones, release, folder)
                if _cut_short(zones, release, files):
                    damaged.append(release.version)
                parquet = files / f"{dataset.id}.parquet"
                held[release.version] = rewriting.matching(parquet, release.columns, [condition], zones.duck)
                if release.previous not in there and _shown(release, files, condition, zones):
                    showing.append(release.version)
        untold = tuple(_untold(versions, condition))
        return cls(dataset, dict(condition), held, tuple(damaged), tuple(showing), only_published, untold)

    @property
    def said(self) -> list[str]:
        """What would change, a line each; no value."""
        lines = [f"version {number}: {rows} rows go" for number, rows in self.held.items() if rows]
        lines += [f"version {number}: an erasure that was cut short is finished" for number in self.damaged]
        lines += [f"version {number}: the list of what changed, which has such rows, goes" for number in self.showing]
        after = "such rows are taken out of every delivery from then on; captures stay as long as their retention says"
        if self.only_published:
            after = "deliveries are published as they come: such rows come back unless the source has them no more"
        elif self.dataset.periods:
            after += ", and the rows of a period in them until the source delivers it without"
        return [*(lines or ["no version holds such a row"]), *self.untold, after]

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
            details: dict[str, Any] = {
                "columns": sorted(self.condition), "versions": {str(k): v for k, v in self.held.items() if v},
                "becomes": {str(one.release.version): _sources(one.release, one.files) for one in rewritten},
            }  # fmt: skip
            if self.only_published:
                details["only_published"] = True
            act = recorded(zones, town, self.dataset.id, "erasure", who, because, details)
            zones.waiting.drop(self.dataset.id)  # first: nobody can say yes to it any more
            _refuse_as_before(zones, versions, rewritten, act.because)  # before deliveries come without the rows
            if not self.only_published:
                kept = Kept(self.condition, privacy.spoken_as(self.dataset, self.condition))
                zones.erasures.add(self.dataset.id, kept)
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
                if release.previous in touched or release.version in self.showing:
                    zones.store.forget_changes(release, act.because)
            zones.store.backend.forget_dead(layout.home(self.dataset.id))
            for place in (layout.home(self.dataset.id), *layout.pages(self.dataset.id)):
                zones.store.backend.forget_former(place)  # last, and each time: it may have been refused before
            forget(folder)
            return len(rewritten)

    def _concerns(self, release: Release) -> bool:
        return bool(self.held.get(release.version)) or release.version in self.damaged

    def _without(self, zones: Zones, release: Release, folder: Path) -> rewriting.Rewritten:
        files = _files(zones, release, folder)
        target = folder / f"without-{release.version}"
        return rewriting.without(release, files, [self.condition], self.dataset, target, zones.duck)


def _refuse_as_before(zones: Zones, versions: list[Release], rewritten: list[rewriting.Rewritten], why: str) -> None:
    """What was rolled back comes without the rows from now on, and so with another hash: that is refused as well."""
    current, public = versions[0], versions[0].content_hash
    without = [(one.release.content_hash, one.content_hash) for one in rewritten]
    without += [(then.content_hash, one.content_hash) for one in versions for then in one.erasures]
    known, before = list(current.undone), 0
    while len(known) > before:  # rows may have been erased from it more than once
        before = len(known)
        known += dict.fromkeys(now for then, now in without if then in known and now not in known)
    shown = next((now for then, now in without if then == public), public)  # is no more what was rolled back
    if (undone := tuple(one for one in known if one != shown)) != current.undone:
        zones.store.amend(current, replace(releases.manifest(current), undone=undone), why)


def lift(
    dataset: Dataset, town: Town, zones: Zones, condition: Mapping[str, str], who: str, because: str, *, dry: bool
) -> str:
    """Take an erasure back, for deliveries to come: what was taken out of versions stays out of them. What is done.

    Raises: OdpError when no erasure has this condition, ApprovalRefused when it is not this person's to decide.
    """
    with located(dataset.id), workplace(zones.work, dataset.id, zones.seal):
        standing = zones.erasures.of(dataset.id)
        if all(one.where != condition for one in standing):
            raise OdpError(
                f"no erasure has this condition; {len(standing)} stand", mend="give all of its columns and values again"
            )
        if not dry:
            recorded(zones, town, dataset.id, "erasure lifted", who, because, {"columns": sorted(condition)})
            zones.erasures.lift(dataset.id, condition)
    return (
        "such rows are published again with the next delivery that is another (at once: odp replay --publish); the "
        "versions stay without them"
    )


def _untold(versions: list[Release], condition: Mapping[str, str]) -> Iterator[str]:
    """Of each of `versions` whose columns are others than those of the newest: what that means for its rows."""
    newest = _types(versions[0])
    for release in reversed(versions[1:]):
        types = _types(release)
        if missing := sorted(set(condition) - set(types)):
            yield (
                f"version {release.version} has no column {', '.join(missing)}: its rows cannot be told and stay; if "
                f"such are in it: odp withdraw {release.dataset} --version {release.version}"
            )
        elif others := sorted(name for name in condition if types[name] != newest[name]):
            yield (
                f"version {release.version} publishes {', '.join(others)} as another type: if such rows are in it, and "
                "their values are spelt otherwise there, erase them by these as well"
            )


def _types(release: Release) -> dict[str, str]:
    return {str(field["name"]): str(field.get("type")) for field in release.schema["fields"]}


def _shown(release: Release, files: Path, condition: Mapping[str, str], zones: Zones) -> bool:
    """Whether the changed rows of `release` may be those that are meant."""
    if all(file.name != layout.CHANGED_ROWS for file in release.files):
        return False
    changed = files / layout.CHANGED_ROWS
    return not changed.is_file() or rewriting.may_match(changed, condition, zones.duck)


def _files(zones: Zones, release: Release, folder: Path) -> Path:
    """A folder with the files of `release` as they are, also where a rewriting was cut short."""
    if not zones.store.elsewhere:
        return release.folder
    return copying.as_they_are(zones.store.backend, release, folder / f"{release.version}")


def _sources(release: Release, files: Iterable[StoredFile]) -> dict[str, str]:
    """Of what a version is written again: the files, with their hashes, in which rows and description are read."""
    names = (f"{release.dataset}.parquet", layout.PACKAGE)
    return {file.name: file.sha256 for file in files if file.name in names}


def _cut_short(zones: Zones, release: Release, files: Path) -> bool:
    """Whether `files` are not as published, because an erasure was cut short: the journal says what it made of them.

    Raises: StoreError when anything else was done to what they would be written again from.
    """
    now = {file.name: _sha256(files / file.name) for file in release.files}
    if all(now[file.name] == file.sha256 for file in release.files):
        return False
    made = [act.details.get("becomes", {}) for act in zones.journal.acts(release.dataset, "erasure")]
    for name, published in _sources(release, release.files).items():
        if now[name] not in (published, *(one.get(str(release.version), {}).get(name, "") for one in made)):
            raise StoreError(
                "its bytes are not those that were published, nor those of an erasure that was cut short",
                where=layout.version(release.dataset, release.version, name),
                mend="restore it from a backup of the store, then run the same command again",
            )
    return True


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
