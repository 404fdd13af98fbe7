"""The changelog: one line for each version that was ever current, chained by hashes (see `layout`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from odpipeline.errors import StoreError
from odpipeline.store import layout
from odpipeline.store.backend import Backend, Changed

if TYPE_CHECKING:
    from odpipeline.store.releases import Release

_TRIES = 100


def logged(content: bytes) -> tuple[bytes, int]:
    """The changelog as far as it can be kept, and the last version in it; all is made anew when it cannot be read.

    A line about an act on one version names that version, which is mostly an older one.
    """
    try:
        for line in reversed(content.splitlines()):
            said = json.loads(line)
            if "act" not in said or said.get("whole"):
                return content, int(said["version"])
    except (ValueError, KeyError, TypeError):
        return b"", 0
    return content, 0


def rewrite(backend: Backend, dataset: str, longer: Callable[[bytes], bytes]) -> None:
    """Make of the changelog of `dataset` what `longer` makes of it; no line of somebody else is lost meanwhile.

    Raises: StoreError.
    """
    key = layout.changelog(dataset)
    for _ in range(_TRIES):
        read = backend.read(key)
        content = longer(read or b"")
        if content == (read or b""):
            return
        with suppress(Changed):
            backend.swap(key, content, read)
            return
    raise StoreError("others write the changelog all the time", where=key, mend="run again once they have ended")


def grown(content: bytes, versions: Iterable[tuple[Release, str]]) -> bytes:
    """`content` and a line for each of `versions`, given with the SHA-256 of its manifest, oldest first."""
    lines, chain = [content], _chain_of(content)
    for release, manifest_sha256 in versions:
        line = _line(release) | {"manifest_sha256": manifest_sha256}
        chain = chained(chain, line)
        lines.append(layout.canonical(line | {"chain": chain}))
    return b"".join(lines)


def acted(content: bytes, line: dict[str, Any]) -> bytes:
    """`content` and one line of an act (`act`, `at`, `version`, `reason`…)."""
    return content + layout.canonical(line | {"chain": chained(_chain_of(content), line)})


def public(content: bytes) -> set[int]:
    """The versions that were ever current, as far as it can be read."""
    found = set()
    for one in content.splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            line = json.loads(one)
            found |= set() if line.get("act") else {int(line["version"])}
    return found


def withdrawn(content: bytes) -> bool:
    """Whether the last line says that the dataset was withdrawn."""
    lines = content.splitlines()
    try:
        last = json.loads(lines[-1]) if lines else {}
        return last.get("act") == "withdrawal" and last.get("whole") is True
    except (ValueError, AttributeError):
        return False


def chained(before: str, line: dict[str, Any]) -> str:
    """The chain of `line`, whose own `chain` does not count; `before` is that of the line before it, or empty."""
    plain = {name: value for name, value in line.items() if name != "chain"}
    return hashlib.sha256(before.encode() + layout.canonical(plain)).hexdigest()


def _chain_of(content: bytes) -> str:
    lines = content.splitlines()
    return str(json.loads(lines[-1]).get("chain", "")) if lines else ""


def _line(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "published_at": release.published_at.isoformat().replace("+00:00", "Z"),
        "content_hash": release.content_hash,
        "rows": release.rows,
        "previous": release.previous,
        "why": release.why,
        **({"changes": dict(release.changes)} if release.changes else {}),
    }
