"""`odp validate`: any file against any Table Schema, alone, with the verdict that Validata gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from odpipeline import validating
from odpipeline.cli import app
from odpipeline.declaration import pinned
from odpipeline.errors import DeclarationErrors, OdpError

SCHEMA = {
    "fields": [
        {"name": "siret", "type": "string", "constraints": {"required": True, "pattern": r"^\d{14}$"}},
        {"name": "nom", "type": "string", "constraints": {"maxLength": 8}},
        {"name": "montant", "type": "number", "constraints": {"required": True, "minimum": 0, "maximum": 100}},
        {"name": "jour", "type": "date", "format": "%d/%m/%Y"},
        {"name": "actif", "type": "boolean"},
        {"name": "courriel", "type": "string", "format": "email"},
        {"name": "rna", "type": "string"},
    ],
    "primaryKey": "siret",
    "custom_checks": [
        {"name": "french-siret-value", "params": {"column": "siret"}},
        {"name": "one-of-required", "params": {"column1": "nom", "column2": "rna"}},
    ],
}
GOOD = "siret,nom,montant,jour,actif,courriel,rna\n21440109300015,Asso,12.5,01/03/2026,true,a@b.fr,\n"
CANARY = "canari-7f3a"


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    return _schema(tmp_path, SCHEMA)


def _schema(folder: Path, said: object) -> Path:
    file = folder / "schema.json"
    file.write_text(json.dumps(said, indent=1))
    return file


def _found(schema: Path, text: str) -> validating.Validation:
    file = schema.with_name("file.csv")
    file.write_text(text)
    return validating.validate(file, validating.schema_at(str(schema), Path()))


def _issues(schema: Path, text: str) -> set[tuple[str, str, str, tuple[str, ...], tuple[int, ...]]]:
    return {(one.level, one.code, one.rule, one.columns, one.rows) for one in _found(schema, text).issues}


def test_a_good_file_is_valid_without_a_warning(schema: Path) -> None:
    found = _found(schema, GOOD)
    assert found.valid
    assert found.issues == ()
    assert found.rows == 1


@pytest.mark.parametrize(
    ("line", "issue"),
    [
        ("21440109300015,Asso,abc,,,,", ("type-error", "number", ("montant",))),
        ("21440109300015,Asso,1,2026-03-01,,,", ("type-error", "date %d/%m/%Y", ("jour",))),
        ("21440109300015,Asso,1,,oui,,", ("type-error", "boolean", ("actif",))),
        ("21440109300015,Asso,1,,,a.fr,", ("type-error", "format", ("courriel",))),
        ("21440109300015,Asso,-1,,,,", ("constraint-error", "minimum", ("montant",))),
        ("21440109300015,Asso,101,,,,", ("constraint-error", "maximum", ("montant",))),
        ("21440109300015,Association,1,,,,", ("constraint-error", "maxLength", ("nom",))),
        ("21440109300015,Asso,,,,,", ("constraint-error", "required", ("montant",))),
        ("21440109300016,Asso,1,,,,", ("french-siret-value", "french-siret-value", ("siret",))),
        ("21440109300015,,1,,,,", ("one-of-required", "one-of-required", ("nom", "rna"))),
        ("21440109300015,Asso,1,,,", ("row-error", "line", ())),
        (",,,,,,", ("blank-row", "row", ())),
    ],
)
def test_each_kind_of_fault_is_told_once_with_its_column_and_row(
    schema: Path, line: str, issue: tuple[str, str, tuple[str, ...]]
) -> None:
    text = GOOD.splitlines()[0] + f"\n73282932000074,Mairie,1,,,,\n{line}\n"
    assert _issues(schema, text) == {("error", *issue, (3,))}


def test_a_row_with_an_unreadable_cell_is_checked_in_its_other_cells(schema: Path) -> None:
    text = GOOD.splitlines()[0] + "\n21440109300015,Association,abc,,,,\n"
    assert {issue[1] for issue in _issues(schema, text)} == {"type-error", "constraint-error"}


def test_only_a_required_column_must_be_there_and_the_order_is_free(schema: Path) -> None:
    assert _issues(schema, "montant,siret,nom,note\n1,21440109300015,Asso,x\n") == {
        *(("warning", "missing-label", "column", (name,), ()) for name in ("jour", "actif", "courriel", "rna")),
        ("warning", "extra-label", "column", ("note",), ()),
        ("warning", "incorrect-label", "order", (), ()),
    }
    found = _found(schema, "siret,nom\n21440109300015,Asso\n")
    assert not found.valid
    assert [one.columns for one in found.issues if one.level == "error"] == [("montant",)]


def test_a_missing_column_is_a_missing_value_for_the_checks_across_columns(schema: Path) -> None:
    text = "siret,montant\n21440109300015,1\n"
    assert ("error", "one-of-required", "one-of-required", ("nom", "rna"), (2,)) in _issues(schema, text)


def test_a_repeated_key_is_told_where_it_stands_again(schema: Path) -> None:
    line = GOOD.splitlines()[1]
    assert _issues(schema, GOOD + line + "\n") == {("error", "primary-key", "primaryKey", ("siret",), (3,))}


def test_two_bounds_of_one_column_are_told_apart(schema: Path) -> None:
    text = GOOD + "73282932000074,Asso,-1,,,,\n35600000049837,Asso,200,,,,\n"
    rows = {rule: rows for _, _, rule, _, rows in _issues(schema, text)}
    assert rows == {"minimum": (3,), "maximum": (4,)}


def test_a_file_that_is_no_table_is_not_valid(schema: Path) -> None:
    for text in ("", "<html>Erreur 404</html>", "a,a\n1,2\n", "autre,chose\n1,2\n"):
        assert not _found(schema, text).valid, text


def test_a_file_without_rows_is_valid_as_it_is_for_validata(schema: Path) -> None:
    found = _found(schema, GOOD.splitlines()[0] + "\n")
    assert found.valid
    assert found.rows == 0


def test_a_schema_that_asks_what_cannot_be_checked_is_refused_with_its_line(tmp_path: Path) -> None:
    for field, why in (
        ({"name": "a", "constraints": {"pattern": "(?=x)"}}, "RE2"),
        ({"name": "a", "type": "nombre"}, "number"),
        ({"name": "a", "format": "emial"}, "email"),
    ):
        with pytest.raises(DeclarationErrors, match=rf"schema\.json:[1-9]\d*: .*{why}"):
            validating.schema_at(str(_schema(tmp_path, {"fields": [field]})), Path())
    unknown = {"fields": [{"name": "a"}], "custom_checks": [{"name": "french-siret", "params": {"column": "a"}}]}
    with pytest.raises(DeclarationErrors, match="french-siret-value"):
        validating.schema_at(str(_schema(tmp_path, unknown)), Path())
    with pytest.raises(OdpError, match="cannot be read"):
        validating.schema_at(str(tmp_path / "none.json"), Path())


def test_a_reference_to_another_file_is_told_as_not_checked(tmp_path: Path) -> None:
    keys = [{"fields": "siret", "reference": {"resource": "associations", "fields": "siret"}}]
    found = _found(_schema(tmp_path, SCHEMA | {"foreignKeys": keys}), GOOD)
    assert found.valid
    [told] = found.issues
    assert (told.level, told.code, told.message) == (
        "warning", "foreign-key", "siret refers to the file associations: not checked"
    )  # fmt: skip


def test_a_schema_that_was_taken_into_the_town_is_named(tmp_path: Path) -> None:
    pinned.take(tmp_path, "scdl/essai@1.0", json.dumps(SCHEMA).encode(), "https://schema.example/essai.json")
    (tmp_path / "file.csv").write_text(GOOD)
    assert validating.validate(tmp_path / "file.csv", validating.schema_at("scdl/essai@1.0", tmp_path)).valid
    with pytest.raises(DeclarationErrors, match="was never taken"):
        validating.schema_at("scdl/essai@2.0", tmp_path)


def test_the_command_says_invalid_with_status_3_and_never_the_value_of_a_cell(schema: Path) -> None:
    file = schema.with_name("file.csv")
    header = GOOD.splitlines()[0]
    cells = "\n".join(",".join(CANARY for _ in range(7)) for _ in range(3))
    file.write_text(f"{header}\n{cells}\n{CANARY}\n,,,,,,\n")
    for how in ((), ("--json",), ("--sarif",), ("--junit",)):
        ran = CliRunner().invoke(app, ["validate", str(file), "--schema", str(schema), *how])
        assert ran.exit_code == 3
        assert "type-error" in ran.output
        assert CANARY not in ran.output
    file.write_text(GOOD)
    ran = CliRunner().invoke(app, ["validate", str(file), "--schema", str(schema)])
    assert (ran.exit_code, ran.output.split(":")[0]) == (0, "valid")


def test_other_tools_read_what_is_told(schema: Path) -> None:
    from odpipeline.validating import outputs

    found = _found(schema, GOOD + "73282932000074,Asso,-1,,,,\n")
    assert outputs.as_json(found)["errors"] == 1
    sarif = outputs.as_sarif(found)
    [told] = sarif["runs"][0]["results"]
    assert told["ruleId"] in {rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]}
    assert told["locations"][0]["physicalLocation"]["region"]["startLine"] == 3
    junit = etree.fromstring(outputs.as_junit(found).encode())
    assert junit.get("failures") == "1"
    assert len(junit.findall(".//testcase")) == int(junit.get("tests") or 0) == len(found.results)
    failed = junit.findall(".//testcase[failure]")
    assert [case.get("name") for case in failed] == ["montant constraint-error minimum"]
