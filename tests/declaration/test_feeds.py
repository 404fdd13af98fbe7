"""A mobility feed is at an address, or a timetable in a drop folder; only what the specifications know can be asked."""

import pytest

HTTP = "{http: /v1/parkings, system: api}"

FAULTY = [
    ("{gbfs: /gbfs.json, feed: station_status}",
     "the address is a path; name the system it belongs to with `system:`, or write https://…"),
    ("{gbfs: /gbfs.json, feed: stations, system: api}", "source.feed: expected one of station_information, "),
    ("{gbfs: /gbfs.json, feed: station_status, system: api, hosts: [api.example]}",
     "source.hosts: expected an address https://host/path"),
    ("{gtfs: /gtfs.zip, table: ../stops, system: api}",
     "source.table: expected the name of a table without .txt, such as stop_times"),
    ("{gtfs: ../gtfs.zip, table: stops, system: depot}", "source.gtfs: the path stays below its folder;"),
    ('{gtfs: "https://x.example/gtfs.zip", table: stops, system: depot}', "the system 'depot' has no url"),
    ("{gtfs_rt: /feed.pb, entity: alert, system: depot}", "the system 'depot' has no url"),
    ("{gtfs_rt: /feed.pb, entity: vehicle, system: api}", "source.entity: expected one of vehicle_position, "),
]  # fmt: skip

RIGHT = [
    "{gbfs: /gbfs.json, feed: station_status, system: api, hosts: [https://api.exploitant.example]}",
    "{gtfs: /gtfs.zip, table: stops, system: api}",
    '{gtfs: "https://x.example/gtfs.zip", table: stops}',
    '{gtfs: "gtfs_*.zip", table: stops, system: depot}',
    '{gtfs: "depot/gtfs_*.zip", table: stops}',
    "{gtfs_rt: /feed.pb, entity: alert, system: api}",
]


@pytest.mark.parametrize(("source", "message"), FAULTY)
def test_a_feed_that_cannot_be_read(town, source, message):
    town.parkings((HTTP, source))
    [fault] = town.faults()
    assert fault.startswith(f"assets/mobilite/parkings.yaml:4: {message}")


@pytest.mark.parametrize("source", RIGHT)
def test_a_feed_that_can(town, source):
    town.parkings((HTTP, source))
    town.read()
