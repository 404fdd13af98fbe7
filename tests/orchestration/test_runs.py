"""What a run can do besides the night: replay a capture, ask a silent system again, wake for a drop, be purged."""

import os
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.checks import CHECKS
from odpipeline.orchestration.purging import purge
from odpipeline.orchestration.sensors import publishes
from tests.towns import deliver, write_town


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def run(folder: Path, instance: dg.DagsterInstance, config: dict | None = None, **more) -> dg.ExecuteInProcessResult:
    job = definitions(read_town(folder)).resolve_job_def("frequent")
    return job.execute_in_process(instance=instance, raise_on_error=False, run_config=config, **more)


def test_the_launchpad_runs_from_a_kept_capture(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    zones = flow.Zones.of(read_town(folder))
    first = zones.store.current("piscines").capture_sha256
    deliver(folder, "piscines", rows=21)
    run(folder, instance)
    again = run(folder, instance, {"ops": {"piscines": {"config": {"capture": first[:12]}}}})
    assert again.success
    assert (zones.store.current("piscines").version, zones.store.current("piscines").rows) == (3, 20)
    unknown = run(folder, instance, {"ops": {"piscines": {"config": {"capture": "0" * 12}}}})
    assert not unknown.success


@pytest.mark.parametrize(("trigger", "attempts"), [("night", 3), ("calendar", 1)])
def test_a_system_that_does_not_answer_is_asked_again_in_the_night_only(tmp_path, instance, trigger, attempts):
    folder = write_town(tmp_path, "piscines")
    more = "night: {pause: 0 s, retries: 2}\nsystems: {partage: {title: Partage, folder: absent}}\n"
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + more)
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text().replace('{folder: "depot/', '{system: partage, folder: "depot/'))
    result = run(folder, instance, tags={"odp/trigger": trigger})
    assert not result.success
    assert len([event for event in result.all_events if event.is_step_restarted]) == attempts - 1
    tallies = flow.Zones.of(read_town(folder)).journal.tallies()
    assert [(tally.outcome, tally.runs) for tally in tallies] == [("failed", attempts)]


def test_a_refusal_is_not_tried_again(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    deliver(folder, "piscines", cell="-5")
    result = run(folder, instance, tags={"odp/trigger": "night"})
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_restarted]


def test_a_drop_wakes_its_dataset_once_it_has_come_to_rest(tmp_path, instance):
    folder = write_town(tmp_path, "piscines", "patinoires")
    run(folder, instance)
    sensor = definitions(read_town(folder)).get_repository_def().get_sensor_def("drop_folders")
    cursor = None

    def look() -> set[str]:
        nonlocal cursor
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        ticked = sensor.evaluate_tick(context)
        cursor = ticked.cursor
        return {request.tags["odp/dataset"] for request in ticked.run_requests}

    assert look() == look() == set()  # what was there is published already
    deliver(folder, "piscines", rows=21)
    assert look() == set()
    deliver(folder, "piscines", rows=22)
    assert look() == set()  # it was still growing
    assert look() == {"piscines"}
    assert look() == set()
    (folder / "depot/patinoires.csv").unlink()
    assert look() == look() == set()
    assert "piscines.csv" not in cursor


def test_old_runs_are_purged_and_their_room_is_given_back(tmp_path, monkeypatch):
    folder = write_town(tmp_path / "ville", "piscines")
    monkeypatch.chdir(folder)
    state = folder / ".odp/dagster"
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        for rows in (20, 21):
            deliver(folder, "piscines", rows=rows)
            run(folder, instance)
        month, now = timedelta(days=30), datetime.now(UTC)
        assert purge(instance, state, month).runs == 0
        assert purge(instance, state, month, now + timedelta(days=6)).runs == 0
        purged = purge(instance, state, month, now + timedelta(days=8))  # they are of the job `frequent`
        assert (purged.runs, instance.get_runs_count(), purged.busy) == (2, 0, 0)
        assert purged.after < purged.before / 2
        [checks] = sqlite3.connect(state / "history/runs/index.db").execute(
            "SELECT count(*) FROM asset_check_executions"
        )
        assert checks == (len(CHECKS),)  # the newest of each
        newest = instance.get_latest_materialization_event(dg.AssetKey(["piscines", "published"]))
        assert newest.asset_materialization.metadata["version"].value == 2
        assert not list(state.glob("history/runs/????????-*.db"))
        assert run(folder, instance).success


def test_a_night_whose_process_was_killed_takes_no_place_from_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("ODP_TOWN", str(write_town(tmp_path / "ville", "piscines")))
    monkeypatch.chdir(tmp_path / "ville")
    from odpipeline.orchestration.launch import bury

    gone = subprocess.Popen(["true"])
    gone.wait()
    with dg.DagsterInstance.from_config(".") as instance:
        job = definitions(read_town(Path.cwd())).resolve_job_def("nightly")
        instance.event_log_storage.initialize_concurrency_limit_to_default("piscines")
        for process in (gone.pid, os.getpid()):
            run = instance.create_run_for_job(
                job, status=dg.DagsterRunStatus.STARTED, tags={"odp/process": str(process)}
            )
            storage = instance.event_log_storage
            assert storage.claim_concurrency_slot("piscines", run.run_id, "piscines").is_claimed
        assert not storage.claim_concurrency_slot("piscines", "another", "piscines").is_claimed
        assert bury(instance) == 1
        assert storage.claim_concurrency_slot("piscines", "another", "piscines").is_claimed
        assert instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])) == 1


def test_the_pages_are_rebuilt_after_whatever_may_have_published_also_from_the_ui(tmp_path, instance):
    found = definitions(read_town(write_town(tmp_path, "piscines")))
    rebuild = found.resolve_sensor_def("catalogue_after_success")

    def asked(job: str, *keys: list[str]) -> bool:
        chosen = frozenset(map(dg.AssetKey, keys)) if keys else None
        run = instance.create_run_for_job(found.resolve_job_def(job), asset_selection=chosen)
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job)
        context = dg.build_run_status_sensor_context("catalogue_after_success", event, instance, run)
        return isinstance(rebuild(context), dg.RunRequest)

    assert asked("frequent")
    assert asked("nightly", ["piscines", "published"])
    assert not asked("nightly", ["piscines", "captured"])
    assert not asked("public_pages")
    by_hand = instance.create_run_for_job(
        found.resolve_implicit_global_asset_job_def(),
        asset_selection=frozenset([dg.AssetKey(["piscines", "published"])]),
    )
    assert publishes(by_hand, {"nightly"})
