"""The objects of a version, one after the other into the store: the smallest first, the manifest last.

The smallest takes the number of the version. Long files are written two at a time: one is hashed while the disk or the
network still has the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from odpipeline.errors import StoreError
from odpipeline.store import layout, releases
from odpipeline.store.backend import Backend
from odpipeline.store.releases import Manifest

LONG_BYTES = 4 << 20
"""From here on a file is long."""


def assemble(
    backend: Backend, manifest: Manifest, folder: Path, quality: bytes, signature: bytes | None,
    shared: Mapping[str, str],
) -> list[str]:  # fmt: skip
    """Create every object of the version `manifest`; their keys, newest first, as they are taken away.

    The files are in `folder`, `quality` is the report, `shared` says where the same bytes are already (hash → key).
    Raises: StoreError, when a step was refused and what is half done was taken away again.
    """
    written: list[str] = []

    def create(name: str, content: Path | bytes, sha256: str) -> None:
        key = layout.version(manifest.dataset, manifest.version, name)
        backend.create(key, content, sha256, shared.get(sha256))
        written.insert(0, key)

    try:
        small: list[tuple[str, Path | bytes, str]] = []
        long: list[tuple[str, Path | bytes, str]] = []
        for file in sorted(manifest.files, key=lambda file: file.size_bytes):
            content = quality if file.name == layout.QUALITY else folder / file.name
            alone = not small or file.size_bytes < LONG_BYTES
            (small if alone else long).append((file.name, content, file.sha256))
        for one in small:
            create(*one)
        if long:
            with ThreadPoolExecutor(2) as hands:
                begun = [hands.submit(create, *one) for one in long]
            for done in begun:
                done.result()
        if signature is not None:
            create(layout.SIGNATURE, signature, hashlib.sha256(signature).hexdigest())
        said = releases.as_json(manifest)
        create(layout.RELEASE, said, hashlib.sha256(said).hexdigest())
    except StoreError:
        backend.discard(written)
        raise
    return written
