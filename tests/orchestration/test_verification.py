"""Once a day the store is read again: what is not as it was published turns its check red."""

from pathlib import Path

import dagster as dg

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from tests.towns import write_town


def verified(folder: Path) -> dict[str, dg.AssetCheckEvaluation]:
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(read_town(folder)).resolve_job_def("verify_store")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        return {found.asset_key.path[0]: found for found in result.get_asset_check_evaluations()}


def test_a_flipped_byte_turns_the_check_red_and_says_where(tmp_path: Path) -> None:
    folder = write_town(tmp_path, "piscines")
    town = read_town(folder)
    for _ in flow.publication(town.dataset("piscines"), town, flow.Zones.of(town)):
        pass
    good = verified(folder)["piscines"]
    assert good.passed
    assert good.metadata["versions"].value == 1
    file = folder / ".odp/public/datasets/piscines/versions/1/piscines.csv"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    bad = verified(folder)["piscines"]
    assert not bad.passed
    assert bad.description == ("datasets/piscines/versions/1/piscines.csv: its bytes are not those that were published")


def test_a_night_does_not_read_the_store_again(tmp_path: Path) -> None:
    town = read_town(write_town(tmp_path, "piscines"))
    with dg.DagsterInstance.ephemeral():
        names = {node.name for node in definitions(town).resolve_job_def("nightly").nodes}
    assert "store_verified" not in names
