"""Staged → version, atomic pointer, changelog; nothing new when the content is unchanged.

The order of steps is the whole safety (see `layout`): files, manifest, pointer, changelog, `latest`. Killed before the
pointer, the public sees the old release and a number is lost; killed after it, the new one, and the next publication
or confirmation mends the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from types import EllipsisType
from typing import Any

from odpipeline import __version__
from odpipeline.errors import PublicationRace, StoreError
from odpipeline.quality import public
from odpipeline.store import changelog, copying, layout, releases, withdrawing
from odpipeline.store.assembling import assemble
from odpipeline.store.backend import AlreadyThere, Altered, Backend, Changed, DiskFull
from odpipeline.store.local import LocalFolder
from odpipeline.store.measuring import MEDIA_TYPES
from odpipeline.store.releases import Checked, Erased, Manifest, Pointer, Release, StoredFile, Tombstone
from odpipeline.store.rewriting import Rewritten
from odpipeline.store.signing import Signer
from odpipeline.store.staging import Staged
from odpipeline.verdict import Finding, Verdict

_OF_ONE_VERSION = (layout.QUALITY, layout.CHANGES, layout.CHANGED_ROWS)
"""The files that say something of a version, and not of its content."""


class Store:
    """The publication store in the folder `root`, or in whatever `backend` is given."""

    def __init__(self, root: Path, backend: Backend | None = None, signer: Signer | None = None) -> None:
        self.root = root
        self._backend = backend or LocalFolder(root)
        self.signer = signer

    @property
    def backend(self) -> Backend:
        """Where its bytes lie, for whoever checks them or takes them away."""
        return self._backend

    def ready(self) -> None:
        """Do nothing when whatever a publication needs is there.

        Raises: StoreError when it cannot be reached, SecretMissing, OdpError when its key cannot be used.
        """
        self._backend.ready()
        if self.signer:
            assert self.signer.key  # noqa: S101 - or it has raised

    def datasets(self) -> tuple[str, ...]:
        """The identifiers of the datasets that have a folder, published or not, in alphabetical order."""
        return tuple(name for name in self._backend.names("datasets") if layout.is_dataset(name))

    def current(self, dataset_id: str) -> Release | None:
        """The release that the public sees; None when nothing was ever published.

        Raises: StoreError when the pointer or the manifest is broken.
        """
        return releases.current(self._backend, dataset_id)[1]

    def versions(self, dataset_id: str, most: int | None = None) -> list[Release]:
        """The current release and those that were public before it, newest first; `most` of them, or all.

        Raises: StoreError when one of the manifests is broken.
        """
        current = self.current(dataset_id)
        return list(islice(releases.history(self._backend, current), most)) if current else []

    def confirm(self, release: Release) -> Release:
        """Note that the source still says what `release` says; only `checked_at` moves.

        Raises: StoreError.
        """
        return self._checked(release, release.checked_capture, release.checked_code)

    def publish(self, staged: Staged, verdict: Verdict, *, over: Release | EllipsisType | None = ...) -> Release:
        """Make `staged` the current release; the current one, freshly checked, when its content is the same.

        `over` is the release that the verdict was reached against (None: there was none); when it is given and another
        one is current by now, the verdict counts no longer.
        Raises: StoreError when the verdict does not accept exactly this content, when the staged bytes have changed
        since, when the disk is full or refuses; PublicationRace when someone else published meanwhile.
        """
        _authorised(staged, verdict)
        self.standing(staged.dataset)
        read, current = releases.current(self._backend, staged.dataset)
        if over is not ... and (over.version if over else None) != (current.version if current else None):
            raise _race(staged.dataset, f"someone published version {current.version if current else 0} meanwhile")
        if current and current.content_hash == staged.content_hash:
            return self._checked(current, staged.facts.capture_sha256, staged.facts.code_version)
        number, now = self._next(staged.dataset, current), datetime.now(UTC)
        shown = _shown(staged, verdict)
        quality = public.as_bytes(public.report(shown, _about(staged, number, now), self.quality(current)))
        manifest = _manifest(staged, current, number, now, shown, quality)
        self._commit(manifest, staged.folder, quality, read)
        release = releases.version(self._backend, staged.dataset, manifest.version)
        try:
            self._follow(release)
        except StoreError as error:
            raise StoreError(
                f"version {release.version} is published, but what follows it is not written: {error.what}",
                where=error.where,
                mend=f"{error.mend}: the next run mends the changelog and `latest`",
            ) from None
        return release

    def withdrawn(self, dataset_id: str) -> bool:
        """Whether the whole dataset was withdrawn, and not readmitted."""
        return releases.tombstone(self._backend, dataset_id) is not None

    def standing(self, dataset_id: str) -> None:
        """Do nothing when `dataset_id` may be published.

        Raises: StoreError when it was withdrawn; what of that was cut short is finished first.
        """
        if grave := releases.tombstone(self._backend, dataset_id):
            withdrawing.finish(self._backend, grave, self.signer)
            raise StoreError(
                f"it was withdrawn on {grave.at:%Y-%m-%d} and does not come back by itself",
                where=layout.tombstone(dataset_id),
                mend=f"if that is decided: odp readmit {dataset_id} --because …",
            )

    def republish(self, release: Release, files: Path, over: Release, why: str, changes: Mapping[str, Any]) -> Release:
        """The content of `release`, whose files are in the folder `files`, as a new version in the place of `over`.

        `changes` are the counts of what that changes.
        What `over` held is undone: `gate.judge` refuses it from then on until it is accepted.
        Raises: as `publish`.
        """
        read, current = releases.current(self._backend, over.dataset)
        if current is None or current.version != over.version:
            raise _race(over.dataset, f"someone published version {current.version if current else 0} meanwhile")
        number, now = self._next(over.dataset, current), datetime.now(UTC)
        report = public.again(self.quality(release), number, now, self.quality(current))
        quality = public.as_bytes(report) if report else b""
        kept = [file for file in release.files if file.name not in _OF_ONE_VERSION]
        added = [_quality_file(quality)] if report else []
        undone = tuple(dict.fromkeys((*over.undone, over.content_hash)))
        manifest = replace(
            releases.manifest(release), version=number, published_at=now, previous=current.version, why=why,
            files=(*kept, *added), changes=changes, undone=tuple(one for one in undone if one != release.content_hash),
        )  # fmt: skip
        self._commit(manifest, files, quality, read)
        self._follow(again := releases.version(self._backend, over.dataset, number))
        return again

    def remade(self, dataset_id: str) -> None:
        """Make the changelog and `latest` again from the manifests; lines about acts are lost, the journal has them.

        Raises: StoreError when a manifest is broken.
        """
        if (release := self.current(dataset_id)) is not None:
            versions = list(reversed(list(releases.history(self._backend, release))))
            lines = changelog.grown(b"", ((one, self._manifest_sha256(one)) for one in versions))
            changelog.rewrite(self._backend, dataset_id, lambda _: lines)
            self._backend.alias(layout.latest(dataset_id), layout.version(dataset_id, release.version))

    @property
    def elsewhere(self) -> bool:
        """True when the files are not on this machine: `copy` brings them to the folder `root`."""
        return not isinstance(self._backend, LocalFolder)

    def copy(self, key: str) -> None:
        """Bring one object to the folder `root`, under its key; what is gone there goes here too.

        Raises: StoreError.
        """
        copying.mirrored(self._backend, key, self.root)

    def fetched(self, release: Release, folder: Path) -> Path:
        """A folder of this machine with the files of `release`: its own, or `folder` with copies.

        Raises: StoreError when a file is missing, or is not what was published.
        """
        if not self.elsewhere:
            return release.folder
        for file in release.files:
            copying.copied(self._backend, release, file, folder)
        return folder

    def here(self, release: Release, name: str) -> Path:
        """The file `name` of `release` on this machine: its own, or a copy below `root`, beside its manifest.

        Raises: as `fetched`.
        """
        if not self.elsewhere:
            return release.folder / name
        [file] = [one for one in release.files if one.name == name]
        place = self.root / layout.version(release.dataset, release.version)
        if not (place / layout.RELEASE).exists():
            self.copy(layout.version(release.dataset, release.version, layout.RELEASE))
        return copying.copied(self._backend, release, file, place)

    def parquet(self, release: Release, folder: Path) -> Path:
        """The Parquet of `release` on this machine: its own, or a copy in `folder`.

        Raises: as `fetched`.
        """
        name = f"{release.dataset}.parquet"
        if not self.elsewhere:
            return release.folder / name
        [file] = [one for one in release.files if one.name == name]
        return copying.copied(self._backend, release, file, folder / release.dataset / str(release.version))

    def correct(self, rewritten: Rewritten, why: str) -> Release:
        """What the current version becomes without some rows, as the next version.

        Raises: as `publish`.
        """
        read, current = releases.current(self._backend, rewritten.release.dataset)
        if current is None or current.version != rewritten.release.version:
            raise _race(rewritten.release.dataset, "someone published meanwhile")
        number, now = self._next(current.dataset, current), datetime.now(UTC)
        manifest = replace(
            releases.manifest(current), version=number, published_at=now, previous=current.version, why=why,
            files=rewritten.files, rows=rewritten.rows, content_hash=rewritten.content_hash, changes={},
        )  # fmt: skip
        quality = self._backend.read(layout.version(current.dataset, current.version, layout.QUALITY)) or b""
        self._commit(manifest, rewritten.folder, quality, read)
        corrected = releases.version(self._backend, current.dataset, number)
        self._follow(corrected)
        return corrected

    def rewrite(self, rewritten: Rewritten, reason: str) -> None:
        """Put a version without some rows in its own place: each file at one instant, the manifest last.

        May be repeated after a crash: the files and the manifest are the same again but for the time.
        Raises: StoreError.
        """
        release = rewritten.release
        erased = Erased(datetime.now(UTC), reason, release.content_hash)
        manifest = replace(
            releases.manifest(release), files=rewritten.files, rows=rewritten.rows,
            content_hash=rewritten.content_hash, erasures=(*release.erasures, erased),
        )  # fmt: skip
        key = partial(layout.version, release.dataset, release.version)
        for file in rewritten.files:
            self._backend.put(key(file.name), rewritten.folder / file.name)
        for name in {file.name for file in release.files} - {file.name for file in rewritten.files}:
            self._backend.purge(key(name))
        self.amend(release, manifest, reason)

    def forget_changes(self, release: Release, reason: str) -> None:
        """Take what changed since the version before out of `release`: it shows rows that are to be forgotten.

        It may be the current one, so its manifest names them no more before they go. May be repeated after a crash.
        Raises: StoreError.
        """
        shown = {layout.CHANGES, layout.CHANGED_ROWS}
        kept = tuple(file for file in release.files if file.name not in shown)
        if len(kept) < len(release.files):
            self.amend(release, replace(releases.manifest(release), files=kept), reason)
        for name in shown & set(self._backend.names(layout.version(release.dataset, release.version))):
            self._backend.purge(layout.version(release.dataset, release.version, name))
        self._realias(release)

    def _realias(self, release: Release) -> None:
        """Let `latest` follow what was done to the version that it stands for: some backends hold copies there."""
        folder = layout.version(release.dataset, release.version)
        if self._backend.aliased(latest := layout.latest(release.dataset)) == folder:
            self._backend.alias(latest, folder)

    def amend(self, release: Release, manifest: Manifest, reason: str) -> None:
        """Put `manifest` in the place of that of `release`. May be repeated; raises StoreError."""
        key = partial(layout.version, release.dataset, release.version)
        if (signature := self._signature(manifest)) is not None:
            self._backend.put(key(layout.SIGNATURE), signature)
        content = releases.as_json(manifest)
        line = {
            "act": "erasure", "version": release.version, "at": _spelt(datetime.now(UTC)), "reason": reason,
            "content_hash": manifest.content_hash, "manifest_sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        changelog.rewrite(self._backend, release.dataset, partial(changelog.acted, line=line))
        self._backend.put(key(layout.RELEASE), content)
        self._realias(release)

    def follow(self, dataset_id: str) -> None:
        """Bring the changelog and `latest` to the pointer, after an act that may have been cut short before.

        Raises: StoreError.
        """
        if (release := self.current(dataset_id)) is not None:
            self._follow(release)

    def withdraw(self, grave: Tombstone) -> dict[str, Any]:
        """Take away what `grave` says, for good; the proof. From its first step on nothing of it is served.

        May be repeated after a crash at any instant.
        Raises: StoreError.
        """
        return withdrawing.withdraw(self._backend, grave, self.signer)

    def tombstone(self, dataset_id: str, number: int | None = None) -> Tombstone | None:
        """What stands where a dataset, or one of its versions, was taken away; None when it was not."""
        return releases.tombstone(self._backend, dataset_id, number)

    def readmit(self, dataset_id: str) -> None:
        """Let a dataset that was withdrawn be published again; its numbers go on, its changelog and the proof stay."""
        self._backend.purge(layout.tombstone(dataset_id))

    def version(self, dataset_id: str, number: int) -> Release:
        """Version `number` of a dataset, public or not.

        Raises: StoreError when it is missing or broken.
        """
        return releases.version(self._backend, dataset_id, number)

    def quality(self, release: Release | None) -> dict[str, Any] | None:
        """The report of a release's checks; None for none, and for one of the time before there were reports.

        Raises: StoreError when it is broken.
        """
        return releases.quality(self._backend, release) if release else None

    def page(self, key: str) -> bytes | None:
        """A page as it was written, or None."""
        return self._backend.read(key)

    def write(self, key: str, content: bytes) -> Path:
        """Replace a page that is made from the store, such as the catalogue, in one instant; where it is now."""
        if self._backend.read(key) != content:
            self._backend.put(key, content)
        return self._backend.place(key)

    def _next(self, dataset: str, current: Release | None) -> int:
        """The first number that no folder has, orphans included, and that was never public."""
        taken = layout.numbers(self._backend.names(layout.versions(dataset)))
        if current is None:
            taken.append(changelog.logged(self._backend.read(layout.changelog(dataset)) or b"")[1])
        return max([current.version if current else 0, *taken]) + 1

    def _commit(self, manifest: Manifest, folder: Path, quality: bytes, expected: bytes | None) -> None:
        """Files, manifest, pointer. What a refused step leaves half done is taken away again."""
        try:
            signature = self._signature(manifest)
            written = assemble(self._backend, manifest, folder, quality, signature, self._shared(manifest))
        except StoreError as error:
            raise self._in_full(error, manifest) from None
        pointer = Pointer(
            manifest.dataset, manifest.version, manifest.content_hash, manifest.published_at, manifest.previous
        )
        try:
            self._backend.swap(layout.pointer(manifest.dataset), releases.as_json(pointer), expected)
        except (Changed, DiskFull) as error:  # after any other error the pointer may have moved: nothing is taken away
            self._backend.discard(written)
            raise self._in_full(error, manifest) from None

    def _shared(self, manifest: Manifest) -> dict[str, str]:
        """Where the version before holds the same bytes, such as a partition to which nothing was added: hash → key."""
        if manifest.previous is None or releases.tombstone(self._backend, manifest.dataset, manifest.previous):
            return {}
        before = releases.version(self._backend, manifest.dataset, manifest.previous)
        return {file.sha256: layout.version(before.dataset, before.version, file.name) for file in before.files}

    def _signature(self, manifest: Manifest) -> bytes | None:
        """The signature of a manifest, whose key is made public first."""
        if self.signer is None:
            return None
        with suppress(AlreadyThere):
            public = self.signer.public
            self._backend.create(layout.key(self.signer.key), public, hashlib.sha256(public).hexdigest())
        return self.signer.sign(releases.as_json(manifest))

    def _in_full(self, error: StoreError, manifest: Manifest) -> StoreError:
        """What a failed step means for who publishes: what happened, what the public sees, what to do."""
        kept = f"version {manifest.previous} is still served" if manifest.previous else "no version was served before"
        if isinstance(error, AlreadyThere):
            return _race(manifest.dataset, f"someone is publishing version {manifest.version} at this moment")
        if isinstance(error, Changed):
            now = self.current(manifest.dataset)
            return _race(manifest.dataset, f"someone published version {now.version if now else 0} meanwhile")
        if isinstance(error, Altered):
            what = f"the staged bytes have changed since the verdict; nothing was published, {kept}"
            mend = "find out what writes to the private zone besides the pipeline, then run again"
        elif isinstance(error, DiskFull):
            what = f"the store's disk is full; nothing was published, {kept}"
            mend = f"free at least {_megabytes(manifest)} MB on it, then run again"
        else:
            what, mend = f"{error.what}; nothing was published, {kept}", error.mend
        return StoreError(what, where=error.where, mend=mend)

    def _checked(self, release: Release, capture_sha256: str, code_version: str) -> Release:
        checked = Checked(release.version, datetime.now(UTC), capture_sha256, code_version)
        self._backend.put(layout.checked(release.dataset), releases.as_json(checked))
        self._follow(release)
        return replace(
            release, checked_at=checked.checked_at, checked_capture=capture_sha256, checked_code=code_version
        )

    def _follow(self, release: Release) -> None:
        """Bring the changelog and then `latest` to the pointer. `latest` comes last, so where it is right all is right.

        Another publisher may be doing the same for a newer version: look again until the pointer stands still.
        """
        while self._backend.aliased(layout.latest(release.dataset)) != layout.version(release.dataset, release.version):
            self._log(release)
            self._backend.alias(layout.latest(release.dataset), layout.version(release.dataset, release.version))
            release = self.current(release.dataset) or release

    def _log(self, release: Release) -> None:
        """Append to the changelog the versions that it lacks."""

        def longer(content: bytes) -> bytes:
            kept, last = changelog.logged(content)
            newer = takewhile(lambda one: one.version > last, releases.history(self._backend, release))
            missing = list(newer)[::-1]
            hashes = [self._manifest_sha256(version) for version in missing]
            return changelog.grown(kept, zip(missing, hashes, strict=True)) if missing else content

        changelog.rewrite(self._backend, release.dataset, longer)

    def _manifest_sha256(self, release: Release) -> str:
        key = layout.version(release.dataset, release.version, layout.RELEASE)
        return hashlib.sha256(self._backend.read(key) or b"").hexdigest()


def _authorised(staged: Staged, verdict: Verdict) -> None:
    """Only an accepted verdict about this dataset and exactly this content opens the store."""
    if (verdict.dataset, verdict.content_hash) != (staged.dataset, staged.content_hash) or not verdict.accepted:
        raise StoreError(
            "the verdict does not accept this content; nothing was published",
            where=staged.dataset,
            mend="this is a fault of odpipeline: publish what `gate.judge` accepted, and nothing else",
        )


def _shown(staged: Staged, verdict: Verdict) -> tuple[Finding, ...]:
    """What the public may read of the verdict; anything that was suppressed was suppressed for a person's sake."""
    said = staged.facts.privacy
    of_persons = said.get("personal_data") != "none" or bool(said.get("k") or said.get("small_cells"))
    return public.published(verdict.findings, staged.columns, of_persons=of_persons)


