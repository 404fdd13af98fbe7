"""Taking away for good: a dataset, or one version of it. Nothing here asks why; `acts` does.

The order is the safety: the tombstone first, from which on readers are told that it is gone; then the pointer, the
bytes and the pages; then the changelog and the proof, made of what is found when everything is looked for again. Each
step may be repeated, and a withdrawal that was cut short is finished by whoever comes next.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from odpipeline.store import changelog, layout, releases
from odpipeline.store.backend import Backend, Changed
from odpipeline.store.releases import Tombstone
from odpipeline.store.signing import Signer


def withdraw(backend: Backend, grave: Tombstone, signer: Signer | None) -> dict[str, Any]:
    """Take away what `grave` says; the proof.

    Raises: StoreError.
    """
    part = re.compile(rf"((?:\d+/)?{re.escape(grave.dataset)}\.)[^/]+-[^/]+(\.parquet)")
    files = (replace(file, name=part.sub(rf"\1part-{file.sha256[:12]}\2", file.name)) for file in grave.files)
    grave = replace(grave, files=tuple(files))  # names of partitions hold values
    key = layout.tombstone(grave.dataset, grave.version)
    if backend.read(key) is None:
        with suppress(Changed):  # somebody else does the same
            backend.swap(key, releases.as_json(grave), None)
    return finish(backend, grave, signer)


def finish(backend: Backend, grave: Tombstone, signer: Signer | None) -> dict[str, Any]:
    """Do what is left of a withdrawal; the proof, which is written when there was anything left or it is missing.

    Raises: StoreError.
    """
    proof_key = layout.proof(grave.dataset, grave.version)
    there = left(backend, grave)
    for key in there:
        backend.purge(key)
    home = layout.home(grave.dataset)
    backend.forget_dead(home if grave.version is None else layout.version(grave.dataset, grave.version))
    for key in _once(grave):
        backend.forget_former(key)
    written = json.loads(backend.read(proof_key) or b"{}")
    if not there and written.get("withdrawn_at") == _stamp(grave.at) and not written["still_there"]:
        return dict(written)  # it is not that of an earlier withdrawal, and holds
    _log(backend, grave)
    proof = {
        "format": layout.FORMAT,
        "dataset": grave.dataset,
        "version": grave.version,
        "withdrawn_at": _stamp(grave.at),
        "reason": grave.reason,
        "legal_basis": grave.legal_basis,
        "removed": [vars(file) for file in grave.files],
        "looked_for_again_at": _stamp(datetime.now(UTC)),
        "still_there": left(backend, grave),
    }
    content = layout.readable(proof)
    backend.put(proof_key, content)
    if signer:
        backend.put(f"{proof_key}.sig", signer.sign(content))
    return proof


def left(backend: Backend, grave: Tombstone) -> list[str]:
    """The keys that must go and are still there: the pointer first, so that no reader is led to what goes next."""
    home, dataset = layout.home(grave.dataset), grave.dataset
    if grave.version is not None:
        folder = layout.version(dataset, grave.version)
        there = [f"{folder}/{name}" for name in backend.names(folder) if name not in layout.OF_A_GRAVE]
        return [*there, *_there(backend, layout.quality_pages(dataset, grave.version))]
    kept = layout.OF_A_GRAVE | {"changelog.jsonl", "versions"}
    first = [layout.pointer(dataset), layout.checked(dataset)]
    there = [key for key in first if backend.read(key) is not None]
    others = [f"{home}/{name}" for name in backend.names(home) if name not in kept]
    there += [key for key in _there(backend, others) if key not in first]  # some servers keep empty folders
    for number in layout.numbers(backend.names(layout.versions(dataset))):
        folder = layout.version(dataset, number)
        there += [folder] if backend.names(folder) else []
    return there + _there(backend, layout.pages(dataset))


def _once(grave: Tombstone) -> list[str]:
    """Where bytes of it have been, also those that a purge cut short has left, and those that `latest` stood for."""
    if grave.version is None:
        return [layout.home(grave.dataset), *layout.pages(grave.dataset)]
    folder, latest = layout.version(grave.dataset, grave.version), layout.latest(grave.dataset)
    return [folder, latest, *layout.quality_pages(grave.dataset, grave.version)]


def _there(backend: Backend, keys: list[str]) -> list[str]:
    return [key for key in keys if backend.names(key) or backend.written_at(key)]


def _log(backend: Backend, grave: Tombstone) -> None:
    """The line of the act in the changelog, once."""
    line = {
        "act": grave.kind,
        "whole": grave.version is None,
        "version": grave.version if grave.version is not None else grave.previous or 0,
        "at": _stamp(grave.at),
        "reason": grave.reason,
    }
    said = {name: line[name] for name in ("act", "version", "at")}

    def once(content: bytes) -> bytes:
        known = any(said.items() <= json.loads(one).items() for one in content.splitlines())
        return content if known else changelog.acted(content, line)

    changelog.rewrite(backend, grave.dataset, once)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
