"""GBFS feeds of every version: times and texts are spelled alike, absent lists are told."""

import json
from datetime import datetime

import pytest

from odpipeline.errors import ConformError

MOMENT = datetime.fromisoformat("2023-07-17T11:34:13")


def source(feed, **more):
    return {"gbfs": "https://velos.example/gbfs.json", "feed": feed} | more


def feed(records, key="stations", last_updated=1689593653):
    return json.dumps({"last_updated": last_updated, "ttl": 0, "data": {key: records}}, ensure_ascii=False)


@pytest.mark.parametrize("moment", [1689593653, "1689593653", "2023-07-17T13:34:13+02:00"])
def test_times_of_every_version_are_read(read, moment):
    found = read(
        feed([{"station_id": "a", "last_reported": moment}], last_updated=moment),
        ["station_id", {"name": "last_reported", "type": "datetime"}, {"name": "feed_timestamp", "type": "datetime"}],
        source=source("station_status"),
    )
    assert found.values == [("a", MOMENT, MOMENT)]


def test_a_time_that_is_none_goes_to_quarantine(read):
    found = read(
        feed([{"station_id": "a", "last_reported": "hier"}, {"station_id": "b", "last_reported": None}]),
        ["station_id", {"name": "last_reported", "type": "datetime"}],
        source=source("station_status"), quality={"quarantine": "50 %"},
    )  # fmt: skip
    assert found.values == [("b", None)]
    assert found.quarantine == [(1, "last_reported", "datetime", "hier")]


def test_the_feed_s_time_is_no_new_column_for_those_who_do_not_declare_it(read):
    found = read(feed([{"station_id": "a"}]), ["station_id"], source=source("station_status"))
    assert [finding.rule for finding in found.conformed.findings] == ["quarantine_ceiling"]


@pytest.mark.parametrize("yes", [True, 1])
def test_booleans_of_1_0_are_numbers(read, yes):
    found = read(feed([{"ok": yes}]), [{"name": "ok", "type": "boolean"}], source=source("station_status"))
    assert found.values == [(True,)]


TEXTS = [{"text": "Town hall", "language": "en"}, {"text": "Mairie « centre »", "language": "fr"}]


@pytest.mark.parametrize(
    ("name", "language", "shown"),
    [
        (TEXTS, None, "Mairie « centre »"),
        (TEXTS, "en", "Town hall"),
        (TEXTS, "de", "Mairie « centre »"),
        (TEXTS[:1], None, "Town hall"),
        ("Mairie", None, "Mairie"),
        ("[{ nom bizarre", None, "[{ nom bizarre"),
    ],
    ids=["French first", "as declared", "not in that language", "only one", "2.x", "a text like a list"],
)
def test_a_text_is_in_the_best_language(read, name, language, shown):
    said = source("station_information", **({"language": language} if language else {}))
    assert read(feed([{"name": name}]), ["name"], source=said).values == [(shown,)]


def test_real_names_of_version_3_are_texts(read, real):
    delivered = (real / "gbfs" / "station_information.3.0.json").read_bytes()
    found = read(delivered, ["name", {"name": "lat", "type": "number"}], source=source("station_information"))
    assert found.values == [("Parking garage A", 12.345678), ("SE Belmont & SE 10th", 45.516445)]


def test_other_lists_stay_json(read):
    counts = [{"vehicle_type_id": "a", "count": 2}]
    found = read(feed([{"vehicle_types_available": counts}]), ["vehicle_types_available"],
                 source=source("station_status"))  # fmt: skip
    assert json.loads(found.values[0][0]) == counts


@pytest.mark.parametrize(
    ("name", "key"), [("free_bike_status", "bikes"), ("vehicle_status", "vehicles"), ("system_alerts", "alerts")]
)
def test_each_feed_has_its_list(read, name, key):
    assert read(feed([{"id": "a"}], key), ["id"], source=source(name)).values == [("a",)]


def test_a_feed_without_its_list_is_told(read):
    with pytest.raises(ConformError, match=r"there is no list of records at data\.bikes"):
        read(feed([]), ["id"], source=source("free_bike_status"))
