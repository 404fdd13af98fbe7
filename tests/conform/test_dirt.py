"""What real systems deliver by mistake or malice: told in one message, bounded, and nothing lost unseen."""

import io
import json
import resource

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.errors import ConformError
from tests.conform.conftest import declared, read_file


@pytest.fixture
def read(tmp_path):
    def look(content, fields, **said):
        path = tmp_path / "delivery"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        return read_file(path, declared(fields, **said), folder)

    return look


def refusal(read, content, fields, **said):
    with pytest.raises(ConformError) as error:
        read(content, fields, **said)
    return str(error.value)


def workbook(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_a_workbook_as_wide_as_it_can_be_is_refused(read):
    content = workbook([f"c{n}" for n in range(16_384)], ["x"] * 16_384)
    assert "the delivery has 16,384 columns, and at most 2,000 are read" in refusal(read, content, ["c1", "c2"])


@pytest.mark.parametrize("said", [{}, {"format": {"encoding": "cp1252"}}])
@pytest.mark.parametrize("turned", [False, True])
def test_a_csv_whose_encoding_changes_half_way_is_refused(read, said, turned):
    halves = [("é;1\n" * 50_000).encode("utf-8"), ("é;1\n" * 50_000).encode("cp1252")]
    content = b"nom;n\n" + b"".join(reversed(halves) if turned else halves)
    where = 50_002 if turned else 2
    assert f"the encoding of the delivery changes on its way: cp1252, and UTF-8 on line {where};" in refusal(
        read, content, ["nom", "n"], **said
    )


def test_nul_bytes_do_not_cut_a_text_short(read):
    found = read(b"nom;n\nBassin\x00 Nord;1\nSud;2\n", ["nom", {"name": "n", "type": "integer"}])
    assert found.rows == [(1, "Bassin\x00 Nord", 1), (2, "Sud", 2)]


def test_ragged_rows_go_to_quarantine_whole(read):
    found = read("a;b\n1;2\n3\n4;5;6\n7;8\n", ["a", "b"], quality={"quarantine": "60 %"})
    assert [row[1:] for row in found.rows] == [("1", "2"), ("7", "8")]
    assert found.quarantine == [(2, "", "line", "3"), (3, "", "line", "4;5;6")]


@pytest.mark.parametrize("head", ["a;b\n1;2\n3;", 'a;b\n1;2\n"3;'])
def test_a_line_without_end_is_refused_in_flat_memory(tmp_path, head):
    path = tmp_path / "delivery"
    with path.open("wb") as file:
        file.write(head.encode())
        file.truncate(1 << 29)  # half a gigabyte that takes no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConformError, match="line 3 of the delivery is longer than 16,000,000 bytes; ask the source"):
        read_file(path, declared(["a", "b"]), tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize(
    ("text", "day"),
    [("3 janvier 2026", "2026-01-03"), ("1er févr. 2026", "2026-02-01"), ("28 AOÛT 2026", "2026-08-28"),
     ("  9 déc. 2026 ", "2026-12-09"), ("4 March 2026", "2026-03-04"), ("5 sept 2026", "2026-09-05")],
)  # fmt: skip
def test_french_months_are_read_by_declaration(read, text, day):
    found = read(f"jour\n{text}\n", [{"name": "jour", "type": "date", "format": "%d %B %Y"}])
    assert str(found.rows[0][1]) == day


def test_what_is_no_month_goes_to_quarantine(read):
    field = {"name": "jour", "type": "date", "format": "le %d %b %Y"}
    found = read("jour\nle 3 mai 2026\nle 3 brumaire 2026\n", [field], quality={"quarantine": "60 %"})
    assert (str(found.rows[0][1]), found.quarantine) == (
        "2026-05-03",
        [(2, "jour", "date le %d %b %Y", "le 3 brumaire 2026")],
    )


@given(st.integers(0, 10**12), st.sampled_from([" ", "\u00a0", "\u202f", "\u2009"]))
def test_thousands_are_read_whatever_blank_parts_them(tmp_path_factory, number, blank):
    folder = tmp_path_factory.mktemp("dirt")
    (folder / "delivery").write_text(f"n;x\n{format(number, ',').replace(',', blank)};a\n")
    found = read_file(folder / "delivery", declared([{"name": "n", "type": "integer"}, "x"]), folder)
    assert found.rows[0][1] == number


def test_a_header_that_comes_again_is_no_row_by_declaration(read):
    found = read("nom;n\na;1\nnom;n\nb;2\n", ["nom", {"name": "n", "type": "integer"}],
                 format={"ignore_rows": {"nom": "nom"}})  # fmt: skip
    assert found.counts == (3, 2, 0, 1)


@pytest.mark.parametrize("personal", ["none", "present"])
@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        (workbook(["nom", None], ["a", "M. Martin"]), ["nom"], "(column 2, without a name)"),
        ("nom;;x\na;M. Martin;1\n", ["nom", "x"], "(column 2, without a name)"),
        (json.dumps([{"p": {"lat": 1, "nom": "M. Martin"}}]), [{"name": "lat", "source": "p.lat"}], "p.nom"),
        (json.dumps([{"a": {"b": {"c": 1, "d": 2}}}]), [{"name": "c", "source": "a.b.c"}], "a.b.d"),
        (json.dumps([{"a": 1, 'no"m': "M. Martin"}]), ["a"], 'no"m'),
    ],
)
def test_what_has_no_name_or_no_place_is_told_like_any_new_column(read, content, fields, said, personal):
    if personal == "present":
        assert f"the delivery has new columns: {said}, and this dataset holds personal data" in refusal(
            read, content, fields, personal_data="present"
        )
    else:
        message = read(content, fields).conformed.findings[1].message
        assert said in message
        assert "Martin" not in message


def test_an_empty_column_without_a_name_is_nothing(read):
    assert len(read("nom;x;\na;1;\n", ["nom", "x"]).conformed.findings) == 1
    assert len(read(workbook(["nom", None], ["a", None]), ["nom"]).conformed.findings) == 1


def test_many_new_columns_are_counted_not_all_named(read):
    said = read(";".join(f"c{n}" for n in range(90)) + "\n" + ";".join("1" * 90) + "\n", ["c0", "c1"])
    assert "c31 and 58 more" in said.conformed.findings[1].message


def test_coordinates_come_in_pairs():
    with pytest.raises(ValueError, match="`x` and `y` go together"):
        declared(["a"], format={"x": "X"})


def test_gml_with_several_types_of_features_asks_for_one(read):
    member = "<gml:featureMember><{0}><nom>x</nom></{0}></gml:featureMember>"
    content = (
        '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" xmlns:gml="http://www.opengis.net/gml">'
        + member.format("arbre")
        + member.format("banc")
        + "</wfs:FeatureCollection>"
    )
    assert "holds 2 types of features (arbre, banc); name one with layer" in refusal(read, content, ["nom"])


def test_more_rows_than_are_taken_stop_the_run(read):
    said = refusal(read, "a;b\n1;2\n3;4\n", ["a", "b"], source={"folder": "x", "max_rows": 1})
    assert "the delivery has 2 rows, and 1 are taken at most; raise max_rows" in said
