"""A Table Schema file stands for `fields`, `missing_values` and `key`."""

import json

import pytest

from odpipeline.declaration import read_town
from odpipeline.declaration.table_schema import as_re2
from odpipeline.errors import DeclarationErrors

FIELDS = """\
fields:
  - {name: id, type: string}
  - {name: places, type: integer}
  - {name: releve_le, type: datetime}
key: [id]
"""

SCHEMA = {
    "$schema": "https://specs.frictionlessdata.io/schemas/table-schema.json",
    "fields": [
        {"name": "id", "type": "string", "example": "P1", "constraints": {"required": True, "maxProperties": 3}},
        {"name": "places", "type": "integer", "title": "Places", "constraints": {"minimum": "0"}},
    ],
    "missingValues": ["", "NA"],
    "primaryKey": "id",
}


def spoilt(town, schema):
    town.write("schemas/p.json", schema if isinstance(schema, (str, bytes)) else json.dumps(schema, indent=1))
    town.parkings((FIELDS, "schema: schemas/p.json\n"))


def test_the_words_we_act_on_are_kept(town):
    spoilt(town, SCHEMA)
    dataset = town.dataset()
    assert [field.name for field in dataset.fields] == ["id", "places"]
    assert dataset.fields[0].constraints.required
    assert dataset.fields[1].constraints.minimum == 0
    assert (dataset.missing_values, dataset.key) == (("", "NA"), ("id",))


def test_what_the_dataset_says_itself_goes_before(town):
    town.write("schemas/p.json", json.dumps(SCHEMA))
    town.parkings((FIELDS, "schema: schemas/p.json\nkey: [places]\n"))
    assert town.dataset().key == ("places",)
    assert town.dataset().place("key") == "assets/mobilite/parkings.yaml:6"


def test_the_line_of_the_fields_is_that_of_the_schema_key(town):
    spoilt(town, SCHEMA)
    assert town.dataset().place("fields", 1, "name") == "assets/mobilite/parkings.yaml:5"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"fields": [\n  {"name": }]}', ("schemas/p.json:2: the schema is not JSON (Expecting value); mend it or "
                                         "download it again")),
        (b'{"fields":\n "\xe9"}', "schemas/p.json:2: the schema is not UTF-8; save it in UTF-8"),
        ("[]", 'schemas/p.json: not a Table Schema; it must hold a list of "fields", each with its "name"'),
        ({"fields": []}, 'schemas/p.json: not a Table Schema; it must hold a list of "fields", each with its "name"'),
        ({"fields": ["id"]}, ('schemas/p.json: not a Table Schema; it must hold a list of "fields", each '
                             'with its "name"')),
        ("[" * 20_000, "schemas/p.json: the schema is nested too deeply; a Table Schema has few levels"),
    ],
    ids=range(6),
)  # fmt: skip
def test_a_broken_schema_is_one_fault_of_its_own_file(town, schema, message):
    spoilt(town, schema)
    assert town.faults() == [message]


def test_a_fault_in_the_schema_has_its_line_there(town):
    spoilt(town, {"fields": [{"name": "id"}, {"name": "places", "type": "entier"}]})
    (fault,) = town.faults()
    assert fault.startswith("schemas/p.json:8: fields[places].type: expected one of string, integer")


def test_a_key_of_the_schema_that_is_no_field(town):
    spoilt(town, SCHEMA | {"primaryKey": ["idd"]})
    (fault,) = town.faults()
    assert fault.startswith("schemas/p.json:")
    assert fault.endswith("unknown column 'idd' in key; did you mean 'id'?")


def test_a_missing_schema(town):
    town.parkings((FIELDS, "schema: schemas/p.json\nkey: [id]\n"))
    assert town.faults() == [
        (
            "assets/mobilite/parkings.yaml:5: there is no Table Schema file 'schemas/p.json' in the "
            "town; give its path "
            "relative to town.yaml, or its name, such as scdl/subventions@2.1"
        )
    ]


def test_fields_and_schema_are_one_too_many(town):
    town.write("schemas/p.json", json.dumps(SCHEMA))
    town.parkings(("fields:", "schema: schemas/p.json\nfields:"))
    assert town.faults() == [
        "assets/mobilite/parkings.yaml:5: `schema` and `fields` say the same thing; keep one of them"
    ]


def test_neither_fields_nor_schema(town):
    town.parkings((FIELDS, ""))
    assert town.faults() == [
        (
            "assets/mobilite/parkings.yaml:1: the key 'fields' is missing in dataset; add it: The Table "
            "Schema's fields, in "
            "published order"
        )
    ]


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [(r"[\u00C0-\u00FF]", r"[\x{00C0}-\x{00FF}]"), (r"[\–\’]+", "[–’]+"), (r"\\u00C0\d\.", r"\\u00C0\d\.")],
)
def test_patterns_of_schemas_are_put_into_re2_s_spelling(pattern, spelled):
    assert as_re2(pattern) == spelled


def test_the_national_schemas_are_read(real, tmp_path, town):
    for number, file in enumerate(sorted((real / "schemas").rglob("*.json"))):
        content = file.read_bytes()
        if "fields" not in json.loads(content):
            continue
        town.write(f"schemas/s{number}.json", content)
        town.parkings((FIELDS, f"schema: schemas/s{number}.json\n"), file=f"assets/reel/s{number}.yaml")
    with pytest.raises(DeclarationErrors) as caught:
        read_town(tmp_path)
    # all that is left: back-references, which RE2 does not have, and foreign keys to what this town does not publish
    left = [fault.what for fault in caught.value.faults if "RE2 cannot compile" not in fault.what]
    assert {what.split(";")[0] for what in left} == {
        "unknown dataset 'operation-amenagement'", "unknown dataset 'secteur'",
    }  # fmt: skip
    assert len({fault.file for fault in caught.value.faults}) < 10
