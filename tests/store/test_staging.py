import csv
import hashlib
import json
from datetime import date, datetime, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings
from odpipeline.errors import StoreError
from odpipeline.store import layout, stage
from tests.store.making import DUCK, a_dataset, a_staged, a_town, facts, parkings, rows


def staged_from(folder, select, fields, key=(), duck=DUCK, **changes):
    dataset = a_dataset("d", fields=fields, key=key, **changes)
    return stage(rows(folder, select, dataset), dataset, a_town(folder), folder, duck, facts=facts())


def cells(staged) -> list[list[str]]:
    with staged.csv.open(newline="", encoding="utf-8") as text:
        return list(csv.reader(text))


def test_the_staged_folder_holds_the_release_and_nothing_else(tmp_path):
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "left.csv").write_text("of an earlier run")
    staged = a_staged(tmp_path)
    assert sorted(path.name for path in staged.folder.iterdir()) == sorted(f.name for f in staged.files)
    for file in staged.files:
        content = (staged.folder / file.name).read_bytes()
        assert (file.sha256, file.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert staged.folder.stat().st_mode & 0o777 == 0o700


def test_the_content_hash_is_of_the_description_the_schema_and_the_csv(tmp_path):
    staged = a_staged(tmp_path)
    csv_sha256 = hashlib.sha256(staged.csv.read_bytes()).hexdigest()
    line = layout.canonical({"about": staged.about, "schema": staged.schema, "csv": csv_sha256})
    assert line.count(b"\n") == 1
    assert staged.content_hash == hashlib.sha256(line).hexdigest()


def test_rows_are_sorted_by_key_then_by_the_rest_with_missing_values_last(tmp_path):
    fields = [{"name": "a"}, {"name": "b", "type": "integer"}, {"name": "c"}]
    select = "SELECT * FROM (VALUES ('z', 1, 'k1'), ('é', 2, 'k2'), ('a', 3, NULL), ('b', 0, 'k1')) t(a, b, c)"
    staged = staged_from(tmp_path, select.replace("1,", "1::BIGINT,"), fields, key=("c",))
    assert cells(staged)[1:] == [["b", "0", "k1"], ["z", "1", "k1"], ["é", "2", "k2"], ["a", "3", ""]]


def test_the_order_of_delivery_does_not_matter(tmp_path):
    select = "SELECT i AS _row, i % 7 AS id, 'n' || (i % 5) AS nom, i AS places, NULL::TIMESTAMP AS releve_le FROM r"
    one = a_staged(tmp_path / "1", select.replace("FROM r", "FROM range(50) t(i)"))
    other = a_staged(tmp_path / "2", select.replace("FROM r", "FROM range(50) t(i) ORDER BY hash(i)"))
    assert one.content_hash == other.content_hash
    assert one.parquet.read_bytes() == other.parquet.read_bytes()


BIG = """SELECT i AS _row, CAST(hash(i) % 1000000000 AS BIGINT) AS id, 'Parking ' || (i % 977) AS nom,
    i % 300 AS places, TIMESTAMP '2026-01-01' + to_seconds(i) AS releve_le FROM range(400000) t(i)"""


def test_bytes_are_the_same_for_one_and_two_threads_and_from_run_to_run(tmp_path):
    dataset, seen = a_dataset(), set()
    for n, threads in enumerate((1, 2, 2, 1)):
        duck = DuckSettings(memory_limit="300MB", threads=threads, spill=tmp_path / "spill")
        folder = tmp_path / str(n)
        parquet = rows(folder, BIG, dataset, duck)
        staged = stage(parquet, dataset, a_town(tmp_path), folder, duck, facts=facts())
        seen.add((staged.content_hash, staged.files))
    assert len(seen) == 1
    assert pq.ParquetFile(staged.parquet).num_row_groups > 1


def test_the_csv_is_rfc_4180_in_utf_8(tmp_path):
    fields = [{"name": "t"}, {"name": "n", "type": "number"}, {"name": "b", "type": "boolean"},
              {"name": "d", "type": "date"}, {"name": "h", "type": "time"}]  # fmt: skip
    select = """SELECT * FROM (VALUES ('a "b", c', 1.5::DOUBLE, true, DATE '2026-03-29', TIME '01:02:03'),
        ('é' || chr(10) || 'f', 1e22::DOUBLE, false, DATE '9999-12-31', NULL), (NULL, NULL, NULL, NULL, NULL))
        t(t, n, b, d, h)"""
    assert staged_from(tmp_path, select, fields).csv.read_bytes().decode() == (
        't,n,b,d,h\r\n"a ""b"", c",1.5,true,2026-03-29,01:02:03\r\n"é\nf",1e+22,false,9999-12-31,\r\n,,,,\r\n'
    )


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe_in_the_csv_only(tmp_path, sign):
    select = f"SELECT chr({ord(sign)}) || '1+1' AS nom, 1::BIGINT AS id UNION ALL SELECT 'a=b', 2"
    staged = staged_from(tmp_path, select, [{"name": "id", "type": "integer"}, {"name": "nom"}])
    assert cells(staged)[1:] == [["1", f"'{sign}1+1"], ["2", "a=b"]]
    assert pq.read_table(staged.parquet)["nom"].to_pylist() == [f"{sign}1+1", "a=b"]


def test_negative_numbers_are_left_alone(tmp_path):
    staged = staged_from(tmp_path, "SELECT -1::BIGINT AS id", [{"name": "id", "type": "integer"}])
    assert cells(staged) == [["id"], ["-1"]]


def test_fractions_of_a_second_are_kept_when_there_are_any(tmp_path):
    field = [{"name": "t", "type": "datetime"}, {"name": "n"}]
    whole = staged_from(tmp_path / "1", "SELECT TIMESTAMP '2026-03-29 01:00:00' AS t, 'a' AS n", field)
    parts = staged_from(tmp_path / "2", "SELECT TIMESTAMP '2026-03-29 01:00:00.25' AS t, 'a' AS n", field)
    assert cells(whole)[1][0] == "2026-03-29T01:00:00Z"
    assert cells(parts)[1][0] == "2026-03-29T01:00:00.250000Z"


def test_an_empty_text_is_missing_in_both_files(tmp_path):
    staged = staged_from(tmp_path, "SELECT '' AS a, 'x' AS b", [{"name": "a"}, {"name": "b"}])
    assert staged.csv.read_bytes() == b"a,b\r\n,x\r\n"
    assert pq.read_table(staged.parquet)["a"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [("string", "'a'", "a"), ("integer", "7::BIGINT", "7"), ("boolean", "true", "true"),
     ("datetime", "TIMESTAMP '2026-03-29 01:00:00'", "2026-03-29T01:00:00Z")],
)  # fmt: skip
def test_a_missing_value_in_the_only_column_is_no_blank_line(tmp_path, type_, value, text):
    staged = staged_from(tmp_path, f"SELECT {value} AS a UNION ALL SELECT NULL", [{"name": "a", "type": type_}])
    assert staged.csv.read_bytes() == b'a\r\n%s\r\n""\r\n' % text.encode()


def test_a_release_without_rows_has_its_header(tmp_path):
    staged = a_staged(tmp_path, f"SELECT * FROM ({parkings()}) WHERE false")
    assert staged.rows == 0
    assert staged.csv.read_bytes() == b"id,nom,places,releve_le\r\n"


def test_the_data_package_describes_what_is_published(tmp_path):
    package = json.loads((a_staged(tmp_path).folder / "datapackage.json").read_text())
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert package["licenses"][0]["name"] == "etalab-2.0"
    csv_resource, parquet_resource = package["resources"]
    assert (csv_resource["path"], parquet_resource["path"]) == ("parkings.csv", "parkings.parquet")
    assert csv_resource["hash"].startswith("sha256:")
    assert csv_resource["dialect"]["lineTerminator"] == "\r\n"
    schema = csv_resource["schema"]
    assert schema["primaryKey"] == ["id"]
    assert schema["missingValues"] == [""]
    assert [(f["name"], f["type"]) for f in schema["fields"]] == [
        ("id", "integer"), ("nom", "string"), ("places", "integer"), ("releve_le", "datetime"),
    ]  # fmt: skip
    assert schema["fields"][0]["constraints"] == {"required": True}
    assert schema["fields"][1]["title"] == "Nom du parking"


def test_a_generalised_column_has_the_type_that_came_out(tmp_path):
    fields = [{"name": "age", "type": "integer", "constraints": {"required": True, "minimum": 0}}, {"name": "nom"}]
    privacy = {"columns": {"age": {"generalise": {"bands": 10}}, "nom": "drop"}}
    staged = staged_from(tmp_path, "SELECT '20-29' AS age", fields, personal_data="present", privacy=privacy)
    assert staged.schema["fields"] == [{"name": "age", "type": "string", "constraints": {"required": True}}]


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("SELECT 1::BIGINT AS id", "the anonymised rows lack the columns nom"),
        ("SELECT 1::BIGINT AS id, 'a' AS nom, 'b' AS adresse", "hold columns that are not published: adresse"),
        ("SELECT 1::BIGINT AS id, BLOB 'a' AS nom", "the column nom has the type BLOB, which the store does not"),
        ("SELECT 'nan'::DOUBLE AS id, 'a' AS nom", "1 cells of id are infinite, no number, or no date of the years 1"),
        ("SELECT DATE 'infinity' AS id, 'a' AS nom", "1 cells of id are infinite, no number"),
    ],
)
def test_what_cannot_be_published_is_not_staged(tmp_path, select, said):
    dataset = a_dataset("d", fields=[{"name": "id", "type": "integer"}, {"name": "nom"}], key=())
    duckdb.execute(f"COPY ({select}) TO '{tmp_path / 'odd.parquet'}' (FORMAT parquet)")
    with pytest.raises(StoreError) as caught:
        stage(tmp_path / "odd.parquet", dataset, a_town(tmp_path), tmp_path, DUCK, facts=facts())
    assert said in str(caught.value)


