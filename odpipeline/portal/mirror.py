"""What `odp serve` keeps on this machine of a store in a bucket: one copy for the files and the read API.

A file that a manifest vouches for is brought once, and checked as it comes; everything else is asked for again each
time. What was withdrawn, and what an erasure rewrote, goes from here when it is asked for next, or when all is looked
through (`sweep`).
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path

from odpipeline.errors import StoreError
from odpipeline.store import Store, layout

VERSION_FILE = re.compile(r"datasets/([^/]+)/versions/([1-9][0-9]{0,17})/([^/]+)")
LATEST = re.compile(r"datasets/([^/]+)/latest/([^/]+)")
READABLE = frozenset({*layout.OF_A_GRAVE, "changelog.jsonl"})
"""What of a withdrawn dataset or version is still answered."""
_TURNS = 64
"""Copies of so many versions are looked after at a time; two versions may share a turn."""
_OF_A_DATASET = re.compile(r"(?:datasets|quality)/([^/]+)/.+|(?:dataset|privacy|changes|feeds)/([^/.]+)[.][^/]+")


def dataset_of(path: str) -> str | None:
    """The identifier of the dataset that `path` of the store is about; None for what is about all of them."""
    found = _OF_A_DATASET.fullmatch(path)
    dataset = (found[1] or found[2]) if found else None
    return dataset if dataset and layout.is_dataset(dataset) else None


def pointed(root: Path, dataset: str) -> int | None:
    """The version that the pointer of `dataset` below `root` names."""
    try:
        return int(json.loads((root / layout.pointer(dataset)).read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Mirror:
    """The folder of copies of `store`, which lies in a bucket."""

    def __init__(self, store: Store) -> None:
        self._store, self._root = store, store.root
        self._turns = [threading.Lock() for _ in range(_TURNS)]

    def bring(self, path: str) -> None:
        """Copy what the answer to `path` is made of.

        Raises: StoreError.
        """
        dataset = dataset_of(path)
        if dataset is None:
            self._store.copy(path)
            return
        if self._gone(dataset):
            if Path(path).name in READABLE:
                self._store.copy(path)
            return
        self._store.copy(layout.pointer(dataset))
        if (latest := LATEST.fullmatch(path)) and (number := pointed(self._root, dataset)) is not None:
            path = layout.version(dataset, number, latest[2])
        if version := VERSION_FILE.fullmatch(path):
            self._bring_of_version(dataset, int(version[2]), version[3])
        else:
            self._store.copy(path)

    def sweep(self) -> None:
        """Drop the copies of what was withdrawn or rewritten since, also where nobody asks for it.

        Raises: StoreError.
        """
        for versions in self._root.glob("datasets/*/versions"):
            if layout.is_dataset(dataset := versions.parent.name) and not self._gone(dataset):
                for folder in (one for one in versions.iterdir() if one.name.isdigit()):
                    self._bring_of_version(dataset, int(folder.name), layout.RELEASE)

    def _gone(self, dataset: str) -> bool:
        self._store.copy(layout.tombstone(dataset))
        if gone := (self._root / layout.tombstone(dataset)).exists():
            for place in (layout.versions(dataset), *layout.pages(dataset)):
                _drop(self._root / place)
        return gone

    def _bring_of_version(self, dataset: str, number: int, name: str) -> None:
        """One file of a version, in turn: nobody puts an old copy in the place of what another one has just dropped."""
        manifest = layout.version(dataset, number, layout.RELEASE)
        folder = (self._root / manifest).parent
        with self._turns[hash((dataset, number)) % _TURNS]:
            before = _bytes(folder / layout.RELEASE)
            for key in (layout.tombstone(dataset, number), manifest):
                self._store.copy(key)
            after = _bytes(folder / layout.RELEASE)
            if after is None or after != before:
                _empty(folder, layout.OF_A_GRAVE | {layout.RELEASE})
            if name not in (_vouched(after, manifest) if after else ()):
                self._store.copy(layout.version(dataset, number, name))
            elif not (folder / name).exists():
                self._store.here(self._store.version(dataset, number), name)


def _vouched(manifest: bytes, key: str) -> set[str]:
    try:
        return {file["name"] for file in json.loads(manifest)["files"]}
    except (ValueError, KeyError, TypeError):
        raise StoreError("the manifest cannot be read", where=key, mend="look at it with: odp verify") from None


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _drop(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _empty(folder: Path, but: frozenset[str]) -> None:
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.name not in but and not file.name.startswith("."):
            file.unlink(missing_ok=True)
