"""Private captures: what was delivered, byte for byte, with its provenance, for the declared retention.

::

    captures/                         0700, as every folder below; every file is 0600
      <dataset>/
        latest.json                   {"sha256": …}: the capture that the source delivered last
        deletions.jsonl               what retention has deleted: see `deleting`
        <sha256>/
          payload.age                 the bytes as they came, sealed with the town's key
          payload                     … in clear, when the town names no key
          capture.json                provenance: kind, system, size, times, validators, the known suffix of the name
        .arriving-…/                  a capture on its way; left behind only by a process that died, removed by `prune`
        .leaving-…/                   a capture whose deletion was cut short; the next `prune` finishes it

A capture is named by the SHA-256 of its clear bytes, sealed or not: age never seals the same bytes twice the same way,
so only the clear ones tell that a delivery is the last one again, and that an opened capture is what was delivered.
The hash tells nothing of the bytes to who does not have them already. Payloads are never named by the source: names
may be personal data.

A capture is written aside, synced and renamed, so that a folder with a SHA-256 for a name is always whole. `seen_at`
is when the source last delivered or confirmed these bytes: retention counts from there. When a town starts to name a
key, the captures that lie in clear are sealed by the next `prune`, which is part of every run of their dataset.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.words import spell_duration
from odpipeline.errors import OdpError
from odpipeline.landing import captures, deleting
from odpipeline.landing.captures import PLAIN, SEALED, SUFFIXES, Capture
from odpipeline.landing.sealing import Broken, Seal
from odpipeline.sources import Delivery, Unchanged, Validators

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BEGINNING = re.compile(r"[0-9a-f]{12,64}")
_DATASET = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ARRIVING = ".arriving-"
_ABANDONED = timedelta(days=1)


class Landing:
    """The captures below the private zone `root`, sealed when `seal` is given.

    One process at a time works on one dataset.
    """

    def __init__(self, root: Path, seal: Seal | None = None) -> None:
        self._captures, self._seal = root / "captures", seal

    def latest(self, dataset_id: str) -> Capture | None:
        """The capture that the source delivered last, or None when there is none or retention has deleted it.

        Raises: OdpError when it is damaged, as far as the payload's size tells; `open` compares the bytes.
        """
        pointer = self._home(dataset_id) / "latest.json"
        if not pointer.exists():
            return None
        sha256 = captures.read_json(pointer).get("sha256")
        folder = self._home(dataset_id) / str(sha256)
        return captures.read(folder) if folder.is_dir() else None

    def last(self, dataset_id: str) -> str:
        """The SHA-256 of what the source delivered last, whether it is still there or not; "" when that is unknown."""
        try:
            return str(captures.read_json(self._home(dataset_id) / "latest.json").get("sha256", ""))
        except OdpError:
            return ""

    def validators(self, dataset_id: str) -> Validators | None:
        """What to ask the source with, so that it answers only what is newer than the latest capture.

        None when that is damaged: it is then fetched anew, which mends it.
        """
        latest = self._usable(dataset_id)
        if latest is None:
            return None
        return Validators(latest.etag, latest.last_modified, latest.sha256, latest.asked, latest.periods)

    def earlier(self, dataset_id: str, folder: Path) -> Path | None:
        """The latest capture's clear bytes, as a file that must not be changed; None when there are none in order.

        A sealed one is opened into `folder`, which the caller empties.
        Raises: OdpError when it was sealed with another key, or when the disk refuses.
        """
        latest = self._usable(dataset_id)
        if latest is None or not latest.sealed:
            return latest.path if latest else None
        clear = folder / "earlier"
        try:
            with captures.on_disk():
                return clear if self._need(latest).open(latest.path, clear) == latest.sha256 else None
        except Broken:
            return None

    def capture(self, dataset: Dataset, delivered: Delivery | Unchanged) -> Capture:
        """Keep what was delivered; the delivered file is moved, or sealed and then deleted.

        The latest bytes again, or `Unchanged`, give the latest capture with the reason in `unchanged`.
        Raises: OdpError when the disk refuses, or when nothing is there that could be unchanged.
        """
        now = datetime.now(UTC)
        latest = self._usable(dataset.id)
        with captures.on_disk():
            if isinstance(delivered, Unchanged):
                if latest is None:
                    raise OdpError(
                        "the source says “unchanged”, but there is no capture",
                        where=f"captures/{dataset.id}",
                        mend="run again: the source is then asked for everything",
                    )
                captured = replace(latest, seen_at=now, periods=delivered.periods)
                captures.write_json(captured.path.parent, "capture.json", captures.provenance(captured, dataset))
                if self.last(dataset.id) != captured.sha256:
                    captures.write_json(self._home(dataset.id), "latest.json", {"sha256": captured.sha256})
                return replace(captured, unchanged=delivered.reason)
            captured = self._keep(dataset, delivered, latest, now)
        same = latest is not None and latest.sha256 == captured.sha256
        return replace(captured, unchanged="same SHA-256" if same else None)

    def without_rows(self, captured: Capture, names: Collection[str], dataset: Dataset) -> Capture:
        """Note of the periods `names` of `captured` that they have no rows: they are asked for again.

        Raises: OdpError when the disk refuses.
        """
        empty = {name: replace(captured.periods[name], empty=True, settled=False) for name in names}
        noted = replace(captured, periods={**captured.periods, **empty})
        folder = self._home(captured.dataset) / captured.sha256
        with captures.on_disk():
            captures.write_json(folder, "capture.json", captures.provenance(noted, dataset))
        return noted

    def get(self, dataset_id: str, sha256: str) -> Capture:
        """The capture with these bytes, by its SHA-256 or the first 12 digits or more of it.

        Raises: OdpError when there is none, or when it is damaged as far as the payload's size tells.
        """
        home = self._home(dataset_id)
        found = [folder for folder in self._folders(dataset_id) if folder.name.startswith(sha256)]
        if not _BEGINNING.fullmatch(sha256) or len(found) != 1:
            raise OdpError(
                f"there is no capture {sha256[:12]}",
                where=f"captures/{dataset_id}",
                mend="it was never made, or its retention is over; `odp captures` lists those that are there",
            )
        return replace(captures.read(home / found[0].name), unchanged="the source was not asked")

    def open(self, captured: Capture, folder: Path) -> Capture:
        """`captured` with a `path` that has the clear bytes, compared with their hash.

        A plain capture stays where it is, and is read again only when it lay on the disk before this run. A sealed one
        is written to `folder`, which the caller empties.
        Raises: OdpError when it is damaged, was sealed with another key, or when the disk refuses.
        """
        clear = folder / "capture"
        try:
            with captures.on_disk():
                if captured.sealed:
                    found = self._need(captured).open(captured.path, clear)
                else:
                    clear = captured.path
                    found = captures.hashed(clear) if captured.unchanged else captured.sha256
        except Broken:
            found = ""
        if found != captured.sha256:
            raise captures.damaged(captured.path.parent)
        return replace(captured, path=clear)

    def datasets(self) -> list[str]:
        """The datasets that have captures, also those that the town declares no more."""
        homes = self._captures.iterdir() if self._captures.is_dir() else ()
        return sorted(home.name for home in homes if home.is_dir() and _DATASET.fullmatch(home.name))

    def every(self, dataset_id: str) -> list[tuple[str, Capture | None]]:
        """Each capture of the dataset by its SHA-256, the last seen first; None for a damaged one."""
        folders = sorted(self._folders(dataset_id), key=captures.last_seen, reverse=True)
        return [(folder.name, captures.known(folder)) for folder in folders]

    def prune(self, dataset: Dataset, keep: Collection[str] = (), now: datetime | None = None) -> int:
        """Delete the captures that `dataset.retention` and `dataset.max_captures` leave no time or place; how many.

        Age counts from when the source last delivered the bytes; captures whose SHA-256 is in `keep` stay. What dead
        processes left behind goes too, and what lies in clear is sealed when there is a seal.
        Raises: OdpError when the disk refuses or a capture cannot be deleted.
        """
        return self._prune(dataset.id, dataset.retention, dataset.max_captures, keep, now)

    def prune_undeclared(self, dataset_id: str) -> int:
        """`prune` for a dataset that the town declares no more: with the retention of those that say none."""
        return self._prune(dataset_id, Dataset.model_fields["retention"].default, None)

    def forget(self, dataset_id: str, why: str) -> int:
        """Delete every capture of a dataset, whatever its retention; how many.

        Raises: as `prune`.
        """
        with captures.on_disk():
            self._clear_up(self._home(dataset_id), datetime.now(UTC))
            folders = list(self._folders(dataset_id))
            for folder in folders:
                deleting.delete(folder, why)
        return len(folders)

    def _prune(
        self,
        dataset_id: str,
        retention: timedelta,
        most: int | None,
        keep: Collection[str] = (),
        now: datetime | None = None,
    ) -> int:
        now = now or datetime.now(UTC)
        with captures.on_disk():
            self._clear_up(self._home(dataset_id), now)
            newest_first = sorted(self._folders(dataset_id), key=captures.last_seen, reverse=True)
            deleted = 0
            for place, folder in enumerate(newest_first):
                why = ""
                if captures.last_seen(folder) < now - retention:
                    why = f"last seen more than {spell_duration(retention)} ago"
                elif most is not None and place >= most:
                    why = f"more than {most} captures"
                if why and folder.name not in keep:
                    deleting.delete(folder, why)
                    deleted += 1
                elif self._seal and (folder / PLAIN).exists():
                    self._seal_now(folder)
        return deleted

    def _clear_up(self, home: Path, now: datetime) -> None:
        """What dead processes left: arrivals that will never be whole, deletions that were cut short."""
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if folder.name.startswith(deleting.LEAVING):
                deleting.finish(folder)
            elif folder.name.startswith(_ARRIVING) and now - captures.modified(folder) > _ABANDONED:
                shutil.rmtree(folder)

    def _seal_now(self, folder: Path) -> None:
        """Seal a capture that lies in clear. Safe to repeat after a crash at any line."""
        plain, aside = folder / PLAIN, folder / f".{SEALED}"
        if self._seal and not (folder / SEALED).exists():
            self._seal.close(plain, aside)
            aside.rename(folder / SEALED)
            captures.sync(folder)
        plain.unlink()
        captures.sync(folder)

    def _need(self, captured: Capture) -> Seal:
        """The seal that opens `captured`."""
        if self._seal is None:
            raise OdpError(
                "this capture is sealed, and town.yaml names no key",
                where=f"captures/{captured.dataset}/{captured.sha256}",
                mend="name the environment variable of its key in private_key of town.yaml",
            )
        return self._seal

    def _usable(self, dataset_id: str) -> Capture | None:
        """The latest capture; where that is damaged, the newest by period, whose older ones may be nowhere else."""
        try:
            latest = self.latest(dataset_id)
        except OdpError:
            latest = None
        return latest or next((one for _, one in self.every(dataset_id) if one and one.periods), None)

    def _home(self, dataset_id: str) -> Path:
        if not _DATASET.fullmatch(dataset_id):
            raise OdpError(
                "this is no identifier of a dataset",
                where="captures",
                mend="identifiers are made of a-z, 0-9, - and _",
            )
        return self._captures / dataset_id

    def _folders(self, dataset_id: str) -> Iterator[Path]:
        home = self._home(dataset_id)
        yield from (folder for folder in home.iterdir() if _SHA256.fullmatch(folder.name)) if home.is_dir() else ()

    def _keep(self, dataset: Dataset, delivered: Delivery, latest: Capture | None, now: datetime) -> Capture:
        sha256 = captures.hashed(delivered.path)
        home = self._home(dataset.id)
        for folder in (self._captures, home):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        final = home / sha256
        before = captures.known(final)
        captured = Capture(
            dataset=dataset.id,
            path=final / (SEALED if self._seal else PLAIN),
            name=f"payload{_suffix(delivered.name)}",
            media_type=delivered.media_type,
            sha256=sha256,
            size_bytes=delivered.path.stat().st_size,
            fetched_at=before.fetched_at if before else now,
            seen_at=now,
            etag=delivered.etag,
            last_modified=delivered.last_modified,
            asked=delivered.asked,
            dated=max(
                filter(None, (delivered.changed_at, latest.dated if latest and delivered.periods else None)),
                default=None,
            ),
            periods=delivered.periods,
        )
        self._install(delivered.path, captured, captures.provenance(captured, dataset))
        captures.write_json(home, "latest.json", {"sha256": sha256})
        return captured

    def _install(self, delivered: Path, captured: Capture, said: dict[str, Any]) -> None:
        """Payload and provenance in place: aside, synced, then renamed. Safe to repeat after a crash at any line."""
        final = captured.path.parent
        arriving = Path(tempfile.mkdtemp(prefix=_ARRIVING, dir=final.parent))  # 0700
        try:
            payload = arriving / captured.path.name
            if self._seal:
                self._seal.close(delivered, payload)
                delivered.unlink()
            else:
                shutil.move(delivered, payload)  # a rename, unless the work folder is on another disk
                payload.chmod(0o600)
                captures.sync(payload)
            if final.is_dir():
                # The same bytes came before: renewing them also mends a capture that the disk has damaged.
                payload.replace(captured.path)
                (final / (PLAIN if captured.sealed else SEALED)).unlink(missing_ok=True)
                captures.write_json(final, "capture.json", said)
            else:
                captures.write_json(arriving, "capture.json", said)
                arriving.rename(final)
                captures.sync(final.parent)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)


def _suffix(name: str) -> str:
    found = [suffix for suffix in Path(name.lower()).suffixes[-2:] if suffix in SUFFIXES]
    return "".join(found)
