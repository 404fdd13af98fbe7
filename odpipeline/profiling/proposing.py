"""Expectations that the kept captures suggest, each with its bounds and the evidence for it.

What every capture kept to is proposed as a warning, with room around what was seen: a person reads it, and makes of it
what blocks. Of a dataset about persons nothing is proposed that quotes a value, not even a rounded one, since a suite
is a file that many read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

import duckdb

from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset, PersonalData, TableField
from odpipeline.duck import connect, literal, quote
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.profiling.rereading import reread
from odpipeline.quality import opening_hours, suite_files, suite_for
from odpipeline.quality.french import FRENCH, PREFIX

_LEAST_CELLS = 20
"""Fewer filled cells than this prove nothing."""
_LEAST_CAPTURES = 3
"""Fewer captures than this do not show how the number of rows moves."""
_FEW = 12
"""Up to how many distinct texts look like a list of the values allowed."""
_CERTAIN = ("siren", "siret", "uai")
"""French types with a check digit: what keeps to it is no accident. The others must stand in the column's name."""
_NUMBERS, _TEXTS, _MOMENTS = ("integer", "number"), ("string",), ("date", "datetime")


@dataclass(frozen=True)
class Proposal:
    """An expectation in Great Expectations' words, and the `evidence` for it: counts, and bounds of what is public."""

    type: str
    kwargs: Mapping[str, Any]
    evidence: str

    def as_gx_json(self) -> dict[str, Any]:
        """The entry of a suite file."""
        return {
            "type": self.type, "kwargs": dict(self.kwargs), "severity": "warning", "meta": {"evidence": self.evidence},
        }  # fmt: skip


@dataclass(frozen=True)
class Advice:
    """A key of the declaration, since exact row counts rot: `value` as YAML, and the `evidence` for it."""

    key: str
    value: float
    evidence: str


@dataclass
class _Cells:
    """What one column held in each capture that was read, in the same order in every list."""

    filled: list[int] = field(default_factory=list)
    distinct: list[int] = field(default_factory=list)
    bounds: list[tuple[float, float]] = field(default_factory=list)
    lengths: list[tuple[int, int]] = field(default_factory=list)
    values: list[frozenset[str] | None] = field(default_factory=list)
    french: set[str] = field(default_factory=lambda: set(FRENCH))


@dataclass
class _Seen:
    """What the captures held. `later` are the pairs of moments of which the first was never before the second."""

    rows: list[int] = field(default_factory=list)
    columns: dict[str, _Cells] = field(default_factory=dict)
    later: dict[tuple[str, str], int] = field(default_factory=dict)


def proposed(dataset: Dataset, zones: Zones, most: int = 10) -> tuple[list[Proposal], list[Advice]]:
    """What the last `most` captures suggest beyond the suite that there is, and beyond the declaration.

    Raises: OdpError when no capture can be read; QualityError when the dataset's own suite cannot.
    """
    seen = _Seen(columns={one.name: _Cells() for one in dataset.fields})
    seen.later = dict.fromkeys(_pairs(dataset), 0)
    why = ""
    for one in reread(dataset, zones, most):
        if one.rows is None:
            why = why or one.why
        elif one.rows.rows:
            _look(one.rows, dataset, zones, seen)
    if not seen.rows:
        raise OdpError("no kept capture has rows to learn from", where=f"captures/{dataset.id}", mend=why or "wait")
    there = [_about(one.type, one.kwargs) for one in suite_for(dataset).expectations]
    found = [p for one in dataset.fields for p in _of_column(one, seen, public=_public(dataset))]
    found += _of_pairs(seen)
    new = [one for one in found if _about(one.type, one.kwargs) not in there]
    return new, list(_of_table(dataset, seen.rows[::-1]))


def with_own(dataset: Dataset, proposals: Sequence[Proposal]) -> dict[str, Any]:
    """The dataset's own suite file with the proposals at its end, as it can be saved."""
    own = suite_files.read(dataset.suite_file) if dataset.suite_file else suite_files.SuiteFile({}, ())
    entries = [entry.value for entry in own.entries]
    return {"name": dataset.id, **own.head, "expectations": [*entries, *(p.as_gx_json() for p in proposals)]}


