"""Rows that were erased and must not come back: conditions on published columns, kept in the private zone only.

They name persons, so that they are sealed when the zone is, and neither the journal nor the store ever holds them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from odpipeline.errors import OdpError
from odpipeline.landing.captures import on_disk
from odpipeline.landing.sealing import Broken, Seal

Condition = Mapping[str, str]
"""Published column → its value as text; rows that hold all of them are meant."""


class Erasures:
    """The folder `root`, one file for each dataset."""

    def __init__(self, root: Path, seal: Seal | None = None) -> None:
        self._root, self._seal = root, seal

    def of(self, dataset_id: str) -> list[Condition]:
        """The conditions of a dataset.

        Raises: OdpError when they cannot be read: nothing may be published then.
        """
        plain, sealed = self._files(dataset_id)
        try:
            with on_disk():
                if sealed.is_file():
                    return list(json.loads(self._opened(sealed)))
                return list(json.loads(plain.read_text())) if plain.is_file() else []
        except (ValueError, Broken):
            raise OdpError(
                "the rows that were erased cannot be told any more",
                where=f"erasures/{dataset_id}", mend="restore the file from a backup of the private zone",
            ) from None  # fmt: skip

    def add(self, dataset_id: str, condition: Condition) -> None:
        """Remember one more condition; lasting when this returns."""
        known = self.of(dataset_id)
        if condition in known:
            return
        text = json.dumps([*known, dict(condition)], ensure_ascii=False)
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
