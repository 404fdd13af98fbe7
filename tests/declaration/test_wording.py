"""Pydantic's errors in a person's words, whatever the type of error."""

import pytest

from odpipeline.declaration.source import KINDS

WRONG = [
    (("personal_data: none", "personal_data: none\nlicens: etalab-2.0"),
     11, "unknown key 'licens' in dataset; did you mean 'licence'?"),
    (("personal_data: none", "personal_data: none\nfreshness: {colum: releve_le}"),
     11, "unknown key 'colum' in freshness; did you mean 'column'?"),
    (("personal_data: none", "personal_data: none\nquality: {zzz: 1}"),
     11, "unknown key 'zzz' in quality; known: suite, quarantine, failing_rows, territory, over_time"),
    (("system: api", "systm: api"), 4, "unknown key 'systm' in source; did you mean 'system'?"),
    (("{name: id, type: string}", "{name: id, constraints: {requird: true}}"),
     6, "unknown key 'requird' in fields[id].constraints; did you mean 'required'?"),
    (("{name: id, type: string}", "{type: string}"),
     6, ("the key 'name' is missing in fields[1]; add it: The published column's name: no blanks, and no underscore in "
        "front")),
    (("title: Parkings", "title: 2024"), 1, "title: expected a text (put a number or a code in quotes)"),
    (("owner: parkings@ville.example", "owner: parkings"),
     3, "owner: expected one mail address, such as parkings@ville.example"),
    (("name: id", "name: _id"), 6, ("fields[_id].name: expected a column name without blanks and without an underscore "
                                   "in front")),
    (("key: [id]", "key: id"), 9, "key: expected a list, such as [a, b]"),
    (("personal_data: none", "personal_data: nnone"),
     10, "personal_data: expected one of none, present; did you mean 'none'?"),
    (("personal_data: none", "personal_data: none\nformat: csv"),
     11, "format: expected keys such as {type: …} or {encoding: …}"),
    (("personal_data: none", "personal_data: none\nformat: {ignore_rows: [a]}"),
     11, "format.ignore_rows: expected keys and values, such as {key: value}"),
    (("personal_data: none", "personal_data: none\nformat: {header_row: 0}"),
     11, "format.header_row: expected at least 1"),
    (("personal_data: none", "personal_data: none\nformat: {header_rows: 9}"),
     11, "format.header_rows: expected at most 5"),
    (("personal_data: none", "personal_data: none\nformat: {header_row: deux}"),
     11, "format.header_row: expected a whole number"),
    (("personal_data: none", "personal_data: none\nformat: {header_row: 1.5}"),
     11, "format.header_row: expected a whole number"),
    (("type: integer", "type: integer, constraints: {required: certes}"),
     7, "fields[places].constraints.required: expected true or false"),
    (("type: integer", "type: integer, constraints: {minimum: [0]}"),
     7, "fields[places].constraints.minimum: expected a whole number or a number or a text"),
    (("type: integer", 'type: integer, decimalChar: "::"'),
     7, "fields[places].decimalChar: expected a text of at most 1 character(s)"),
    (("personal_data: none", "personal_data: none\nretention: 7 dayz"),
     11, "retention: a duration is a whole number and a unit: 20 min, 36 h, 7 days, 5 weeks"),
    (("personal_data: none", "personal_data: none\nshrink: 0.5"),
     11, "shrink: a share is a percentage from 0 % to 100 %, sign included: 2 %, ≤ 0.5 %"),
    (("personal_data: none", "personal_data: none\nshrink: 120 %"),
     11, "shrink: a share is a percentage from 0 % to 100 %, sign included: 2 %, ≤ 0.5 %"),
    (("{http: /v1/parkings, system: api}", "{ftp: /v1}"),
     4, f"source: a source names exactly one kind as a key: {', '.join(KINDS)}"),
    (("{http: /v1/parkings, system: api}", "{http: /v1, sql: SELECT 1}"),
     4, f"source: a source names exactly one kind as a key: {', '.join(KINDS)}"),
    (("{http: /v1/parkings, system: api}", "{http: /v1, system: api, auth: {bearer: s3cr3t-value}}"),
     4, "source.auth.bearer: expected the name of an environment variable in capitals, such as ODP_TOKEN, "  # noqa: ISC004
        "never a secret"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "line", "message"), WRONG, ids=[message[:60] for *_, message in WRONG])
def test_a_fault_says_what_is_expected(town, change, line, message):
    town.parkings(change)
    assert f"assets/mobilite/parkings.yaml:{line}: {message}" in town.faults()


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("hash", ("privacy.columns.age: expected one of keep, drop or keys such as {pseudonymise: …} or "
                 "{generalise: …}")),
        ("kep", ("privacy.columns.age: expected one of keep, drop or keys such as {pseudonymise: …} or "
                 "{generalise: …}; "
                "did you mean 'keep'?")),
        ("{pseudonym: {}}", "unknown key 'pseudonym' in privacy.columns.age; did you mean 'pseudonymise'?"),
        ("{generalise: {bands: dix}}", "privacy.columns.age.generalise.bands: expected a whole number"),
        ("{generalise: year}", "privacy.columns.age.generalise: expected keys such as {bands: …} or {hierarchy: …}"),
    ],
)  # fmt: skip
def test_of_several_kinds_only_the_one_that_was_meant_is_worded(town, role, message):
    town.aides(("{generalise: {bands: 10}}", role))
    assert town.faults() == [f"assets/social/aides.yaml:12: {message}"]


def test_columns_named_like_keys_confuse_nothing(town):
    town.aides(("age: {generalise: {bands: 10}}", "age: {generalise: {bands: 10}}, generalise: {pseudo: {}}"))
    assert town.faults() == [
        "assets/social/aides.yaml:12: unknown key 'pseudo' in privacy.columns.generalise; did you mean 'pseudonymise'?"
    ]


def test_a_list_whose_items_are_faulty_is_not_called_empty(town):
    town.parkings(
        ("  - {name: places, type: integer}\n  - {name: releve_le, type: datetime}\n", ""), ("name: id", "nam: id")
    )
    assert [fault for fault in town.faults() if "at least 1" in fault] == []


def test_an_empty_list_of_fields_is_one_fault(town):
    text = (town.root / "assets/mobilite/parkings.yaml").read_text()
    town.write("assets/mobilite/parkings.yaml", text.split("fields:")[0] + "fields: []\npersonal_data: none\n")
    assert town.faults() == ["assets/mobilite/parkings.yaml:5: fields: expected a list of at least 1"]


def test_no_message_shows_where_pydantic_explains_its_errors(town):
    for change, *_ in WRONG:
        town.parkings(change)
        assert not any("pydantic" in fault or "http://" in fault or "https://err" in fault for fault in town.faults())


def test_a_value_is_never_repeated_where_it_could_be_a_secret(town):
    town.parkings(("system: api", "system: api, auth: {bearer: s3cr3t-value}"))
    assert "s3cr3t" not in "\n".join(town.faults())
