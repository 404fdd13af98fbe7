"""What hangs on what: by command, in the graph of Dagster, and in the words of OpenLineage."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.orchestration.building import definitions
from tests.servers import Visit, http_server
from tests.towns import deliver, write_town

AIDES = """
title: Aides
description: Aides.
owner: social@ville.example
source: {folder: depot/aides.csv, system: social}
fields:
  - {name: dossier, type: integer, source: "N° dossier"}
  - {name: nom}
  - {name: quartier}
  - {name: double, type: integer, derive: dossier * 2}
key: [dossier]
personal_data: present
legal_basis: CRPA L312-1-2
privacy:
  columns: {dossier: keep, nom: drop, quartier: {generalise: {prefix: 2}}, double: keep}
  quasi_identifiers: [quartier]
  k: 5
"""
QUARTIERS = """
title: Quartiers
description: Quartiers.
owner: sports@ville.example
source: {folder: "depot/quartiers.csv"}
fields: [{name: code, constraints: {unique: true, required: true}}]
key: [code]
personal_data: none
"""
DELIVERED = "N° dossier,nom,quartier\n" + "".join(f"{n},Zorglub,AB{n}\n" for n in range(6))
SYSTEMS = "systems: {social: {title: Logiciel social, folder: '.', owner: social@ville.example}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = write_town(tmp_path / "ville")
    (made / "town.yaml").write_text((made / "town.yaml").read_text() + SYSTEMS)
    referring = AIDES.replace(
        "key: [dossier]", "key: [dossier]\nforeign_keys: [{fields: [quartier], dataset: quartiers, references: [code]}]"
    )
    (made / "assets/sports/aides.yaml").write_text(referring)
    (made / "assets/sports/quartiers.yaml").write_text(QUARTIERS)
    (made / "depot/aides.csv").write_text(DELIVERED)
    (made / "depot/quartiers.csv").write_text("code\nAB\n")
    return made


def odp(folder: Path, *words: str):
    return CliRunner().invoke(app, [*words, "--town", str(folder)])


def test_a_dataset_is_followed_from_its_system_to_the_portal(folder: Path) -> None:
    assert (
        odp(folder, "lineage", "aides").stdout
        == """\
system social: Logiciel social
  → aides captured
    → aides conformed
      → aides staged
        → aides published
          → aides.csv
          → aides.parquet
          → catalogue
            → portal
quartiers published
  → aides staged  [quartier checked against it] (see above)
