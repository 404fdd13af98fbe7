"""The code location loads the sample town as it stands and shows what the UI needs; it touches no source."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from tests.towns import ROOT, deliver, write_town


@pytest.fixture(scope="module")
def sample() -> tuple:
    town = read_town(ROOT)
    return town, definitions(town).resolve_asset_graph()


def test_every_dataset_has_its_four_assets_downstream_of_its_system(sample):
    town, graph = sample
    for dataset in town.datasets:
        chain = [dg.AssetKey([dataset.id, stage]) for stage in ("captured", "conformed", "staged", "published")]
        assert [graph.get(key).parent_keys for key in chain[1:]] == [{key} for key in chain[:-1]]
        [system] = graph.get(chain[0]).parent_keys
        assert system.path[0] == "systems"
        assert not graph.get(system).is_executable


def test_groups_owners_kinds_and_freshness_read_like_the_town(sample):
    _, graph = sample
    published = graph.get(dg.AssetKey(["parkings", "published"]))
    assert published.group_name == "mobilite"
    assert published.owners
    assert published.kinds == {"csv", "parquet"}
    assert published.freshness_policy is not None


def test_catalogue_and_portal_are_downstream_of_everything_published(sample):
    town, graph = sample
    assert len(graph.get(dg.AssetKey("catalogue")).parent_keys) == len(town.datasets)
    assert graph.get(dg.AssetKey("portal")).parent_keys == {dg.AssetKey("catalogue")}


def test_the_night_is_at_two_in_paris_and_frequent_datasets_have_their_cron():
    repository = definitions(read_town(ROOT)).get_repository_def()
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    assert schedules["nightly"].cron_schedule == "0 2 * * *"
    assert {schedule.execution_timezone for schedule in schedules.values()} == {"Europe/Paris"}
    assert "*/5 * * * *" in {schedule.cron_schedule for schedule in schedules.values()}


def test_the_nightly_schedule_launches_lots_for_what_changed_only(tmp_path: Path):
    folder = write_town(tmp_path, "a", "b", "c")
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + "night: {lot_size: 2}\n")
    repository = definitions(read_town(folder)).get_repository_def()
    schedule, job = repository.get_schedule_def("nightly"), repository.get_job("frequent")
    moment = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment)
        requested = schedule.evaluate_tick(context).run_requests
        assert [len(request.asset_selection) for request in requested] == [8, 4]
        job.execute_in_process(instance=instance)
        deliver(folder, "b", rows=21)
        [request] = schedule.evaluate_tick(context).run_requests
        assert {key.path[0] for key in request.asset_selection} == {"b"}
        newest = instance.get_latest_materialization_event(dg.AssetKey(["a", "published"]))
        assert newest.asset_materialization.metadata["outcome"].value == "unchanged"
