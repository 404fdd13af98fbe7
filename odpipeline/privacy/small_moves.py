"""Classes that moved by too little wait: they stay as they are public until as many rows as k came or went.

The rows of such a class are taken from the current release as they stand there, so that the class differs from no
public version by 1 to k - 1 rows, and nothing new is told. It is the price that the public sees those classes late.

Rows that stay keep the pseudonyms that they have, where those of scope `release` change with each version. So that this
does not show which classes waited, those that did not change at all keep theirs, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb

from odpipeline import published
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy.anonymising import Anonymised
from odpipeline.verdict import Finding, Severity


def waited(
    anonymised: Anonymised, last: Path, versions: Mapping[str, Path], dataset: Dataset, duck: DuckSettings
) -> Anonymised:
    """`anonymised` with the classes that must wait as they are in `last`, the Parquet of the current release.

    `versions` are all public versions. As it was when the columns or their types have changed since: the gate compares.
    Raises: PrivacyError when it cannot be computed.
    """
    privacy = dataset.privacy
    if privacy.differencing.small_moves != "wait" or not privacy.quasi_identifiers or not privacy.k:
        return anonymised
    new, old = _read(anonymised.parquet), _read(last)
    target = anonymised.parquet.with_name("waited.parquet")
    try:
        with connect(duck) as connection:
            shapes = [connection.execute(f"DESCRIBE FROM {rows}").fetchall() for rows in (new, old)]
            if shapes[0] != shapes[1]:
                return anonymised
            waiting = _moved(connection, new, versions, dataset)
            if not waiting + _unchanged(connection, new, old, dataset):
                return anonymised
            quasi = map(quote, privacy.quasi_identifiers)
            same = " AND ".join(f"r.{name} IS NOT DISTINCT FROM m.{name}" for name in quasi)
            there = f"(SELECT 1 FROM moved m WHERE {same})"
            rows = published.write(
                connection,
                f"(SELECT * FROM {new} r WHERE NOT EXISTS {there} UNION ALL "
                f"SELECT * FROM {old} r WHERE EXISTS {there})",
                dataset, target,
            )  # fmt: skip
    except duckdb.Error as error:
        raise PrivacyError(
            f"the classes that must wait could not be told ({type(error).__name__})",
            where=dataset.place("privacy", "differencing"),
            mend="nothing is published until they can be; run again, and report it if it stays",
        ) from None
    target.replace(anonymised.parquet)
    if not waiting:
        return replace(anonymised, rows=rows)
    message = f"{waiting} classes moved by fewer than k = {privacy.k} rows and stay as they are public"
    found = Finding("privacy", "small_moves", True, message, Severity.INFO, counts={"classes": waiting, "k": privacy.k})
    return replace(anonymised, rows=rows, findings=(*anonymised.findings, found))


def _moved(connection: duckdb.DuckDBPyConnection, new: str, versions: Mapping[str, Path], dataset: Dataset) -> int:
    """Make the table `moved` of the classes that differ from some version by 1 to k - 1 rows; how many they are."""
    quasi, k = columns(dataset.privacy.quasi_identifiers), dataset.privacy.k or 0
    apart = [
        f"(SELECT {quasi} FROM (SELECT {quasi}, 1 AS one FROM {new} UNION ALL SELECT {quasi}, -1 FROM {_read(file)}) "
        f"GROUP BY {quasi} HAVING abs(sum(one)) BETWEEN 1 AND {k - 1})"
        for file in versions.values()
        if _comparable(connection, new, _read(file), dataset)
    ]
    nothing = f"(SELECT {quasi} FROM {new} LIMIT 0)"
    connection.execute(f"CREATE TEMP TABLE moved AS {' UNION '.join([nothing, *apart])}")
    [(count,)] = connection.execute("SELECT count(*) FROM moved").fetchall()
    return int(count)


def _unchanged(connection: duckdb.DuckDBPyConnection, new: str, old: str, dataset: Dataset) -> int:
    """Add to `moved` the classes that are as they were but for pseudonyms of scope `release`; how many they are."""
    roles = dataset.privacy.columns
    renamed = {
        name
        for name, role in roles.items()
        if isinstance(role, Technique) and role.pseudonymise and role.pseudonymise.scope == "release"
    }
    if not renamed:
        return 0
    quasi = columns(dataset.privacy.quasi_identifiers)
    others = columns([field.name for field in dataset.published_fields if field.name not in renamed])
    sides = [f"SELECT {others} FROM {rows}" for rows in (new, old)]
    changed = " UNION ALL ".join(f"(({one}) EXCEPT ALL ({other}))" for one, other in (sides, sides[::-1]))
    [(count,)] = connection.execute(
        f"INSERT INTO moved (SELECT DISTINCT {quasi} FROM {new}) EXCEPT (SELECT {quasi} FROM ({changed})) "
        "EXCEPT FROM moved"
    ).fetchall()
    return int(count)


def _comparable(connection: duckdb.DuckDBPyConnection, new: str, old: str, dataset: Dataset) -> bool:
    """Whether a version has the quasi-identifiers, in the same types."""
    types = [
        {str(name): str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {rows}").fetchall()}
        for rows in (new, old)
    ]
    return all(types[0][name] == types[1].get(name) for name in dataset.privacy.quasi_identifiers)


def _read(path: Path) -> str:
    return f"read_parquet({literal(path)})"
