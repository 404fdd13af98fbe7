"""The daemon's sensors: a round of the watch at each tick, and a line in the journal for processes that were killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.journal import DIED
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import Records
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.watching import note_deaths
from tests.mail_server import mail_server
from tests.towns import deliver, write_town

ALERTS = "alerts: {mail: {env: ODP_TEST_MAIL}, settle: 0 s, digest: '23:59'}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = write_town(tmp_path / "ville", "piscines", "patinoires")
    (made / "town.yaml").write_text((made / "town.yaml").read_text() + ALERTS)
    return made


def test_a_tick_is_a_round_and_pages_are_made_again_when_a_promise_breaks(folder: Path, monkeypatch) -> None:
    town = read_town(folder)
    zones = flow.Zones.of(town)
    for dataset in town.datasets:
        list(flow.recorded(dataset, town, zones))
    deliver(folder, "piscines", rows=3)
    list(flow.recorded(town.dataset("piscines"), town, zones))
    with mail_server() as (mailbox, address), dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("ODP_TEST_MAIL", address)
        repository = definitions(town).get_repository_def()
        sensor = repository.get_sensor_def("watch")

        def tick(cursor: str | None):
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
            return sensor.evaluate_tick(context)

        first = tick(None)
        assert "1 incidents open, 1 new" in str(first.skip_message)
        assert len(mailbox.to(town.contact)) == 1
        later = datetime.now(UTC) + timedelta(days=3)
        monkeypatch.setattr("odpipeline.orchestration.watching.watch", lambda town: _watch_at(town, later))
        second = tick(first.cursor)
        assert len(second.run_requests) == 1
        assert tick(second.cursor).run_requests == []


def _watch_at(town, moment):
    from odpipeline.monitoring.rounds import watch

    return watch(town, moment)


def test_a_dataset_whose_process_was_killed_gets_its_line_once(folder: Path) -> None:
    town = read_town(folder)
    zones = flow.Zones.of(town)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(town).resolve_job_def("nightly")
        keys = frozenset(dg.AssetKey([name, "published"]) for name in ("piscines", "patinoires"))
        run = instance.create_run_for_job(job, asset_selection=keys)
        list(flow.recorded(town.dataset("piscines"), town, zones, run=run.run_id))
        assert note_deaths(town, run) == ["patinoires"]
        assert note_deaths(town, run) == []
        captured = instance.create_run_for_job(job, asset_selection=frozenset({dg.AssetKey(["piscines", "captured"])}))
        assert note_deaths(town, captured) == []
    last = zones.journal.last("patinoires")
    assert last is not None
    assert (last.outcome, last.error, last.run) == ("failed", DIED, run.run_id)


def test_a_flaw_of_the_store_that_the_morning_finds_is_an_incident_until_it_is_mended(
    folder: Path, monkeypatch
) -> None:
    monkeypatch.delenv("ODP_TEST_MAIL", raising=False)
    town = read_town(folder)
    zones = flow.Zones.of(town)
    list(flow.recorded(town.dataset("piscines"), town, zones))
    file = folder / ".odp/public/datasets/piscines/versions/1/piscines.csv"
    good = file.read_bytes()

    def morning() -> list[Cause]:
        with dg.DagsterInstance.ephemeral() as instance:
            definitions(town).resolve_job_def("verify_store").execute_in_process(
                instance=instance, raise_on_error=False
            )
        return [sign.cause for sign in Records(zones.journal).signs()]

    file.chmod(0o644)
    file.write_bytes(good.replace(b"Bassin", b"Bazzin"))
    assert morning() == [Cause.STORE]
    file.write_bytes(good)
    assert morning() == []
