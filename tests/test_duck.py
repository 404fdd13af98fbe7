"""Connections to DuckDB: their instances serve again, and nothing goes from one block to the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from odpipeline import duck
from odpipeline.duck import DuckSettings, connect, held, literal
from tests.killing import in_child

SMALL = DuckSettings("100MB", 1)
MANY = "SELECT i, hash(i) AS h, repeat('x', 40) AS s FROM range(3_000_000) t(i)"


@pytest.fixture(autouse=True)
def _none_idle() -> Iterator[None]:
    duck._idle.clear()
    yield
    duck._idle.clear()


def seen(connection: duckdb.DuckDBPyConnection) -> list[object]:
    """All that a connection could know of what another one did."""
    return [
        connection.execute(f"SELECT count(*) FROM {what}").fetchone()
        for what in ("duckdb_tables() WHERE NOT internal", "duckdb_views() WHERE NOT internal", "duckdb_sequences()",
                     "duckdb_external_file_cache()", "duckdb_variables()", "duckdb_temporary_files()")
    ] + connection.execute("SELECT name, value FROM duckdb_settings() ORDER BY name").fetchall()  # fmt: skip


def test_nothing_of_a_block_is_left_for_the_next_one(tmp_path: Path) -> None:
    file = literal(tmp_path / "rows.parquet")
    with connect(SMALL) as connection:
        fresh = seen(connection)
    [(instance, _)] = duck._idle
    with connect(DuckSettings("200MB", 2, tmp_path)) as connection:
        assert duck._idle == []
        connection.execute(f"COPY (SELECT 1 AS a) TO {file}; CREATE TABLE t AS FROM {file}; CREATE VIEW v AS FROM t; "
                           "CREATE TEMP TABLE u AS FROM t; CREATE SEQUENCE s; CREATE TEMP SEQUENCE r; "
                           "SET VARIABLE secret = 'x'; SET TimeZone = 'Europe/Paris'")  # fmt: skip
        connection.register("w", connection.execute("FROM t").arrow())
        assert seen(connection) != fresh
    assert [kept for kept, _ in duck._idle] == [instance]
    with connect(SMALL) as connection:
        assert seen(connection) == fresh
        assert connection.execute("SELECT getvariable('secret')").fetchone() == (None,)


def test_each_block_has_the_memory_the_threads_and_the_folder_that_it_asks_for(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        with connect(DuckSettings(f"{n}00MiB", n, tmp_path / str(n))) as connection:
            found = connection.execute("SELECT current_setting('memory_limit'), current_setting('threads'), "
                                       "current_setting('temp_directory')").fetchone()  # fmt: skip
        assert found == (f"{n}00.0 MiB", n, str(tmp_path / str(n)))
    assert len(duck._idle) == 1


def test_blocks_at_once_share_nothing() -> None:
    with connect(SMALL) as one, connect(SMALL) as other:
        one.execute("CREATE TABLE t AS SELECT 1")
        with pytest.raises(duckdb.CatalogException):
            other.execute("FROM t")


def test_an_instance_that_spilled_failed_or_was_locked_serves_no_more(tmp_path: Path) -> None:
    with connect(replace(SMALL, spill=tmp_path / "spill")) as connection:
        assert len(connection.execute(f"{MANY} ORDER BY h").fetchmany(5)) == 5
        assert (tmp_path / "spill").is_dir()  # it is made when something is spilled
    assert duck._idle == []
    assert not list((tmp_path / "spill").glob("*"))
    with pytest.raises(duckdb.Error), connect(SMALL) as connection:
        connection.execute("FROM nothing")
    with connect(SMALL) as connection:
        connection.execute("SET lock_configuration = true")
    assert duck._idle == []


def test_few_instances_are_kept() -> None:
    opened = [connect(SMALL) for _ in range(6)]
    for one in opened:
        one.__enter__()
    for one in opened:
        one.__exit__(None, None, None)
    assert len(duck._idle) == 4


def test_a_forked_process_goes_on_with_them() -> None:
    def counts() -> None:
        with connect(DuckSettings(threads=2)) as connection:
            counted = connection.execute("SELECT count(*) FROM range(3_000_000) t(i) WHERE hash(i) % 2 = 0").fetchone()
            os._exit(0 if counted else 1)

    with connect(DuckSettings(threads=2)) as connection:
        connection.execute("SELECT sum(i) FROM range(3_000_000) t(i)")
    assert len(duck._idle) == 1
    assert in_child(counts) == 0


@pytest.mark.parametrize(
    ("kind", "stored", "asked"),
    [
        ("TIMESTAMP", "2026-03-29 01:00:00", "2026-03-29T01:00:00Z"),
        ("TIMESTAMP", "2026-03-29 01:00:00.25", "2026-03-29T01:00:00.250000Z"),
        ("VARCHAR", "=1+1", "'=1+1"),
        ("VARCHAR", "'=1+1", "'=1+1"),
        ("VARCHAR", "l'été", "l'été"),
        ("DECIMAL(9,2)", "1.50", "1.50"),
        ("BOOLEAN", "true", "true"),
        ("DATE", "2026-03-29", "2026-03-29"),
    ],
)
def test_a_row_is_meant_by_what_its_published_csv_shows(kind: str, stored: str, asked: str) -> None:
    rows = f"(VALUES (CAST({literal(stored)} AS {kind})), (NULL)) AS t(c)"
    meant = held([{"c": asked}], ["c"])
    found = duckdb.sql(f"SELECT count(*) FILTER ({meant}), count(*) FILTER (NOT ({meant})) FROM {rows}").fetchall()
    assert found == [(1, 1)]  # a missing value is another row
