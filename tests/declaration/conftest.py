"""A minimal valid town that a test spoils in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from odpipeline.declaration import Dataset, Town, read_town
from odpipeline.errors import DeclarationErrors

TOWN = """\
publisher: {name: Ville d’Essai, siren: "219900001", homepage: "https://ville.example", email: donnees@ville.example}
contact: donnees@ville.example
dpo: dpo@ville.example
systems:
  api: {title: Interface, url: "https://api.ville.example"}
  base: {title: Base métier, url: {env: ODP_BASE}}
  depot: {title: Dépôt, folder: depot}
"""

PARKINGS = """\
title: Parkings
description: Places libres par parking.
owner: parkings@ville.example
source: {http: /v1/parkings, system: api}
fields:
  - {name: id, type: string}
  - {name: places, type: integer}
  - {name: releve_le, type: datetime}
key: [id]
personal_data: none
"""

AIDES = """\
title: Aides
description: Aides accordées.
owner: aides@ville.example
source: {sql: "SELECT * FROM aides", system: base}
fields:
  - {name: nom}
  - {name: age, type: integer}
  - {name: iris}
  - {name: montant, type: number}
personal_data: present
privacy:
  columns: {nom: drop, age: {generalise: {bands: 10}}, iris: {generalise: {hierarchy: iris.csv}}, montant: keep}
  quasi_identifiers: [age, iris]
  k: 11
"""


@dataclass(frozen=True)
class WrittenTown:
    """A town's folder, and what reading it gives."""

    root: Path

    def write(self, file: str, text: str | bytes) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def parkings(self, *changes: tuple[str, str], file: str = "assets/mobilite/parkings.yaml") -> None:
        self.write(file, _changed(PARKINGS, *changes))

    def aides(self, *changes: tuple[str, str]) -> None:
        self.write("iris.csv", "1;a;A\n2;a;A\n3;b;A\n")
        self.write("assets/social/aides.yaml", _changed(AIDES, *changes))

    def town(self, *changes: tuple[str, str]) -> None:
        self.write("town.yaml", _changed(TOWN, *changes))

    def read(self) -> Town:
        return read_town(self.root)

    def dataset(self, name: str = "parkings") -> Dataset:
        return self.read().dataset(name)

    def faults(self) -> list[str]:
        with pytest.raises(DeclarationErrors) as caught:
            self.read()
        return [str(fault) for fault in caught.value.faults]


def _changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, f"the test's own text has no {old!r}"
        text = text.replace(old, new)
    return text


@pytest.fixture
def town(tmp_path: Path) -> WrittenTown:
    written = WrittenTown(tmp_path)
    written.town()
    written.parkings()
    return written
