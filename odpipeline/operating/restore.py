"""A backup back into a town that has published nothing yet, compared byte by byte before and after.

Of each dataset the pointer is written last, and the journal after every dataset: a restore that was cut short shows
the public nothing half, and may simply be repeated. What was taken away since the backup was made comes back with it:
the acts that are newer than the backup must be done again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from odpipeline import flow
from odpipeline.declaration.town import Town
from odpipeline.declaration.words import ENV_NAME_PATTERN, FromEnvironment
from odpipeline.errors import OdpError, StoreError
from odpipeline.journal import Journal
from odpipeline.operating import backup, journals
from odpipeline.operating.backup import JOURNAL, PRIVATE, STATE, STORE, Backup
from odpipeline.store import layout, verifying
from odpipeline.store.backend import AlreadyThere, Backend, Changed

_SUFFIXES = ("", "-wal", "-shm")
"""What SQLite keeps beside a file belongs to the file that was there."""


@dataclass(frozen=True)
class Restore:
    """A backup that was found whole, and where it goes."""

    folder: Path
    held: Backup
    town: Town
    state: Path | None

    @classmethod
    def planned(cls, folder: Path, town: Town, state: Path | None) -> Restore:
        """The restore of the backup in `folder`; `state` is the folder of Dagster's SQLite storage, or None.

        Raises: OdpError when a file of the backup is missing or altered, or when the town is in use.
        """
        held = backup.read(folder)
        for name, (sha256, _) in held.files.items():
            place = folder / name
            if not place.is_file() or backup.sha256_of(place) != sha256:
                raise OdpError("the backup is damaged", where=name, mend="take an older one")
        planned = cls(folder, held, town, state)
        planned._unused()
        return planned

    def said(self, newest: str | None = None) -> Iterator[str]:
        """What it will do, and what people must know of it: with the `newest` journal there is, which acts are missing.

        `newest` is an SQLite file, or the variable that holds the address of a PostgreSQL database.
        Raises: OdpError when that journal cannot be read, or is none.
        """
        held, names = (
            self.held,
            {name.split("/")[2] for name in self.held.files if name.startswith(f"{STORE}/datasets/")},
        )
        yield f"backup of {held.town}, made {held.made_at[:16]} UTC by odpipeline {held.package_version}; it is whole"
        yield f"{len(names)} datasets, {len(held.files)} files, {held.size_bytes / 1e6:,.1f} MB, into {self.town.root}"
        codes = {dataset.id: dataset.code_version for dataset in self.town.datasets}
        changed = sorted(name for name, code in held.code_versions.items() if codes.get(name) != code)
        if changed:
            yield f"declared otherwise now than then, or no more: {', '.join(changed)}"
        if any(name.startswith(f"{STATE}/") for name in held.files) and self.state is None:
            yield "Dagster's storage of the backup is SQLite, the town's is not: it is left out"
        if newest is None:
            yield "whatever was withdrawn, erased or rolled back since comes back: do those acts again before serving"
            return
        acts = _newest(newest, self.town).acts_since(datetime.fromisoformat(held.made_at))
        yield f"{len(acts)} acts since then" + (", to be done again before the store is served:" if acts else "")
        for act in reversed(acts):
            details = ", ".join(f"{name} {value}" for name, value in act.details.items() if isinstance(value, int))
            said = f"{act.at:%Y-%m-%d %H:%M} UTC: {act.act} of {act.dataset}"
            yield f"  {said}{f' ({details})' if details else ''} by {act.who}: {act.because}"

    def done(self) -> list[str]:
        """Restore; the flaws that were found afterwards, none as a rule.

        May be repeated after a crash at any instant. Raises: OdpError when something cannot be written.
        """
        store = flow.Zones.of(self.town).store
        names = sorted(name.removeprefix(f"{STORE}/") for name in self.held.files if name.startswith(f"{STORE}/"))
        last = {layout.pointer(name.split("/")[1]) for name in names if name.startswith("datasets/")}
        for key in (name for name in names if name not in last):
            self._object(store.backend, key)
        for key in (name for name in names if name in last):
            self._pointer(store.backend, key)
        for alias, target in self.held.aliases.items():
            store.backend.alias(alias, target)
        try:
            self._private_zone()
        except OSError as error:
            raise OdpError(
                f"it cannot be written ({error.strerror})",
                where=str(self.town.root),
                mend="look at its disk and rights",
            ) from None
        found = [verifying.verify(store.backend, name, listed=store.backend) for name in store.datasets()]
        return [f"{flaw.where}: {flaw.what}" for one in found for flaw in one.flaws if flaw.grave]

    def _unused(self) -> None:
        zones = flow.Zones.of(self.town)
        taken = [name for name in zones.store.datasets() if self._other(zones.store.backend, name)]
        if taken or not zones.journal.empty():
            what = f"it has published {', '.join(taken)}" if taken else "its journal has entries"
            raise OdpError(
                f"the town is in use: {what}",
                where=str(self.town.root),
                mend="restore into a fresh checkout of the town, look at it, then exchange the folders",
            )

    def _other(self, backend: Backend, dataset: str) -> bool:
        there, key = backend.read(layout.pointer(dataset)), f"{STORE}/{layout.pointer(dataset)}"
        return there is not None and (key not in self.held.files or (self.folder / key).read_bytes() != there)

    def _object(self, backend: Backend, key: str) -> None:
        sha256, _ = self.held.files[f"{STORE}/{key}"]
        source = self.folder / STORE / key
        if "/versions/" not in key:
            backend.put(key, source.read_bytes())
            return
        try:
            backend.create(key, source, sha256)
        except AlreadyThere:  # by a restore that was cut short; the look afterwards compares it
            return

    def _pointer(self, backend: Backend, key: str) -> None:
        content = (self.folder / STORE / key).read_bytes()
        try:
            backend.swap(key, content, None)
        except Changed:
            if backend.read(key) != content:
                raise StoreError("somebody published meanwhile", where=key, mend="stop the services first") from None

    def _private_zone(self) -> None:
        """Captures, Dagster's storage, and the journal last: while it is empty, all this may be repeated."""
        for name in self.held.files:
            top, _, rest = name.partition("/")
            if top == PRIVATE:
                _placed(self.folder / name, self.town.private_path / rest)
            elif top == STATE and self.state:
                _placed(self.folder / name, self.state / rest)
        if self.town.journal is None:
            _placed(self.folder / JOURNAL, self.town.private_path / JOURNAL)
        else:
            journals.filled(flow.Zones.of(self.town).journal, self.folder / JOURNAL)


def _newest(said: str, town: Town) -> Journal:
    """The journal in the file `said`, or in the database whose address that variable holds."""
    mend = "name journal.sqlite of the private zone, or the variable that holds the address of its database"
    if Path(said).is_file():
        found = Journal(f"sqlite:///{said}")
    elif re.fullmatch(ENV_NAME_PATTERN, said):
        found = Journal.of(town.model_copy(update={"journal": FromEnvironment(env=said)}))
    else:
        raise OdpError("there is no journal", where="--journal", mend=mend)
    if found.empty():  # a town that has a backup has run: from another one's, no missing act would be named
        raise OdpError("nothing was ever recorded in this journal", where="--journal", mend=mend)
    return found


def _placed(source: Path, target: Path) -> None:
    """`source` at `target`, for its owner only, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = target.with_name(f".{target.name}.restoring")
    with (
        source.open("rb") as held,
        os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
    ):
        shutil.copyfileobj(held, out)
        out.flush()
        os.fsync(out.fileno())
    for suffix in _SUFFIXES[1:]:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    aside.rename(target)
