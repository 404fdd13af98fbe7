"""Rows of a real PostgreSQL server, read in a session that cannot write."""

import threading

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import make_url

from odpipeline import flow
from odpipeline.declaration.reading import read_town
from odpipeline.declaration.source import SqlSource
from odpipeline.errors import SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import database
from tests.servers import PASSWORD, free_port
from tests.sources.test_sql_mariadb import cut_after
from tests.towns import write_town


@pytest.fixture
def read(postgresql, order):
    """Reads a query, by default as the owner of the database; a pyarrow table."""

    def run(query, url=postgresql, **more):
        return pq.read_table(database.extract(SqlSource(sql=query, **more), order(url=url)).path)

    return run


@pytest.fixture(scope="session")
def tables(postgresql):
    with adbc_driver_postgresql.dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE budget AS SELECT g AS id, (g * 1.1)::numeric(12,2) AS montant, 'é' || g AS nom "
                       "FROM generate_series(1, 150000) g")  # fmt: skip
        cursor.execute("CREATE ROLE lecteur LOGIN PASSWORD 'x'")


def test_rows_arrive_with_their_types(read, tables):
    table = read("SELECT id, montant, nom, DATE '2026-10-05' AS jour, true AS ok FROM budget ORDER BY id;")
    assert table.schema.types == [pa.int32(), pa.string(), pa.string(), pa.date32(), pa.bool_()]
    assert table.num_rows == 150_000
    assert table.slice(149_999)["montant"].to_pylist() == ["165000.00"]


def test_identifiers_documents_and_times_arrive(read):
    table = read("SELECT gen_random_uuid() u, '{\"a\":1}'::jsonb j, now() t, now()::timestamp l, now()::time h")
    assert table.num_rows == 1
    assert (table.schema.field("t").type, table.schema.field("l").type) == (
        pa.timestamp("us", "UTC"),
        pa.timestamp("us"),
    )


def test_no_rows_keep_their_columns(read, tables):
    assert read("SELECT * FROM budget WHERE false").column_names == ["id", "montant", "nom"]


def test_a_driver_in_the_address_is_ignored(read, postgresql):
    assert read("SELECT 1 AS un", postgresql.replace("postgresql:", "postgresql+psycopg:"))["un"].to_pylist() == [1]


@pytest.mark.parametrize("cast", ["12.5::money", "ARRAY[1,2]", "'a'::bytea", "interval '1 day'", "point(1,2)"])
def test_a_type_that_would_change_its_meaning_is_refused(read, cast):
    with pytest.raises(SourceError, match=r"the column x has a type that cannot be read; cast it to text in assets/"):
        read(f"SELECT {cast} AS x")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nope FROM budget", 'the database refuses the query: column "nope" does not exist; correct assets/'),
        ("SELECT * FROM nope", 'the database refuses the query: relation "nope" does not exist; correct'),
        ("SELEC", 'the database refuses the query: syntax error at or near "SELEC"; correct'),
        ("SELECT 1 AS x, 2 AS x", "the query gives more than one column the name x; name them apart with AS"),
        ("DELETE FROM budget", "the database refuses the query: it writes, and the session is read-only; correct"),
        ("INSERT INTO budget VALUES (0) RETURNING id", "the database refuses the query: it writes, and the session"),
        ("WITH x AS (DELETE FROM budget RETURNING id) SELECT * FROM x", "the database refuses the query: it writes"),
        ("SELECT 1; DROP TABLE budget", "the database refuses the query: cannot insert multiple commands"),
        ("SELECT set_config('transaction_read_only', 'off', false)", "the query failed while it was read"),
    ],
)
def test_a_query_that_cannot_be_read_says_why(read, tables, postgresql, query, message):
    with pytest.raises(SourceError) as error:
        read(query)
    place = make_url(postgresql)
    assert str(error.value).startswith(f"postgresql://127.0.0.1:{place.port}/postgres: {message}")
    assert read("SELECT count(*) AS n FROM budget")["n"].to_pylist() == [150_000]


@pytest.mark.parametrize("query", ["SELECT nom::integer FROM budget", "SELECT 1 / (id - 149000) AS q FROM budget"])
def test_an_error_amid_the_rows_shows_no_value(read, tables, query):
    with pytest.raises(SourceError, match="the query failed while it was read") as error:
        read(query)
    assert "é1" not in str(error.value)


