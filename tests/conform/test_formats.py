"""Workbooks, JSON and Parquet."""

import io
import json
from datetime import date, datetime, time

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odpipeline.errors import ConformError


def workbook(*rows, title="Feuille"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


TYPES = [{"name": "jour", "type": "date", "format": "%d/%m/%Y"}, {"name": "n", "type": "integer"},
         {"name": "montant", "type": "number"}, {"name": "heure", "type": "time"}, {"name": "ok", "type": "boolean"},
         {"name": "lu", "type": "datetime"}]  # fmt: skip


def test_a_workbook_keeps_its_own_types_whatever_is_declared_of_text(read):
    names = [field["name"] for field in TYPES]
    moment = datetime.fromisoformat("2026-01-02T03:04:05")
    native = [date(2026, 1, 2), 12, 1234.5, time(8, 30), True, moment]
    found = read(workbook(names, native, ["02/01/2026", "1 234", "1\u202f234,5", "08:30", "non", None]), TYPES,
                 format={"decimal": ","})  # fmt: skip
    assert found.values == [
        (date(2026, 1, 2), 12, 1234.5, time(8, 30), True, moment),
        (date(2026, 1, 2), 1234, 1234.5, time(8, 30), False, None),
    ]


def test_header_rows_count_from_the_top_of_the_sheet_even_when_it_is_blank(read):
    header = [["Site", "Entrées", None, "Date"], [None, "A", "E", None]]
    rows = [[], ["Titre"], [], *header, ["x", 1, 2, 3], [], ["y", 4, 5, 6], [], []]
    names = {"s": "Site", "a": "Entrées A", "e": "Entrées E", "d": "Date"}
    fields = [{"name": name, "source": source} for name, source in names.items()]
    found = read(workbook(*rows), fields, format={"header_row": 4, "header_rows": 2})
    assert found.values == [("x", "1", "2", "3"), ("y", "4", "5", "6")]
    assert found.counts == (2, 2, 0, 0)


def test_a_cell_that_a_workbook_calls_an_error_is_unreadable_whatever_its_type(read):
    found = read(workbook(["a", "n"], ["x", 1], ["#N/A", 2], ["y", "#DIV/0!"]), ["a", {"name": "n", "type": "number"}])
    assert found.values == [("x", 1.0)]
    assert [row[:3] for row in found.quarantine] == [(2, "a", "error of the source"), (3, "n", "number")]


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(read):
    with pytest.raises(ConformError, match="the workbook has no sheet '2026'; its sheets are: Feuille"):
        read(workbook(["a"], ["x"]), ["a"], format={"sheet": "2026"})


def test_a_broken_workbook_is_told(read):
    with pytest.raises(ConformError, match="the container is broken, or was packed in a way that cannot be read"):
        read(b"PK\x03\x04broken", ["a"])
    with pytest.raises(ConformError, match="the workbook cannot be read"):
        read(b"\xd0\xcf\x11\xe0broken", ["a"])


RECORDS = [{"id": 1, "p": {"lat": 44.8}, "nom": "é"}, {"id": 2, "p": {"lat": None}, "nom": None}]
PLACES = [{"name": "id", "type": "integer"}, {"name": "lat", "source": "p.lat", "type": "number"}, "nom"]


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (json.dumps(RECORDS), {}),
        (json.dumps(RECORDS, indent=2), {}),
        ("\n".join(map(json.dumps, RECORDS)), {}),
        (json.dumps({"data": {"r": RECORDS}}), {"records": "data.r"}),
        ("\n".join(json.dumps({"next": n, "r": [record]}) for n, record in enumerate(RECORDS)), {"records": "r"}),
    ],
)
def test_records_come_as_list_document_lines_or_pages(read, delivery, said):
    assert read(delivery, PLACES, format=said).rows == [(1, 1, 44.8, "é"), (2, 2, None, None)]


def test_a_path_without_a_list_of_records_is_told(read):
    with pytest.raises(ConformError, match="there is no list of records at data"):
        read(json.dumps({"r": RECORDS}), PLACES, format={"type": "json", "records": "data"})


def test_json_that_breaks_off_is_told(read):
    with pytest.raises(ConformError, match="the delivery cannot be read as JSON"):
        read(json.dumps(RECORDS)[:-5], PLACES)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[1,"\\"]]]",'])
def test_json_nested_without_end_is_refused_before_it_takes_the_process_down(read, opening):
    with pytest.raises(ConformError, match="the delivery is nested deeper than 100 levels"):
        read('{"id": ' + opening * 500_000, PLACES, format={"type": "json"})


def test_brackets_within_strings_are_not_nesting(read):
    records = [{"id": n, "t": '\\"[[{{' * 50 + "\\"} for n in range(2000)]
    assert read(json.dumps(records), [{"name": "id", "type": "integer"}, "t"]).counts == (2000, 2000, 0, 0)


def test_parquet_is_typed_like_any_other_delivery(read):
    table = pa.table({"jour": [date(2026, 1, 2), None], "n": [1.0, 2.5], "ok": [True, False]})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    fields = [{"name": "jour", "type": "date", "format": "%d/%m/%Y"}, {"name": "n", "type": "integer"},
              {"name": "ok", "type": "boolean", "trueValues": ["o"], "falseValues": ["n"]}]  # fmt: skip
    found = read(stream.getvalue(), fields, format={"decimal": ","})
    assert found.values == [(date(2026, 1, 2), 1, True)]
    assert found.quarantine == [(2, "n", "integer", "2.5")]
