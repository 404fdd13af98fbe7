"""Constraints fit the type of their field, and patterns are RE2."""

import pytest

FITTING = [
    "type: integer, constraints: {minimum: 0, maximum: 10}",
    "type: number, constraints: {minimum: 0.5, enum: [1, 2.5]}",
    "type: date, constraints: {minimum: 2020-01-01, maximum: 2026-12-31}",
    "type: datetime, constraints: {minimum: 2020-01-01T00:00:00Z}",
    "type: yearmonth, constraints: {minimum: 2020-01}",
    'type: time, constraints: {maximum: "12:30:00"}',
    'type: string, constraints: {enum: ["01", 2A], minLength: 2, maxLength: 2, pattern: "[0-9A-Z]{2}"}',
    "type: boolean, constraints: {enum: [true]}",
]

UNFIT = [
    ('type: integer, constraints: {minimum: "0"}', ("minimum of 'places' must be a number without quotes, because the "
                                                   "field's type is integer")),
    ("type: integer, constraints: {minimum: 5, maximum: 4}",
     "minimum of 'places' is greater than maximum; no value could be right"),
    ("type: date, constraints: {minimum: 01/01/2020}",
     "minimum of 'places' must be an ISO 8601 date, because that is the field's type"),
    ("type: date, constraints: {minimum: 20200101}",
     "minimum of 'places' must be in quotes, because the field's type is date"),
    ("type: string, constraints: {minimum: 0}",
     ("minimum of 'places' needs an order, and values of type string have none; remove it, or give the field another "
     "type")),
    ("type: integer, constraints: {minLength: 2}",
     "minLength of 'places' is for texts, and the field's type is integer; remove it, or make the type string"),
    ('type: integer, constraints: {pattern: "1+"}',
     "pattern of 'places' is for texts, and the field's type is integer; remove it, or make the type string"),
    ("type: string, constraints: {minLength: 3, maxLength: 2}",
     "minLength of 'places' is greater than maxLength; no value could be right"),
    ("type: string, constraints: {enum: []}", "enum of 'places' is empty; list the values allowed, or remove it"),
    ("type: string, constraints: {enum: [a, 2]}",
     "enum of 'places' must hold texts in quotes, because the field's type is string"),
    ("type: integer, constraints: {enum: [1, deux]}",
     "enum of 'places' must be a number without quotes, because the field's type is integer"),
    ("type: boolean, constraints: {enum: [oui]}",
     "enum of 'places' must hold true or false only, because the field's type is boolean"),
]  # fmt: skip


@pytest.mark.parametrize("field", FITTING)
def test_constraints_that_fit(town, field):
    town.parkings(("type: integer", field))
    town.read()


@pytest.mark.parametrize(("field", "message"), UNFIT)
def test_constraints_that_do_not_fit(town, field, message):
    town.parkings(("type: integer", field))
    assert town.faults() == [f"assets/mobilite/parkings.yaml:7: {message}"]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("^a(?=b)$", "invalid perl operator"), (r"(a)\\1", "invalid escape sequence"), ("(", "missing )")],
)
def test_a_pattern_that_re2_cannot_compile(town, pattern, reason):
    town.parkings(("{name: id, type: string}", f'{{name: id, constraints: {{pattern: "{pattern}"}}}}'))
    assert town.faults() == [
        (
            f"assets/mobilite/parkings.yaml:6: pattern of 'id' is not usable: RE2 cannot compile it "
            f"({reason}); write it "
            r"without look-around (?=…) and back-reference (\1)"
        )
    ]


def test_a_pattern_may_hold_quotes(town):
    town.parkings(("{name: id, type: string}", """{name: id, constraints: {pattern: "l'[a-z]+; DROP"}}"""))
    town.read()


def test_patterns_of_ignored_rows_are_re2_too(town):
    town.parkings(("personal_data: none", 'personal_data: none\nformat: {ignore_rows: {id: "(?!x)"}}'))
    assert town.faults()[0].startswith(
        "assets/mobilite/parkings.yaml:11: format.ignore_rows of 'id' is not usable: RE2 cannot compile it"
    )