def _about(staged: Staged, number: int, now: datetime) -> dict[str, Any]:
    stamp = _spelt(now)
    return {"dataset": staged.dataset, "version": number, "content_hash": staged.content_hash, "published_at": stamp}


def _manifest(
    staged: Staged, current: Release | None, number: int, now: datetime, shown: Sequence[Finding], quality: bytes
) -> Manifest:
    facts = staged.facts
    return Manifest(
        dataset=staged.dataset,
        version=number,
        title=staged.about["title"],
        content_hash=staged.content_hash,
        rows=staged.rows,
        files=(*staged.files, *staged.changes, _quality_file(quality)),
        published_at=now,
        previous=current.version if current else None,
        why=facts.why,
        data_date=facts.data_date,
        rows_in=facts.rows_in,
        quarantined=facts.quarantined,
        capture_sha256=facts.capture_sha256,
        code_version=facts.code_version,
        package_version=__version__,
        about=staged.about,
        schema=staged.schema,
        lineage=facts.lineage,
        quality=public.summary(shown),
        privacy=facts.privacy,
        changes=staged.difference,
        undone=tuple(one for one in (current.undone if current else ()) if one != staged.content_hash),
    )


def _quality_file(quality: bytes) -> StoredFile:
    return StoredFile(layout.QUALITY, hashlib.sha256(quality).hexdigest(), len(quality), MEDIA_TYPES[".json"])


def _race(dataset: str, what: str) -> PublicationRace:
    return PublicationRace(
        f"{what}; nothing was published by this run",
        where=dataset,
        mend="run again: what is published now is then compared with what the source delivers",
    )


def _megabytes(manifest: Manifest) -> int:
    return 1 + sum(file.size_bytes for file in manifest.files) // 1_000_000


def _spelt(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
