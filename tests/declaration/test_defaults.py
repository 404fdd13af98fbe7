"""`defaults` of town.yaml fill what a dataset does not say, key by key; `explain` tells where each value is from."""

import pytest

from odpipeline.declaration import explain
from tests.declaration.conftest import PARKINGS

DPO = "dpo: dpo@ville.example\n"
DEFAULTS = DPO + "defaults:\n  licence: ODbL-1.0\n  quality: {quarantine: 3 %}\n  themes: [TRAN, GOVE]\n"


def test_a_default_is_taken(town):
    town.town((DPO, DEFAULTS))
    dataset = town.dataset()
    assert (dataset.licence, dataset.quality.quarantine, dataset.themes) == ("ODbL-1.0", 0.03, ("TRAN", "GOVE"))


def test_what_the_dataset_says_goes_before_and_mappings_are_merged(town):
    town.town((DPO, DEFAULTS))
    town.write("expectations/s.json", '{"expectations": []}')
    said = "personal_data: none\nthemes: [ENVI]\nquality: {suite: expectations/s.json}\n"
    town.parkings(("personal_data: none\n", said))
    dataset = town.dataset()
    assert dataset.themes == ("ENVI",)
    assert (dataset.quality.suite, dataset.quality.quarantine) == ("expectations/s.json", 0.03)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("title: Jeu", "'title' can have no default; say it in each dataset and remove it here"),
        ("personal_data: none", "'personal_data' can have no default; say it in each dataset and remove it here"),
        ("licens: etalab-2.0", "unknown key 'licens' in defaults; did you mean 'licence'?"),
    ],
)
def test_a_key_that_can_be_no_default(town, line, message):
    town.town((DPO, f"{DPO}defaults:\n  {line}\n"))
    assert town.faults() == [f"town.yaml:5: {message}"]


def test_a_faulty_default_is_one_fault_at_its_own_line(town):
    town.town((DPO, f"{DPO}defaults:\n  shrink: beaucoup\n  themes: [TRANS]\n"))
    town.parkings(file="assets/a/autre.yaml")
    assert town.faults() == [
        "town.yaml:5: shrink: a share is a percentage from 0 % to 100 %, sign included: 2 %, ≤ 0.5 %"
    ]
    town.town((DPO, f"{DPO}defaults:\n  themes: [TRANS]\n"))
    assert town.faults() == ["town.yaml:5: unknown theme 'TRANS'; did you mean 'TRAN'?"]


def test_a_faulty_default_shows_without_any_dataset(town):
    (town.root / "assets/mobilite/parkings.yaml").unlink()
    town.town((DPO, f"{DPO}defaults:\n  shrink: beaucoup\n"))
    assert town.faults() == [
        "town.yaml:5: shrink: a share is a percentage from 0 % to 100 %, sign included: 2 %, ≤ 0.5 %"
    ]


def test_explain_tells_values_and_origins(town):
    town.town((DPO, DEFAULTS))
    town.parkings(("personal_data: none\n", 'personal_data: none\nschedule: "*/5 * * * *"\nretention: 7 days\n'))
    rows = explain(town.dataset())
    assert ("title", "Parkings", "assets/mobilite/parkings.yaml:1") in rows
    assert ("licence", "ODbL-1.0", "town.yaml:5") in rows
    assert ("quality.quarantine", "3 %", "town.yaml:6") in rows
    assert ("themes", "[TRAN, GOVE]", "town.yaml:7") in rows
    assert ("source.http", "/v1/parkings", "assets/mobilite/parkings.yaml:4") in rows
    assert ("source.timeout", "1 min", "default") in rows
    assert ("fields[places]", "{type: integer}", "assets/mobilite/parkings.yaml:7") in rows
    assert ("schedule", '"*/5 * * * *"', "assets/mobilite/parkings.yaml:11") in rows
    assert ("retention", "7 days", "assets/mobilite/parkings.yaml:12") in rows
    assert ("shrink", "20 %", "default") in rows
    assert not any(value in ("null", "[]", "{}") for _, value, _ in rows)


def test_explain_names_the_schema_file(town):
    fields = PARKINGS[PARKINGS.index("fields:") : PARKINGS.index("key:")]
    town.write("schemas/p.json", '{"fields": [{"name": "id"}]}')
    town.parkings((fields, "schema: schemas/p.json\n"))
    assert ("fields[id]", "{type: string}", "schemas/p.json") in explain(town.dataset())
