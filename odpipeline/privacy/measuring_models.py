"""l-diversity and t-closeness of the files that were written, in plain SQL that shares no code with the search.

A class is the rows with the same quasi-identifiers; a missing sensitive value is a value like any other. Distances are
between a class and the published table. The search compares with the table before suppression, whose distribution is
at most the suppressed share away (a mixture moves no more mass than its smaller part): so much is allowed besides t.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.disclosure import Closeness, Diversity
from odpipeline.duck import literal, quote
from odpipeline.verdict import Finding

_ROUNDING = 1e-9


def measured(
    connection: duckdb.DuckDBPyConnection, name: str, relation: str, dataset: Dataset, suppressed_share: float
) -> Iterator[Finding]:
    """A finding for each sensitive column of the file `name`, which is the SQL `relation`.

    `suppressed_share` is that of the rows before. Raises: duckdb.Error when a fact cannot be computed.
    """
    for column, diversity in dataset.privacy.diversity.items():
        failing, classes = _diverse(connection, _counts(relation, column, dataset), diversity)
        message = f"{name}: {failing} of {classes} equivalence classes are not diverse enough in {column}"
        yield _finding("l_diversity", name, column, failing, classes, message, dataset)
    for column, closeness in dataset.privacy.closeness.items():
        counts = _counts(relation, column, dataset)
        failing, classes = _close(connection, counts, closeness, dataset, closeness.t + suppressed_share + _ROUNDING)
        message = f"{name}: {failing} of {classes} equivalence classes are further than t from the table in {column}"
        yield _finding("t_closeness", name, column, failing, classes, message, dataset)


def _finding(rule: str, name: str, column: str, failing: int, classes: int, message: str, dataset: Dataset) -> Finding:
    passed = failing == 0 and classes > 0
    remedy = "" if passed else f"; generalise further, or allow more suppression at {dataset.place('privacy')}"
    counts = {"failing_classes": failing, "classes": classes}
    name = f"{rule}_{column}_{name.lower()}"
    return Finding("privacy", name, passed, message + remedy, column=column, counts=counts)


def _counts(relation: str, column: str, dataset: Dataset) -> str:
    """A relation of class (k), sensitive value (v), its rows in the class (n) and the rows of the class (size)."""
    quasi = ", ".join(f"q{n}: {quote(name)}" for n, name in enumerate(dataset.privacy.quasi_identifiers))
    counted = f"SELECT {{{quasi}}} AS k, {quote(column)} AS v, count(*) AS n FROM {relation} GROUP BY ALL"
    return f"(SELECT k, v, n, sum(n) OVER (PARTITION BY k) AS size FROM ({counted}))"


def _diverse(connection: duckdb.DuckDBPyConnection, counts: str, said: Diversity) -> tuple[int, int]:
    """(classes that fail, classes): distinct, entropy and recursive (c, l)-diversity (Machanavajjhala 2007)."""
    wrong = []
    if said.distinct is not None:
        wrong.append(f"count(*) < {said.distinct}")
    if said.entropy is not None:
        wrong.append(f"-sum(n / size * ln(n / size)) < ln({said.entropy!r}) - {_ROUNDING}")
    if said.recursive is not None:
        tail = f"coalesce(sum(n) FILTER (rank >= {said.recursive.l}), 0)"
        wrong.append(f"NOT max(n) < {said.recursive.c!r} * {tail}")
    ranked = f"SELECT *, row_number() OVER (PARTITION BY k ORDER BY n DESC) AS rank FROM {counts}"
    return _failing(connection, f"SELECT {' OR '.join(wrong)} AS wrong FROM ({ranked}) GROUP BY k")


def _close(
    connection: duckdb.DuckDBPyConnection, counts: str, said: Closeness, dataset: Dataset, limit: float
) -> tuple[int, int]:
    """(classes that fail, classes): the earth mover's distance to the table is beyond `limit` (Li 2007)."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE spread AS SELECT * FROM {counts}")
    if said.distance == "ordered":
        return _failing(connection, f"SELECT far > {limit!r} AS wrong FROM ({_ordered()})")
    if said.distance == "equal":
        return _failing(connection, f"SELECT far > {limit!r} AS wrong FROM ({_apart('spread')})")
    levels = _ladder(connection, dataset.root / str(said.hierarchy))
    parts = " UNION ALL ".join(f"SELECT k, far FROM ({_apart(level)})" for level in levels)
    return _failing(
        connection, f"SELECT sum(far) / {max(len(levels), 1)} > {limit!r} AS wrong FROM ({parts}) GROUP BY k"
    )


def _apart(spread: str) -> str:
    """Class and its distance where all values are as far apart: what it has too much of, summed up."""
    whole = f"SELECT v, sum(n) / (SELECT sum(n) FROM {spread}) AS q FROM {spread} GROUP BY v"
    return (
        f"SELECT k, sum(greatest(n / size - q, 0)) AS far FROM {spread} s JOIN ({whole}) w "
        "ON s.v IS NOT DISTINCT FROM w.v GROUP BY k"
    )


def _ordered() -> str:
    """Class and its distance by ranks: the sum of differences of the cumulated shares, over the ranks less one."""
    return """
        WITH whole AS (SELECT v, sum(n) / (SELECT sum(n) FROM spread) AS q FROM spread GROUP BY v),
        ranks AS (SELECT v, row_number() OVER (ORDER BY v NULLS LAST) AS r, count(*) OVER () AS m,
                  sum(q) OVER (ORDER BY v NULLS LAST ROWS UNBOUNDED PRECEDING) AS below FROM whole),
        every AS (SELECT c.k, r, m, below, coalesce(s.n / s.size, 0) AS p FROM (SELECT DISTINCT k FROM spread) c
                  CROSS JOIN ranks w LEFT JOIN spread s ON s.k = c.k AND s.v IS NOT DISTINCT FROM w.v),
        reached AS (SELECT k, m, abs(sum(p) OVER (PARTITION BY k ORDER BY r ROWS UNBOUNDED PRECEDING) - below) AS d
                    FROM every)
        SELECT k, sum(d) / greatest(max(m) - 1, 1) AS far FROM reached GROUP BY k"""


def _ladder(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """A table like `spread` for each level of the hierarchy below its root, the leaves included."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rungs AS SELECT * FROM read_csv({literal(file)}, delim=';', header=false, "
        "all_varchar=true, quote='\"', nullstr='\\N')"
    )
    names = [str(name) for name, *_ in connection.execute("DESCRIBE rungs").fetchall()]
    made = []
    for level, name in enumerate(names):
        table = f"spread_{level}"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT k, h.{quote(name)} AS v, sum(n) AS n, any_value(size) AS "
            f"size FROM spread s LEFT JOIN rungs h ON h.{quote(names[0])} = CAST(s.v AS VARCHAR) GROUP BY ALL"
        )
        [(groups,)] = connection.execute(f"SELECT count(DISTINCT v) + count_if(v IS NULL) FROM {table}").fetchall()
        if level == len(names) - 1 and groups == 1:
            continue  # the root: everything meets there, and no edge lies above it
        made.append(table)
    return made


def _failing(connection: duckdb.DuckDBPyConnection, classes: str) -> tuple[int, int]:
    failing, every = connection.execute(f"SELECT count_if(wrong), count(*) FROM ({classes})").fetchone() or (0, 0)
    return int(failing or 0), int(every or 0)
