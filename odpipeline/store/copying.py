"""Copies on this machine of what lies in a bucket: a release's files, checked as they come, and what is served."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from odpipeline.errors import StoreError
from odpipeline.store import layout
from odpipeline.store.backend import Backend
from odpipeline.store.releases import Release, StoredFile


def copied(backend: Backend, release: Release, file: StoredFile, folder: Path) -> Path:
    """One file of `release` in `folder`, where it stays for the next time.

    Raises: StoreError when it is missing, or is not what was published.
    """
    target = folder / file.name
    if target.exists():
        return target
    key = layout.version(release.dataset, release.version, file.name)
    folder.mkdir(parents=True, exist_ok=True)
    digest, aside = hashlib.sha256(), folder / f".{secrets.token_hex(8)}"
    try:
        with aside.open("wb") as copy:
            for chunk in backend.chunks(key) or ():
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise StoreError(
                "the file is missing, or its bytes are not those that were published",
                where=key, mend="restore it from a backup of the store",
            )  # fmt: skip
        return aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def as_they_are(backend: Backend, release: Release, folder: Path) -> Path:
    """`folder` with the files of `release` as they are now, whatever was published; what is missing is missing there.

    Raises: StoreError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in release.files:
        chunks = backend.chunks(layout.version(release.dataset, release.version, file.name))
        if chunks is not None:
            with (folder / file.name).open("wb") as copy:
                copy.writelines(chunks)
    return folder


def mirrored(backend: Backend, key: str, root: Path) -> None:
    """Bring the object `key` below `root`; what is gone there goes here too. Hidden names are left alone.

    Raises: StoreError.
    """
    if any(part.startswith(".") or not part for part in key.split("/")):
        return
    target, content = root / key, backend.read(key)
    if content is None:
        if target.is_file():
            target.unlink(missing_ok=True)
        return
    if target.is_file() and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{secrets.token_hex(8)}")
    aside.write_bytes(content)
    aside.replace(target)
