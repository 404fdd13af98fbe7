"""Which versions stay, what goes, how large the store is and will be.

Versions that go leave a tombstone, which carries the history over them; the current version never goes, and since a
number is never current again once another one is, no run that is under way can be led to what goes. Folders that were
never public go when they are a day old: longer than any run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from odpipeline.declaration.keeping import Keep
from odpipeline.store import changelog, layout, releases, withdrawing
from odpipeline.store.backend import Backend
from odpipeline.store.releases import Release, Tombstone
from odpipeline.store.signing import Signer

OLD_ENOUGH = timedelta(days=1)
"""The age from which what was never public is taken for dead."""
_QUARTER = timedelta(days=91)


@dataclass(frozen=True)
class Size:
    """What a dataset takes, in bytes: now, the current version alone, and in a year if it grows as it did.

    `growth_bytes` a month, over the last quarter.
    """

    dataset: str
    versions: int
    size_bytes: int
    current_bytes: int
    growth_bytes: int
    in_a_year_bytes: int


def kept(versions: Iterable[Release], keep: Keep, now: datetime, zone: tzinfo) -> frozenset[int]:
    """The numbers of those of `versions` (newest first) that stay; days and months are those of `zone`."""
    found = list(versions)
    if keep.everything or not found:
        return frozenset(release.version for release in found)
    stays = {found[0].version, *(release.version for release in found[: keep.last or 0])}
    for span, period in ((keep.daily, "%Y-%m-%d"), (keep.monthly, "%Y-%m")):
        if span is not None:
            since = [release for release in found if release.published_at >= now - span]
            newest: dict[str, int] = {}
            for release in since:  # newest first
                newest.setdefault(release.published_at.astimezone(zone).strftime(period), release.version)
            stays |= set(newest.values())
    return frozenset(stays)


def surplus(backend: Backend, dataset: str, keep: Keep, now: datetime, zone: tzinfo) -> list[Release]:
    """The versions of `dataset` that do not stay, newest first.

    Raises: StoreError when a manifest is broken: then nothing may be removed.
    """
    current = releases.current(backend, dataset)[1]
    if current is None:
        return []
    versions = list(releases.history(backend, current))
    stays = kept(versions, keep, now, zone)
    return [release for release in versions if release.version not in stays]


def remove(backend: Backend, release: Release, now: datetime, signer: Signer | None) -> None:
    """Take away a version that is not kept; its tombstone says so. `signer` signs the proof.

    Raises: StoreError, also when it is the version that the public sees.
    """
    current = releases.current(backend, release.dataset)[1]
    assert current is None or current.version != release.version  # noqa: S101 - see `kept`
    grave = Tombstone(
        dataset=release.dataset, version=release.version, kind="retention", at=now,
        reason="no longer kept, as the dataset declares", previous=release.previous,
        content_hash=release.content_hash, files=release.files,
    )  # fmt: skip
    withdrawing.withdraw(backend, grave, signer)


def unfinished(backend: Backend, dataset: str) -> list[Tombstone]:
    """The tombstones, of versions and of the whole, of which something is there: `withdrawing.finish` takes it away."""
    numbers = layout.numbers(backend.names(layout.versions(dataset)))
    graves = [releases.tombstone(backend, dataset, number) for number in (None, *numbers)]
    return [grave for grave in graves if grave and withdrawing.left(backend, grave)]


def orphans(backend: Backend, dataset: str, now: datetime | None = None) -> list[int]:
    """The versions of `dataset` that no reader is led to, and with `now` only those that are old enough to be dead.

    One that the changelog names was public, wherever the pointer stands: it is none.
    Raises: StoreError when the history is broken: then none can be told.
    """
    current = releases.current(backend, dataset)[1]
    reached = {release.version for release in releases.history(backend, current)} if current else set()
    reached |= changelog.public(backend.read(layout.changelog(dataset)) or b"") if current else set()
    return [
        number
        for number in layout.numbers(backend.names(layout.versions(dataset)))
        if number not in reached and _dead(backend, layout.version(dataset, number), now)
    ]


def _dead(backend: Backend, folder: str, now: datetime | None) -> bool:
    names = backend.names(folder)
    if not names or layout.TOMBSTONE in names:
        return False
    written = [at for name in names if (at := backend.written_at(f"{folder}/{name}"))]
    return now is None or (bool(written) and max(written) < now - OLD_ENOUGH)


def size(backend: Backend, dataset: str, now: datetime) -> Size:
    """What `dataset` takes in the store, by its manifests.

    Raises: StoreError.
    """
    current = releases.current(backend, dataset)[1]
    versions = list(releases.history(backend, current)) if current else []
    sizes = [(release.published_at, sum(file.size_bytes for file in release.files)) for release in versions]
    recent = sum(one for at, one in sizes if at >= now - _QUARTER)
    growth = recent // 3
    total = sum(one for _, one in sizes)
    return Size(dataset, len(versions), total, sizes[0][1] if sizes else 0, growth, total + 12 * growth)
