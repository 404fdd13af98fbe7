"""Whether the squares of a written file are as coarse, as full and as far apart as declared.

Reads the labels as INSEE defines them; shares no code with the technique that makes them.
"""

from __future__ import annotations

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import literal, quote
from odpipeline.verdict import Finding

_LABEL = r"CRS3035RES(\d+)mN(\d+)E(\d+)"


def measured(connection: duckdb.DuckDBPyConnection, name: str, relation: str, dataset: Dataset) -> list[Finding]:
    """One finding for each column of squares in the file `name`, which is the SQL `relation`.

    `*`, the whole dataset, tells of no place and may hold any number. A square that is a quasi-identifier is held to k
    (rows of small classes are gone), any other to its own `least`.
    Raises: duckdb.Error when a square cannot be counted.
    """
    findings = []
    for column, role in dataset.privacy.columns.items():
        if isinstance(role, Technique) and role.generalise and role.generalise.grid:
            least = dataset.privacy.k if column in dataset.privacy.quasi_identifiers else None
            findings.append(
                _squares(connection, name, relation, dataset, column, role.generalise.grid,
                         least or role.generalise.least)
            )  # fmt: skip
    return findings


def _squares(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    relation: str,
    dataset: Dataset,
    column: str,
    side: int,
    least: int,
) -> Finding:
    part = [f"TRY_CAST(regexp_extract(label, {literal(_LABEL)}, {group}) AS BIGINT)" for group in (1, 2, 3)]
    found = connection.execute(
        f"WITH s AS (SELECT label, n, CASE WHEN label = '*' THEN 0 ELSE {part[0]} END AS side, {part[1]} AS north, "
        f"{part[2]} AS east, regexp_full_match(label, {literal(_LABEL)}) OR label = '*' AS known FROM ("
        f"SELECT CAST({quote(column)} AS VARCHAR) AS label, count(*) AS n FROM {relation} "
        f"WHERE {quote(column)} IS NOT NULL GROUP BY ALL)), "
        "sides AS (SELECT DISTINCT side FROM s WHERE side > 0) "
        "SELECT count(*), count_if(n < ? AND label <> '*'), "
        "count_if(NOT known OR (label <> '*' AND (side < ? OR north % side <> 0 OR east % side <> 0))), "
        "(SELECT count(DISTINCT a.label) FROM s a JOIN sides ON sides.side > a.side JOIN s b ON b.side = sides.side "
        "AND b.north = a.north // sides.side * sides.side AND b.east = a.east // sides.side * sides.side "
        "WHERE a.side > 0), count_if(label = '*') FROM s",
        [least, side],
    ).fetchone()
    squares, thin, fine, nested, whole = found or (0, 0, 1, 0, 0)
    nested += whole and squares > 1
    message = f"{name}: {squares} squares in {column}, each of {side} m or more and with {least} rows or more"
    if passed := not (thin or fine or nested):
        message += ", and none in another"
    else:
        message = (
            f"{name}: of {squares} squares in {column}, {thin} hold fewer than {least} rows, {fine} are finer than "
            f"{side} m or off the grid, {nested} lie in another one: raise `least` at "
            f"{dataset.place('privacy', 'columns', column)}"
        )
    counts = {"squares": squares, "rows_below": thin + fine + nested, "least": least}
    return Finding("privacy", f"grid_{column}_{name.lower()}", passed, message, column=column, counts=counts)
