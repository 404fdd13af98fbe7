"""The tables of a GTFS zip: read from the zip, within bounds; what is not there is told."""

import io
import struct
import zipfile
from datetime import date

import pytest

from odpipeline.errors import ConformError

STOPS = '\ufeffstop_id,stop_name,stop_lat\r\nS1,"Frioul, port",43.28\r\nS2,Île d’If,43.27\r\n'


def bundle(members, compression=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return stream.getvalue()


def source(table):
    return {"gtfs": "https://bus.example/gtfs.zip", "table": table}


FIELDS = ["stop_id", "stop_name", {"name": "stop_lat", "type": "number"}]


def test_a_table_is_read_like_any_csv(read):
    found = read(bundle({"agency.txt": "x", "stops.txt": STOPS}), FIELDS, source=source("stops"))
    assert found.values == [("S1", "Frioul, port", 43.28), ("S2", "Île d’If", 43.27)]


def test_times_after_midnight_stay_text_and_dates_have_a_format(read):
    made = bundle({"stop_times.txt": "trip_id,arrival_time,jour\n1,25:10:00,20261231\n"})
    fields = ["trip_id", "arrival_time", {"name": "jour", "type": "date", "format": "%Y%m%d"}]
    assert read(made, fields, source=source("stop_times")).values == [("1", "25:10:00", date(2026, 12, 31))]


def test_a_bad_line_goes_to_quarantine(read):
    found = read(bundle({"stops.txt": STOPS + "S3,x\r\n"}), FIELDS, source=source("stops"),
                 quality={"quarantine": "50 %"})  # fmt: skip
    assert found.counts == (3, 2, 1, 0)


def test_a_missing_table_says_which_are_there(read):
    made = bundle({"stops.txt": STOPS, "routes.txt": "a\n1\n", "notes personnelles.txt": "x", "sub/trips.txt": "x"})
    with pytest.raises(ConformError) as error:
        read(made, ["a"], source=source("shapes"))
    assert str(error.value) == (
        "assets/x.yaml:3: the GTFS zip has no table shapes; "
        "it has: routes, stops; optional tables come and go with the producer"
    )


def test_a_zip_with_names_that_climb_is_not_read(read):
    with pytest.raises(ConformError, match="the container holds a path that leads out of it"):
        read(bundle({"../../stops.txt": "a\n1\n", "stops.txt": STOPS}), FIELDS, source=source("stops"))


def broken_crc(made):
    return made.replace(STOPS.encode()[:20], STOPS.encode()[:20].swapcase())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (bundle({"stops.txt": STOPS})[:-30], "is broken, or was packed in a way that cannot be read"),
        (broken_crc(bundle({"stops.txt": STOPS}, zipfile.ZIP_STORED)), "is broken, or was packed"),
        (b"PK\x03\x04 pas un zip", "is broken, or was packed"),
        (b"agency_id,agency_name\n1,Bus\n", "is broken, or was packed"),
    ],
    ids=["cut", "other bytes than their checksum", "no zip", "a CSV"],
)
def test_a_broken_zip_is_one_clear_error(read, made, message):
    with pytest.raises(ConformError, match=message):
        read(made, FIELDS, source=source("stops"))


def test_an_encrypted_table_is_told(read):
    made = bytearray(bundle({"stops.txt": STOPS}))
    flags = made.index(b"PK\x01\x02") + 8
    made[flags : flags + 2] = struct.pack("<H", 1)
    with pytest.raises(ConformError, match="the container is encrypted"):
        read(bytes(made), FIELDS, source=source("stops"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_table_that_is_there_twice_is_told(read):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("stops.txt", STOPS)
        made.writestr("stops.txt", "stop_id\nautre\n")
    with pytest.raises(ConformError, match="the container holds two files of one name"):
        read(stream.getvalue(), FIELDS, source=source("stops"))


def test_a_bomb_is_stopped_while_it_unpacks(read):
    with pytest.raises(ConformError, match="a file that unpacks to more than 300 times its size"):
        read(bundle({"stops.txt": b"\0" * 120_000_000}), FIELDS, source=source("stops"))


def test_a_zip_of_very_many_members_is_not_listed(read):
    made = bundle({"stops.txt": STOPS} | {f"{number}-{'x' * 500}.txt": "" for number in range(8_000)})
    with pytest.raises(ConformError, match="is broken, or was packed in a way that cannot be read"):
        read(made, FIELDS, source=source("stops"))


def test_a_table_larger_than_the_bound_is_told(read):
    made = bundle({"stops.txt": STOPS})
    with pytest.raises(ConformError, match="unpacks to more than 50 bytes; raise max_bytes"):
        read(made, FIELDS, source=source("stops") | {"max_bytes": 50})
