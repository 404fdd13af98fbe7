"""A town is read whole: typed, sorted, with lines, and from the folder that is named."""

from datetime import timedelta
from pathlib import Path

import pytest

from odpipeline.declaration import read_town
from odpipeline.declaration.source import HttpSource
from odpipeline.errors import DeclarationErrors, OdpError


def test_a_minimal_town_is_read(town):
    dataset = town.dataset()
    assert (dataset.id, dataset.theme_folder) == ("parkings", "mobilite")
    assert dataset.file == Path("assets/mobilite/parkings.yaml")
    assert isinstance(dataset.source, HttpSource)
    assert dataset.root == town.root.resolve()
    assert dataset.retention == timedelta(days=30)


def test_datasets_stand_in_the_order_of_their_ids(town):
    town.parkings(file="assets/a/zoo.yaml")
    town.parkings(file="assets/z/abeilles.yaml")
    assert [dataset.id for dataset in town.read().datasets] == ["abeilles", "parkings", "zoo"]


def test_an_unknown_dataset_names_the_known_ones(town):
    with pytest.raises(OdpError, match=r"there is no dataset 'parking'; the town has: parkings"):
        town.read().dataset("parking")


def test_every_key_has_its_line(town):
    dataset = town.dataset()
    assert dataset.line("source") == 4
    assert dataset.line("fields", 1, "type") == 7
    assert dataset.place("key") == "assets/mobilite/parkings.yaml:9"
    assert dataset.line("freshness", "column") == 1, "what is not said stands at the top"


def test_a_quoted_cron_is_read(town):
    town.parkings(("key: [id]", 'key: [id]\nschedule: "*/5 * * * *"'))
    assert town.dataset().schedule == "*/5 * * * *"


def test_without_town_yaml_the_remedy_is_odp_init(tmp_path):
    with pytest.raises(DeclarationErrors) as caught:
        read_town(tmp_path)
    assert str(caught.value) == (
        "town.yaml: there is no town.yaml in this folder; go to your town's folder, or make one with "
        "`odp init <folder>`"
    )


def test_a_town_without_datasets_is_a_town(town):
    (town.root / "assets/mobilite/parkings.yaml").unlink()
    assert town.read().datasets == ()


def test_all_faults_of_all_files_come_at_once_in_their_order(town):
    town.town(("dpo: dpo@ville.example", "dpo: nobody"))
    town.parkings(("title: Parkings", "titel: Parkings"), ("type: integer", "type: int"))
    town.parkings(("personal_data: none\n", ""), file="assets/a/autre.yaml")
    assert town.faults() == [
        "assets/a/autre.yaml:1: the key 'personal_data' is missing in dataset; add it: `none` or `present`",
        (
            "assets/mobilite/parkings.yaml:1: the key 'title' is missing in dataset; add it: "
            "The title that citizens read, in French"
        ),
        "assets/mobilite/parkings.yaml:1: unknown key 'titel' in dataset; did you mean 'title'?",
        (
            "assets/mobilite/parkings.yaml:7: fields[places].type: expected one of string, integer, "
            "number, boolean, date, "
            "datetime, time, year, yearmonth, duration, geopoint, geojson, array, object, any; did you mean 'integer'?"
        ),
        "town.yaml:3: dpo: expected one mail address, such as parkings@ville.example",
    ]


def test_the_sample_town_is_valid():
    root = Path(__file__).resolve().parents[2]
    assert len(read_town(root).datasets) >= 8
