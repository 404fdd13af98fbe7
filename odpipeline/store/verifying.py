"""Does the store still hold what was published? Every byte is read again and compared with what vouches for it.

Files against the manifest, the manifest against its signature and the changelog, the changelog against its chain, the
content hash against the rows and what is said of them, the pointer against all of it. Whatever is there and vouched
for by nothing is named as well. The same is asked of a store that is only seen over HTTP; there, nothing can be listed.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from odpipeline.errors import StoreError
from odpipeline.store import changelog, layout, releases, signing
from odpipeline.store.backend import Backend, Reader
from odpipeline.store.releases import Release, StoredFile

_RESTORE = "restore it from a backup of the store"


@dataclass(frozen=True)
class Flaw:
    """Something that is not as it was published: `where` (a key), `what`, how to `mend` it.

    `grave` when the public may read something else than what was published. `repair`: what can be made again from the
    rest, `follow` (the changelog and `latest`) or `orphan` (remove what was never public).
    """

    where: str
    what: str
    mend: str
    grave: bool = True
    repair: Literal["follow", "orphan"] | None = None


@dataclass
class Verified:
    """What was looked at in one dataset, and what is wrong with it.

    `signed` counts versions with a good signature, `keys` are whose.
    """

    dataset: str
    versions: int = 0
    files: int = 0
    size_bytes: int = 0
    signed: int = 0
    keys: set[str] = field(default_factory=set)
    withdrawn: bool = False
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing grave was found."""
        return not any(flaw.grave for flaw in self.flaws)


def verify(
    store: Reader,
    dataset: str,
    *,
    listed: Backend | None = None,
    sample: int | None = None,
    trusted: Collection[Ed25519PublicKey] = (),
) -> Verified:
    """Read one dataset again. `listed` is the store itself where its folders can be listed, None over HTTP.

    With `sample`, the current version and so many of the others, drawn at random, are read; all by default. With
    `trusted`, only signatures of those keys count, and a version without one is a flaw; else the keys of the store
    itself do, which says that nothing was damaged, and not that nobody who can write there has changed it.
    """
    found = Verified(dataset)
    try:
        if releases.tombstone(store, dataset):
            found.withdrawn = True
            _left(listed, dataset, found)
            return found
        _, current = releases.current(store, dataset)
    except StoreError as error:
        found.flaws.append(Flaw(error.where, error.what, error.mend))
        return found
    if current is None:
        found.flaws.append(Flaw(layout.home(dataset), "nothing of it was ever published", "", grave=False))
        return found
    versions = _history(store, current, found)
    by_name = {signing.name(key): key for key in trusted}
    for release in _drawn(versions, sample):
        try:
            _version(store, release, found, by_name)
        except StoreError as error:
            found.flaws.append(Flaw(error.where, error.what, error.mend))
        if listed:
            _strangers(listed, release, found)
    _changelog(store, versions, found)
    _pointer(store, current, found)
    if listed:
        _alias(listed, current, found)
        _orphans(listed, current, versions, found)
    return found


def _history(store: Reader, current: Release, found: Verified) -> list[Release]:
    versions: list[Release] = []
    try:
        versions.extend(releases.history(store, current))
    except StoreError as error:
        found.flaws.append(Flaw(error.where, error.what, error.mend))
        versions = versions or [current]
    return versions


def _drawn(versions: list[Release], sample: int | None) -> list[Release]:
    if sample is None or sample >= len(versions) - 1:
        return versions
    return [versions[0], *random.sample(versions[1:], sample)]


def _version(store: Reader, release: Release, found: Verified, trusted: Mapping[str, Ed25519PublicKey]) -> None:
    found.versions += 1
    for file in release.files:
        key = layout.version(release.dataset, release.version, file.name)
        if what := _altered(store, key, file):
            found.flaws.append(Flaw(key, what, _RESTORE))
        found.files += 1
        found.size_bytes += file.size_bytes
    key = layout.version(release.dataset, release.version, layout.RELEASE)
    if not _is_its_content(store, release):
        found.flaws.append(Flaw(key, "its content hash is not that of its rows and description", _RESTORE))
    _signature(store, release, found, trusted)


def _is_its_content(store: Reader, release: Release) -> bool:
    """Whether the content hash is that of rows and description, by the rule of the release's format: see `layout`."""
    csv, described = release.file(".csv"), {"about": release.about, "schema": release.schema}
    covered = layout.canonical(described | {"csv": csv.sha256 if csv else None})
    if hashlib.sha256(covered).hexdigest() == release.content_hash:
        return True
    if release.format > 1 or csv is None:
        return False
    former = hashlib.sha256(layout.canonical(described))
    for chunk in store.chunks(layout.version(release.dataset, release.version, csv.name)) or ():
        former.update(chunk)
    return former.hexdigest() == release.content_hash


def _altered(store: Reader, key: str, file: StoredFile) -> str:
    """What is wrong with a file; "" when nothing is."""
    if (chunks := store.chunks(key)) is None:
        return "the file is missing"
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if size > file.size_bytes:
            return f"the file is larger than the {file.size_bytes} bytes that were published"
    if size < file.size_bytes:
        return f"the file has {size} bytes, and {file.size_bytes} were published"
    return "" if digest.hexdigest() == file.sha256 else "its bytes are not those that were published"


