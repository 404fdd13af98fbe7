"""What editors and readers get says exactly what is read."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from odpipeline.declaration import editors
from tests.declaration.conftest import AIDES, PARKINGS, TOWN

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", editors.SCHEMAS)
def test_the_schemas_are_json_schema_2020_12(part):
    schema = editors.SCHEMAS[part]()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("text", [PARKINGS, AIDES], ids=["parkings", "aides"])
def test_a_valid_dataset_is_valid_for_the_editor(text):
    jsonschema.validate(yaml.safe_load(text), editors.dataset_schema())


def test_a_valid_town_is_valid_for_the_editor():
    jsonschema.validate(yaml.safe_load(TOWN) | {"defaults": {"shrink": "5 %"}}, editors.town_schema())


@pytest.mark.parametrize(
    "change",
    [{"licens": 1}, {"personal_data": "perhaps"}, {"shrink": 0.5}, {"retention": "7 dayz"}, {"schema": "s.json"},
     {"source": {"ftp": "x"}}],
)  # fmt: skip
def test_the_editor_refuses_what_the_reader_refuses(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(PARKINGS) | change, editors.dataset_schema())


def test_the_editor_refuses_a_default_that_cannot_be_one():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(TOWN) | {"defaults": {"title": "x"}}, editors.town_schema())


def test_every_key_is_described_for_the_editor():
    for part in editors.SCHEMAS.values():
        schema = part()
        for name, model in [("", schema), *schema["$defs"].items()]:
            for key, said in model.get("properties", {}).items():
                described = said if "$ref" not in said else schema["$defs"][said["$ref"].rsplit("/", 1)[1]]
                assert said.get("description") or described.get("description"), f"{name}.{key}"


def test_the_reference_has_not_drifted():
    assert (ROOT / "docs/reference/declaration.md").read_text("utf-8") == editors.reference(), "run `make docs`"


def test_the_reference_has_every_key_with_its_type_and_default():
    text = editors.reference()
    assert "| `k` | whole number |  | The least number of rows in an equivalence class. |" in text
    assert "| `shrink` | share | `20 %` |" in text
    assert "| `owner` | mail address | **mandatory** |" in text
    assert "| `timeout` | duration | `60 s` |" in text
