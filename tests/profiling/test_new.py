"""`odp new`: a draft that reads what it was made from, comments its guesses, and opens nothing by itself."""

import json
import sqlite3

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow, profiling
from odpipeline.declaration import read_town
from odpipeline.declaration.checking import TO_COMPLETE
from odpipeline.duck import DuckSettings
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.store import Release
from tests.servers import http_server
from tests.towns import write_town

BORNES = (
    "Identifiant;Nom de la borne;Code INSEE;Mise en service;Puissance (kW);Ouverte;État\r\n"
    + "".join(f"B{n:03};Borne {n};0{1000 + n % 3};{1 + n % 28:02}/03/2026;{7 + n % 5},4;oui;{('ok', 'hs')[n % 2]}\r\n"
              for n in range(60))
).encode("cp1252")  # fmt: skip


@pytest.fixture
def town(tmp_path):
    return read_town(write_town(tmp_path))


def drafted(town, origin, **more):
    declaration, suite = profiling.draft(town, origin, "bornes", "mobilite", **more)
    return yaml.safe_load(declaration.read_text()), json.loads(suite.read_text()), declaration


def completed(declaration):
    text = declaration.read_text().replace(f"owner: {TO_COMPLETE}", "owner: a@ville.example")
    declaration.write_text(text.replace(TO_COMPLETE, "Bornes"))


def test_a_draft_finds_types_codes_lists_key_and_event(town):
    (town.root / "depot/bornes.csv").write_bytes(BORNES)
    said, suite, _ = drafted(town, "depot/bornes.csv")
    fields = {field["name"]: field for field in said["fields"]}
    assert {name: field.get("type", "string") for name, field in fields.items()} == {
        "identifiant": "string", "nom_de_la_borne": "string", "code_insee": "string", "mise_en_service": "date",
        "puissance_kw": "number", "ouverte": "boolean", "etat": "string",
    }  # fmt: skip
    assert fields["mise_en_service"]["format"] == "%d/%m/%Y"
    assert (said["key"], said["freshness"]["column"]) == (["identifiant"], "mise_en_service")
    assert suite["expectations"][0]["meta"]["notes"] == "guessed from one delivery of 60 rows"


def test_a_completed_draft_publishes_what_it_was_made_from(town):
    (town.root / "depot/bornes.csv").write_bytes(BORNES)
    completed(drafted(town, "depot/bornes.csv")[2])
    again = read_town(town.root)
    *_, last = flow.publication(again.dataset("bornes"), again, flow.Zones.of(again))
    assert isinstance(last, Release)
    assert (last.rows, last.quarantined) == (60, 0)


def test_a_draft_is_refused_until_a_person_has_completed_it(town):
    (town.root / "depot/bornes.csv").write_bytes(BORNES)
    drafted(town, "depot/bornes.csv")
    with pytest.raises(DeclarationErrors, match=r"bornes\.yaml:4: owner"):
        read_town(town.root)


def test_what_may_be_about_persons_is_shut_and_lists_no_values(town):
    rows = "".join(f"{n};MARTIN;p{n}@exemple.fr;0{612345600 + n};{('F', 'M')[n % 2]}\n" for n in range(40))
    (town.root / "depot/bornes.csv").write_text(f"id;nomUsager;contact_pro;ligne;statut\n{rows}")
    said, suite, declaration = drafted(town, "depot/bornes.csv")
    assert said["personal_data"] == "present"
    assert {n for n, role in said["privacy"]["columns"].items() if role == "drop"} >= {"nomusager", "contact_pro"}
    assert "MARTIN" not in declaration.read_text() + json.dumps(suite)
    assert not any("enum" in field.get("constraints", {}) for field in said["fields"])
    declaration.write_text(declaration.read_text().replace(f"owner: {TO_COMPLETE}", "owner: a@ville.example"))
    with pytest.raises(DeclarationErrors, match="legal_basis is still that of the draft"):
        read_town(town.root)


def test_nothing_is_overwritten_and_no_copy_stays(town):
    (town.root / "depot/bornes.csv").write_bytes(BORNES)
    _, _, declaration = drafted(town, "depot/bornes.csv")
    before = declaration.read_text()
    with pytest.raises(OdpError, match="there is such a file already; give the draft another name with --as"):
        drafted(town, "depot/bornes.csv")
    assert declaration.read_text() == before
    assert not list((town.private_path / "work").iterdir())


def test_a_database_is_asked_once(town, monkeypatch):
    base = town.root / "ville.db"
    with sqlite3.connect(base) as connection:
        connection.execute("CREATE TABLE b (id INTEGER, kw REAL)")
        connection.executemany("INSERT INTO b VALUES (?, ?)", [(n, n / 2) for n in range(9)])
    connection.close()
    text = (town.root / "town.yaml").read_text()
    (town.root / "town.yaml").write_text(f"{text}systems: {{base: {{title: Base, url: {{env: ODP_BASE}}}}}}\n")
    monkeypatch.setenv("ODP_BASE", "sqlite:///ville.db")
    said, _, _ = drafted(read_town(town.root), "env:ODP_BASE", query="SELECT * FROM b")
    assert said["source"] == {"sql": "SELECT * FROM b", "system": "base"}
    assert [(field["name"], field["type"]) for field in said["fields"]] == [("id", "integer"), ("kw", "number")]


def test_a_json_document_gives_the_place_of_its_records(town):
    records = [{"id": n, "places": n % 4} for n in range(9)]
    (town.root / "depot/b.json").write_text(json.dumps({"total": 9, "resultats": records}))
    said, _, _ = drafted(town, "depot/b.json")
    assert said["format"] == {"records": "resultats"}


def test_an_address_inside_the_network_is_not_asked(town):
    with http_server() as server, pytest.raises(OdpError, match="an address inside the network"):
        drafted(town, server.at("/b.csv"))
    assert server.visits == []


@pytest.mark.parametrize("origin", ["../dehors.csv", "depot/rien.csv", "env:ODP_INCONNUE"])
def test_an_origin_that_is_none_says_so(town, origin):
    with pytest.raises(OdpError):
        drafted(town, origin)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(-99, 99), st.text("abc 'é:#{", max_size=6), st.dates()), min_size=1, max_size=8))
def test_any_table_gives_names_and_yaml_that_can_be_read(tmp_path, rows):
    path = tmp_path / "t.csv"
    path.write_text("Nb;Libellé: {long};Date\n" + "".join(f'{n};"{t}";{d:%d/%m/%Y}\n' for n, t, d in rows))
    found = profiling.profile(path, {"folder": "t.csv"}, tmp_path, DuckSettings(threads=1))
    for file in profiling.write(tmp_path, "t", "x", {"folder": "t.csv"}, found):
        text = file.read_text()
        assert yaml.safe_load(text)
        file.unlink()
