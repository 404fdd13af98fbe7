"""The read API answers a small part of SQL over the current versions, the same as plain SQL would, and nothing else."""

from __future__ import annotations

import csv
import io
import threading
from datetime import UTC, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from odpipeline import acts
from odpipeline.api import answering, spelling
from odpipeline.api.grammar import DEEPEST, Misunderstood, understood
from odpipeline.store import Store
from tests.portal.conftest import served
from tests.store.making import a_dataset, parkings, published

COLUMNS = {"id": "integer", "nom": "string", "places": "integer", "releve_le": "datetime"}


def ask(address: str, dataset: str = "parkings", **said: Any) -> requests.Response:
    return requests.get(f"{address}/api/v1/{dataset}/records", params=said, timeout=20)


@pytest.mark.parametrize(
    ("said", "sql"),
    [
        ({"select": "id,places", "order": "id", "limit": 5}, "SELECT id, places FROM t ORDER BY id LIMIT 5"),
        ({"select": "id", "where": "places between 30 and 33 or nom like '%7'", "order": "id DESC", "limit": 3},
         "SELECT id FROM t WHERE places BETWEEN 30 AND 33 OR nom LIKE '%7' ORDER BY id DESC LIMIT 3"),
        ({"select": "count(*) AS n, sum(places) AS s, avg(places) AS a"},
         "SELECT count(*) AS n, sum(places) AS s, avg(places) AS a FROM t"),
        ({"select": "length(nom) AS l, count(*) AS n", "group_by": "length(nom)", "order": "n desc, l"},
         "SELECT length(nom) AS l, count(*) AS n FROM t GROUP BY ALL ORDER BY n DESC, l"),
        ({"select": "id", "where": "not (id > 3) and id in (1, 2, 9) and releve_le >= '2026-01-01'", "order": "id"},
         "SELECT id FROM t WHERE id IN (1, 2) ORDER BY id"),
        ({"select": "id * 2 + 1 AS x", "where": "nom is not null and lower(nom) = 'parking 4'"}, "SELECT 9 AS x"),
        ({"select": "min(releve_le) AS d, count(distinct nom) AS n", "where": "id < 0"},
         "SELECT NULL AS d, 0 AS n"),
    ],
)  # fmt: skip
def test_answers_are_those_of_plain_sql(still: str, still_store: Store, said: dict[str, Any], sql: str) -> None:
    file = still_store.current("parkings").folder / "parkings.parquet"  # type: ignore[union-attr]
    with duckdb.connect() as plain:
        plain.execute(f"CREATE VIEW t AS FROM '{file}'")
        cursor = plain.execute(sql)
        names = [column[0] for column in cursor.description]
        expected = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    answer = ask(still, **said)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"] == expected


def test_pages_follow_each_other(still: str) -> None:
    first = ask(still, select="id", order="id", limit=1000)
    assert (first.json()["total"], len(first.json()["rows"])) == (1200, 1000)
    second = requests.get(still + first.links["next"]["url"], timeout=20)
    assert len(second.json()["rows"]) == 200
    assert "next" not in second.links
    assert first.links["license"]["url"].startswith("https://")
    assert requests.get(still + first.links["describedby"]["url"], timeout=20).json()["name"] == "parkings"


def test_the_four_formats_hold_the_same_rows(still: str, tmp_path: Path) -> None:
    said = {"select": "id,nom", "order": "id", "limit": 3}
    rows = ask(still, **said).json()["rows"]
    text = ask(still, format="csv", **said)
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert [row["nom"] for row in csv.DictReader(io.StringIO(text.text))] == [row["nom"] for row in rows]
    parquet = ask(still, format="parquet", **said).content
    assert pq.read_table(io.BytesIO(parquet)).to_pylist() == rows
    wanted = requests.get(f"{still}/api/v1/parkings/records?limit=1", headers={"Accept": "text/csv"}, timeout=20)
    assert wanted.headers["Content-Type"].startswith("text/csv")
    assert ask(still, format="geojson").json()["parameter"] == "format"


def test_points_are_features(address: str, store: Store, tmp_path: Path) -> None:
    dataset = a_dataset("bornes", fields=[{"name": "id", "type": "integer"}, {"name": "ou", "type": "geopoint"}])
    published(store, tmp_path / "b", "SELECT 1 AS id, '2.5, 48.5' AS ou UNION ALL SELECT 2, NULL", dataset=dataset)
    found = ask(address, "bornes", format="geojson", order="id").json()
    assert found["features"][0] == {
        "type": "Feature", "geometry": {"type": "Point", "coordinates": [2.5, 48.5]}, "properties": {"id": 1},
    }  # fmt: skip
    assert found["features"][1]["geometry"] is None


