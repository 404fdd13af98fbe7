"""Through Dagster: a refusal leaves `published` un-materialised, and the old release is served byte for byte."""

from pathlib import Path

import dagster as dg
import pytest

from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.checks import CHECKS, checks_of
from odpipeline.orchestration.keys import STAGES, asset_key
from tests.towns import deliver, published_bytes, write_town


def run(folder: Path, instance: dg.DagsterInstance, keys: list[list[str]] | None = None) -> dg.ExecuteInProcessResult:
    job = definitions(read_town(folder)).resolve_job_def("frequent")
    selection = [dg.AssetKey(key) for key in keys] if keys else None
    return job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=selection)


def materialised(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_a_good_delivery_materialises_the_four_assets(tmp_path, instance):
    result = run(write_town(tmp_path, "piscines"), instance)
    assert result.success
    assert materialised(result) == ["captured", "conformed", "staged", "published"]
    assert checks(result) == dict.fromkeys(CHECKS, True)


def test_a_failed_expectation_publishes_nothing(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    before = published_bytes(folder)
    deliver(folder, "piscines", cell="-5")
    result = run(folder, instance)
    assert not result.success
    assert materialised(result) == ["captured", "conformed"]
    assert checks(result)["values"] is False
    assert published_bytes(folder) == before


def test_the_refusal_says_why_and_what_is_served(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    deliver(folder, "piscines", rows=8)
    result = run(folder, instance)
    assert materialised(result) == ["captured", "conformed", "staged"]
    assert checks(result)["gate"] is False
    [failure] = [event for event in result.all_events if event.is_step_failure]
    message = failure.step_failure_data.error.message
    assert "piscines: refused, the last good release stays served: 12 of 20 rows of version 1 are lost" in message


def test_a_refused_delivery_is_refused_again_the_next_night(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    deliver(folder, "piscines", rows=8)
    assert not run(folder, instance).success
    assert not run(folder, instance).success


def test_an_unchanged_source_confirms_and_says_so(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    result = run(folder, instance)
    assert materialised(result) == ["captured", "published"]
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key.path[-1] == "published"]
    assert event.materialization.metadata["outcome"].value == "unchanged"
    assert checks(result) == dict.fromkeys(CHECKS, True)  # what is planned and not told would look broken


def test_an_unchanged_source_repeats_the_warnings_of_its_release(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    declared = folder / "assets" / "sports" / "piscines.yaml"
    declared.write_text(declared.read_text() + "freshness: {data: 1 h, column: jour}\n")
    assert checks(run(folder, instance))["data_age"] is False
    assert {name for name, passed in checks(run(folder, instance)).items() if not passed} == {"data_age"}


def test_a_tightened_declaration_reaches_the_public_file_though_the_source_is_unchanged(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    run(folder, instance)
    declared = folder / "assets" / "sports" / "piscines.yaml"
    declared.write_text(declared.read_text().replace("minimum: 0", "minimum: 110"))
    assert checks(run(folder, instance))["values"] is False


def test_one_dataset_that_fails_leaves_the_other_untouched(tmp_path, instance):
    folder = write_town(tmp_path, "piscines", "patinoires")
    deliver(folder, "patinoires", header="jour,patinoire,entrees")
    result = run(folder, instance)
    assert not result.success
    assert materialised(result).count("published") == 1
    assert (folder / ".odp/public/datasets/piscines/current.json").is_file()


def test_selecting_the_capture_alone_publishes_nothing(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    result = run(folder, instance, [["piscines", "captured"]])
    assert materialised(result) == ["captured"]
    assert not (folder / ".odp/public/datasets/piscines").exists()


def test_no_cell_reaches_an_event(tmp_path, instance):
    folder = write_town(tmp_path, "piscines")
    deliver(folder, "piscines", rows=20, cell="Dupont-Secret")
    result = run(folder, instance)
    assert not result.success
    assert "Dupont-Secret" not in "".join(str(event) for event in result.all_events)


def test_a_run_of_a_dataset_plans_its_own_checks_and_those_of_no_other_job(tmp_path):
    folder = write_town(tmp_path, "piscines", "patinoires")
    job = definitions(read_town(folder)).resolve_job_def("nightly")
    assets = [asset_key("piscines", stage) for stage in STAGES]
    chosen = job.get_subset(asset_selection=set(assets), asset_check_selection=set(checks_of(assets)))
    assert [node.name for node in chosen.nodes] == ["piscines"]
    assert len(checks_of(assets)) == len(CHECKS)
