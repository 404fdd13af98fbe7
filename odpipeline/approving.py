"""Releases that wait for a person: complete, past every other check, and kept as they are in the private zone.

One for each dataset, the latest. What is approved is what was kept, byte for byte: the store compares every file with
its hash again when it publishes. Anything that has changed since (declaration, current release, bytes) asks for a new
run and a new yes.
"""

from __future__ import annotations

import getpass
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from odpipeline.declaration.approval import approval
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import ApprovalRefused, OdpError
from odpipeline.gate import SHORTEST_ACCEPTANCE
from odpipeline.journal import Approval
from odpipeline.landing import Seal
from odpipeline.landing.captures import on_disk
from odpipeline.landing.sealing import Broken
from odpipeline.store import Release, Staged
from odpipeline.verdict import Verdict

_SAID, _SEALED = "held.json", ".age"


@dataclass(frozen=True)
class Held:
    """A release that waits. `over` is the version that was current when it was judged; times are in UTC."""

    staged: Staged
    verdict: Verdict
    role: str
    over: int | None
    held_at: datetime
    expires_at: datetime

    @property
    def expired(self) -> bool:
        """Whether nobody may say yes to it any more."""
        return datetime.now(UTC) >= self.expires_at


_HELD = TypeAdapter(Held)


class Waiting:
    """The folder `root`, a folder in it for each dataset; sealed with `seal` when the private zone is."""

    def __init__(self, root: Path, seal: Seal | None = None) -> None:
        self._root, self._seal = root, seal

    def hold(self, dataset: Dataset, staged: Staged, verdict: Verdict, over: Release | None) -> Held:
        """Keep `staged` until somebody says yes; what waited before goes.

        Raises: OdpError when the disk refuses; the one that waited before then stays.
        """
        needed = approval(dataset.approval)
        assert needed is not None and verdict.held  # noqa: S101, PT018 - the flow holds nothing else
        now = datetime.now(UTC)
        held = Held(staged, verdict, needed.role, over.version if over else None, now, now + needed.expires)
        new, home = self._root / f"{staged.dataset}.new", self._root / staged.dataset
        with on_disk():
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o700)
            for file in (*staged.files, *staged.changes):
                self._keep(staged.folder / file.name, new / file.name)
            (new / _SAID).write_bytes(_HELD.dump_json(held))
            self.drop(staged.dataset)
            new.rename(home)
        return held

    def get(self, dataset_id: str) -> Held | None:
        """What waits, or None; its files are where `open` puts them.

        Raises: OdpError when it cannot be read.
        """
        file = self._root / dataset_id / _SAID
        try:
            return _HELD.validate_json(file.read_bytes()) if file.is_file() else None
        except (OSError, ValidationError) as error:
            raise OdpError(
                f"the release that waits cannot be read ({type(error).__name__})",
                where=f"held/{dataset_id}",
                mend=f"make it anew: odp run {dataset_id}",
            ) from None

    def open(self, held: Held, folder: Path) -> Staged:
        """The release with its files in clear in `folder`, which is made.

        Raises: OdpError when it is damaged, or was sealed with another key.
        """
        staged, home = held.staged, self._root / held.staged.dataset
        with on_disk(), _whole(staged.dataset):
            folder.mkdir(parents=True, mode=0o700)
            for file in (*staged.files, *staged.changes):
                if self._seal:
                    self._seal.open(home / (file.name + _SEALED), folder / file.name)
                else:
                    shutil.copyfile(home / file.name, folder / file.name)
        return replace(staged, folder=folder, parquet=folder / staged.parquet.name, csv=folder / staged.csv.name)

    def drop(self, dataset_id: str) -> None:
        """Forget what waits, if anything does."""
        shutil.rmtree(self._root / dataset_id, ignore_errors=True)

    def sweep(self, declared: Mapping[str, Dataset]) -> None:
        """Delete what has expired, and what waits of datasets that are declared no more."""
        for home in self._root.iterdir() if self._root.is_dir() else ():
            name = home.name.removesuffix(".new")
            try:
                held = self.get(name)
            except OdpError:
                continue  # whoever approves is told; a run makes it anew
            if name not in declared or (held and held.expired):
                shutil.rmtree(home, ignore_errors=True)

    def _keep(self, file: Path, kept: Path) -> None:
        if self._seal:
            self._seal.close(file, kept.with_name(kept.name + _SEALED))
        else:
            shutil.copyfile(file, kept)


@contextmanager
def _whole(dataset_id: str) -> Iterator[None]:
    try:
        yield
    except (Broken, FileNotFoundError):
        raise OdpError(
            "the release that waits is damaged", where=f"held/{dataset_id}", mend=f"make it anew: odp run {dataset_id}"
        ) from None


def ready(held: Held | None, dataset: Dataset, current: Release | None, content_hash: str) -> Held:
    """`held` if a yes to `content_hash` (whole, or its first 12 digits) would publish it now.

    Raises: ApprovalRefused saying why it would not.
    """
    again = f"make it anew, look at it, then approve that: odp run {dataset.id}"
    if held is None:
        raise ApprovalRefused("no release waits for an approval", mend=again)
    named = held.staged.content_hash[:SHORTEST_ACCEPTANCE]
    if len(content_hash) < SHORTEST_ACCEPTANCE or not held.staged.content_hash.startswith(content_hash):
        raise ApprovalRefused("another content than this waits for an approval", mend=f"look at {named} first")
    if held.expired:
        raise ApprovalRefused(f"the release has waited in vain since {held.held_at:%Y-%m-%d}", mend=again)
    if held.staged.facts.code_version != dataset.code_version:
        raise ApprovalRefused("the declaration has changed since the release was held", mend=again)
    if held.over != (current.version if current else None):
        raise ApprovalRefused("another version was published since the release was held", mend=again)
    return held


def signed(held: Held, dataset: Dataset, town: Town, who: str, because: str) -> Approval:
    """The yes of `who`, as the journal keeps it.

    Raises: ApprovalRefused when it is not this person's to say: not in the role, under another account, or the author
    of the declaration, who cannot approve what comes of it.
    """
    account = getpass.getuser()
    able = {one.mail.casefold(): one for one in town.people(held.role)}
    named = ", ".join(one.mail for one in able.values()) or "nobody"
    if (person := able.get(who.casefold())) is None:
        raise ApprovalRefused(f"{who} is not in the role {held.role}", mend=f"town.yaml names for it: {named}")
    if person.account and person.account != account:
        raise ApprovalRefused(f"{who} approves from another account of this machine", mend="sign in as that person")
    if dataset.author is None or who.casefold() == dataset.author.casefold():
        raise ApprovalRefused(
            "who wrote the declaration cannot approve what comes of it", mend=f"ask another person of the role: {named}"
        )
    if not because.strip():
        raise ApprovalRefused("a yes needs its reason", mend="say it with --because")
    now = datetime.now(UTC)
    return Approval(
        dataset.id, held.staged.content_hash, held.role, person.mail, account, because.strip(), now, held.expires_at
    )


def said(held: Held) -> dict[str, Any]:
    """What waits, for people: hash, rows, role and times; no value of a cell."""
    return {
        "dataset": held.staged.dataset,
        "content": held.staged.content_hash[:SHORTEST_ACCEPTANCE],
        "rows": held.staged.rows,
        "waits for": held.role,
        "since": f"{held.held_at:%Y-%m-%d %H:%M} UTC",
        "until": f"{held.expires_at:%Y-%m-%d}",
        "warnings": json.dumps(held.verdict.warnings, ensure_ascii=False) if held.verdict.warnings else "",
    }