HOSTILE = [
    "read_csv('/etc/passwd')", "id; drop table rows", "(select 1)", "id from rows", "id -- x", "getenv('HOME')",
    "pragma_version()", "id union select 1", "rows.id", "system.id", "$1", "id::blob", "list_value(id)", "id over ()",
    "case when 1=1 then id end", "*, id", "current_setting('x')", "id limit 3", "exists (select 1)", "'a' || id",
    "x'00'",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("parameter", ["select", "where", "order", "group_by"])
def test_whatever_is_on_no_list_is_refused(text: str, parameter: str) -> None:
    said = {parameter: text} | ({"select": "count(*)"} if parameter == "group_by" else {})
    try:
        query = understood(said, COLUMNS)
    except Misunderstood:
        return
    assert text == "id -- x"  # a comment says nothing, and does not get through
    assert "--" not in query.sql(1, 0)


@settings(max_examples=100, deadline=None)
@given(
    said=st.fixed_dictionaries(
        {}, optional={name: st.text(max_size=60) for name in ("select", "where", "order", "group_by")}
    )
)
def test_no_text_gets_through_that_was_not_written_here(said: dict[str, str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rows (id BIGINT, nom VARCHAR, places BIGINT, releve_le TIMESTAMP)")
        try:
            sql = understood(said, COLUMNS).sql(10, 0)
        except Misunderstood:
            return
        statements = connection.extract_statements(sql)
        assert [statement.type.name for statement in statements] == ["SELECT"]


words = st.sampled_from(
    ["id", "nom", "'x'", "1", "-2.5", "and", "or", "not", "(", ")", "=", "<", "like", "in", "between", "is", "null",
     "+", "*", "count", "sum", ",", "lower", "desc", "select", "from", "rows", ";", "--", "/*", "union", "date"]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(said=st.fixed_dictionaries({"where": st.lists(words, max_size=12).map(" ".join)}))
def test_what_looks_like_sql_is_read_or_refused(said: dict[str, str]) -> None:
    test_no_text_gets_through_that_was_not_written_here.hypothesis.inner_test(said)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "parameter", "detail"),
    [
        ({"where": "plcaes > 3"}, "where", "there is no column 'plcaes'; did you mean places?"),
        ({"where": "(" * (DEEPEST + 5) + "1" + ")" * (DEEPEST + 5) + " = id"}, "where", "nested too deeply"),
        ({"where": "id = 'zéro'"}, "where", "a number is written 12 or 12.5"),
        ({"where": "places like '7%'"}, "where", "values and columns do not go together"),
        ({"where": "a" * 3000}, "where", "longer than 2000 characters"),
        ({"select": "nom, count(*)"}, "group_by", "nom is neither gathered nor in group_by"),
        ({"select": "sum(sum(places))"}, "select", "not into another one"),
        ({"where": "count(*) > 1"}, "where", "gathers rows"),
        ({"limit": "10001"}, "limit", "from 0 to 10000"),
        ({"limit": "-1"}, "limit", "whole number"),
        ({"offset": "٣"}, "offset", "whole number"),
        ({"format": "xml"}, "format", "json, csv, geojson, parquet"),
        ({"colour": "1"}, "colour", "there is no such parameter"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(
    still: str, said: dict[str, str], parameter: str, detail: str
) -> None:
    answer = ask(still, **said)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter
    assert detail in answer.json()["detail"]


def test_a_query_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "many.parquet"
    duckdb.execute(f"COPY (SELECT range AS id, 'Parking ' || range AS nom FROM range(2000000)) TO '{file}'")
    monkeypatch.setattr(answering, "SECONDS", 0.02)
    query = understood({"select": "sum(length(upper(lower(nom)))) AS s", "where": "nom like '%9%8%'"}, COLUMNS)
    with pytest.raises(answering.Busy, match="takes longer than"):
        answering.Tables().answer(file, query, 1, 0)


def test_a_database_sees_its_own_file_only(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.parquet", tmp_path / "other.parquet"
    for file in (mine, other):
        duckdb.execute(f"COPY (SELECT 1 AS id) TO '{file}' (FORMAT parquet)")
    cursor = answering.Tables()._cursor(mine)
    assert cursor.execute("SELECT id FROM rows").fetchall() == [(1,)]
    for sql in (
        f"FROM '{other}'",
        "FROM read_text('/etc/hostname')",
        "SET memory_limit = '9GB'",
        f"COPY rows TO '{tmp_path}/out.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error):
            cursor.execute(sql).fetchall()


def test_what_is_known_already_is_not_sent_again_until_it_changes(address: str, store: Store, tmp_path: Path) -> None:
    url = f"{address}/api/v1/parkings/records?select=count(*)%20AS%20n"
    first = requests.get(url, timeout=20)
    again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=20)
    assert again.status_code == 304
    as_csv = requests.get(url, headers={"If-None-Match": first.headers["ETag"], "Accept": "text/csv"}, timeout=20)
    assert (as_csv.status_code, as_csv.text) == (200, "n\r\n1200\r\n")  # another answer has another tag
    published(store, tmp_path / "n", parkings(7, places=50))
    fresh = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=20)
    assert fresh.json() == {"dataset": "parkings", "version": 3, "total": None, "rows": [{"n": 7}]}


def test_readers_see_one_version_while_others_come(address: str, store: Store, tmp_path: Path) -> None:
    wrong: list[Any] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            said = ask(address, select="count(*) AS n, min(places) AS p").json()
            n, p = said["rows"][0]["n"], said["rows"][0]["p"]
            if (n, p) not in {(1200, 21), *((10 + k, 100 + k + 1) for k in range(6))}:
                wrong.append(said)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for k in range(6):
        published(store, tmp_path / f"k{k}", parkings(10 + k, places=100 + k))
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_datasets_schemas_and_openapi_are_told(still: str) -> None:
    names = [one["dataset"] for one in requests.get(f"{still}/api/v1/datasets", timeout=20).json()["datasets"]]
    assert names == ["budget", "parkings"]
    one = requests.get(f"{still}/api/v1/parkings", timeout=20).json()
    assert [field["name"] for field in one["schema"]["fields"]] == list(COLUMNS)
    document = requests.get(f"{still}/api/v1/openapi.json", timeout=20).json()
    assert document["openapi"] == "3.1.0"
    schema = document["paths"]["/api/v1/parkings/records"]["get"]["responses"]["200"]["content"]["application/json"]
    assert schema["schema"]["properties"]["rows"]["items"]["properties"]["places"]["type"] == ["integer", "null"]
    page = requests.get(f"{still}/api/v1/?lang=en", timeout=20)
    assert "Query the data" in page.text
    assert "Budget &lt;primitif&gt;" in page.text


@pytest.mark.parametrize("dataset", ["inconnu", "..", "PARKINGS", "a" * 300, "con%00"])
def test_what_is_not_there_is_not_found(still: str, dataset: str) -> None:
    assert requests.get(f"{still}/api/v1/{dataset}/records", timeout=20).status_code == 404


def test_what_was_withdrawn_is_gone_with_its_reason(address: str, store: Store) -> None:
    grave = acts.Withdrawal("parkings", None, tuple(store.versions("parkings")), 0)._tombstone("arrêté", "RGPD 17")
    store.withdraw(grave)
    for path in ("/api/v1/parkings/records", "/datasets/parkings/latest/parkings.csv", "/dataset/parkings.html",
                 "/datasets/parkings/versions/1/parkings.csv", "/datasets/parkings/current.json"):  # fmt: skip
        answer = requests.get(address + path, timeout=20)
        assert answer.status_code == 410, path
        assert "arrêté (RGPD 17)" in answer.json()["detail"]
    assert requests.get(f"{address}/datasets/parkings/tombstone.json", timeout=20).json()["reason"] == "arrêté"
    assert requests.get(f"{address}/datasets/parkings/withdrawal-proof.json", timeout=20).status_code == 200
    assert requests.get(f"{address}/datasets/budget/latest/budget.csv", timeout=20).status_code == 200


def test_a_head_is_an_answer_without_its_body(still: str) -> None:
    said = {"select": "id", "limit": 3}
    head = requests.head(f"{still}/api/v1/parkings/records", params=said, timeout=20)
    full = ask(still, **said)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", full.headers["ETag"])
    assert requests.head(f"{still}/datasets/parkings/latest/parkings.csv", timeout=20).status_code == 200


def test_too_many_queries_at_a_time_are_told_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "many.parquet"
    duckdb.execute(f"COPY (SELECT range AS id, 'Parking ' || range AS nom FROM range(3000000)) TO '{file}'")
    monkeypatch.setattr(answering, "PATIENCE", 0.01)
    tables, query = answering.Tables(), understood({"select": "sum(length(upper(nom))) AS s"}, COLUMNS)
    outcomes: list[str] = []

    def one() -> None:
        try:
            tables.answer(file, query, 1, 0)
        except answering.Busy as busy:
            outcomes.append(str(busy))

    readers = [threading.Thread(target=one) for _ in range(answering.AT_ONCE + 3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert "too many queries at a time; try again in a moment" in outcomes
    assert tables.answer(file, query, 1, 0).rows.num_rows == 1  # places are given back


def test_pages_that_are_ordered_by_what_is_alike_hold_each_row_once(still: str) -> None:
    for order in ("releve_le", "length(nom) desc"):
        found = []
        for offset in range(0, 1200, 97):
            rows = ask(still, select="id", order=order, limit=97, offset=offset).json()["rows"]
            found += [row["id"] for row in rows]
        assert sorted(found) == sorted({*found})
        assert len(found) == 1200
    by_group = [
        ask(still, select="places % 3 AS g" if n < 0 else "nom,count(*) AS c", group_by="nom", order="c", limit=1,
            offset=n).json()["rows"][0]["nom"] for n in range(30)
    ]  # fmt: skip
    assert len(set(by_group)) == 30


@pytest.mark.parametrize("where", ["id", "id = 5 or 6", "not id", "id is true", "nom", "1", "'oui'", "id > 1 and 2"])
def test_a_condition_is_one(where: str) -> None:
    with pytest.raises(Misunderstood, match="a condition compares"):
        understood({"where": where}, COLUMNS)


@pytest.mark.parametrize("operator", ["LIKE", "ILIKE", "NOT LIKE"])
def test_no_pattern_keeps_the_server_busy(tmp_path: Path, operator: str) -> None:
    file = tmp_path / "long.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS id, repeat('a', 20000) AS nom) TO '{file}'")
    for pattern in ("%_a" * 8 + "%b", "%a" * 30 + "%b_"):
        query = understood({"select": "id", "where": f"nom {operator} '{pattern}'"}, COLUMNS)
        assert answering.Tables().answer(file, query, 1, 0).total == (operator == "NOT LIKE")


@given(
    text=st.text("aAé\n._%\\[İßK", max_size=7),
    pattern=st.text("aAé%_.\\[İßK\n", max_size=6),
    operator=st.sampled_from(["LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"]),
)
def test_a_pattern_means_what_it_means_in_plain_sql(text: str, pattern: str, operator: str) -> None:
    sql = understood({"where": f"nom {operator} '{pattern}'"}, COLUMNS).where
    with duckdb.connect() as plain:
        found = plain.execute(f"SELECT {sql}, nom {operator} $2 FROM (SELECT $1::VARCHAR AS nom) rows", [text, pattern])
        mine, theirs = found.fetchall()[0]
    assert mine == theirs


def test_a_pattern_is_one_that_is_written() -> None:
    with pytest.raises(Misunderstood, match="quoted pattern"):
        understood({"where": "nom ilike nom"}, COLUMNS)


_ATOMS = st.sampled_from([
    "n > 3", "n = '7'", "n in (1, 7)", "n not in (1, 7)", "n between 2 and 8", "n not between 2 and 8", "n is null",
    "n is not null", "t like '%b'", "t not like '%b'", "t ilike 'A_'", "t not ilike 'A_'", "t <> 'ab'", "b", "not b",
    "b is true", "b is not true", "d >= '2026-01-02'", "d <> date '2026-01-01'", "n * 2 - 1 > 9", "-n < -3",
    "length(t) = 2", "lower(t) = upper(t)", "abs(n - 5) <= 2", "n / 2 > 3", "x = 0.1", "x < 0.1 or x > 1e1", "null",
])  # fmt: skip
_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
        | inner.map(lambda one: f"not ({one})")
        | inner.map(lambda one: f"({one})")
    ),
    max_leaves=6,
)
_TABLE = """SELECT * FROM (VALUES (1, 'ab', true, DATE '2026-01-01', 0.1), (7, 'B', false, DATE '2026-01-02', 12.5),
    (8, 'Ab', NULL, NULL, NULL), (NULL, NULL, true, DATE '2026-01-03', 0.0), (5, '', false, DATE '2025-12-31', 0.2))
    v(n, t, b, d, x)"""


@settings(max_examples=300, deadline=None)
@given(where=_CONDITIONS)
def test_a_condition_means_what_it_means_in_plain_sql(where: str) -> None:
    columns = {"n": "integer", "t": "string", "b": "boolean", "d": "date", "x": "number"}
    rows = f"WITH rows AS (SELECT n, t, b, d, x::DOUBLE AS x FROM ({_TABLE}))"
    mine = duckdb.execute(f"{rows} SELECT n FROM rows WHERE {understood({'where': where}, columns).where}").fetchall()
    assert mine == duckdb.execute(f"{rows} SELECT n FROM rows WHERE {where}").fetchall()


def test_a_chain_of_conditions_is_not_deep() -> None:
    for joint in ("and", "or"):
        understood({"where": f" {joint} ".join(f"id <> {n}" for n in range(60))}, COLUMNS)
    with pytest.raises(Misunderstood, match="nested too deeply"):
        understood({"where": " and ".join(f"id <> {n}" for n in range(120))}, COLUMNS)


def test_what_is_not_like_is_the_rest(still: str) -> None:
    like, rest = (ask(still, where=f"nom {how} '%7'", limit=0).json()["total"] for how in ("like", "not like"))
    assert (like, like + rest) == (120, 1200)


def test_an_answer_is_bounded_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    duckdb.execute(f"COPY (SELECT repeat('a', 20000) AS nom FROM range(10000)) TO '{file}'")
    with pytest.raises(Misunderstood, match="too large"):
        answering.Tables().answer(file, understood({"select": "nom"}, COLUMNS), 10_000, 0)
    with pytest.raises(Misunderstood, match="more than 100 columns"):
        understood({"select": ",".join(f"nom AS n{n}" for n in range(101))}, COLUMNS)


def test_what_goes_wrong_while_rows_come_is_told_as_well(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    duckdb.execute(f"COPY (SELECT CASE WHEN range = 7000 THEN 9223372036854775807 ELSE 1 END AS id FROM range(9000)) "
                   f"TO '{file}'")  # fmt: skip
    with pytest.raises(Misunderstood, match="a number becomes too large"):
        answering.Tables().answer(file, understood({"select": "id * id AS x"}, COLUMNS), 10_000, 0)


def test_an_alias_hides_no_column(still: str) -> None:
    rows = ask(still, select="nom AS ID, id AS x", order="id", limit=3).json()["rows"]
    assert [row["x"] for row in rows] == sorted(row["x"] for row in rows)
    assert ask(still, select="0 - id AS id", order="id", limit=1).json()["rows"] == [{"id": -1200}]


def test_pages_end(still: str) -> None:
    assert "next" not in ask(still, limit=0).links
    assert "next" in ask(still, limit=10).links


def test_no_name_of_a_column_is_run_by_a_spreadsheet(still: str) -> None:
    header = ask(still, select='id AS "=1+1"', format="csv", limit=1).text.splitlines()[0]
    assert header == "'=1+1"


def test_each_digit_of_a_decimal_is_in_the_csv(still: str) -> None:
    said = {"select": "id * 0 + 900719925474099.3 AS x", "limit": 1, "format": "csv"}
    assert ask(still, **said).text.splitlines()[1] == "900719925474099.3"


def test_what_is_not_understood_is_not_known_already(still: str) -> None:
    where = f"{still}/api/v1/parkings/records?where=nothing"
    assert requests.get(where, headers={"If-None-Match": "*"}, timeout=20).status_code == 400


def test_a_version_that_is_taken_away_before_it_is_read_is_asked_for_again(tmp_path: Path) -> None:
    query = understood({"select": "id"}, COLUMNS)
    with pytest.raises(answering.Busy, match="ask again"):
        answering.Tables().answer(tmp_path / "gone.parquet", query, 1, 0)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("date '50000-01-01' AS d", "json"),
        ("timestamp 'infinity' AS d", "csv"),
        ("releve_le - releve_le AS d", "json"),
        ("releve_le - releve_le AS d", "parquet"),
        ("timestamp '0001-01-01T00:00:00+05:00' AS d", "json"),
    ],
)
def test_what_has_no_spelling_is_no_fault_of_the_server(still: str, said: str, kind: str) -> None:
    answer = ask(still, select=said, format=kind)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "select")


MOMENTS = """SELECT 1 AS id, TIMESTAMP '2026-01-01 08:00:00' AS le, DATE '2026-01-01' AS jour, TIME '10:00:00' AS heure
    UNION ALL SELECT 2, TIMESTAMP '2026-01-01 10:00:00', DATE '2026-01-02', TIME '11:30:00'"""


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("le = '2026-01-01T10:00:00+02:00'", [1]),
        ("('2026-01-01 10:00:00.000+0200') = (le)", [1]),
        ("le = timestamp '2026-01-01T12:00:00+02:00'", [2]),
        ("le in ('2026-01-01T08:00:00Z', '2026-01-01T05:00-05:00')", [1, 2]),
        ("le between '2026-01-01T10:30:00+02:00' and '2026-01-02'", [2]),
        ("le > '2026-01-01T08:00:00'", [2]),
        ("jour >= '2026-01-02'", [2]),
        ("jour < timestamp '2026-01-01T12:00:00Z'", [1]),
        ("jour + 1 = date '2026-01-02'", [1]),
        ("heure > '10:30'", [2]),
        ("year(le) = 2026 and jour = '20260101'", [1]),
    ],
)
def test_a_text_beside_dates_and_moments_means_what_it_says(tmp_path: Path, where: str, found: list[int]) -> None:
    store = Store(tmp_path / "public")
    kinds = {"id": "integer", "le": "datetime", "jour": "date", "heure": "time"}
    dataset = a_dataset("moments", fields=[{"name": name, "type": kind} for name, kind in kinds.items()])
    published(store, tmp_path, MOMENTS, dataset=dataset)
    with served(store) as address:
        answer = ask(address, "moments", select="id", where=where, order="id")
    assert answer.status_code == 200, answer.text
    assert [row["id"] for row in answer.json()["rows"]] == found


