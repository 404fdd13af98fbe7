"""A question of the gate that finds no end is a refusal, and whatever comes after it on the connection as well."""

from dataclasses import replace

import duckdb
import pytest

from odpipeline.duck import connect
from odpipeline.errors import PrivacyError
from odpipeline.privacy import measure

ENDLESS = "SELECT count(*) FROM range(100000) a, range(100000) b WHERE hash(a.range, b.range) = 1"


def test_a_query_without_end_is_interrupted(duck):
    with connect(replace(duck, patience=0.05)) as connection, pytest.raises(duckdb.InterruptException):
        connection.execute(ENDLESS)


def test_a_connection_in_time_is_left_alone(duck):
    with connect(replace(duck, patience=60)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_gate_without_an_answer_refuses(aides, tmp_path, duck):
    many = "range % 7 AS numero, 'x' AS nom, range AS age, 'A' AS quartier, 1.0 AS montant, DATE '2026-01-01' AS depuis"
    parquet, csv = tmp_path / "a.parquet", tmp_path / "a.csv"
    duckdb.execute(f"COPY (SELECT {many} FROM range(2000000)) TO '{parquet}' (FORMAT parquet)")
    duckdb.execute(f"COPY (FROM '{parquet}') TO '{csv}'")
    with pytest.raises(PrivacyError, match=r"could not be measured on the written files \(Interrupt"):
        measure(parquet, csv, aides(quasi_identifiers=["age", "numero"], k=5), replace(duck, patience=0.001))
