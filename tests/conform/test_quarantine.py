"""Rows that cannot be read: counted, set aside with their reasons, never lost, never named by value in a message."""

import csv
import io
from datetime import date

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.conform import DUCK_TYPES
from odpipeline.conform.casting import BLANKS
from odpipeline.errors import ConformError
from tests.conform.conftest import declared, read_file

FIELDS = [{"name": "id", "type": "integer"}, "nom", {"name": "jour", "type": "date"}]


def test_the_columns_are_the_row_number_and_the_declared_fields_with_their_types(read):
    fields = [{"name": f"f_{kind}", "type": kind} for kind in DUCK_TYPES]
    found = read(",".join(f["name"] for f in fields) + "\n" + "," * (len(fields) - 1) + "\n", fields)
    described = duckdb.execute(f"DESCRIBE FROM '{found.conformed.parquet}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("_row", "BIGINT"),
        *((f"f_{kind}", duck) for kind, duck in DUCK_TYPES.items()),
    ]


def test_a_row_with_two_unreadable_cells_is_one_row_and_two_reasons(read):
    found = read("id,nom,jour\n1,a,2026-01-01\nun,b,hier\n3,c,2026-01-03\n", FIELDS, quality={"quarantine": "50 %"})
    assert found.rows[1][0] == 3
    assert found.quarantine == [(2, "id", "integer", "un"), (2, "jour", "date", "hier")]
    assert found.counts == (3, 2, 1, 0)
    assert [(r.column, r.rule, r.rows) for r in found.conformed.reasons] == [("id", "integer", 1), ("jour", "date", 1)]
    assert found.conformed.findings[0].passed


def test_more_than_the_ceiling_blocks_and_says_how_to_mend_without_a_cell(read):
    found = read("id,nom,jour\n1,a,2026-01-01\nsecret,b,secret\n", FIELDS)
    [ceiling] = found.conformed.findings
    assert ceiling.blocks
    assert ceiling.message == (
        "1 of 2 rows in quarantine (50.00%, ceiling 1.00%): id not readable as integer: 1, "
        "jour not readable as date: 1; correct them in the source system, or change the field's type or format at "
        "assets/x.yaml:7"
    )
    assert ceiling.counts == {"rows": 2, "quarantined": 1, "share": 0.5}


def test_a_malformed_line_is_set_aside_whole_and_the_rows_after_it_keep_their_numbers(read):
    text = 'id,nom,jour\n\n1,"a\nb",\n2,trop,,peu\n\n\n4\n5,"x"y,\n6,été,2026-01-01\n'
    found = read(text, FIELDS, quality={"quarantine": "100 %"})
    assert found.rows == [(1, 1, "a\nb", None), (5, 6, "été", date(2026, 1, 1))]
    assert found.quarantine == [(2, "", "line", "2,trop,,peu"), (3, "", "line", "4"), (4, "", "line", '5,"x"y,')]
    assert found.counts == (5, 2, 3, 0)


def test_malformed_lines_and_unreadable_cells_and_ignored_rows_add_up(read):
    text = "id;nom;jour\r\n1;a;\r\nTotal;;\r\n3\r\nx;b;\r\n5;c;\r\n"
    found = read(text, FIELDS, format={"ignore_rows": {"id": "(?i)total.*"}}, quality={"quarantine": "100 %"})
    assert [row[0] for row in found.rows] == [1, 5]
    assert found.quarantine == [(3, "", "line", "3"), (4, "id", "integer", "x")]
    assert found.counts == (5, 2, 2, 1)


def test_a_quotation_mark_that_is_never_closed_stops_rather_than_swallowing_rows(read):
    with pytest.raises(ConformError) as error:
        read('id,nom,jour\n1,a,\n2,"b,\n3,c,\n4,d,\n', FIELDS)
    assert str(error.value) == (
        "assets/x.yaml:3: a quotation mark opened on line 3 is not closed where its cell ends; "
        'have the system double each quotation mark within a cell ("")'
    )


def test_ignored_rows_match_the_whole_cell_and_leave_the_share_of_the_quarantine_alone(read):
    found = read(
        "id,nom,jour\n1,a,\nTotal,,\n2,Total b,\n", FIELDS, format={"ignore_rows": {"id": "Tot.*", "nom": "b"}}
    )
    assert found.counts == (3, 2, 0, 1)
    assert found.conformed.findings[0].counts["rows"] == 2


SIGNS = st.sampled_from(['"', ",", ";", "\n", "\r", " ", "\\", "é"])
CELLS = st.text(st.characters(exclude_categories=["Cs"]) | SIGNS, max_size=8)


def is_missing(cell):
    """Empty, or nothing but blanks of which the outer one is a plain one."""
    return not cell.strip(BLANKS) and (not cell or " " in (cell[0], cell[-1]))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12),
    # Before Python 3.13, the writer leaves a CR unquoted where lines end with LF.
    form=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_a_csv_writer_writes_is_read_back(tmp_path, rows, form, delimiter):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=form[0], quoting=form[1])
    writer.writerows([("a", "b", "c"), *rows])
    path = tmp_path / "payload"
    path.write_bytes(text.getvalue().encode())
    found = read_file(path, declared(["a", "b", "c"], format={"delimiter": delimiter}), tmp_path)
    assert found.values == [tuple(None if is_missing(cell) else cell for cell in row) for row in rows]
    assert [row[0] for row in found.rows] == list(range(1, len(rows) + 1))


GOOD = ["1,a,2026-01-01", "3,c,,", '5,"a\nb",']
LINES = st.sampled_from([*GOOD, "2,b", "4,c,,x", 'x,"y"z,1', "nope,d,", "Total,,", "", "6,,hier"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(LINES, min_size=1, max_size=12).filter(any),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_every_line_is_a_row_or_in_quarantine_or_ignored(tmp_path, lines, ends):
    path = tmp_path / "payload"
    path.write_bytes(("id,nom,jour\n" + "".join(f"{line}\n" for line in lines)).replace("\n", ends).encode())
    said = {"format": {"ignore_rows": {"id": "Total"}, "delimiter": ","}, "quality": {"quarantine": "100 %"}}
    found = read_file(path, declared(FIELDS, **said), tmp_path)
    expected = [line for line in lines if line]
    assert [row[0] for row in found.rows] == [at for at, line in enumerate(expected, 1) if line in GOOD]
    assert found.counts[0] == len(expected)
    assert found.counts[3] == expected.count("Total,,")


def test_a_bad_row_is_counted_once_over_many_vectors(tmp_path):
    path = tmp_path / "payload"
    path.write_text("id,nom\n" + "".join(f"{n if n % 1000 else 'x'},nom {n}\n" for n in range(1, 300_001)))
    found = read_file(path, declared([{"name": "id", "type": "integer"}, "nom"]), tmp_path)
    assert found.counts == (300_000, 299_700, 300, 0)
    assert [row[0] for row in found.quarantine] == list(range(1000, 300_001, 1000))
    assert all(row[0] == row[1] for row in found.rows)
