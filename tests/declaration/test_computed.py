"""Fields that are computed or looked up, columns that are renamed, schemas by name: what is refused, and why."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.declaration import formulas, pinned, read_town
from odpipeline.errors import DeclarationErrors, OdpError
from tests.towns import PISCINES, write_town

FIELDS = ["jour", "piscine", "entrees"]


def faults(folder, change):
    write_town(folder, "piscines", declaration=PISCINES.replace(*change))
    with pytest.raises(DeclarationErrors) as error:
        read_town(folder)
    return str(error.value)


def with_field(text):
    return ("  - {name: entrees, type: integer, constraints: {minimum: 0}}\n",
            f"  - {{name: entrees, type: integer, constraints: {{minimum: 0}}}}\n  - {text}\n")  # fmt: skip


@pytest.mark.parametrize(
    "formula",
    ["entrees * 2", "year(jour)", "CASE WHEN entrees > 10 THEN 'beaucoup' ELSE 'peu' END", "piscine || ' / ' || jour",
     "coalesce(entrees, 0) + 1 -- et une remarque", "entrees BETWEEN 1 AND 5 OR piscine IN ('A', 'B')",
     "CAST(entrees AS DOUBLE) / nullif(entrees, 0)", "Entrees"],
)  # fmt: skip
def test_a_formula_over_the_row_is_sound(formula):
    assert formulas.fault(formula, FIELDS) == ""


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("(SELECT max(entrees) FROM t)", "no query"),
        ("entrees FROM read_csv('/etc/passwd')", "is not one SQL expression"),
        ("read_text('/etc/passwd')", "unknown function 'read_text'"),
        ("getenv('HOME')", "unknown function 'getenv'"),
        ("random()", "unknown function 'random'"),
        ("now()", "unknown function 'now'"),
        ("sum(entrees)", "unknown function 'sum'"),
        ("sum(entrees) OVER ()", "no query, window or list"),
        ("t.entrees", "unknown field 't.entrees'"),
        ("entrée", "unknown field 'entrée'"),
        ("1, 2", "unknown function 'row'"),
        ("1); DROP TABLE t; SELECT (1", "is not one SQL expression"),
        ("1) FROM t WHERE (1=1", "is not one SQL expression"),
        ("1) UNION SELECT (2", "is not one SQL expression"),
        ("", "is not one SQL expression"),
        ("*", "no query, window or list"),
        ("1 + " * 900 + "1", "is longer than 2000 characters"),
    ],
)
def test_a_formula_that_reaches_beyond_the_row_is_refused(formula, why):
    assert why in formulas.fault(formula, FIELDS)


@given(st.text(max_size=30))
def test_any_text_is_sound_or_refused(text):
    assert isinstance(formulas.fault(text, FIELDS), str)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("{name: an, type: integer, derive: year(jours)}", "derive of 'an': unknown field 'jours'"),
        ("{name: an, derive: year(jour), source: annee}", "'an' has exactly one of source, derive and lookup"),
        ("{name: v, lookup: {file: ref.csv, on: piscine, key: a, value: b}}", "there is no file 'ref.csv' in the town"),
        ("{name: v, lookup: {file: ../ref.csv, on: piscine, key: a, value: b}}", "there is no file '../ref.csv'"),
        ("{name: v, lookup: {file: town.yaml, on: bassin, key: a, value: b}}", "lookup of 'v': unknown field 'bassin'"),
        ("{name: v, lookup: {file: town.yaml, on: jour, key: a, value: b}}", "lookup of 'v': unknown column 'a'"),
    ],
)
def test_a_computed_field_that_cannot_be_is_refused_before_any_run(tmp_path, field, said):
    assert said in faults(tmp_path, with_field(field))


def test_a_field_is_computed_from_fields_that_stand_before_it(tmp_path):
    first = (
        "  - {name: jour, type: date",
        "  - {name: an, type: integer, derive: year(jour)}\n  - {name: jour, type: date",
    )
    assert "derive of 'an': unknown field 'jour'" in faults(tmp_path, first)


def test_a_column_is_renamed_to_a_field_that_is_delivered(tmp_path):
    assert "unknown field 'bassin'" in faults(tmp_path, ("personal_data", "rename: {Bassin: bassin}\npersonal_data"))


SCHEMA = {"fields": [{"name": "jour", "type": "date"}, {"name": "piscine"}, {"name": "entrees", "type": "integer"}]}


def by_name(folder):
    start, rest = PISCINES.split("fields:\n")
    end = rest[rest.index("key:") :]
    return write_town(folder, "piscines", declaration=f"{start}schema: scdl/piscines@1.0\n{end}")


def test_a_schema_is_named_once_it_was_taken(tmp_path):
    by_name(tmp_path)
    with pytest.raises(DeclarationErrors, match=r"'scdl/piscines@1.0' was never taken; take it with: odp take-schema"):
        read_town(tmp_path)
    pinned.take(tmp_path, "scdl/piscines@1.0", json.dumps(SCHEMA).encode(), "https://schema.example/piscines.json")
    assert [field.name for field in read_town(tmp_path).dataset("piscines").fields] == FIELDS


def test_a_schema_that_was_changed_by_hand_is_refused(tmp_path):
    by_name(tmp_path)
    file = pinned.take(tmp_path, "scdl/piscines@1.0", json.dumps(SCHEMA).encode(), "https://schema.example/p.json")
    file.write_text(json.dumps(SCHEMA | {"missingValues": ["-"]}))
    with pytest.raises(DeclarationErrors, match=r"no longer what was taken from https://schema.example/p.json"):
        read_town(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("scdl/piscines", b"{}", "is no schema's name"), ("../x@1", b"{}", "is no schema's name"),
     ("scdl/p@1", b"<html>", "the schema is not JSON"), ("scdl/p@1", b"{}", "not a Table Schema")],
)  # fmt: skip
def test_what_is_no_schema_is_not_taken(tmp_path, name, content, said):
    with pytest.raises(OdpError, match=said):
        pinned.take(tmp_path, name, content, "https://schema.example/p.json")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