def test_a_column_name_that_a_spreadsheet_would_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"a spreadsheet would run the column names =x; rename the fields"):
        staged_from(tmp_path, "SELECT 'a' AS \"=x\"", [{"name": "=x"}])


def test_what_is_no_parquet_is_told_without_its_bytes(tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 Jeanne Martin PAR1")
    with pytest.raises(StoreError) as caught:
        stage(broken, a_dataset(), a_town(tmp_path), tmp_path, DUCK, facts=facts())
    assert str(caught.value).startswith("the release could not be staged (")
    assert "Martin" not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
STAMPS = st.datetimes().map(lambda stamp: stamp.replace(fold=0))
COLUMNS = {
    "texte": ("string", pa.string(), TEXT),
    "entier": ("integer", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "nombre": ("number", pa.float64(), FLOATS),
    "booleen": ("boolean", pa.bool_(), st.booleans()),
    "jour": ("date", pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "instant": ("datetime", pa.timestamp("us"), STAMPS | STAMPS.map(lambda stamp: stamp.replace(microsecond=0))),
    "heure": ("time", pa.time64("us"), st.times().map(lambda value: value.replace(fold=0))),
}
TABLE = st.lists(st.tuples(*(st.none() | values for _, _, values in COLUMNS.values())), max_size=12)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def typed(folder: Path, table: list[tuple[object, ...]], dataset: Dataset) -> Path:
    by_column = zip(*table, strict=True) if table else [()] * len(COLUMNS)
    arrays = [pa.array(cells, type_) for cells, (_, type_, _) in zip(by_column, COLUMNS.values(), strict=True)]
    pq.write_table(pa.table(arrays, list(COLUMNS)), folder / "in.parquet")
    return rows(folder, f"SELECT * FROM read_parquet('{folder / 'in.parquet'}')", dataset)


def as_read(name: str, text: str) -> object:
    """A CSV cell as a reader of the documented format understands it."""
    if text == "":
        return None
    if name == "texte":
        return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@\t\r\n") else text
    read = {
        "entier": int, "nombre": float, "booleen": {"true": True, "false": False}.__getitem__,
        "jour": date.fromisoformat, "heure": time.fromisoformat,
        "instant": lambda stamp: datetime.fromisoformat(stamp.removesuffix("Z")),
    }  # fmt: skip
    return read[name](text)


@SLOW
@given(table=TABLE)
def test_both_files_say_what_came_in_whatever_it_is(tmp_path, table):
    fields = [{"name": name, "type": type_} for name, (type_, _, _) in COLUMNS.items()]
    dataset = a_dataset("d", fields=fields, key=())
    staged = stage(typed(tmp_path, table, dataset), dataset, a_town(tmp_path), tmp_path / "1", DUCK, facts=facts())
    again = stage(typed(tmp_path, table[::-1], dataset), dataset, a_town(tmp_path), tmp_path / "2", DUCK, facts=facts())
    assert again.content_hash == staged.content_hash
    assert again.parquet.read_bytes() == staged.parquet.read_bytes()

    def wanted(row: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(None if v == "" else v + 0.0 if isinstance(v, float) else v for v in row)

    in_parquet = [tuple(row.values()) for row in pq.read_table(staged.parquet).to_pylist()]
    assert sorted(map(repr, in_parquet)) == sorted(repr(wanted(row)) for row in table)
    header, *read = cells(staged)
    assert header == list(COLUMNS)
    ambiguous = any(isinstance(v, str) and v[:1] == "'" and v[1:2] in tuple("=+-@\t\r\n") for r in table for v in r)
    if not ambiguous:
        assert [tuple(map(as_read, COLUMNS, row)) for row in read] == in_parquet


@SLOW
@given(table=TABLE)
def test_duckdb_reads_the_csv_back_row_for_row(tmp_path, table):
    fields = [{"name": name, "type": type_} for name, (type_, _, _) in COLUMNS.items()]
    dataset = a_dataset("d", fields=fields, key=())
    staged = stage(typed(tmp_path, table, dataset), dataset, a_town(tmp_path), tmp_path / "1", DUCK, facts=facts())
    read = duckdb.execute(
        f"SELECT * FROM read_csv('{staged.csv}', header=true, all_varchar=true, delim=',', quote='\"', escape='\"')"
    ).fetchall()
    assert [[value or "" for value in row] for row in read] == cells(staged)[1:]
