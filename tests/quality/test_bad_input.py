"""Names, bounds, lists, patterns and cells that nobody expects: each counted right, none corrupts a statement."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.duck import literal, quote
from odpipeline.quality import Expectation, Suite, check
from tests.quality.test_failing_rows import QUARANTINE
from tests.towns import published_bytes, write_town

NAMES = [
    "select", "a b", 'a"b', "a'b", "é", "🚲", "f0", "src", "value", 'x"; DROP TABLE rows; --', "%s", ":p",
    "a::b", "a\\:p", "a.b", "?",
]  # fmt: skip
HOSTILE = ["'; DROP TABLE rows; --", "a'b", 'a"b', "%(x)s", ":p", "?", "\\", "🚲", "é", "{cell}"]


@pytest.mark.parametrize("name", NAMES)
def test_any_column_name_is_only_a_name(name, rows, duck):
    path = rows(f"SELECT i AS _row, i AS {quote(name)} FROM range(5) t(i)")
    asked = Expectation("expect_column_values_to_be_between", {"column": name, "min_value": 3})
    (found,) = check(path, Suite("budget", (asked,)), duck).findings
    assert (found.passed, found.counts["unexpected_count"]) == (False, 3)


@pytest.mark.parametrize("value", HOSTILE)
def test_any_value_of_a_list_is_only_a_value(value, rows, duck):
    path = rows(f"SELECT unnest([{literal(value)}, 'autre', NULL]) AS sens")
    asked = Expectation("expect_column_values_to_be_in_set", {"column": "sens", "value_set": [value]})
    (found,) = check(path, Suite("budget", (asked,)), duck).findings
    assert (found.counts["element_count"], found.counts["unexpected_count"], found.counts["missing_count"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("cell", "wrong"), [("'nan'", 1), ("'inf'", 1), ("'-inf'", 1), ("-0.0", 0), ("1e308", 1), ("NULL", 0), ("5", 0)]
)
def test_a_number_that_is_none_never_lies_within_bounds(cell, wrong, rows, duck):
    path = rows(f"SELECT {cell}::DOUBLE AS montant")
    asked = Expectation("expect_column_values_to_be_between", {"column": "montant", "min_value": 0, "max_value": 10})
    (found,) = check(path, Suite("budget", (asked,)), duck).findings
    assert found.counts["unexpected_count"] == wrong


def test_an_empty_text_is_a_value_and_a_missing_one_is_none(rows, duck):
    path = rows("SELECT unnest(['', NULL, 'x']) AS mot")
    filled = Expectation("expect_column_values_to_not_be_null", {"column": "mot"})
    long = Expectation("expect_column_value_lengths_to_be_between", {"column": "mot", "min_value": 1})
    counts = [f.counts["unexpected_count"] for f in check(path, Suite("budget", (filled, long)), duck).findings]
    assert counts == [1, 1]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cell=st.text("abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=12), failing=st.integers(0, 3))
def test_no_planted_cell_leaves_the_private_zone(cell, failing, tmp_path_factory):
    folder, planted = tmp_path_factory.mktemp("planted"), f"zq{cell}"
    required = "{name: piscine, constraints: {required: true"
    declared = QUARANTINE.replace(required, f"{required}, pattern: '[A-Z].*'")
    town = read_town(write_town(folder, "piscines", declaration=declared))
    lines = [f"2026-10-{1 + n:02},{planted if n < failing else 'Bassin'},{n}" for n in range(20)]
    (folder / "depot/piscines.csv").write_text("\n".join(["jour,piscine,entrees", *lines]) + "\n")
    zones = flow.Zones.of(town)
    stages = list(flow.recorded(town.dataset("piscines"), town, zones))
    told = f"{stages}{zones.journal.last('piscines')}{zones.journal.reports('piscines')}"
    assert planted not in told
    assert not any(planted.encode() in content for content in published_bytes(folder).values())
    assert zones.journal.last("piscines").quarantined == failing
    assert zones.journal.last("piscines").outcome == ("refused" if failing > 2 else "published")
