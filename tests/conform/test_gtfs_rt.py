"""GTFS-Realtime feeds as rows: every kind of entity, with the specification's own names, in flat memory."""

import contextlib
import json
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from google.transit import gtfs_realtime_pb2 as realtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.conform import gtfs_rt
from odpipeline.errors import ConformError

MOMENT = datetime.fromisoformat("2021-12-16T13:35:42")
POSIX = 1639661742
HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "mobility-feeds.md"


def feed(entities, **header):
    message = {"header": {"gtfs_realtime_version": "2.0", "timestamp": POSIX} | header}
    return realtime.FeedMessage(**message, entity=[realtime.FeedEntity(**entity) for entity in entities])


def source(entity):
    return {"gtfs_rt": "https://bus.example/feed.pb", "entity": entity}


BUS = {"id": "e1", "vehicle": {"trip": {"trip_id": "t1", "schedule_relationship": "CANCELED"},
                               "position": {"latitude": 48.390404, "longitude": -4.5}, "timestamp": POSIX}}  # fmt: skip
LATE = {
    "id": "e2",
    "trip_update": {
        "trip": {"trip_id": "t1"},
        "delay": 60,
        "stop_time_update": [
            {"stop_id": "s1", "arrival": {"time": POSIX, "delay": -30}},
            {"stop_id": "s2", "schedule_relationship": "SKIPPED"},
        ],
    },
}
POSITION = [{"name": "lat", "source": "position.latitude", "type": "number"},
            {"name": "quand", "source": "timestamp", "type": "datetime"},
            {"name": "etat", "source": "trip.schedule_relationship"},
            {"name": "vitesse", "source": "position.speed", "type": "number"},
            {"name": "releve", "source": "feed_timestamp", "type": "datetime"}]  # fmt: skip


def test_a_vehicle_position_is_a_row(read):
    found = read(feed([BUS, LATE]).SerializeToString(), POSITION, source=source("vehicle_position"))
    assert found.values == [(48.390404, MOMENT, "CANCELED", None, MOMENT)]


def test_each_stop_is_a_row_with_the_columns_of_its_trip_update(read):
    fields = ["trip.trip_id", {"name": "delay", "type": "integer"}, "stop_id",
              {"name": "arrival.delay", "type": "integer"}, {"name": "arrival.time", "type": "datetime"},
              "schedule_relationship"]  # fmt: skip
    found = read(feed([BUS, LATE]).SerializeToString(), fields, source=source("stop_time_update"))
    assert found.values == [("t1", 60, "s1", -30, MOMENT, None), ("t1", 60, "s2", None, None, "SKIPPED")]


def test_a_trip_update_is_a_row_without_its_stops(read):
    found = read(feed([LATE]).SerializeToString(), ["entity_id", "delay", "trip.trip_id"], source=source("trip_update"))
    assert found.values == [("e2", "60", "t1")]
    assert len(found.conformed.findings) == 1, "nothing is left out"


def test_a_column_that_the_feed_fills_and_nobody_declares_is_a_signal(read):
    found = read(feed([BUS]).SerializeToString(), ["entity_id"], source=source("vehicle_position"))
    [_, new] = found.conformed.findings
    assert new.rule == "new_columns"
    assert "left out: trip.trip_id, trip.schedule_relationship, position.latitude, position.longitude, timestamp;" in (
        new.message
    )


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ([("en", "Detour"), ("fr", "Déviation")], "Déviation"),
        ([("en", "Detour"), ("fr-FR", "Déviation")], "Déviation"),
        ([("en", "Detour"), ("", "Déviation")], "Déviation"),
        ([("br", "Hent-tro"), ("en", "Detour")], "Hent-tro"),
        ([], None),
    ],
    ids=["French", "of France", "no language", "the first", "none"],
)
def test_an_alert_speaks_french_if_it_can(read, texts, shown):
    header = {"translation": [{"text": text} | ({"language": tongue} if tongue else {}) for tongue, text in texts]}
    entity = {"id": "a", "alert": {"header_text": header, "active_period": [{"start": POSIX}],
                                   "informed_entity": [{"route_id": "45", "trip": {"trip_id": "t"}}]}}  # fmt: skip
    found = read(feed([entity]).SerializeToString(), ["entity_id", "header_text", "active_period", "informed_entity"],
                 source=source("alert"))  # fmt: skip
    [(_, text, period, informed)] = found.values
    assert text == shown
    assert json.loads(period) == [{"start": "2021-12-16T13:35:42Z"}]
    assert json.loads(informed) == [{"route_id": "45", "trip": {"trip_id": "t"}}]


