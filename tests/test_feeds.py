"""Mobility feeds and the town's own code, the whole way from a live server to the published CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.store import Release
from tests.servers import Server, http_server
from tests.towns import write_town

HEAD = """
title: Essai
description: Un essai.
owner: mobilite@ville.example
personal_data: none
"""
Publish = Callable[[str], list[dict[str, str]]]


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Publishes a dataset that is declared so, and reads its CSV."""

    def published(declaration: str) -> list[dict[str, str]]:
        town = read_town(write_town(tmp_path, "essai", declaration=HEAD + declaration))
        *_, release = flow.publication(town.dataset("essai"), town, flow.Zones.of(town))
        assert isinstance(release, Release)
        with (release.folder / "essai.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return published


def serve_gbfs(server: Server, real: Path, version: str) -> None:
    """The real files of one version; the discovery file names our address instead of example.com."""
    for file in (real / "gbfs").glob(f"*.{version}.json"):
        text = file.read_text().replace("https://example.com/gbfs/", server.at("/"))
        server.answers[f"/{file.name.split('.')[0]}"] = lambda visit, text=text: visit.say(200, text)  # type: ignore[misc]


STATUS = """
source: {gbfs: "ADDRESS", feed: station_status, internal: true}
fields:
  - {name: station, source: station_id, constraints: {required: true}}
  - {name: places, source: num_docks_available, type: integer}
  - {name: ouverte, source: is_renting, type: boolean}
  - {name: releve_le, source: last_reported, type: datetime}
key: [station]
"""


@pytest.mark.parametrize(
    ("version", "stations", "first"),
    [("2.2", ["station 1", "station 2", "station 3"], "2021-01-05T17:02:05Z"),
     ("3.0", ["station1", "station2"], "2023-07-17T11:34:13Z")],
)  # fmt: skip
def test_a_real_station_status_of_both_versions(server, real, publish, version, stations, first):
    serve_gbfs(server, real, version)
    rows = publish(STATUS.replace("ADDRESS", server.at("/gbfs")))
    assert [row["station"] for row in rows] == stations
    assert rows[0] == {"station": stations[0], "places": "3", "ouverte": "true", "releve_le": first}


def test_the_stops_of_a_real_timetable(server, real, publish):
    server.answers["/gtfs.zip"] = lambda visit: visit.say(200, (real / "gtfs" / "gtfs.zip").read_bytes())
    rows = publish(f"""
source: {{gtfs: "{server.at("/gtfs.zip")}", table: stops, internal: true}}
fields: [{{name: stop_id}}, {{name: stop_name}}, {{name: stop_lat, type: number}}, {{name: stop_lon, type: number}}]
key: [stop_id]
""")
    assert {"stop_id": "7004", "stop_name": "Frioul", "stop_lat": "43.2801358236", "stop_lon": "5.3070491308"} in rows
    assert len(rows) == 9


def test_the_alerts_of_a_real_network(server, real, publish):
    body = (real / "gtfs_rt" / "bibus-brest-gtfs-rt-alerts.pb").read_bytes()
    server.answers["/alertes.pb"] = lambda visit: visit.say(200, body)
    rows = publish(f"""
source: {{gtfs_rt: "{server.at("/alertes.pb")}", entity: alert, internal: true}}
fields:
  - {{name: id, source: entity_id}}
  - {{name: titre, source: header_text}}
  - {{name: effet, source: effect}}
  - {{name: lignes, source: informed_entity, type: array}}
  - {{name: releve_le, source: feed_timestamp, type: datetime}}
key: [id]
""")
    assert len(rows) == 12
    [row] = [row for row in rows if row["id"] == "2ea09850-74d9-4db7-a537-d97d821956e8"]
    assert row["titre"] == "L 45 Prolongation des travaux rue de Kermaria jusqu'au 24/12"
    assert (row["effet"], row["releve_le"]) == ("DETOUR", "2021-12-16T15:29:02Z")
    assert json.loads(row["lignes"]) == [{"route_id": "45"}]


def test_the_town_s_own_code(publish, tmp_path):
    (tmp_path / "metiers").mkdir()
    (tmp_path / "metiers" / "piscines.py").write_text(
        "import datetime\nimport pyarrow as pa\n\ndef lignes(bassin):\n"
        "    jours = [datetime.date(2026, 10, 1), datetime.date(2026, 10, 2)]\n"
        "    yield pa.RecordBatch.from_pydict({'jour': jours, 'piscine': [bassin] * 2, 'entrees': [412, None]})\n"
    )
    rows = publish("""
source: {python: "metiers.piscines:lignes", arguments: {bassin: Nord}}
fields: [{name: jour, type: date}, {name: piscine}, {name: entrees, type: integer}]
key: [jour]
""")
    assert rows == [
        {"jour": "2026-10-01", "piscine": "Nord", "entrees": "412"},
        {"jour": "2026-10-02", "piscine": "Nord", "entrees": ""},
    ]
