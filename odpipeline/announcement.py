"""Changes of the schema that break readers, announced before they come: where `notice` asks for it.

What a person accepted is the change, not one content: when the notice ends, the rows are others. An announcement is an
act in the journal. It stands until a version shows what it announces; where the declaration no longer leads to it, it
is not told any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from odpipeline.declaration.dataset import Dataset
from odpipeline.journal import Journal
from odpipeline.store import Release, Staged, Store
from odpipeline.store.diffing import SchemaChange, schema_changes

ACT = "announcement"
"""The act in the journal; its details hold `until`, `over` and `changes`."""


@dataclass(frozen=True)
class Announcement:
    """What changes, told at `at` over the version `over`; public at `until` at the earliest. Times are in UTC."""

    changes: tuple[SchemaChange, ...]
    at: datetime
    until: datetime
    over: int

    def details(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return {"until": self.until.isoformat(), "over": self.over, "changes": listed(self.changes)}


def breaking(staged: Staged, current: Release | None) -> tuple[SchemaChange, ...]:
    """What in `staged` readers of `current` stumble over."""
    found = schema_changes(current.schema, staged.schema) if current else ()
    return tuple(change for change in found if change.breaks)


def listed(changes: Iterable[SchemaChange]) -> list[dict[str, Any]]:
    """Changes as plain data: names and types of columns."""
    return [asdict(change) for change in changes]


def restored(changes: Iterable[dict[str, Any]]) -> tuple[SchemaChange, ...]:
    """What `listed` made plain."""
    return tuple(SchemaChange(**change) for change in changes)


def covering(staged: Staged, current: Release | None, store: Store, journal: Journal) -> Announcement | None:
    """The announcement of everything that breaks readers in `staged`; None when nothing does, or not all was told."""
    broken = breaking(staged, current)
    if not broken or current is None:
        return None
    told = _standing(current, store, journal)
    return told if told and set(broken) <= set(told.changes) else None


def ahead(dataset: Dataset, current: Release, store: Store, journal: Journal) -> Announcement | None:
    """What readers of `current` are to be told; None when nothing was announced, it has come, or is meant no more."""
    told = _standing(current, store, journal)
    return told if told and all(_meant(change, dataset) for change in told.changes) else None


def _standing(current: Release, store: Store, journal: Journal) -> Announcement | None:
    """The last announcement, as long as no version since shows what it announces."""
    if not (acts := journal.acts(current.dataset, ACT)):
        return None
    said = acts[0].details
    told = Announcement(restored(said["changes"]), acts[0].at, datetime.fromisoformat(said["until"]), said["over"])
    since = store.versions(current.dataset, max(1, current.version - told.over))
    shown = (release for release in since if release.version > told.over)
    return None if any(_come(told.changes, release) for release in shown) else told


def _come(changes: Sequence[SchemaChange], release: Release) -> bool:
    """Whether `release` shows any of `changes`."""
    types = {column["name"]: column["type"] for column in release.schema["fields"]}
    key = ", ".join(release.schema.get("primaryKey", ()))
    return any((key if change.what == "key" else types.get(change.column)) != change.before for change in changes)


def _meant(change: SchemaChange, dataset: Dataset) -> bool:
    """Whether the declaration of today still leads to `change`, as far as it tells."""
    if change.what == "key":
        return ", ".join(dataset.key) != change.before
    declared = {field.name: field.type for field in dataset.published_fields}
    if change.what == "column removed":
        return change.column not in declared
    return declared.get(change.column or "") != change.before


__all__ = ["ACT", "Announcement", "ahead", "breaking", "covering", "listed", "restored"]
