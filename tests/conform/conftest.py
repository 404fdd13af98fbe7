"""Deliveries of a few bytes, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from odpipeline.conform import Conformed, conform
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect
from odpipeline.landing import Capture

LINES = {(): 1, ("source",): 3, ("format",): 4, ("format", "encoding"): 4, ("fields",): 7}
MOMENT = datetime(2026, 11, 25, tzinfo=UTC)


def declared(fields: Any, **said: Any) -> Dataset:
    """A dataset of `fields`: Table Schema fields, or names of text columns; its file is assets/x.yaml."""
    dataset = Dataset.model_validate(
        {
            "title": "Essai",
            "description": "Un essai.",
            "owner": "essai@ville.example",
            "source": {"folder": "depot/*.csv"},
            "fields": [{"name": field} if isinstance(field, str) else field for field in fields],
            "personal_data": "none",
        }
        | said
    )
    dataset._file, dataset._lines = Path("assets/x.yaml"), LINES
    return dataset


def _read(query: str) -> list[tuple[Any, ...]]:
    """The rows, on a connection of their own: the shared one remembers pieces of a file that was written over since."""
    with connect() as connection:
        return connection.execute(query).fetchall()


@dataclass(frozen=True)
class Read:
    """A `Conformed`, and what its two files hold."""

    conformed: Conformed

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return _read(f"FROM '{self.conformed.parquet}'")

    @property
    def values(self) -> list[tuple[Any, ...]]:
        return [row[1:] for row in self.rows]

    @property
    def quarantine(self) -> list[tuple[Any, ...]]:
        return _read(f"FROM '{self.conformed.quarantine}' ORDER BY 1, 2")

    @property
    def counts(self) -> tuple[int, int, int, int]:
        c = self.conformed
        assert c.rows_in == c.rows + c.quarantined + c.ignored
        assert len(self.rows) == c.rows
        assert len({row[0] for row in self.quarantine}) == c.quarantined
        return c.rows_in, c.rows, c.quarantined, c.ignored


def read_file(path: Path, dataset: Dataset, folder: Path) -> Read:
    """`path` as it is captured and conformed."""
    capture = Capture("x", path, path.name, None, "0" * 64, path.stat().st_size, MOMENT, MOMENT, None, None)
    return Read(conform(capture, dataset, folder, DuckSettings("500MB", 2, folder / "spill")))


Reader = Callable[..., Read]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """The delivery (text or bytes) read as the declared fields."""

    def reader(delivery: str | bytes, fields: Any, **said: Any) -> Read:
        path = tmp_path / "payload"
        path.write_bytes(delivery.encode() if isinstance(delivery, str) else delivery)
        return read_file(path, declared(fields, **said), tmp_path)

    return reader
