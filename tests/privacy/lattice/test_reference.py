"""The optimum that a reference tool found for UCI Adult, k = 5, for every score, without and with suppression."""

import json
from pathlib import Path

import pytest

from odpipeline.privacy.lattice import Quasi, load, solve

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "anonymisation"
_NAMES = {
    "loss_mean": "loss",
    "loss_geom": "geometric_loss",
    "entropy_sum": "entropy",
    "aecs": "average_class",
    "precision_mean": "precision",
}


@pytest.fixture(scope="module")
def adult(connection):
    if not _FOLDER.is_dir():
        pytest.skip("the reference cases are not there: no folder shared/anonymisation beside the checkout")
    read = "read_csv('{}', delim=';', all_varchar=true, header={})"
    connection.execute(
        f"CREATE OR REPLACE TABLE adult AS SELECT * FROM {read.format(_FOLDER / 'adult' / 'adult.csv', 'true')}"
    )
    names = [row[0] for row in connection.execute("DESCRIBE adult").fetchall()]
    for name in names:
        file = _FOLDER / "adult" / f"hierarchy_{name}.csv"
        connection.execute(f'CREATE OR REPLACE TABLE "l_{name}" AS SELECT * FROM {read.format(file, "false")}')
        connection.execute(f'ALTER TABLE "l_{name}" RENAME COLUMN column0 TO leaf')
    return load(connection, "adult", [Quasi(name, f"l_{name}") for name in names])


def test_every_case_of_the_reference_is_met(adult):
    for case in json.loads((_FOLDER / "oracle_adult_k5.json").read_text()):
        score = _NAMES.get(case["metric"], case["metric"])
        found = solve(adult, case["models"][0]["k"], limit=case["suppression_limit"], score=score)
        assert found.optimal, case["id"]
        assert found.score == pytest.approx(case["score"], rel=1e-6), case["id"]
        assert found.suppressed == case["suppressed_records"], case["id"]
        if found.levels == case["optimum_levels"]:  # otherwise it is another node with the same score
            said = (case["released_classes"], case["min_class"], case["max_class"])
            assert (found.classes, found.smallest, found.largest) == said, case["id"]


def test_when_time_is_over_the_gap_is_proven(adult):
    exact = solve(adult, 5, limit=0.02)
    hasty = solve(adult, 5, limit=0.02, seconds=0.05)
    assert not hasty.optimal
    assert hasty.bound <= exact.score <= hasty.score
    assert hasty.gap == pytest.approx((hasty.score - hasty.bound) / hasty.score)