@pytest.mark.parametrize(
    ("where", "detail"),
    [
        ("releve_le = '2026-01-01T10:00:00 02:00'", "%2B"),
        ("releve_le = '2026-01-01T10:00:00 Europe/Paris'", "a moment is written"),
        ("releve_le < 'infinity'", "a moment is written"),
        ("releve_le in (date '2026-01-01', '2026-01-01')", "say of a text what it is"),
        ("releve_le - releve_le = '1'", "say of a text what it is"),
        ("date '2026-01-01' = '2026-01-01 and more'", "a date is written"),
        ("date '2026-01-01T23:00:00' is null", "a date is written"),
        ("releve_le" + " + 1" * 400 + " = '2026-01-01'", "nested too deeply"),
    ],
)
def test_a_text_that_is_no_moment_is_refused(where: str, detail: str) -> None:
    with pytest.raises(Misunderstood, match=detail):
        understood({"where": where}, COLUMNS)


@pytest.mark.parametrize(
    "where",
    ["nom = 7", "7 = (nom)", "nom in (75001, 'x')", "nom between 1 and 'z'", "lower(nom) = 7", "nom = places",
     "nom = true", "places = true", "releve_le = 2026", "places = releve_le", "upper(nom) = length(nom)",
     "(places > 3) = nom", "max(nom) = 1"],
)  # fmt: skip
def test_what_is_not_of_one_kind_is_not_compared(where: str) -> None:
    """DuckDB would make a number of the text, so that `'075001' = 75001` holds, or fails at one row in a thousand."""
    with pytest.raises(Misunderstood, match="values of different kinds"):
        understood({"select": where}, COLUMNS)