def test_what_cannot_be_read_goes_to_quarantine(read):
    """A time in milliseconds, and a text that is no UTF-8."""
    late = BUS | {"vehicle": BUS["vehicle"] | {"timestamp": POSIX * 1_000_000}}
    latin = feed([BUS | {"id": "xx"}]).SerializeToString().replace(b"xx", b"\xe9\xe8")
    fields = ["entity_id", {"name": "timestamp", "type": "datetime"}]
    more = {"source": source("vehicle_position"), "quality": {"quarantine": "60 %"}}
    assert read(feed([BUS, late]).SerializeToString(), fields, **more).counts == (2, 1, 1, 0)
    good = feed([BUS]).SerializeToString()
    assert read(good + latin, fields, **more).counts == (2, 1, 1, 0)


def test_deleted_entities_are_no_rows(read):
    found = read(feed([BUS, BUS | {"is_deleted": True}]).SerializeToString(), ["entity_id"],
                 source=source("vehicle_position"))  # fmt: skip
    assert len(found.values) == 1


@pytest.mark.parametrize(
    ("delivered", "message"),
    [
        (feed([BUS, LATE]).SerializeToString()[:-7], "the feed is truncated, or is no GTFS-Realtime feed"),
        (b'{"header": {"gtfsRealtimeVersion": "2.0"}}', "the feed is truncated, or is no GTFS-Realtime feed"),
        (b"\x12\x00", "the feed is truncated, or is no GTFS-Realtime feed"),
        (feed([BUS], incrementality="DIFFERENTIAL").SerializeToString(), "the feed tells differences only"),
        (feed([LATE]).SerializeToString(), "the feed holds no vehicle_position, but trip_update; correct `entity`"),
        (feed([]).SerializeToString(), "the delivery has no rows"),
    ],
    ids=["truncated", "JSON", "no header", "differences", "other entities", "no entity"],
)
def test_a_feed_that_cannot_be_a_table_is_one_clear_error(read, delivered, message):
    with pytest.raises(ConformError, match=message):
        read(delivered, ["entity_id"], source=source("vehicle_position"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.one_of(st.binary(min_size=1, max_size=60), st.integers(0, 200).map(
    lambda cut: feed([BUS, LATE]).SerializeToString()[: cut + 1])))  # fmt: skip
def test_any_bytes_are_rows_or_a_conform_error(read, delivered):
    with contextlib.suppress(ConformError):
        read(delivered, ["entity_id"], source=source("vehicle_position"), quality={"quarantine": "100 %"})


def test_fields_of_a_later_specification_are_passed_over(read):
    later = b"\xc0\x3e\x01" + b"\xc9\x3e" + bytes(8) + b"\xcd\x3e" + bytes(4) + b"\xd2\x3e\x03abc"
    found = read(later + feed([BUS]).SerializeToString(), ["entity_id"], source=source("vehicle_position"))
    assert found.values == [("e1",)]


def test_memory_is_that_of_a_batch_however_large_the_feed(read):
    part = feed([LATE] * 1000)
    head, rest = feed([]).SerializeToString(), realtime.FeedMessage(entity=part.entity).SerializePartialToString()
    tracemalloc.start()
    found = read(head + rest * 15, ["entity_id"], source=source("stop_time_update"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.conformed.rows == 30_000
    assert peak < 40_000_000


@pytest.mark.parametrize("entity", ["vehicle_position", "trip_update", "stop_time_update", "alert"])
def test_the_how_to_lists_every_column(entity):
    text = HOW_TO.read_text()
    missing = [name for name in gtfs_rt.columns(entity) if name.split(".")[-1] not in text]
    assert missing == []
