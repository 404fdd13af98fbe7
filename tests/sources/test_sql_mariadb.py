# ruff: noqa: E501 - queries read better whole
"""Rows of a real MariaDB server, read in a session that cannot write, and only what is new."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest
from sqlalchemy import make_url

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.source import SqlSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import database
from tests.mariadb_server import mariadb as mariadb_server
from tests.servers import PASSWORD, free_port
from tests.towns import write_town

# A cursor of pymysql whose connection was cut complains when it is collected, in whichever test that happens.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    with mariadb_server() as url:
        yield url


@contextmanager
def cursor(url):
    parts = make_url(url)
    with pymysql.connect(
        host=parts.host, port=parts.port, user=parts.username, password=parts.password, database=parts.database,
        autocommit=True,
    ) as connection, connection.cursor() as found:  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def tables(mariadb):
    with cursor(mariadb) as run:
        run.execute("CREATE TABLE `prêts` (id BIGINT UNSIGNED, `nom; \"x\"` VARCHAR(30), prix DECIMAL(10,2), le DATETIME, "
                    "jour DATE, ouvert TINYINT(1), duree TIME)")  # fmt: skip
        run.execute("INSERT INTO `prêts` VALUES (1, 'é😀 100 %', 12.30, '2026-03-29 02:30:00', '2026-03-29', 1, '25:10:00'), "
                    "(2, NULL, NULL, NULL, NULL, NULL, NULL)")  # fmt: skip
        run.execute("CREATE TABLE grand AS SELECT seq AS id, CONCAT('c', seq % 7) AS c FROM seq_1_to_50000")
        run.execute("CREATE FUNCTION efface() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM grand; RETURN 1; END")


@pytest.fixture
def read(mariadb, order):
    def run(query, url=mariadb, earlier=None, key=(), **more):
        return pq.read_table(
            database.extract(SqlSource(sql=query, **more), order(url=url, earlier=earlier, key=key)).path
        )

    return run


def test_a_table_arrives_with_its_types(read, tables):
    table = read({"table": "ville.prêts"})
    assert table.to_pylist() == [
        {"id": 1, 'nom; "x"': "é😀 100 %", "prix": "12.30", "le": table["le"][0].as_py(), "jour": table["jour"][0].as_py(),
         "ouvert": 1, "duree": "25:10:00"},
        {"id": 2, 'nom; "x"': None, "prix": None, "le": None, "jour": None, "ouvert": None, "duree": None},
    ]  # fmt: skip
    assert table.schema.types[3:5] == [pa.timestamp("us"), pa.date32()]
    assert read({"table": "prêts", "columns": ["id", 'nom; "x"']}).column_names == ["id", 'nom; "x"']


def test_many_rows_come_in_batches_and_none_keep_their_columns(read, tables):
    assert read("SELECT * FROM grand").num_rows == 50_000
    assert read("SELECT * FROM grand WHERE id < 0").column_names == ["id", "c"]
    assert read("SELECT id, c FROM grand WHERE c LIKE '%1'").num_rows > 0


@pytest.mark.parametrize("query", ["SELECT efface()", "SELECT id FROM grand INTO OUTFILE '/tmp/x'"])
def test_the_session_cannot_write_even_through_a_function(read, tables, query):
    with pytest.raises(SourceError):
        read(query)
    assert read("SELECT count(*) AS n FROM grand")["n"].to_pylist() == [50_000]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT rien FROM grand", "the database refuses the query: Unknown column 'rien'"),
        ("SELECT * FROM absente", "the database refuses the query: Table 'ville.absente' doesn't exist"),
        ("SELECT FROM", "the database refuses the query: You have an error in your SQL syntax"),
        ("SELECT * FROM mysql.user", "the database user may not read what the query asks for"),
        ("SELECT id, id FROM grand", "more than one column the name id"),
        ("SELECT CAST('a' AS BINARY) AS b", "the query gives binary values in b"),
    ],
)
def test_a_query_that_cannot_be_read_says_why(read, tables, query, message):
    with pytest.raises(SourceError) as error:
        read(query)
    assert message in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_query_has_its_time(read):
    with pytest.raises(SourceUnavailable, match="the query was not done after 1 s; raise `timeout`"):
        read("SELECT SLEEP(20)", timeout="1 s")


def test_a_refused_login_shows_no_secret(read, mariadb):
    url = make_url(mariadb).set(password="faux-mot-de-passe").render_as_string(hide_password=False)
    with pytest.raises(SourceError, match="the database server refuses the login") as error:
        read("SELECT 1", url)
    assert "faux" not in str(error.value)


def test_a_server_that_does_not_answer_is_unavailable(read):
    with pytest.raises(SourceUnavailable, match="the database server does not answer"):
        read("SELECT 1", f"mysql://u:p@127.0.0.1:{free_port()}/x")


@contextmanager
def cut_after(url: str, limit: int):
    """The address of a proxy before `url` that cuts each connection once the server has sent `limit` bytes."""
    target = make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def pump(source, sink, most):
            sent = 0
            try:
                while data := source.recv(4096):
                    sink.sendall(data)
                    if (sent := sent + len(data)) > most:
                        break
            except OSError:
                pass
            for side in (source, sink):
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

        def serve():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                server = socket.create_connection((target.host, target.port))
                open_sockets.extend((client, server))
                threading.Thread(target=pump, args=(client, server, 1 << 40), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, limit), daemon=True).start()

        open_sockets: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        yield target.set(port=listening.getsockname()[1]).render_as_string(hide_password=False)
        for one in open_sockets:
            one.close()


def test_a_connection_that_breaks_half_way_delivers_nothing(read, mariadb, tables):
    with (
        cut_after(mariadb, 200_000) as url,
        pytest.raises(SourceUnavailable, match="broke the connection off half way"),
    ):
        read("SELECT * FROM grand", url)


@pytest.mark.parametrize("backend", ["mssql", "oracle"])
def test_what_no_test_has_a_server_for_is_read_whole(read, backend):
    with pytest.raises(SourceError, match=f"databases of the kind '{backend}' are not read incrementally; leave"):
        read("SELECT 1", f"{backend}://u:p@127.0.0.1/x", key=("id",), incremental={"column": "maj"})


@pytest.mark.parametrize(("backend", "extra"), [("mssql", "odpipeline[sqlserver]"), ("oracle", "odpipeline[oracle]")])
def test_a_missing_driver_names_its_extra(read, backend, extra):
    with pytest.raises(SourceError) as error:
        read("SELECT 1", f"{backend}://u:p@127.0.0.1/x")
    assert f"pip install '{extra}'" in str(error.value)


def test_only_what_is_new_is_read_and_the_capture_stays_whole(read, mariadb, tables, tmp_path):
    with cursor(mariadb) as run:
        run.execute("CREATE TABLE suivi (id INT PRIMARY KEY, maj DATETIME, n INT)")
        run.execute("INSERT INTO suivi VALUES (1, '2026-03-01 10:00:00', 1), (2, '2026-03-02 10:00:00', 2)")
        watched = {"incremental": {"column": "maj", "overlap": "30 min"}}
        before = tmp_path / "before.parquet"
        pq.write_table(read("SELECT * FROM suivi", key=("id",), **watched), before)
        run.execute(
            "UPDATE suivi SET n = 10, maj = '2026-03-01 09:00:00' WHERE id = 1"
        )  # before the watermark: not seen
        run.execute("UPDATE suivi SET n = 20, maj = '2026-03-03 10:00:00' WHERE id = 2")
        run.execute("INSERT INTO suivi VALUES (3, '2026-03-03 11:00:00', 3)")
    table = read("SELECT * FROM suivi", earlier=before, key=("id",), **watched)
    assert [(row["id"], row["n"]) for row in table.to_pylist()] == [(1, 1), (2, 20), (3, 3)]


def test_of_new_rows_with_one_key_the_latest_stays(read, mariadb, tables, tmp_path):
    with cursor(mariadb) as run:
        run.execute("CREATE TABLE etats (id INT, maj DATETIME, n INT)")
        run.execute("INSERT INTO etats VALUES (1, '2026-03-01 10:00:00', 1)")
        watched = {"incremental": {"column": "maj"}}
        before = tmp_path / "before.parquet"
        pq.write_table(read("SELECT * FROM etats", key=("id",), **watched), before)
        for n in (5, 9, 7, 2):
            run.execute(f"INSERT INTO etats VALUES (1, '2026-03-02 10:0{n}:00', {n})")
    table = read("SELECT * FROM etats", earlier=before, key=("id",), **watched)
    assert table["n"].to_pylist() == [9]


def test_nothing_new_gives_the_same_bytes(mariadb, tables, order, tmp_path):
    source = SqlSource(sql="SELECT id, c FROM grand", incremental={"column": "id"})
    before = tmp_path / "before.parquet"
    contents = []
    for _ in range(3):
        earlier = before if contents else None
        contents.append(database.extract(source, order(url=mariadb, earlier=earlier, key=("id",))).path.read_bytes())
        before.write_bytes(contents[-1])
    assert contents[1] == contents[2]


def test_another_column_reads_everything_anew(read, mariadb, tables, tmp_path):
    before = tmp_path / "before.parquet"
    pq.write_table(pa.table({"id": [1]}), before)
    assert read("SELECT id, c FROM grand", earlier=before, key=("id",), incremental={"column": "id"}).num_rows == 50_000


def test_mariadb_goes_the_whole_way(mariadb, tables, tmp_path, monkeypatch):
    declaration = """
