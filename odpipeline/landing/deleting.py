"""Captures whose time is over: deleted, looked for again, and only then written down as deleted.

`deletions.jsonl` beside the captures of a dataset has one line for each: SHA-256 and size of the clear bytes, when they
were last seen and when deleted (UTC), and why. A process that dies in between leaves a folder `.leaving-…`, which the
next deletion finishes: a line may then stand twice, but none is missing.

Deleting unlinks; what a disk keeps of unlinked blocks (SSD, snapshots, backups) is only unreadable when the zone is
sealed.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from odpipeline.errors import OdpError
from odpipeline.landing import captures

LEAVING = ".leaving-"
LOG = "deletions.jsonl"


def delete(folder: Path, why: str) -> None:
    """Delete the capture in `folder` and log it.

    Raises: OSError; OdpError when its bytes are still there afterwards.
    """
    leaving = folder.with_name(f"{LEAVING}{folder.name}")
    if leaving.exists():
        finish(leaving, why)
    folder.rename(leaving)  # from here on it is no capture
    finish(leaving, why)


def finish(leaving: Path, why: str = "a deletion that was cut short") -> None:
    """Do what is left of a deletion: the bytes first, then the proof, then what the proof is made of.

    Raises: as `delete`.
    """
    home, seen_at = leaving.parent, captures.last_seen(leaving)
    payloads = [leaving / captures.PLAIN, leaving / captures.SEALED]
    for payload in payloads:
        payload.unlink(missing_ok=True)
    captures.sync(leaving)
    if any(payload.exists() for payload in payloads):
        raise OdpError(
            "a capture is still there after its deletion",
            where=f"captures/{home.name}",
            mend="look at what holds or restores the files of the private zone",
        )
    _log(home, leaving, seen_at, why)
    shutil.rmtree(leaving)
    captures.sync(home)


def _log(home: Path, leaving: Path, seen_at: datetime, why: str) -> None:
    try:
        size_bytes = captures.read_json(leaving / "capture.json").get("size_bytes")
    except OdpError:  # damaged: its size is not known
        size_bytes = None
    line = {
        "sha256": leaving.name.removeprefix(LEAVING),
        "size_bytes": size_bytes,
        "seen_at": seen_at.isoformat(),
        "deleted_at": datetime.now(UTC).isoformat(),
        "why": why,
    }
    with os.fdopen(os.open(home / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
        log.flush()
        os.fsync(log.fileno())
