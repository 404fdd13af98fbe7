"""Columns that are spoken of exist, are published, and have a fitting type."""

import pytest


def faults_of(town, *changes):
    town.parkings(*changes)
    return [fault.removeprefix("assets/mobilite/parkings.yaml:") for fault in town.faults()]


def test_an_unknown_key_column(town):
    assert faults_of(town, ("key: [id]", "key: [idd]")) == ["9: unknown column 'idd' in key; did you mean 'id'?"]


def test_a_key_column_twice(town):
    assert faults_of(town, ("key: [id]", "key: [id, id]")) == ["9: key: 'id' stands twice; keep one"]


def test_a_dropped_column_is_no_key(town):
    town.aides(("personal_data: present", "personal_data: present\nkey: [nom]"))
    assert town.faults() == [
        "assets/social/aides.yaml:11: key: 'nom' is dropped by privacy.columns; name a published column"
    ]


@pytest.mark.parametrize(
    ("freshness", "message"),
    [
        ("{data: 1 h, column: relevé}", "11: unknown column 'relevé' in freshness.column; did you mean 'releve_le'?"),
        ("{data: 1 h, column: places}",
         "11: freshness.column: 'places' is published as integer; name a date or datetime column"),
        ("{data: 1 h}", ("11: freshness.data promises an age, but nothing tells it; name the event's column in "
                        "freshness.column")),
    ],
)  # fmt: skip
def test_freshness_needs_an_event_column(town, freshness, message):
    assert faults_of(town, ("personal_data: none", f"personal_data: none\nfreshness: {freshness}")) == [message]


def test_a_text_tells_no_age(town):
    town.aides(
        ("{name: nom}", "{name: nom}\n  - {name: jour, type: string}"),
        ("nom: drop", "nom: drop, jour: keep"),
        ("personal_data: present", "personal_data: present\nfreshness: {data: 40 days, column: jour}"),
    )
    assert town.faults() == [
        ("assets/social/aides.yaml:12: freshness.column: 'jour' is published as string; name a date or datetime column")
    ]


def test_two_fields_of_one_name(town):
    assert faults_of(town, ("name: places", "name: id")) == ["7: the field 'id' stands twice; rename one of them"]


def test_names_that_differ_by_case_only(town):
    assert faults_of(town, ("name: places", "name: ID")) == [
        "7: the field 'ID' differs from 'id' by its case only; rename one of them"
    ]


def test_a_column_cannot_be_a_field_and_ignored(town):
    change = ("personal_data: none", "personal_data: none\nignored_columns: [autre, places]")
    assert faults_of(town, change) == ["11: ignored_columns: 'places' is also a field; keep it in one of the two"]


def test_ignored_rows_name_a_delivered_column(town):
    change = ("personal_data: none", 'personal_data: none\nformat:\n  ignore_rows: {plces: "^Total"}')
    assert faults_of(town, change) == ["12: unknown column 'plces' in format.ignore_rows; did you mean 'places'?"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("type: date, format: jour", ("the format of 'places' is a strptime pattern such as %d/%m/%Y, or `default` for "
                                     "ISO 8601")),
        ('type: number, decimalChar: ",", groupChar: ","',
         "decimalChar and groupChar of 'places' are the same sign; numbers could not be read"),
        ('type: boolean, trueValues: ["1"], falseValues: ["1"]',
         "1 spelling(s) of 'places' mean both true and false; keep each in one list"),
    ],
)  # fmt: skip
def test_spellings_that_cannot_be_read(town, field, message):
    assert faults_of(town, ("name: places, type: integer", f"name: places, {field}")) == [f"7: {message}"]


def test_an_unknown_time_zone_of_the_delivery(town):
    change = ("personal_data: none", "personal_data: none\nformat: {timezone: Europe/Pariss}")
    assert faults_of(town, change) == [
        "11: format.timezone: not a time zone of the tz database; write one such as Europe/Paris"
    ]