def test_a_query_has_its_time(read):
    with pytest.raises(
        SourceUnavailable, match=r"the query was not done after 1 s; raise `timeout` in assets/mobilite/"
    ):
        read("SELECT 1 AS x FROM pg_sleep(5)", timeout="1 s")


def test_a_user_without_rights(read, tables, postgresql):
    url = make_url(postgresql).set(username="lecteur", password="x").render_as_string(hide_password=False)
    with pytest.raises(SourceError, match="the database user may not read what the query asks for; GRANT SELECT"):
        read("SELECT * FROM budget", url)


@pytest.mark.parametrize("change", [{"password": "motdepasse-faux"}, {"database": "nulle"}, {"username": "inconnu"}])
def test_a_refused_login_shows_no_secret(read, postgresql, change):
    url = make_url(postgresql).set(**change)
    with pytest.raises(SourceError) as error:
        read("SELECT 1", url.render_as_string(hide_password=False))
    assert str(error.value) == (
        f"postgresql://127.0.0.1:{url.port}/{url.database}: the database server refuses the login; "
        "check user, password and database name in the environment variable that holds the address"
    )
    assert error.value.__cause__ is None


@pytest.mark.parametrize("host", ["127.0.0.1", "nulle-part.invalid"])
def test_a_server_that_does_not_answer_is_unavailable(read, host):
    port = free_port()
    with pytest.raises(SourceUnavailable) as error:
        read("SELECT 1", f"postgresql://town:secret@{host}:{port}/ville")
    assert str(error.value).startswith(f"postgresql://{host}:{port}/ville: the database server does not answer; ask")


@pytest.mark.parametrize("url", ["pas une adresse:secret", "postgresql://u:secret@h:port/d"])
def test_an_address_that_cannot_be_read_is_not_shown(read, url):
    with pytest.raises(SourceError) as error:
        read("SELECT 1", url)
    assert str(error.value).startswith(
        "the system “Parkings”: the address is not an SQLAlchemy URL; write postgresql://"
    )
    assert "secret" not in str(error.value)


def test_other_databases_name_the_supported_ones(read):
    with pytest.raises(SourceError) as error:
        read("SELECT 1", "firebird://u:secret@base.example/ville")
    assert str(error.value) == (
        "firebird://base.example/ville: databases of the kind 'firebird' cannot be read; the supported kinds are "
        "postgresql, sqlite, mysql, mariadb, mssql, oracle; have the system export files instead"
    )


def test_a_query_needs_a_system(order):
    with pytest.raises(SourceError, match=r"6: a query needs to know its database; name the `system` of town.yaml"):
        database.extract(SqlSource(sql="SELECT 1"), order())


def test_an_address_that_the_environment_lacks(order, monkeypatch):
    monkeypatch.delenv("ODP_BASE", raising=False)
    with pytest.raises(SecretMissing, match="the environment variable ODP_BASE is not set, and the system “Parkings”"):
        database.extract(SqlSource(sql="SELECT 1"), order(url={"env": "ODP_BASE"}))


def test_every_character_of_a_password_gets_through(postgresql):
    assert make_url(postgresql).password == PASSWORD


def test_a_table_is_read_by_its_name_and_then_only_what_is_new(postgresql, order, tmp_path):
    with adbc_driver_postgresql.dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as run:
        run.execute("CREATE SCHEMA suivi")
        run.execute('CREATE TABLE suivi."Mandats" (id int, maj timestamptz, n int)')
        run.execute("INSERT INTO suivi.\"Mandats\" VALUES (1, '2026-03-01 10:00+01', 1), (2, '2026-03-02 10:00+01', 2)")
        declared = SqlSource(sql={"table": "suivi.Mandats"}, incremental={"column": "maj", "overlap": "30 min"})
        before = tmp_path / "before.parquet"
        database.extract(declared, order(url=postgresql, key=("id",))).path.replace(before)
        run.execute("UPDATE suivi.\"Mandats\" SET n = 20, maj = '2026-03-02 10:20+01' WHERE id = 2")
        run.execute('DELETE FROM suivi."Mandats" WHERE id = 1')  # what is deleted stays
        run.execute('INSERT INTO suivi."Mandats" VALUES (3, now(), 3)')
        merged = database.extract(declared, order(url=postgresql, earlier=before, key=("id",))).path
    assert [(row["id"], row["n"]) for row in pq.read_table(merged).to_pylist()] == [(1, 1), (2, 20), (3, 3)]


