"""The difference of two versions is what turns the one into the other, and says what breaks for whom."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.store.diffing import Difference, SchemaChange, compare, schema_changes
from tests.store.making import DUCK

Rows = list[tuple[int | None, str | None, float | None]]
SCHEMA = {
    "fields": [
        {"name": "id", "type": "integer"},
        {"name": "nom", "type": "string"},
        {"name": "prix", "type": "number"},
    ],
    "primaryKey": ["id"],
}
PLAIN = {"fields": SCHEMA["fields"]}


def parquet(path: Path, rows: Rows) -> Path:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (id BIGINT, nom VARCHAR, prix DOUBLE)")
        if rows:
            connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


def difference(folder: Path, old: Rows, new: Rows, schema: Any = SCHEMA) -> tuple[Difference, Counter]:
    """What is told, and the changed rows as written."""
    target = folder / "changes.parquet"
    target.unlink(missing_ok=True)
    files = parquet(folder / "old.parquet", old), parquet(folder / "new.parquet", new)
    found = compare(*files, (schema, schema), DUCK, target)
    with duckdb.connect() as fresh:
        rows = fresh.execute(f"FROM '{target}'").fetchall() if target.exists() else []
    return found, Counter(rows)


def test_rows_are_told_apart_by_their_key(tmp_path: Path) -> None:
    old: Rows = [(1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0)]
    new: Rows = [(1, "a", 1.0), (2, "b", 5.0), (4, "d", 4.0)]
    found, rows = difference(tmp_path, old, new)
    assert (found.added, found.removed, found.changed, found.kind) == (1, 1, 1, "data")
    assert found.by_column == {"prix": 1}
    assert rows == Counter(
        [("added", 4, "d", 4.0), ("removed", 3, "c", 3.0), ("before", 2, "b", 2.0), ("after", 2, "b", 5.0)]
    )
    assert found.drift["prix"]["sum"] == (6.0, 10.0)
    assert found.drift["id"]["maximum"] == (3, 4)


def test_missing_cells_and_infinities_are_values_like_others(tmp_path: Path) -> None:
    old: Rows = [(None, None, None), (2, "", float("nan")), (3, "c", None)]
    assert difference(tmp_path, old, old)[0].kind == "nothing"
    found, _ = difference(tmp_path, old, [(None, None, None), (2, "", float("nan")), (3, "c", float("inf"))])
    assert (found.added, found.removed, found.changed) == (0, 0, 1)


rows = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["a", "é", "", None]), st.sampled_from([0.0, 1.5, None])), max_size=8
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(old=rows, new=rows)
def test_applied_to_the_old_version_it_gives_the_new_one(old: Rows, new: Rows, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("d")
    for schema, before, after in (
        (PLAIN, old, new),
        (SCHEMA, list({row[0]: row for row in old}.values()), list({row[0]: row for row in new}.values())),
    ):
        found, changed = difference(folder, before, after, schema)
        result = Counter(before)
        for (what, *row), count in changed.items():
            result[tuple(row)] += count if what in ("added", "after") else -count  # type: ignore[index]
        assert +result == Counter(after)
        told = Counter(what for (what, *_), count in changed.items() for _ in range(count))
        assert (told["added"], told["removed"], told["after"]) == (found.added, found.removed, found.changed)
        assert (found.kind == "nothing") == (Counter(before) == Counter(after))
        assert found.drift == drift(before, after)


def drift(before: Rows, after: Rows) -> dict[str, Any]:
    """What is told of columns, from all of their cells."""
    told: dict[str, Any] = {}
    for place, name in enumerate(("id", "nom", "prix")):
        sides = [measures([row[place] for row in side]) for side in (before, after)]
        if moved := {what: (sides[0][what], sides[1][what]) for what in sides[0] if sides[0][what] != sides[1][what]}:
            told[name] = {what: both for what, both in moved.items() if name != "nom" or what == "missing"}
    return {name: moved for name, moved in told.items() if moved}


def measures(cells: list[Any]) -> dict[str, Any]:
    there = [cell for cell in cells if cell is not None and not isinstance(cell, str)]
    return {
        "missing": sum(cell is None for cell in cells),
        "sum": sum(there) if there else None,
        "mean": round(sum(there) / len(there), 6) if there else None,
        "minimum": min(there, default=None),
        "maximum": max(there, default=None),
    }


def test_what_only_one_of_them_has_is_a_change_of_the_schema_and_not_of_every_row(tmp_path: Path) -> None:
    parquet(tmp_path / "old.parquet", [(1, "a", 1.0)])
    duckdb.execute(
        f"COPY (SELECT 1::BIGINT AS id, 'a' AS nom, 'x' AS rue) TO '{tmp_path}/new.parquet' (FORMAT parquet)"
    )
    after = {"fields": [*SCHEMA["fields"][:2], {"name": "rue", "type": "string"}], "primaryKey": ["id"]}
    found = compare(tmp_path / "old.parquet", tmp_path / "new.parquet", (SCHEMA, after), DUCK)
    assert (found.added, found.removed, found.changed, found.kind) == (0, 0, 0, "breaking")
    assert {(change.what, change.column) for change in found.schema} == {
        ("column removed", "prix"),
        ("column added", "rue"),
    }


def field(name: str = "nom", kind: str = "string", **said: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **said}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([field()], [field(), field("rue")], SchemaChange("column added", "rue", after="string")),
        ([field(), field("rue")], [field()], SchemaChange("column removed", "rue", "string")),
        ([field()], [field(kind="integer")], SchemaChange("type", "nom", "string", "integer")),
        ([field(constraints={"required": True})], [field()], SchemaChange("constraints", "nom", "required: True")),
        ([field(title="Nom")], [field(title="Le nom")], SchemaChange("wording", "nom")),
        ([field(), field("rue")], [field("rue"), field()], SchemaChange("order")),
    ],
)
def test_each_change_of_the_schema_has_its_name(before: list[Any], after: list[Any], change: SchemaChange) -> None:
    assert schema_changes({"fields": before}, {"fields": after}) == (change,)
    assert change.breaks == (change.what in ("column removed", "type"))


def test_another_key_breaks() -> None:
    [change] = schema_changes(SCHEMA, PLAIN)
    assert (change.what, change.before, change.after, change.breaks) == ("key", "id", "", True)
