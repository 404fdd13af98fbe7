"""What changed from one version to the next: rows by key, cells by column, the schema, the sums.

Rows are compared by DuckDB on the two Parquet files, without a key as a multiset. A column that only one of them has is
a change of the schema, and not of every row. Whatever reads the files by the names of their columns breaks when one is
gone, has another type or when the key is another: that is *breaking*; everything else that the schema says is
*compatible*; and when the schema says what it said, only the *data* have changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import StoreError
from odpipeline.store import layout
from odpipeline.store.measuring import stored
from odpipeline.store.releases import Release
from odpipeline.store.staging import Staged

Kind = Literal["nothing", "data", "compatible", "breaking"]
MOST_ROWS = 200_000
"""The most changed rows that are written down one by one; beyond, the summary says how many there are."""
_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT")
_TEXTS = ("title", "description")


@dataclass(frozen=True)
class SchemaChange:
    """One change of the published schema: `what` happened to `column` (None: the table), from `before` to `after`."""

    what: Literal["column added", "column removed", "type", "key", "constraints", "order", "wording"]
    column: str | None = None
    before: str = ""
    after: str = ""

    @property
    def breaks(self) -> bool:
        """Whether readers of the version before stumble over it."""
        return self.what in ("column removed", "type", "key")


@dataclass(frozen=True)
class Difference:
    """What changed between two versions. Counts are rows, `by_column` counts cells of rows whose key stayed.

    `drift` maps a column to its sum, mean, minimum, maximum or missing cells, each before and after, where they differ.
    `by_key` tells whether rows were told apart by the key; without one, a changed row is one removed and one added.
    """

    added: int
    removed: int
    changed: int
    by_key: bool
    by_column: Mapping[str, int] = field(default_factory=dict)
    schema: tuple[SchemaChange, ...] = ()
    drift: Mapping[str, Mapping[str, tuple[Any, Any]]] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """How grave it is for whoever reads the files."""
        if any(change.breaks for change in self.schema):
            return "breaking"
        if self.schema:
            return "compatible"
        return "data" if self.added or self.removed or self.changed else "nothing"

    def as_json(self) -> dict[str, Any]:
        """By name, for `changes.json`."""
        return {"kind": self.kind, **asdict(self), "schema": [asdict(c) | {"breaks": c.breaks} for c in self.schema]}


def schema_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[SchemaChange, ...]:
    """The changes from one published Table Schema to another."""
    old = {one["name"]: one for one in before["fields"]}
    new = {one["name"]: one for one in after["fields"]}
    found = [SchemaChange("column removed", name, old[name]["type"]) for name in old if name not in new]
    found += [SchemaChange("column added", name, after=new[name]["type"]) for name in new if name not in old]
    for name in (name for name in new if name in old):
        was, now = old[name], new[name]
        if (was["type"], was.get("format")) != (now["type"], now.get("format")):
            found.append(SchemaChange("type", name, was["type"], now["type"]))
        if was.get("constraints") != now.get("constraints"):
            spelled = [", ".join(f"{k}: {v}" for k, v in (one.get("constraints") or {}).items()) for one in (was, now)]
            found.append(SchemaChange("constraints", name, *spelled))
        if any(was.get(word) != now.get(word) for word in _TEXTS):
            found.append(SchemaChange("wording", name))
    if [name for name in old if name in new] != [name for name in new if name in old]:
        found.append(SchemaChange("order"))
    keys = [", ".join(one.get("primaryKey", ())) for one in (before, after)]
    if keys[0] != keys[1]:
        found.append(SchemaChange("key", None, *keys))
    return tuple(found)


def compare(
    before: Path, after: Path, schemas: tuple[Mapping[str, Any], Mapping[str, Any]], duck: DuckSettings,
    rows: Path | None = None,
) -> Difference:  # fmt: skip
    """The difference from the Parquet `before` to `after`, whose published schemas are `schemas`.

    With `rows`, the changed rows are written there as Parquet, each with its `_change` (`added`, `removed`, and of a
    changed row `before` and `after`), unless there are more than 200,000.
    Raises: StoreError when the two cannot be compared.
    """
    key = tuple(schemas[1].get("primaryKey", ()))
    by_key = bool(key) and tuple(schemas[0].get("primaryKey", ())) == key
    try:
        with connect(duck) as connection:
            shared = _views(connection, before, after)
            if by_key and not all(name in shared for name in key):
                by_key = False
            if by_key:
                counts, cells = _by_key(connection, key, [name for name in shared if name not in key])
            else:
                counts, cells = _as_multiset(connection, list(shared)), {}
            if rows is not None and 0 < sum(counts) <= MOST_ROWS:
                order = columns([*(key if by_key else shared), "_change"])
                ordered = f"SELECT * FROM changes ORDER BY {order}"
                connection.execute(f"COPY ({ordered}) TO {literal(rows)} (FORMAT parquet, COMPRESSION zstd)")
            drift = _drift(connection, _touched(connection, shared, counts, cells if by_key else None))
    except duckdb.Error as error:
        raise StoreError(
            f"the two versions cannot be compared ({type(error).__name__})",
            mend="free some space in the private zone, or raise `memory_limit` in town.yaml",
        ) from None
    return Difference(*counts, by_key, cells, schema_changes(*schemas), drift)


def _views(connection: duckdb.DuckDBPyConnection, before: Path, after: Path) -> dict[str, str]:
    """The views `old` and `new`, cut to the columns of one name and type in both; those, with their types."""
    for name, path in (("old", before), ("new", after)):
        connection.execute(f"CREATE VIEW all_{name} AS SELECT * FROM read_parquet({literal(path)})")
    kinds = [
        {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE all_{name}").fetchall()}
        for name in ("old", "new")
    ]
    shared = {name: kind for name, kind in kinds[1].items() if kinds[0].get(name) == kind}
    for name in ("old", "new"):
        chosen = columns(list(shared)) or "1 AS _nothing"
        connection.execute(f"CREATE VIEW {name} AS SELECT {chosen} FROM all_{name}")
    return shared


def _by_key(
    connection: duckdb.DuckDBPyConnection, key: Sequence[str], others: Sequence[str]
) -> tuple[tuple[int, int, int], dict[str, int]]:
    """Added, removed and changed rows by key, and changed cells by column. `changes` is the view of the rows.

    One join finds the rows that differ, and only these are kept, each side as it was.
    """
    same = " AND ".join(f"o.{quote(name)} IS NOT DISTINCT FROM n.{quote(name)}" for name in key)
    differs = [f"o.{quote(name)} IS DISTINCT FROM n.{quote(name)}" for name in others]
    apart = " OR ".join(["o._there IS NULL", "n._there IS NULL", *differs])
    connection.execute(
        "CREATE TEMP TABLE apart AS SELECT o, n FROM (SELECT *, true AS _there FROM old) o "
        f"FULL JOIN (SELECT *, true AS _there FROM new) n ON {same} WHERE {apart}"
    )
    both = "o._there AND n._there"
    cells = "".join(f", count_if({both} AND {one})" for one in differs)
    found = connection.execute(
        f"SELECT count_if(o._there IS NULL), count_if(n._there IS NULL), count_if({both}){cells} FROM apart"
    ).fetchone()
    counts = [int(one or 0) for one in found or (0, 0, 0)]
    picked = {side: ", ".join(f"{side}.{quote(name)} AS {quote(name)}" for name in (*key, *others)) for side in "on"}
    connection.execute(
        "CREATE VIEW changes AS "
        f"SELECT 'added' AS _change, {picked['n']} FROM apart WHERE o._there IS NULL "
        f"UNION ALL SELECT 'removed', {picked['o']} FROM apart WHERE n._there IS NULL "
        f"UNION ALL SELECT 'before', {picked['o']} FROM apart WHERE {both} "
        f"UNION ALL SELECT 'after', {picked['n']} FROM apart WHERE {both}"
    )
    by_column = {name: n for name, n in zip(others, counts[3:], strict=True) if n}
    return (counts[0], counts[1], counts[2]), by_column


def _as_multiset(connection: duckdb.DuckDBPyConnection, shared: Sequence[str]) -> tuple[int, int, int]:
    """Rows that only one of the two has, counted as often as it has them more."""
    every = columns(shared) or "_nothing"
    connection.execute(
        "CREATE VIEW changes AS SELECT 'added' AS _change, * FROM (FROM new EXCEPT ALL FROM old) "
        "UNION ALL SELECT 'removed', * FROM (FROM old EXCEPT ALL FROM new)"
    )
    found = connection.execute(
        f"SELECT coalesce(sum(m) FILTER (WHERE m > 0), 0), coalesce(-sum(m) FILTER (WHERE m < 0), 0) FROM "
        f"(SELECT sum(one) AS m FROM (SELECT {every}, 1 AS one FROM new UNION ALL SELECT {every}, -1 FROM old) "
        f"GROUP BY {every})"
    ).fetchone()
    added, removed = found or (0, 0)
    return int(added), int(removed), 0


def _touched(
    connection: duckdb.DuckDBPyConnection, shared: Mapping[str, str], counts: tuple[int, int, int],
    cells: Mapping[str, int] | None,
) -> dict[str, str]:  # fmt: skip
    """The columns whose measures can be others now, with their types: no other one needs to be read again, and whole.

    `cells` are the changed cells by column, when rows were told apart by a key: then the view `changes` is short.
    """
    if cells is None or not any(counts):
        return dict(shared) if any(counts) else {}
    came, went = (f"_change IN ('{one}', '{other}')" for one, other in (("added", "after"), ("removed", "before")))
    moved = [f"count_if({quote(n)} IS NULL AND {came}) <> count_if({quote(n)} IS NULL AND {went})" for n in shared]
    missing = connection.execute(f"SELECT {', '.join(moved)} FROM changes").fetchone() or ()
    every = counts[0] or counts[1]
    return {
        name: kind
        for (name, kind), other in zip(shared.items(), missing, strict=True)
        if other or (kind in _NUMBERS and (every or name in cells))
    }


def _drift(connection: duckdb.DuckDBPyConnection, shared: Mapping[str, str]) -> dict[str, dict[str, tuple[Any, Any]]]:
    measures = {}
    for name, kind in shared.items():
        cell = quote(name)
        measures[name, "missing"] = f"count(*) - count({cell})"
        if kind in _NUMBERS:
            exact = kind != "DOUBLE"
            measures[name, "sum"] = f"CAST(sum({cell}) AS HUGEINT)" if exact else f"round(sum({cell}), 6)"
            measures[name, "mean"] = f"round(avg({cell}), 6)"
            measures[name, "minimum"], measures[name, "maximum"] = f"min({cell})", f"max({cell})"
    if not measures:
        return {}
    asked = f"SELECT {', '.join(measures.values())} FROM"
    sides = [connection.execute(f"{asked} {name}").fetchone() for name in ("old", "new")]
    drift: dict[str, dict[str, tuple[Any, Any]]] = {}
    for (name, measure), old, new in zip(measures, *(side or () for side in sides), strict=True):
        if old != new:
            drift.setdefault(name, {})[measure] = (old, new)
    return drift


def noted(staged: Staged, current: Release, before: Path, duck: DuckSettings, *, of_persons: bool) -> Staged:
    """`staged` with `changes.json`, and `changes.parquet` unless it is about persons, since `current`.

    `before` is the Parquet of `current`. Rows about persons are not written down: they would show what came and went.
    Raises: StoreError.
    """
    if staged.content_hash == current.content_hash:
        return staged
    rows = None if of_persons else staged.folder / layout.CHANGED_ROWS
    found = compare(before, staged.parquet, (current.schema, staged.schema), duck, rows)
    summary = staged.folder / layout.CHANGES
    about = {"dataset": staged.dataset, "since": current.version, "since_content_hash": current.content_hash}
    summary.write_bytes(layout.readable({"format": layout.FORMAT, **about, **_finite(found.as_json())}))
    files = [stored(summary), *([stored(rows)] if rows is not None and rows.exists() else [])]
    return replace(staged, changes=tuple(files), difference=counts(found))


def counts(found: Difference) -> dict[str, Any]:
    """What a manifest and the changelog say of a difference."""
    return {"kind": found.kind, "added": found.added, "removed": found.removed, "changed": found.changed}


def _finite(value: Any) -> Any:
    """`value` for JSON, which knows no infinite numbers."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
