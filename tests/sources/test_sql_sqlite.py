"""Rows of an SQLite file, whose columns hold whatever they like."""

import sqlite3
from contextlib import closing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.declaration.source import SqlSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import database

WHERE = "sqlite:///ville.db"


@pytest.fixture
def town(order, tmp_path):
    """Fills the town's `ville.db` with `t`, then reads `query`; a pyarrow table."""

    def read(create, rows=(), query="SELECT * FROM t ORDER BY rowid", **more):
        with closing(sqlite3.connect(tmp_path / "ville.db")) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute(f"CREATE TABLE t ({create})")
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * (create.count(',') + 1))})", rows)
        delivery = database.extract(SqlSource(sql=query, **more), order(url=WHERE))
        assert (delivery.name, delivery.media_type) == ("query.parquet", "application/vnd.apache.parquet")
        assert oct(delivery.path.stat().st_mode)[-3:] == "600"
        return pq.read_table(delivery.path)

    return read


def test_each_column_has_its_type(town):
    table = town("i INTEGER, r REAL, s TEXT", [(2**60, 0.1, "é"), (None, None, None)])
    assert table.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert table.to_pylist() == [{"i": 2**60, "r": 0.1, "s": "é"}, {"i": None, "r": None, "s": None}]


def test_a_text_after_thousands_of_numbers_makes_the_column_text(town):
    rows = [(n,) for n in range(100_000)]
    rows[90_000] = ("fermé",)
    column = town("a", rows)["a"]
    assert column.type == pa.string()
    assert [column[n].as_py() for n in (0, 89_999, 90_000, 99_999)] == ["0", "89999", "fermé", "99999"]


def test_a_text_after_thousands_of_missing_values_is_kept(town):
    assert town("a", [*[(None,)] * 70_000, ("tard",)])["a"].to_pylist()[-2:] == [None, "tard"]


def test_whole_and_broken_numbers_are_numbers(town):
    assert town("a", [(1,), (2.5,)])["a"].to_pylist() == [1.0, 2.5]


def test_no_rows_keep_their_columns(town):
    table = town("a, b")
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])


def test_the_order_of_the_query_is_kept(town):
    rows = [(n % 7919, n) for n in range(20_000)]
    table = town("a, b", rows, "SELECT a, b FROM t ORDER BY a, b DESC; ")
    assert list(zip(*table.to_pydict().values(), strict=True)) == sorted(rows, key=lambda row: (row[0], -row[1]))


def test_a_comment_at_the_end_of_the_query_does_no_harm(town):
    assert town("a", [(1,)], "SELECT a FROM t -- fin")["a"].to_pylist() == [1]


def test_the_same_rows_are_the_same_bytes(town, order):
    town("a, b", [(1, "x"), (2.5, None)])
    first = order().path.read_bytes()
    town("a, b", [(1, "x"), (2.5, None)])
    assert order().path.read_bytes() == first


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    )
)
def test_whatever_a_column_mixes_no_value_is_lost(town, values):
    kinds = {type(value) for value in values if value is not None}
    expected = [None if value is None else str(value) for value in values] if len(kinds) > 1 else values
    assert town("a", [(value,) for value in values])["a"].to_pylist() == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nope FROM t", "the database refuses the query: no such column: nope; correct assets/mobilite/"),
        ("SELECT * FROM nope", "the database refuses the query: no such table: nope; correct"),
        ("SELEC", 'the database refuses the query: near "SELEC": syntax error; correct'),
        ("DELETE FROM t", "the database refuses the query: it writes, and the file is opened read-only; correct"),
        ("SELECT a, a FROM t", "the query gives more than one column the name a; name them apart with AS in assets/"),
        ("SELECT x'00ff' AS b FROM t", "the query gives binary values in b; leave them out, or write them as text"),
        ("SELECT a FROM t; DROP TABLE t", "the database refuses the query: "),
        ("SELECT CAST(x'e9' AS TEXT) AS a FROM t", "a text is not valid in the encoding that the database declares"),
    ],
)
def test_a_query_that_cannot_be_read_says_why(town, query, message):
    with pytest.raises(SourceError) as error:
        town("a", [("Dupont",)], query)
    assert str(error.value).startswith(f"{WHERE}: {message}")
    assert "Dupont" not in str(error.value)


def test_an_error_amid_the_rows_shows_no_value(town):
    with pytest.raises(SourceError, match="the query failed while it was read") as error:
        town("a", [("Dupont {",)], "SELECT json_extract(a, '$.x') AS x FROM t")
    assert "Dupont" not in str(error.value)


def test_rows_beyond_the_limit_stop(town):
    with pytest.raises(SourceError, match="the rows take more than 1,000 bytes or 4 h; select fewer rows"):
        town("a", [(n,) for n in range(100_000)], max_bytes=1000)


def test_a_missing_file_is_unavailable_and_not_made(order, tmp_path):
    with pytest.raises(SourceUnavailable, match=r"sqlite:///nulle.db: there is no such SQLite file; correct the path"):
        database.extract(SqlSource(sql="SELECT 1"), order(url="sqlite:///nulle.db"))
    assert not (tmp_path / "nulle.db").exists()


def test_a_file_that_is_no_database(order, tmp_path):
    (tmp_path / "ville.db").write_text("id;places\n" * 500)
    with pytest.raises(SourceError, match="the file is not an SQLite database"):
        database.extract(SqlSource(sql="SELECT 1"), order(url=WHERE))


def test_a_damaged_database(order, tmp_path):
    (tmp_path / "ville.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(SourceError):
        database.extract(SqlSource(sql="SELECT * FROM t"), order(url=WHERE))