@pytest.mark.parametrize("where", ["places + '1' > 2", "places * nom > 2", "releve_le - '2026-01-01' = 3"])
def test_no_text_is_reckoned_with(where: str) -> None:
    with pytest.raises(Misunderstood, match="texts cannot be reckoned with"):
        understood({"where": where}, COLUMNS)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("n = '13'", [13]), ("n = '12.7'", []), ("n in ('13', 7)", [7, 13]), ("n between '6.5' and '12.9'", [7]),
        ("x = 0.1", [7]), ("x = '0.1'", [7]), ("n = 9007199254740993", [9007199254740993]),
        ("n = 9007199254740992", []), ("n = -(-13)", [13]), ("n = 1.3e1", [13]), ("n < length(t) + 5", [7]),
        ("t = '075'", [7]), ("b", [7]), ("b = false and n > 7", [13]), ("not b or n = '7'", [7, 13]),
    ],
)  # fmt: skip
def test_numbers_and_texts_are_compared_as_they_are_written(tmp_path: Path, where: str, found: list[int]) -> None:
    file = tmp_path / "t.parquet"
    rows = "(7, 0.1::DOUBLE, '075', true), (13, 1.5, 'a', false), (9007199254740993, NULL, NULL, NULL)"
    duckdb.execute(f"COPY (SELECT * FROM (VALUES {rows}) v(n, x, t, b)) TO '{file}'")
    columns = {"n": "integer", "x": "number", "t": "string", "b": "boolean"}
    query = understood({"select": "n", "where": where, "order": "n"}, columns)
    assert answering.Tables().answer(file, query, 10, 0).rows.column("n").to_pylist() == found


