"""Rows that were erased and must not come back: conditions on published columns, kept in the private zone only.

They name persons, so that they are sealed when the zone is, and neither the journal nor the store ever holds them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from odpipeline.errors import OdpError
from odpipeline.landing.captures import on_disk
from odpipeline.landing.sealing import Broken, Seal

Condition = Mapping[str, str]
"""Published column → its value as text; rows that hold all of them are meant."""


@dataclass(frozen=True)
class Kept:
    """One erasure: the rows that are meant, and how each of its columns was published then (`privacy.spoken_as`)."""

    where: Condition
    spoken_as: Mapping[str, Any] | None = None


class Erasures:
    """The folder `root`, one file for each dataset."""

    def __init__(self, root: Path, seal: Seal | None = None) -> None:
        self._root, self._seal = root, seal

    def of(self, dataset_id: str, *, asked: bool = False) -> list[Kept]:
        """The erasures of a dataset; `asked` says that the journal has one, so that there must be something here.

        Raises: OdpError when they cannot be read, or are gone: nothing may be published then.
        """
        plain, sealed = self._files(dataset_id)
        if asked and not plain.exists() and not sealed.exists():
            raise OdpError(
                "rows were erased, and which ones is not known any more",
                where=f"erasures/{dataset_id}",
                mend="restore the file from a backup of the private zone, or ask for the erasures anew: odp erase",
            )
        try:
            with on_disk():
                if sealed.is_file():
                    said = json.loads(self._opened(sealed))
                else:
                    said = json.loads(plain.read_text()) if plain.is_file() else []
            return [Kept(**one) if isinstance(one.get("where"), dict) else Kept(one) for one in said]
        except (ValueError, TypeError, AttributeError, Broken):
            raise OdpError(
                "the rows that were erased cannot be told any more",
                where=f"erasures/{dataset_id}", mend="restore the file from a backup of the private zone",
            ) from None  # fmt: skip

    def add(self, dataset_id: str, erasure: Kept) -> None:
        """Remember one more, in the place of one of the same rows; lasting when this returns."""
        known = self.of(dataset_id)
        if erasure not in known:
            self._write(dataset_id, [*(one for one in known if one.where != erasure.where), erasure])

    def lift(self, dataset_id: str, condition: Condition) -> bool:
        """Forget the erasure of these rows; whether there was one."""
        known = self.of(dataset_id)
        left = [one for one in known if one.where != condition]
        if len(left) < len(known):
            self._write(dataset_id, left)
        return len(left) < len(known)

    def _write(self, dataset_id: str, erasures: Sequence[Kept]) -> None:
        text = json.dumps([asdict(one) for one in erasures], ensure_ascii=False)
        plain, sealed = self._files(dataset_id)
        with on_disk():
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = self._root / f".{dataset_id}"
            aside.unlink(missing_ok=True)
            if self._seal:
                self._seal.close_text(text, aside)
            else:
                with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
            aside.rename(sealed if self._seal else plain)

    def _files(self, dataset_id: str) -> tuple[Path, Path]:
        return self._root / f"{dataset_id}.json", self._root / f"{dataset_id}.json.age"

    def _opened(self, sealed: Path) -> str:
        if self._seal is None:
            raise OdpError(
                "what was erased is sealed, and town.yaml names no key",
                where=f"erasures/{sealed.name}", mend="name the environment variable of its key in private_key",
            )  # fmt: skip
        with tempfile.TemporaryDirectory(dir=self._root) as folder:
            clear = Path(folder) / "clear"
            self._seal.open(sealed, clear)
            return clear.read_text()