"""
    )


def test_a_column_is_followed_from_what_was_delivered_with_what_is_done_to_it(folder: Path) -> None:
    text = odp(folder, "lineage", "aides.quartier").stdout
    assert text.startswith(
        "system social: Logiciel social\n  → delivered “quartier”\n    → aides.quartier  [read as string, generalised"
    )
    assert text.endswith("      → aides.csv\n      → aides.parquet\n      → catalogue\n        → portal\n")
    assert (
        "  → delivered “N° dossier”\n    → aides.double  [computed as dossier * 2]"
        in odp(folder, "lineage", "aides.double").stdout
    )
    assert odp(folder, "lineage", "aides.N° dossier").stdout.count("→ aides.d") == 2
    assert odp(folder, "lineage", "aides.nom").stdout.endswith(
        "  → delivered “nom”\n    → aides.nom is not published  [dropped]\n"
    )
    assert "→ aides.quartier  [checked against it]" in odp(folder, "lineage", "quartiers.code").stdout


def test_who_refers_to_who_refers_is_followed_to_the_end_and_round_no_circle(folder: Path) -> None:
    def refers(name: str, to: str, column: str, there: str) -> None:
        key = f"foreign_keys: [{{fields: [{column}], dataset: {to}, references: [{there}]}}]\n"
        text = QUARTIERS.replace("depot/quartiers", f"depot/{name}").replace("{name: code", f"{{name: {column}")
        (folder / f"assets/sports/{name}.yaml").write_text(text.replace("[code]", f"[{column}]") + key)

    refers("ecoles", "quartiers", "quartier", "code")
    refers("classes", "ecoles", "ecole", "quartier")
    refers("quartiers", "classes", "code", "ecole")  # and round again
    text = odp(folder, "lineage", "ecoles").stdout
    assert "→ classes published  [ecole checked against it]" in text
    assert "→ quartiers published  [code checked against it]" in text
    assert "→ aides published  [quartier checked against it]" in text
    column = odp(folder, "lineage", "ecoles.quartier", "--json").stdout
    assert {"column:classes.ecole", "column:quartiers.code", "column:aides.quartier"} <= {
        node["id"] for node in json.loads(column)["nodes"]
    }


def test_what_is_hit_when_a_system_changes(folder: Path) -> None:
    graph = json.loads(odp(folder, "lineage", "--system", "social", "--json").stdout)
    assert {
        "source": "system:social",
        "target": "dataset:aides/published",
        "how": "owner social@ville.example",
    } in graph["edges"]
    assert not any("quartiers" in node["id"] for node in graph["nodes"])
    mermaid = odp(folder, "lineage", "--system", "files", "--mermaid").stdout
    assert mermaid.startswith('flowchart LR\n  n0["files of the town"]\n  n1["quartiers published"]\n')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["aides.montant"], "it publishes: dossier, quartier, double"),
        (["aide"], "the town has: aides, quartiers"),
        (["--system", "rien"], "these deliver something: files, social"),
        ([], "odp lineage parkings"),
        (["aides."], "name one, aides.COLUMN, or leave out the dot"),
        (["aides", "--system", "social"], "odp lineage parkings"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(folder: Path, words: list[str], said: str) -> None:
    error = odp(folder, "lineage", *words).exception
    assert isinstance(error, OdpError)
    assert said in str(error)


def test_the_graph_of_dagster_says_what_a_system_hits_and_what_refers(folder: Path) -> None:
    with dg.DagsterInstance.ephemeral():
        graph = definitions(read_town(folder)).get_repository_def().asset_graph
    system = graph.get(dg.AssetKey(["systems", "social"]))
    assert "- `aides`: Aides (social@ville.example)" in system.description
    assert graph.get(dg.AssetKey(["quartiers", "published"])).metadata["referred_to_by"] == "aides"
    assert graph.get(dg.AssetKey(["aides", "published"])).metadata["refers_to"] == "quartiers"


def run(folder: Path, dataset: str, run_id: str = "") -> None:
    town = read_town(folder)
    try:
        list(flow.recorded(town.dataset(dataset), town, flow.Zones.of(town), run=run_id))
    except OdpError:
        return


def test_a_service_is_told_of_each_run_in_the_words_of_openlineage(folder: Path) -> None:
    with http_server() as server:
        events: list[dict] = []

        def take(visit: Visit) -> None:
            events.append(json.loads(visit.body))
            visit.say(201)

        server.posts["/api/v1/lineage"] = take
        declared = folder / "town.yaml"
        declared.write_text(declared.read_text() + f"openlineage: {{url: 'http://127.0.0.1:{server.server_port}'}}\n")
        run(folder, "quartiers")
        run(folder, "aides", "5f0c1d9e-6c1b-4d59-8f0e-1d2c3b4a5968")
        (folder / "depot/aides.csv").write_text("rien\n1\n")
        run(folder, "aides")
    kinds = [(event["job"]["name"], event["eventType"]) for event in events]
    assert kinds == [("quartiers", "START"), ("quartiers", "COMPLETE"), ("aides", "START"), ("aides", "COMPLETE"),
                     ("aides", "START"), ("aides", "FAIL")]  # fmt: skip
    done = events[3]
    assert done["run"]["facets"]["parent"]["run"]["runId"] == "5f0c1d9e-6c1b-4d59-8f0e-1d2c3b4a5968"
    assert events[2]["run"]["runId"] == done["run"]["runId"]
    [given], [made] = done["inputs"], done["outputs"]
    assert (given["namespace"], given["inputFacets"]["inputStatistics"]["rowCount"]) == ("municipal/social", 6)
    asserted = given["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert ("k_anonymity_csv", True) in [(one["assertion"], one["success"]) for one in asserted]
    assert [field["name"] for field in made["facets"]["schema"]["fields"]] == ["dossier", "quartier", "double"]
    column = made["facets"]["columnLineage"]["fields"]["quartier"]["inputFields"][0]
    assert (column["field"], column["transformations"][0]["masking"]) == ("quartier", True)
    assert made["facets"]["version"]["datasetVersion"] == "1"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 6
    assert events[-1]["run"]["facets"]["errorMessage"]["message"] == "ConformError"
    assert "Zorglub" not in json.dumps(events)


def test_a_file_keeps_an_event_a_line_and_is_private(folder: Path) -> None:
    declared = folder / "town.yaml"
    declared.write_text(declared.read_text() + "openlineage: {file: lineage.jsonl}\n")
    run(folder, "quartiers")
    run(folder, "quartiers")
    file = folder / ".odp/private/lineage.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["eventType"] for line in lines] == ["START", "COMPLETE"] * 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_service_that_is_down_stops_nothing_and_is_left_alone(folder: Path, caplog) -> None:
    with http_server() as server:
        server.posts["/api/v1/lineage"] = lambda visit: visit.say(500)
        declared = folder / "town.yaml"
        declared.write_text(declared.read_text() + f"openlineage: {{url: 'http://127.0.0.1:{server.server_port}'}}\n")
        run(folder, "quartiers")
        deliver(folder, "quartiers")
    assert flow.Zones.of(read_town(folder)).store.current("quartiers") is not None
    assert [record.getMessage() for record in caplog.records if record.name == "odpipeline.lineage"] == [
        "an event of lineage is not taken"
    ]


def test_a_service_that_answers_a_byte_a_second_holds_up_nothing(folder: Path) -> None:
    answering = threading.Event()

    def drip(visit: Visit) -> None:
        visit.say(201, b"x", Content_Length="30")
        answering.wait(20)

    with http_server() as server:
        server.posts["/api/v1/lineage"] = drip
        declared = folder / "town.yaml"
        declared.write_text(declared.read_text() + f"openlineage: {{url: 'http://127.0.0.1:{server.server_port}'}}\n")
        (folder / ".odp/private").mkdir(parents=True, mode=0o700)
        (folder / ".odp/private/.lineage-down").symlink_to("nowhere/at/all")  # a mark that cannot be written
        run(folder, "quartiers")
        published = flow.Zones.of(read_town(folder)).store.current("quartiers")
        assert not answering.is_set()
        answering.set()
    assert published is not None


def test_a_run_that_is_left_says_so(folder: Path) -> None:
    declared = folder / "town.yaml"
    declared.write_text(declared.read_text() + "openlineage: {file: lineage.jsonl}\n")
    town = read_town(folder)
    stages = flow.recorded(town.dataset("quartiers"), town, flow.Zones.of(town))
    next(stages)
    stages.close()
    lines = (folder / ".odp/private/lineage.jsonl").read_text().splitlines()
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "ABORT"]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("{}", "exactly one of `file` and `url`"),
        ("{file: ../public/lineage.jsonl}", "without a folder"),
        ("{url: 'http://a.example', token: CLE}", "sent in clear"),
        ("{url: a.example}", "the address of the service"),
    ],
)
def test_events_that_would_go_nowhere_or_in_clear_are_refused(folder: Path, said: str, fault: str) -> None:
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + f"openlineage: {said}\n")
    with pytest.raises(OdpError, match=fault):
        read_town(folder)