def _about(kind: str, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    return kind, str(kwargs.get("column")), str(kwargs.get("column_A")), str(kwargs.get("column_B"))


def _public(dataset: Dataset) -> bool:
    return dataset.personal_data is PersonalData.NONE


def _pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """Pairs of moments of one type, each way round."""
    found = []
    for kind in _MOMENTS:
        names = [one.name for one in dataset.fields if one.type == kind][:6]
        found += [pair for a, b in combinations(names, 2) for pair in ((a, b), (b, a))]
    return found


def _look(rows: Conformed, dataset: Dataset, zones: Zones, seen: _Seen) -> None:
    with connect(zones.duck) as connection:
        opening_hours.register(connection)
        connection.execute(f"CREATE TEMP VIEW looked AS SELECT * FROM read_parquet({literal(rows.parquet)})")
        seen.rows.append(rows.rows)
        for one in dataset.fields:
            _look_at(connection, one, seen.columns[one.name], public=_public(dataset))
        for pair in list(seen.later):
            later, earlier = map(quote, pair)
            both, wrong = _one(connection, f"SELECT count({later} >= {earlier}), "
                               f"count(*) FILTER ({later} < {earlier}) FROM looked")  # fmt: skip
            seen.later[pair] += both
            if wrong:
                del seen.later[pair]


def _look_at(connection: duckdb.DuckDBPyConnection, one: TableField, cells: _Cells, *, public: bool) -> None:
    cell = quote(one.name)
    kinds = sorted(cells.french) if one.type in _TEXTS else []
    said = [FRENCH[kind].condition.replace("{cell}", cell) for kind in kinds]
    conditions = [f"count(*) FILTER ({cell} IS NOT NULL AND NOT coalesce({one}, false))" for one in said]
    length = f"length({cell})" if one.type in _TEXTS else "0"
    measured = f"CAST({cell} AS DOUBLE)" if one.type in _NUMBERS and public else "0"
    filled, distinct, shortest, longest, low, high, *wrong = _one(
        connection,
        f"SELECT count({cell}), count(DISTINCT {cell}), min({length}), max({length}), min({measured}), max({measured})"
        f"{''.join(f', {condition}' for condition in conditions)} FROM looked",
    )
    cells.filled.append(filled)
    cells.distinct.append(distinct)
    cells.french &= {kind for kind, broken in zip(kinds, wrong, strict=True) if not broken}
    if filled:
        cells.bounds.append((low, high))
        cells.lengths.append((shortest, longest))
    listed = public and one.type in _TEXTS and 1 < distinct <= _FEW and filled >= 5 * distinct
    found = connection.execute(f"SELECT DISTINCT {cell} FROM looked WHERE {cell} IS NOT NULL") if listed else None
    cells.values.append(frozenset(value for (value,) in found.fetchall()) if found else None)


def _one(connection: duckdb.DuckDBPyConnection, select: str) -> tuple[Any, ...]:
    return tuple(connection.execute(select).fetchall()[0])


def _of_column(one: TableField, seen: _Seen, *, public: bool) -> Iterator[Proposal]:
    cells, column = seen.columns[one.name], {"column": one.name}
    captures = f"{len(seen.rows)} capture" + ("s" if len(seen.rows) > 1 else "")
    if sum(cells.filled) < _LEAST_CELLS:
        return
    yield _filled(column, cells, seen, captures)
    if cells.distinct == cells.filled and min(cells.filled) > 1 and one.type not in ("number", "geojson"):
        told = f"no value stood twice in {captures}"
        yield Proposal("expect_column_values_to_be_unique", column, told)
    if public and one.type in _NUMBERS:
        yield from _between(column, cells, captures)
    if one.type in _TEXTS:
        yield from _of_text(one, column, cells, captures)


def _filled(column: Mapping[str, str], cells: _Cells, seen: _Seen, captures: str) -> Proposal:
    kind = "expect_column_values_to_not_be_null"
    if cells.filled == seen.rows:
        return Proposal(kind, column, f"every row was filled in {captures}, {_span(seen.rows)} rows")
    shares = [filled / rows for filled, rows in zip(cells.filled, seen.rows, strict=True)]
    least, spread = min(shares), max(shares) - min(shares)
    mostly = max(0.01, math.floor((least - max(0.02, spread / 2)) * 100) / 100)
    told = f"{least:.1%} to {max(shares):.1%} of the rows were filled in {captures}"
    return Proposal(kind, {**column, "mostly": mostly}, told)


def _between(column: Mapping[str, str], cells: _Cells, captures: str) -> Iterator[Proposal]:
    """The range that was seen and half of it on each side, in round figures; what was never negative stays so."""
    low, high = min(low for low, _ in cells.bounds), max(high for _, high in cells.bounds)
    if not math.isfinite(low) or not math.isfinite(high) or max(abs(low), abs(high)) > 2**50:
        return
    room = (high - low) / 2 or abs(high) / 2 or 1.0
    least = max(0.0, low - room) if low >= 0 else low - room
    bounds = {"min_value": _round(least, math.floor), "max_value": _round(high + room, math.ceil)}
    told = f"between {low:g} and {high:g} in {captures}; half the range is left on each side"
    yield Proposal("expect_column_values_to_be_between", {**column, **bounds}, told)


def _round(value: float, towards: Any) -> float:
    """Two significant digits, downwards or upwards."""
    if not value:
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    rounded = towards(value / step) * step
    return int(rounded) if step >= 1 else round(rounded, 12)


def _of_text(one: TableField, column: Mapping[str, str], cells: _Cells, captures: str) -> Iterator[Proposal]:
    total = sum(cells.filled)
    named = [kind for kind in sorted(cells.french) if kind in _CERTAIN or kind.split("_")[-1] in one.name.lower()]
    for kind in named[:1]:
        yield Proposal(PREFIX + kind, column, f"all {total} values in {captures} are right")
        return
    lists = [values for values in cells.values if values is not None]
    if len(lists) == len(cells.values) and (known := frozenset[str]().union(*lists)) == lists[0] and len(known) <= _FEW:
        told = f"the same {len(known)} values, or some of them, in {captures}"
        yield Proposal("expect_column_values_to_be_in_set", {**column, "value_set": sorted(known)}, told)
    shortest, longest = min(low for low, _ in cells.lengths), max(high for _, high in cells.lengths)
    if shortest == longest:
        kind = "expect_column_value_lengths_to_equal"
        yield Proposal(kind, {**column, "value": shortest}, f"all {total} values in {captures} are as long")


def _of_pairs(seen: _Seen) -> Iterator[Proposal]:
    """One moment never before another, told once of those that are always equal."""
    for (later, earlier), both in seen.later.items():
        if both < _LEAST_CELLS or ((earlier, later) in seen.later and earlier < later):
            continue
        arguments = {"column_A": later, "column_B": earlier, "or_equal": True,
                     "ignore_row_if": "either_value_is_missing"}  # fmt: skip
        told = f"{later} was never before {earlier} in {both} rows"
        yield Proposal("expect_column_pair_values_a_to_be_greater_than_b", arguments, told)


def _of_table(dataset: Dataset, rows: Sequence[int]) -> Iterator[Advice]:
    """How much the number of rows may move from one release to the next; `rows` are those of the captures in order."""
    if len(rows) < _LEAST_CAPTURES:
        return
    growth = max(now / before for before, now in pairwise(rows))
    shrink = max(1 - now / before for before, now in pairwise(rows))
    told = f"{len(rows)} captures, {_span(rows)} rows, at most {{}} from one to the next"
    if (most := max(1.5, math.ceil(growth * 20) / 10)) < dataset.quality.over_time.growth:
        yield Advice("quality.over_time.growth", most, told.format(f"{growth:.2f} times as many"))
    if (most := max(0.02, math.ceil(shrink * 200) / 100)) < dataset.shrink:
        yield Advice("shrink", most, told.format(f"{max(0.0, shrink):.1%} fewer"))


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
