"""CSV as it comes: encodings, delimiters, headers, line ends, archives."""

import gzip

import pytest

from odpipeline.errors import ConformError

NOMS = [("été", "1,5"), ("Œuvre", "2")]
TEXT = "nom;montant\nété;1,5\nŒuvre;2\n"


def refusal(read, *args, **said):
    with pytest.raises(ConformError) as error:
        read(*args, **said)
    return str(error.value)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", None), ("utf-8-sig", None), ("cp1252", None), ("utf-16", None), ("utf-8", "utf-8"),
     ("cp1252", "cp1252"), ("iso8859-15", "iso-8859-15"), ("utf-16", "utf-16")],
)  # fmt: skip
def test_every_usual_encoding_is_read(read, encoding, declared):
    assert read(TEXT.encode(encoding), ["nom", "montant"], format={"encoding": declared}).values == NOMS


def test_a_character_across_two_chunks_is_valid(read):
    text = "nom;montant\n" + "a" * ((1 << 20) - 13) + "é;1\n"
    assert read(text, ["nom", "montant"]).counts == (1, 1, 0, 0)


def test_a_row_may_be_megabytes_long(read):
    assert read("a,b\n" + "x" * 5_000_000 + ",1\n2,3\n", ["a", "b"]).counts == (2, 2, 0, 0)


def test_a_wrong_encoding_is_told_with_byte_line_and_what_fits(read):
    assert refusal(read, TEXT.encode("cp1252"), ["nom", "montant"], format={"encoding": "utf-8"}) == (
        "assets/x.yaml:4: the delivery is not utf-8: byte 12, line 2; declare format: {encoding: cp1252}, which fits"
    )


def test_utf_8_declared_as_something_else_is_refused_before_accents_go_wrong(read):
    assert refusal(read, TEXT, ["nom", "montant"], format={"encoding": "cp1252"}) == (
        "assets/x.yaml:4: the delivery is declared as cp1252, but it is UTF-8: its accents would be published wrong; "
        "declare format: {encoding: utf-8}, which fits"
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_declared_columns(read, delimiter):
    text = (
        "a{0}b\n1;2|3 4, 5\t6\n".replace("{0}", delimiter) if delimiter == "?" else f"a{delimiter}b\nx;y{delimiter}z\n"
    )
    quoted = text.replace("x;y", '"x;y"')
    assert read(quoted, ["a", "b"]).values == [("x;y", "z")]


def test_no_delimiter_is_an_error_unless_one_column_is_declared(read):
    assert read("a\nx\ny\n", ["a"]).values == [("x",), ("y",)]
    assert refusal(read, "titre\nx\n", ["a", "b"]) == (
        "assets/x.yaml:4: no delimiter cuts the delivery into columns (tried ; , tab |); "
        "say which one under format: {delimiter: …}, and where the header is with header_row"
    )


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(read, ends):
    assert read(ends.join(["a,b", "1,2", "3,4"]), ["a", "b"]).rows == [(1, "1", "2"), (2, "3", "4")]


def test_mixed_line_ends_are_read(read):
    assert read('a,b\r\n1,2\n"3\r\n4","5"\r\n6,"7"\n', ["a", "b"]).values == [("1", "2"), ("3\n4", "5"), ("6", "7")]


def test_a_header_over_two_lines_below_a_title(read):
    text = "Fréquentation;;;\n\nSite;Entrées;;\n;Adultes;Enfants;Date\nPiscine;1;2;x\n"
    fields = [{"name": "site", "source": "Site"}, {"name": "a", "source": "Entrées Adultes"},
              {"name": "e", "source": "entrées  enfants "}, {"name": "d", "source": "Entrées Date"}]  # fmt: skip
    assert read(text, fields, format={"header_row": 3, "header_rows": 2}).rows == [(1, "Piscine", "1", "2", "x")]


def test_a_quoted_header_with_a_line_break(read):
    assert read('"a\nb",c\n1,2\n', [{"name": "a", "source": "a b"}, "c"]).values == [("1", "2")]


def test_rows_below_a_title_keep_their_numbers_around_a_malformed_one(read):
    found = read("Titre\na;b\n1;2\n3\n4;5\n", ["a", "b"], format={"header_row": 2}, quality={"quarantine": "50 %"})
    assert [row[0] for row in found.rows] == [1, 3]
    assert found.quarantine == [(2, "", "line", "3")]


def test_gzip_is_unpacked_within_bounds(read):
    assert read(gzip.compress(TEXT.encode()), ["nom", "montant"]).values == NOMS
    bomb = gzip.compress(b"a,b\n" + b"0" * 5_000_000)
    source = {"folder": "depot/*.csv", "max_bytes": 1_000_000}
    assert "the delivery unpacks to more than 1000000 bytes" in refusal(read, bomb, ["a", "b"], source=source)
    assert "the container is broken" in refusal(read, gzip.compress(TEXT.encode())[:-12], ["nom", "montant"])


@pytest.mark.parametrize("said", [{}, {"type": "csv"}])
def test_html_instead_of_data_is_told(read, said):
    assert refusal(read, "<!DOCTYPE html><html><body>Connexion</body></html>", ["a", "b"], format=said) == (
        "assets/x.yaml:3: the delivery is HTML or XML instead of data (a login or an error page?); "
        "look at what the source answers; XML is read with format: {type: xml, records: …}"
    )


def test_an_empty_delivery_is_an_error(read):
    assert "assets/x.yaml:3: the delivery is empty" in refusal(read, "", ["a", "b"])
    assert "assets/x.yaml:3: the delivery has no rows" in refusal(read, "a,b\n", ["a", "b"])
