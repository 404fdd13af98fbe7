"""The table of kinds, held against Great Expectations itself, so that an upgrade cannot change it unseen."""

import pytest

from odpipeline.quality.across import ACROSS
from odpipeline.quality.kinds import KINDS
from odpipeline.quality.refused_kinds import REFUSED_KINDS

OURS_NOT = {"meta", "notes", "id", "description", "rendered_content", "severity", "result_format", "catch_exceptions",
            "windows", "batch_id"}  # fmt: skip
REFUSED = {"row_condition", "condition_parser", "allow_relative_error", "library_metadata", "mostly"}


def model(kind):
    from great_expectations.expectations.registry import get_expectation_impl

    import odpipeline.quality.engine  # noqa: F401 - registers

    return get_expectation_impl(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_great_expectations_knows_the_kind_and_its_arguments(kind):
    arguments = {*KINDS[kind].columns, *KINDS[kind].needs, *KINDS[kind].takes}
    theirs = set(model(kind).__fields__) - OURS_NOT
    assert arguments <= theirs
    assert theirs - arguments <= (REFUSED | {"ignore_row_if"} if kind in ACROSS else REFUSED)


def test_every_kind_that_great_expectations_brings_is_evaluated_or_refused_by_name():
    from pathlib import Path

    from great_expectations.expectations import core

    theirs = {file.stem for file in Path(core.__file__).parent.glob("*.py") if not file.stem.startswith("_")}
    assert {kind for kind in theirs if kind not in KINDS} == set(REFUSED_KINDS)
    assert not set(KINDS) & set(REFUSED_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_of_the_kind_is_answered_by_our_engine(kind):
    from odpipeline.quality.metrics import GROUPED, KNOWN, SAMPLES, SCANNED

    stem = model(kind).map_metric if hasattr(model(kind), "map_metric") else None
    if stem and stem not in ("column_values.of_type", "column_values.in_type_list"):
        assert {f"{stem}.unexpected_count"} <= {*SCANNED, *GROUPED}
    for metric in getattr(model(kind), "metric_dependencies", ()):
        assert metric in {*SCANNED, *GROUPED, *KNOWN} or metric.endswith(SAMPLES)