def _signature(store: Reader, release: Release, found: Verified, trusted: Mapping[str, Ed25519PublicKey]) -> None:
    key = layout.version(release.dataset, release.version, layout.SIGNATURE)
    document = store.read(key)
    if document is None:
        if trusted:
            found.flaws.append(Flaw(key, "the version is not signed", "take no notice if it is older than the key"))
        return
    manifest = store.read(layout.version(release.dataset, release.version, layout.RELEASE)) or b""
    signer = signing.signed_by(document)
    public = trusted.get(signer)
    if not trusted:
        with suppress(StoreError):
            pem = store.read(layout.key(signer))
            public = signing.public_key(pem) if pem else None
    if public is None or not signing.holds(document, manifest, public):
        which = "of a key that is trusted" if trusted else "of a key of this store"
        mend = "restore it from a backup, or name the earlier key as well, if it is one of the town's"
        found.flaws.append(Flaw(key, f"it is no signature {which} over the manifest", mend))
        return
    found.signed += 1
    found.keys.add(signer)


def _changelog(store: Reader, versions: list[Release], found: Verified) -> None:
    """Each line chained to the one before it, and one with the right manifest for each version that is there."""
    key = layout.changelog(found.dataset)
    remake = "it can be made again from the manifests"
    manifests: dict[int, str] = {}
    chain = ""
    try:
        lines = [json.loads(line) for line in (store.read(key) or b"").splitlines()]
        for number, line in enumerate(lines, start=1):
            if "chain" not in line and chain == "":
                manifests.setdefault(int(line["version"]), "")
                continue
            chain = changelog.chained(chain, line)
            if line.get("chain") != chain:
                found.flaws.append(Flaw(key, f"line {number} does not follow from the lines before it", _RESTORE))
                return
            manifests[int(line["version"])] = str(line.get("manifest_sha256", ""))
    except (ValueError, KeyError, TypeError):
        found.flaws.append(Flaw(key, "it cannot be read", remake, repair="follow"))
        return
    for release in versions:
        if release.version not in manifests:
            what = f"version {release.version} is not in it"
            found.flaws.append(Flaw(key, what, remake, grave=False, repair="follow"))
            continue
        manifest = store.read(layout.version(release.dataset, release.version, layout.RELEASE)) or b""
        logged = manifests[release.version]
        if not logged and b'"undone"' in manifest:  # written since lines are chained
            found.flaws.append(Flaw(key, f"the line of version {release.version} has lost its chain", _RESTORE))
        if logged and logged != hashlib.sha256(manifest).hexdigest():
            what = f"the manifest of version {release.version} is not the one that was logged"
            found.flaws.append(Flaw(key, what, _RESTORE))


def _pointer(store: Reader, current: Release, found: Verified) -> None:
    """Nothing that was public is newer than what the pointer names, also when somebody publishes at this moment."""
    logged = max(changelog.public(store.read(layout.changelog(current.dataset)) or b""), default=0)
    with suppress(StoreError):
        current = releases.current(store, current.dataset)[1] or current
    if logged > current.version:
        what = f"it names version {current.version}, and version {logged} was public after it"
        mend = f"restore it from a backup of the store, together with {layout.version(current.dataset, logged)}"
        found.flaws.append(Flaw(layout.pointer(current.dataset), what, mend))


def _alias(backend: Backend, current: Release, found: Verified) -> None:
    wanted = layout.version(current.dataset, current.version)
    if backend.aliased(layout.latest(current.dataset)) != wanted:
        what = f"it does not show version {current.version}"
        mend = "it is set again at the next run"
        found.flaws.append(Flaw(layout.latest(current.dataset), what, mend, grave=False, repair="follow"))


def _strangers(backend: Backend, release: Release, found: Verified) -> None:
    known = {file.name for file in release.files} | {layout.RELEASE, layout.SIGNATURE}
    folder = layout.version(release.dataset, release.version)
    for name in sorted(set(backend.names(folder)) - known):
        mend = "find out who wrote it, and remove it"
        found.flaws.append(Flaw(f"{folder}/{name}", "the manifest does not name this file", mend))


def _orphans(backend: Backend, current: Release, versions: Collection[Release], found: Verified) -> None:
    """Folders that no reader is ever led to: their publisher died, or lost a race."""
    reached = {release.version for release in versions}
    reached |= changelog.public(backend.read(layout.changelog(current.dataset)) or b"")
    for number in layout.numbers(backend.names(layout.versions(current.dataset))):
        names = backend.names(layout.version(current.dataset, number))
        if layout.TOMBSTONE in names:
            if set(names) - layout.OF_A_GRAVE:
                found.flaws.append(_unfinished(layout.version(current.dataset, number)))
            continue
        if number in reached or not names:
            continue
        what = "it was never public: whoever published it died or lost a race"
        mend = "`odp gc` removes it once it is a day old"
        where = layout.version(current.dataset, number)
        found.flaws.append(Flaw(where, what, mend, grave=False, repair="orphan"))


def _left(backend: Backend | None, dataset: str, found: Verified) -> None:
    """Of a dataset that was withdrawn nothing is left but what says so."""
    if backend is None:
        return
    allowed, home = layout.OF_A_GRAVE | {"changelog.jsonl", "versions"}, layout.home(dataset)
    for key in (f"{home}/{name}" for name in backend.names(home) if name not in allowed):
        if backend.names(key) or backend.written_at(key):  # some servers keep empty folders
            found.flaws.append(_unfinished(key))
    for number in layout.numbers(backend.names(layout.versions(dataset))):
        if backend.names(layout.version(dataset, number)):
            found.flaws.append(_unfinished(layout.version(dataset, number)))


def _unfinished(where: str) -> Flaw:
    mend = "run the same `odp withdraw` again, or `odp gc`"
    return Flaw(where, "it was withdrawn, and something of it is still there", mend)