def test_a_connection_that_breaks_half_way_delivers_nothing(read, postgresql):
    with (
        cut_after(postgresql, 300_000) as url,
        pytest.raises(SourceUnavailable, match="the database broke the connection off half way; the next run"),
    ):
        read("SELECT g, 'x' || g AS t FROM generate_series(1, 500000) g", url)


def test_a_session_that_the_server_ends_half_way_is_unavailable(read, postgresql):
    def end():
        with (
            adbc_driver_postgresql.dbapi.connect(postgresql, autocommit=True) as connection,
            connection.cursor() as run,
        ):
            while not ended.wait(0.05):
                run.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE query LIKE '%pg_sleep(0.001%' AND pid <> pg_backend_pid()")  # fmt: skip
                run.fetchall()

    ended = threading.Event()
    ending = threading.Thread(target=end)
    ending.start()
    try:
        with pytest.raises(SourceUnavailable, match="the database broke the connection off half way"):
            read("SELECT g, pg_sleep(0.001)::text AS t FROM generate_series(1, 20000) g")
    finally:
        ended.set()
        ending.join()


def test_many_columns_arrive(read):
    assert read("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1500))).num_columns == 1500


def test_a_stand_in_for_a_geometry_is_refused_with_the_words_that_read_it(read, postgresql):
    with adbc_driver_postgresql.dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as run:
        run.execute("CREATE DOMAIN geometry AS bytea")  # no PostGIS here: binary, as its own type comes
    with pytest.raises(SourceError, match=r"or for a geometry ST_AsGeoJSON\(ST_Transform\(geom, 4326\)\)"):
        read("SELECT '\\x01'::geometry AS geom")


INCREMENTAL = """
title: Mandats
description: Mandats de paiement.
owner: finances@ville.example
source: {sql: {table: nuits.mandats}, system: base, incremental: {column: maj, overlap: 1 h}}
fields: [{name: numero, type: integer}, {name: objet}, {name: maj, type: datetime}]
key: [numero]
personal_data: none
"""


def test_two_nights_of_which_the_second_reads_only_what_is_new(postgresql, tmp_path, monkeypatch):
    write_town(tmp_path, "mandats", declaration=INCREMENTAL)
    with (tmp_path / "town.yaml").open("a") as town:
        town.write("systems: {base: {title: Base, url: {env: ODP_BASE}}}\n")
    monkeypatch.setenv("ODP_BASE", postgresql)
    declared = read_town(tmp_path)
    zones = flow.Zones.of(declared)

    def night():
        *_, release = flow.recorded(declared.dataset("mandats"), declared, zones)
        return (release.folder / "mandats.csv").read_text().replace("\r", "").splitlines()[1:]

    with adbc_driver_postgresql.dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as run:
        run.execute("CREATE SCHEMA nuits")
        run.execute("CREATE TABLE nuits.mandats (numero int, objet text, maj timestamptz)")
        run.execute(
            "INSERT INTO nuits.mandats VALUES (1, 'Arbre', '2026-03-01 10:00Z'), (2, 'Banc', '2026-03-02 10:00Z')"
        )
        assert night() == ["1,Arbre,2026-03-01T10:00:00Z", "2,Banc,2026-03-02T10:00:00Z"]
        run.execute("UPDATE nuits.mandats SET objet = 'non lu' WHERE numero = 1")  # its time did not change
        run.execute("UPDATE nuits.mandats SET objet = 'Banc neuf', maj = '2026-03-03 10:00Z' WHERE numero = 2")
        run.execute("INSERT INTO nuits.mandats VALUES (3, 'Lampe', '2026-03-03 11:00Z')")
    assert night() == [
        "1,Arbre,2026-03-01T10:00:00Z", "2,Banc neuf,2026-03-03T10:00:00Z", "3,Lampe,2026-03-03T11:00:00Z",
    ]  # fmt: skip
