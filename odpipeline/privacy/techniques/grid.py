"""Points → squares of a grid, merged until each holds enough rows: the gridded data of INSEE (Filosofi, 200 m).

Squares are those of the European grid (INSPIRE, D2.8.I.2: EPSG:3035, origin at 0, 0) and are named as INSEE names
them: `CRS3035RES200mN2471400E3775400`, the lower left corner. Their side doubles from level to level; a square is
divided in four only if each of the four that is not empty holds the least number of rows, from the top down, so that no
published square lies in another one and none can be subtracted from another. `*` stands for the whole dataset.
"""

from __future__ import annotations

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Generalise
from odpipeline.duck import quote, spatial
from odpipeline.errors import PrivacyError
from odpipeline.geopoint import degrees

LEVELS = 12
"""How often the side doubles: from 200 m to 819 km, more than any town."""
_FAR = 100_000_000
_EUROPE = "lon BETWEEN -16.1 AND 40.18 AND lat BETWEEN 32.88 AND 84.73"
"""The area of use of EPSG:3035 in degrees (EPSG dataset)."""


def squared(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Generalise, rows: str
) -> str:
    """The expression of the square of the point in `column`; a missing point is a missing square.

    `rows` is the relation that holds the column: its rows decide which squares are divided.
    Raises: PrivacyError for points outside Europe, which this grid does not cover.
    """
    side = int(technique.grid or 0)
    lon, lat = _degrees(dataset, column, technique)
    spatial(connection)
    outside = connection.execute(
        f"SELECT count(*) FROM (SELECT {lon} AS lon, {lat} AS lat FROM {rows} r) "
        f"WHERE lon IS NOT NULL AND lat IS NOT NULL AND NOT ({_EUROPE})"
    ).fetchone()
    if outside and outside[0]:
        raise PrivacyError(
            f"{outside[0]} rows have a point in {column} that lies outside Europe, which the grid does not cover",
            where=dataset.place("privacy", "columns", column),
            mend="correct the points (longitude first), or generalise by commune instead",
        )
    point = f"ST_Transform(ST_Point({lon}, {lat}), 'EPSG:4326', 'EPSG:3035', always_xy := true)"
    place = f"CAST(floor(ST_Y({point}) / {side}) AS BIGINT) * {_FAR} + CAST(floor(ST_X({point}) / {side}) AS BIGINT)"
    table = quote(f"grid_{column}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE reached AS SELECT {place} AS place, count(*) AS n FROM {rows} r "
                       f"WHERE {lon} IS NOT NULL AND {lat} IS NOT NULL GROUP BY ALL")  # fmt: skip
    _divide(connection, table, side, technique.least)
    return f"(SELECT any_value(g.square) FROM {table} g WHERE g.place = {place})"


def _divide(connection: duckdb.DuckDBPyConnection, table: str, side: int, least: int) -> None:
    """The table of the finest squares that hold rows, each with the square that is published for it.

    `depth` is the finest level down to which every division, from the top, is allowed.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT place, place // {_FAR} AS north, place % {_FAR} AS east, n, "
        f"{LEVELS} AS depth, '*' AS square FROM reached"
    )
    for level in range(LEVELS - 1, -1, -1):
        top, size = level == LEVELS - 1, side << level
        above = "0 AS y, 0 AS x" if top else f"north >> {level + 1} AS y, east >> {level + 1} AS x"
        within = "true" if top else f"(t.north >> {level + 1}, t.east >> {level + 1}) = (d.y, d.x)"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE divided AS SELECT y, x FROM (SELECT {above}, north >> {level} AS north, "
            f"east >> {level} AS east, sum(n) AS n FROM {table} WHERE depth = {level + 1} GROUP BY ALL) "
            f"GROUP BY y, x HAVING min(n) >= {least}"
        )
        corner = f"'N' || (t.north >> {level}) * {size} || 'E' || (t.east >> {level}) * {size}"
        connection.execute(
            f"UPDATE {table} AS t SET depth = {level}, square = 'CRS3035RES{size}m' || {corner} "
            f"FROM divided d WHERE t.depth = {level + 1} AND {within}"
        )


def _degrees(dataset: Dataset, column: str, technique: Generalise) -> tuple[str, str]:
    """Longitude and latitude as SQL: of a geopoint in its format, or of two columns of numbers."""
    name = f"r.{quote(column)}"
    if technique.latitude is not None:
        return name, f"r.{quote(technique.latitude)}"
    spelled = next(field.format for field in dataset.fields if field.name == column)
    return degrees(name, spelled)
