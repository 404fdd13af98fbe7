"""Text → values: what each Table Schema type reads, and what it leaves to the quarantine."""

from datetime import date, datetime, time

import pytest

PARIS = {"timezone": "Europe/Paris"}
at = datetime  # without a zone, which conformed columns do not have: they are in UTC


def cell(read, text, field, **said):
    quoted = '"' + text.replace('"', '""') + '"'
    return read(f"v,k\n{quoted},1\n", [{"name": "v"} | field, "k"], quality={"quarantine": "100 %"}, **said)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "-7", -7),
        ({"type": "integer"}, "+7", 7),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "integer"}, "12.0", 12),
        ({"type": "integer"}, "1 234", 1234),
        ({"type": "integer"}, "1\u00a0234\u202f567", 1234567),
        ({"type": "integer", "groupChar": "."}, "1.234", None),  # the point is the decimal sign unless it is declared
        ({"type": "integer", "groupChar": ".", "decimalChar": ","}, "1.234", 1234),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, ".5", 0.5),
        ({"type": "number", "decimalChar": ","}, "1\u202f234,5", 1234.5),
        ({"type": "number", "decimalChar": ","}, "1234", 1234.0),
        ({"type": "number", "decimalChar": ",", "groupChar": "."}, "1.234,5", 1234.5),
        ({"type": "boolean"}, "oui", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "boolean", "trueValues": ["V"], "falseValues": ["F"]}, "F", False),
        ({"type": "date"}, "2026-02-28", date(2026, 2, 28)),
        ({"type": "date"}, "2026-02-28 00:00:00", date(2026, 2, 28)),
        ({"type": "date", "format": "%d/%m/%Y"}, "28/02/2026", date(2026, 2, 28)),
        ({"type": "datetime"}, "2026-02-28T12:30:00", at(2026, 2, 28, 12, 30)),
        ({"type": "datetime"}, "2026-02-28 12:30", at(2026, 2, 28, 12, 30)),
        ({"type": "datetime"}, "2026-02-28T12:30:00.250", at(2026, 2, 28, 12, 30, 0, 250000)),
        ({"type": "datetime"}, "2026-02-28T12:30:00Z", at(2026, 2, 28, 12, 30)),
        ({"type": "datetime"}, "2026-02-28T12:30:00+01:00", at(2026, 2, 28, 11, 30)),
        ({"type": "datetime"}, "2026-02-28T12:30+01", at(2026, 2, 28, 11, 30)),
        ({"type": "datetime"}, "2026-02-28T12:30:00+0130", at(2026, 2, 28, 11, 0)),
        ({"type": "datetime", "format": "%d/%m/%Y %H:%M"}, "28/02/2026 12:30", at(2026, 2, 28, 12, 30)),
        ({"type": "datetime", "format": "%d/%m/%Y %H:%M %z"}, "28/02/2026 12:30 +01", at(2026, 2, 28, 11, 30)),
        ({"type": "time"}, "08:30", time(8, 30)),
        ({"type": "time"}, "08:30:15", time(8, 30, 15)),
        ({"type": "time", "format": "%Hh%M"}, "08h30", time(8, 30)),
        ({"type": "year"}, "2026", 2026),
        ({"type": "yearmonth"}, "2026-12", "2026-12"),
        ({"type": "duration"}, "P1DT2H", "P1DT2H"),
        ({"type": "geopoint"}, "-0.57, 44.83", "-0.57, 44.83"),
        ({"type": "geopoint", "format": "array"}, "[-0.57,44.83]", "[-0.57,44.83]"),
        ({"type": "geopoint", "format": "object"}, '{"lon": -0.57, "lat": 44.83}', '{"lon": -0.57, "lat": 44.83}'),
        ({"type": "geojson"}, '{"type": "Point", "coordinates": [0, 1]}', '{"type": "Point", "coordinates": [0, 1]}'),
        ({"type": "array"}, "[1, 2]", "[1, 2]"),
        ({"type": "object"}, '{"a": 1}', '{"a": 1}'),
        ({"type": "string"}, " as it is ", " as it is "),
        ({"type": "any"}, "1,5", "1,5"),
    ],
)  # fmt: skip
def test_a_readable_cell_gets_its_value(read, field, text, value):
    found = cell(read, text, field)
    assert found.values == ([(value, "1")] if value is not None else [])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *[({"type": "integer"}, text) for text in ("12.5", "1e3", "1_000", "0x1F", "0xFFFFFFFFF")],
        *[({"type": "integer"}, text) for text in ("1 23", "douze", "9" * 19)],
        *[({"type": "number"}, text) for text in ("1,5", "12 %", "12 €", "inf", "nan", "1_0", "1e999")],
        *[({"type": "number"}, text) for text in ("1 23.5", "1..5")],
        *[({"type": "number", "decimalChar": ","}, text) for text in ("1.5", "1,5,6", "1.234")],
        *[({"type": "boolean"}, text) for text in ("peut-être", "2")],
        *[({"type": "date"}, text) for text in ("28/02/2026", "2026-02-30", "2026-02-28 10:00:00")],
        *[({"type": "date"}, text) for text in ("epoch", "infinity")],
        *[({"type": "date", "format": "%d/%m/%Y"}, text) for text in ("2026-02-28", "31/02/2026", "28/02/2026 !")],
        *[({"type": "datetime"}, text) for text in ("2026-02-28", "2026-02-28T25:00:00", "2026-02-28T12:30:00 Mars")],
        *[({"type": "time"}, text) for text in ("8h30", "25:00", "08:30:00+01")],
        *[({"type": "year"}, text) for text in ("26", "12.5", "2026.0", "20260")],
        *[({"type": "yearmonth"}, text) for text in ("2026-13", "2026", "2026-1")],
        *[({"type": "duration"}, text) for text in ("P", "PT", "1 jour", "P1DT")],
        *[({"type": "geopoint"}, text) for text in ("44.83, 190", "0", "0, 1, 2", "0, 91", "181, 0", "a, b")],
        *[({"type": "geopoint", "format": "array"}, text) for text in ("0, 1", "[0]")],
        *[({"type": "geojson"}, text) for text in ('{"type": "Cercle"}', "{", "[]")],
        *[({"type": "array"}, text) for text in ("{}", "[", "1")],
        *[({"type": "object"}, text) for text in ("[]", "{", "1")],
    ],
)  # fmt: skip
def test_an_unreadable_cell_goes_to_quarantine_with_its_rule(read, field, text):
    found = cell(read, text, field)
    rule = field["type"] + (f" {field['format']}" if "format" in field else "")
    assert found.quarantine == [(1, "v", rule, text)]
    assert found.counts == (1, 0, 1, 0)


def test_a_datetime_without_zone_is_in_the_declared_one(read):
    for text in ("2026-07-01T12:00:00", "2026-07-01 12:00", "2026-07-01T10:00:00Z"):
        assert cell(read, text, {"type": "datetime"}, format=PARIS).values == [(at(2026, 7, 1, 10), "1")]


def test_missing_values_come_before_typing_and_may_stand_between_blanks(read):
    text = "a;b;n\nn.d.;x;-1\n n.d. ; -1 ; -1 \n;;\n 7;z ;8\n"
    fields = [{"name": "a", "type": "integer"}, "b", {"name": "n", "type": "integer"}]
    found = read(text, fields, missing_values=["", "n.d.", "-1"])
    assert found.values == [(None, "x", None), (None, None, None), (None, None, None), (7, "z ", 8)]
    assert found.counts == (4, 4, 0, 0)


def test_an_empty_cell_is_a_text_where_no_spelling_means_missing(read):
    found = read("a,n\n,1\nx,\n", ["a", {"name": "n", "type": "integer"}], missing_values=[])
    assert found.values == [("", 1)]
    assert found.quarantine == [(2, "n", "integer", "")]