@given(at=st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones()))  # noqa: DTZ001  # naive
def test_a_moment_of_any_zone_is_that_of_utc(at: datetime) -> None:
    there = at.astimezone(timezone(at.utcoffset()))  # type: ignore[arg-type]  # ISO 8601 knows offsets alone
    sql = understood({"where": f"releve_le = '{there.isoformat()}'"}, COLUMNS).where
    assert duckdb.execute(f"SELECT {sql.partition(' = ')[2].rstrip(')')}").fetchone() == (
        at.astimezone(UTC).replace(tzinfo=None),
    )


def test_what_is_said_of_the_order_of_nulls_and_of_bounds_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "public")
    published(store, tmp_path, parkings(2) + " UNION ALL SELECT 3, 3, NULL, 13, TIMESTAMP '2026-03-29 01:00:00'")
    with served(store) as address:
        for said, found in (("nom", [1, 2, 3]), ("nom NULLS FIRST", [3, 1, 2]), ("nom DESC NULLS FIRST", [3, 2, 1])):
            rows = ask(address, select="id", order=said).json()["rows"]
            assert [row["id"] for row in rows] == found
        assert ask(address, where="id BETWEEN SYMMETRIC 5 AND 1").status_code == 400


@pytest.mark.parametrize("said", ["count(*) AS geom", "nom AS geom", "lower(geom) AS geom", "true AS geom"])
def test_only_a_geometry_is_one_of_geojson(tmp_path: Path, said: str) -> None:
    store = Store(tmp_path / "public")
    point = """'{"type":"Point","coordinates":[2.1,48.1]}'"""
    fields = [
        {"name": name, "type": kind} for name, kind in (("id", "integer"), ("nom", "string"), ("geom", "geojson"))
    ]
    select = f"SELECT 1 AS _row, 1 AS id, 'Parking' AS nom, {point} AS geom"
    published(store, tmp_path, select, dataset=a_dataset("lieux", fields=fields))
    with served(store) as address:
        assert ask(address, "lieux", select=said, format="geojson").status_code == 400
        assert ask(address, "lieux", select="min(geom) AS geom", format="geojson").json()["features"]


def test_files_are_answered_while_queries_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    go, come = threading.Event(), threading.Semaphore(0)

    def waits(*_said: object) -> None:
        come.release()
        go.wait(60)
        raise answering.Busy("enough")

    monkeypatch.setattr(answering.Tables, "answer", waits)
    with served(store) as address:
        askers = [threading.Thread(target=ask, args=(address,), kwargs={"limit": n}) for n in range(60)]
        for asker in askers:
            asker.start()
        assert all(come.acquire(timeout=30) for _ in range(answering.AT_ONCE))
        try:
            for place in ("/datasets/parkings/latest/parkings.csv", "/api/v1/datasets"):
                assert requests.get(address + place, timeout=15).status_code == 200
        finally:
            go.set()
            for asker in askers:
                asker.join()


def test_a_csv_holds_each_digit_of_a_long_decimal() -> None:
    numbers = [Decimal("-9223372036863999180.036854775808"), Decimal(10**37 + 1), Decimal("2.500"), Decimal(100)]
    for number, text in zip(numbers, ["-9223372036863999180.036854775808", f"{10**37 + 1}", "2.5", "100"], strict=True):
        assert spelling.as_csv(pa.table({"a": [number]})).decode() == f"a\r\n{text}\r\n"
