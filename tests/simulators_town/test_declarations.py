"""The sample town's declarations are valid, short, and can be run against its systems."""

import csv
import json
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest

from odpipeline import flow, sources
from odpipeline.approving import Waiting
from odpipeline.declaration import read_town
from odpipeline.journal import Journal
from odpipeline.landing import Landing
from odpipeline.sources import Unchanged, Validators
from odpipeline.store import Store
from tests.simulators import grants, spending
from tests.simulators.night import Night
from tests.simulators.social import IRIS
from tests.simulators_town.conftest import NOW, ROOT

DATASETS = (
    "aides-sociales", "budget", "comptages-mobilite", "depenses", "energie-batiments", "etat-trafic", "frequentation",
    "parkings", "prenoms", "subventions",
)  # fmt: skip


@pytest.fixture(scope="session")
def town():
    return read_town(ROOT)


def test_all_ten_declarations_are_valid(town):
    assert tuple(dataset.id for dataset in town.datasets) == DATASETS


def test_an_ordinary_declaration_takes_fifteen_lines_before_its_fields(town):
    for dataset in town.datasets:
        lines = (ROOT / dataset.file).read_text("utf-8").split("\nfields:")[0].count("\n") + 1
        assert lines <= 15 or dataset.id in ("aides-sociales", "subventions"), dataset.id


def test_every_field_has_a_title(town):
    assert [f"{d.id}.{f.name}" for d in town.datasets for f in d.fields if not f.title] == []


def test_the_hierarchy_knows_every_iris():
    with (ROOT / "hierarchies" / "iris.csv").open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file, delimiter=";")] == IRIS


@pytest.mark.parametrize("path", sorted((ROOT / "expectations").glob("*.json")), ids=lambda path: path.stem)
def test_a_suite_is_named_for_its_dataset_and_explains_itself(path, town):
    suite = json.loads(path.read_text("utf-8"))
    assert suite["name"] == path.stem == town.dataset(path.stem).id
    for expectation in suite["expectations"]:
        assert set(expectation) == {"type", "kwargs", "severity", "meta"}
        assert expectation["meta"]["notes"]


@pytest.mark.parametrize("identifier", DATASETS)
def test_every_source_delivers(town, night, monkeypatch, tmp_path, identifier):
    for name, value in night(1).items():
        monkeypatch.setenv(name, value)
    delivery = sources.extract(town.dataset(identifier), town, tmp_path, None)
    assert not isinstance(delivery, Unchanged)
    assert delivery.path.stat().st_size > 1000


def test_what_is_about_persons_is_published_and_classes_with_few_newcomers_wait(town, night, monkeypatch, tmp_path):
    for folder in ("private", "work"):
        (tmp_path / folder).mkdir()
    zones = replace(
        flow.Zones.of(town), store=Store(tmp_path / "public"), landing=Landing(tmp_path / "private"),
        work=tmp_path / "work", journal=Journal.at(tmp_path / "private"), waiting=Waiting(tmp_path / "held"),
    )  # fmt: skip
    ended = {}
    for number in (1, 2):
        for name, value in night(number).items():
            monkeypatch.setenv(name, value)
        for identifier in ("aides-sociales", "subventions"):
            *_, last = flow.publication(town.dataset(identifier), town, zones)
            ended[number, identifier] = last
    assert [release.version for release in ended.values()] == [1, 1, 2, 2]
    classes = [_classes(ended[number, "aides-sociales"].folder / "aides-sociales.parquet") for number in (1, 2)]
    moved = {label: n - classes[0].get(label, 0) for label, n in classes[1].items()}
    assert all(n == 0 or abs(n) >= 11 for n in moved.values()), moved


def _classes(file):
    quasi = "sexe, tranche_age, quartier"
    return {
        tuple(label): n
        for *label, n in duckdb.execute(f"SELECT {quasi}, count(*) FROM '{file}' GROUP BY ALL").fetchall()
    }


@pytest.mark.parametrize("identifier", ["prenoms", "comptages-mobilite"])
def test_what_did_not_change_is_unchanged_by_its_tag(town, night, monkeypatch, tmp_path, identifier):
    for name, value in night(1).items():
        monkeypatch.setenv(name, value)
    dataset = town.dataset(identifier)
    first = sources.extract(dataset, town, tmp_path, None)
    since = Validators(first.etag, first.last_modified, "", asked=first.asked)
    assert sources.extract(dataset, town, tmp_path, since) == Unchanged("304 by ETag")


@pytest.mark.parametrize("later", range(7))
def test_payments_and_grants_keep_their_promise_whatever_the_weekday(town, later):
    first = Night(1, NOW + timedelta(days=later))
    newest = {"depenses": max(spending.orders(first)["date_mandat"]), "subventions": max(grants.grants(first)[SIGNED])}
    ages = {identifier: first.today - date.fromisoformat(day) for identifier, day in newest.items()}
    assert [i for i, age in ages.items() if age + timedelta(days=1) > town.dataset(i).freshness.data] == []


SIGNED = "dateConvention"


def test_daily_data_is_promised_longer_than_the_first_night_is_behind(town):
    promises = {d.id: d.freshness.data for d in town.datasets if d.freshness.data}
    assert {i for i, promise in promises.items() if promise.days < 5} == {"parkings", "etat-trafic"}
