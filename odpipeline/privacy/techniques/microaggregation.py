"""Micro-aggregation by MDAV: each row takes the mean of a group of near rows (Domingo-Ferrer and Mateo-Sanz 2002).

The columns that say `microaggregate` are grouped together, each divided by its standard deviation. Two groups are taken
at a time: the rows nearest to the one that is farthest from the centre, and those nearest to the one farthest from it.
The time grows with the square of the rows, so that there is a limit; the memory is that of the columns, a few times.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import quote
from odpipeline.errors import PrivacyError

MOST_ROWS = 50_000
"""The most rows that are grouped: 14 seconds with two columns and groups of 5 (measured on two cores)."""
_TABLE = "microaggregated"

Numbers = NDArray[np.float64]


def averaged(connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, rows: str, *, whole: bool) -> str:
    """The expression of the mean of the row's group, rounded to the even number where the field is `whole`.

    Rows in which one of the columns is missing are missing in all of them, and so are fewer rows than one group.
    Raises: PrivacyError when there are too many rows, duckdb.Error.
    """
    roles = dataset.privacy.columns
    names = sorted(name for name, role in roles.items() if isinstance(role, Technique) and role.microaggregate)
    made = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [_TABLE]).fetchone()
    if made == (0,):
        size = max(role.microaggregate or 0 for role in roles.values() if isinstance(role, Technique))
        _make(connection, rows, names, size, dataset.place("privacy", "columns", column))
    mean = f"(SELECT any_value(m.m{names.index(column)}) FROM {_TABLE} m WHERE m._row = r._row)"
    return f"CAST(round_even({mean}, 0) AS BIGINT)" if whole else mean


def _make(connection: duckdb.DuckDBPyConnection, rows: str, names: list[str], size: int, where: str) -> None:
    values = [f"CAST({quote(name)} AS DOUBLE) AS c{n}" for n, name in enumerate(names)]
    known = " AND ".join(f"isfinite(c{n})" for n in range(len(names)))
    order = ", ".join(f"c{n}" for n in range(len(names)))
    found = connection.execute(
        f"SELECT * FROM (SELECT _row, {', '.join(values)} FROM {rows}) WHERE {known} ORDER BY {order}, _row "
        f"LIMIT {MOST_ROWS + 1}"
    ).fetchnumpy()
    if len(found["_row"]) > MOST_ROWS:
        raise PrivacyError(
            f"microaggregate groups at most {MOST_ROWS} rows, and there are more",
            where=where,
            mend="use round or bands instead, which take any number of rows",
        )
    data = np.column_stack([np.asarray(found[f"c{n}"], dtype=np.float64) for n in range(len(names))])
    means = np.full(data.shape, np.nan)
    for group in mdav(data, size):
        means[group] = [float(f"{one:.12g}") for one in data[group].mean(axis=0)]
    columns = {f"m{n}": pa.array(means[:, n], from_pandas=True) for n in range(len(names))}
    connection.register("means", pa.table({"_row": pa.array(np.asarray(found["_row"]))} | columns))
    connection.execute(f"CREATE TEMP TABLE {_TABLE} AS SELECT * FROM means")
    connection.unregister("means")


def mdav(data: Numbers, size: int) -> list[NDArray[np.int64]]:
    """Groups of `size` to 2 × `size` - 1 rows of `data` (rows × columns), as row numbers; no group when too few."""
    spread = data.std(axis=0) if len(data) else np.ones(data.shape[1])
    points = data / np.where(spread > 0, spread, 1.0)
    left, groups = np.arange(len(data)), list[NDArray[np.int64]]()
    while len(left) >= 2 * size:
        first = points[_farthest(points, points.mean(axis=0))]
        second = points[_farthest(points, first)]
        for centre in (first, second) if len(left) >= 3 * size else (first,):
            near = _nearest(points, centre, size)
            groups.append(left[near])
            stays = np.ones(len(left), dtype=np.bool_)
            stays[near] = False
            left, points = left[stays], points[stays]
    return [*groups, left] if len(left) >= size else groups


def _distances(points: Numbers, centre: Numbers) -> Numbers:
    away = points - centre
    apart: Numbers = np.einsum("ij,ij->i", away, away)
    return apart


def _farthest(points: Numbers, centre: Numbers) -> int:
    return int(np.argmax(_distances(points, centre)))


def _nearest(points: Numbers, centre: Numbers, size: int) -> NDArray[np.int64]:
    """The places of the `size` nearest points; of those as far as the last one, the first ones."""
    apart = _distances(points, centre)
    last = np.partition(apart, size - 1)[size - 1]
    closer = np.flatnonzero(apart < last)
    return np.concatenate([closer, np.flatnonzero(apart == last)[: size - len(closer)]])