title: Essai
description: Un essai.
owner: sig@ville.example
source: {sql: {table: prêts, columns: [id, prix, le]}, system: base}
fields: [{name: id, type: integer}, {name: prix, type: number}, {name: le, type: datetime}]
personal_data: none
"""
    write_town(tmp_path, "essai", declaration=declaration)
    with (tmp_path / "town.yaml").open("a") as town:
        town.write("systems: {base: {title: Base, url: {env: ODP_BASE}}}\n")
    monkeypatch.setenv("ODP_BASE", mariadb)
    declared = read_town(tmp_path)
    *_, last = flow.publication(declared.dataset("essai"), declared, flow.Zones.of(declared))
    assert (last.folder / "essai.csv").read_text() == "id,prix,le\n1,12.3,2026-03-29T02:30:00Z\n2,,\n"


def test_a_binary_value_after_thousands_of_missing_ones_is_refused(read):
    with pytest.raises(SourceError, match="the query gives binary values in b; leave them out"):
        read("SELECT IF(seq > 10500, UNHEX('00ff'), NULL) AS b FROM seq_1_to_11000")


def test_a_geometry_is_refused_with_the_words_that_read_it(read):
    with pytest.raises(SourceError, match=r"a geometry with ST_AsGeoJSON\(geom\)"):
        read("SELECT ST_GeomFromText('POINT(1 2)') AS geom")


@pytest.mark.parametrize("time", ["-01:30:00", "-00:00:01", "00:00:00", "01:00:00.5", "-100:00:00.25"])
def test_a_length_of_time_keeps_its_sign_and_fraction(read, time):
    assert read(f"SELECT CAST('{time}' AS TIME(3)) AS d")["d"].to_pylist() == [time]


def test_a_watermark_of_any_text_stays_a_text(read, mariadb, tmp_path):
    with cursor(mariadb) as run:
        run.execute("CREATE TABLE textes (id INT, maj VARCHAR(60))")
        run.execute("INSERT INTO textes VALUES (1, 'a'), (2, %s)", ("z\\' OR 1=1 -- ",))
        watched = {"key": ("id",), "incremental": {"column": "maj"}}
        pq.write_table(read("SELECT * FROM textes", **watched), tmp_path / "before")
        run.execute("UPDATE textes SET id = 99 WHERE id = 1")  # below the watermark: only a broken query sees it
    assert read("SELECT * FROM textes", earlier=tmp_path / "before", **watched)["id"].to_pylist() == [1, 2]


@pytest.mark.parametrize("before", ["SELECT 1 AS id, CAST(NULL AS DATE) AS maj", "SELECT 1 AS autre", None])
def test_a_last_capture_without_a_watermark_reads_everything(read, tables, tmp_path, before):
    if before:
        pq.write_table(read(before), tmp_path / "before")
    else:
        (tmp_path / "before").write_text("id;maj\n1;2\n")
    table = read(
        "SELECT 2 AS id, DATE '2026-03-01' AS maj",
        earlier=tmp_path / "before", key=("id",), incremental={"column": "maj"},
    )  # fmt: skip
    assert table["id"].to_pylist() == [2]


def test_a_watermark_in_the_future_hides_nothing(read, mariadb, tmp_path):
    with cursor(mariadb) as run:
        run.execute("CREATE TABLE futur (id INT, maj DATETIME)")
        run.execute("INSERT INTO futur VALUES (1, '2999-01-01'), (2, '2026-01-01')")
        pq.write_table(read("SELECT * FROM futur"), tmp_path / "before")
        run.execute("INSERT INTO futur VALUES (3, '2026-01-02')")
    table = read("SELECT * FROM futur", earlier=tmp_path / "before", key=("id",), incremental={"column": "maj"})
    assert sorted(table["id"].to_pylist()) == [1, 2, 3]


@pytest.mark.parametrize(("key", "column"), [("absente", "id"), ("id", "absente")])
def test_a_result_that_the_next_night_could_not_add_to_is_refused_the_first(read, key, column):
    with pytest.raises(SourceError, match="the query gives no column absente; select it in assets/"):
        read("SELECT 1 AS id", key=(key,), incremental={"column": column})
