"""Rows that fail go into the quarantine where the declaration says so: counted, out of the release, and told."""

import json

import duckdb
import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.quality import Expectation, Suite, check, suite_faults, suite_for
from odpipeline.quality.kinds import KINDS, by_itself
from tests.quality.test_agreement_with_pandas import CASES, ROWS
from tests.towns import PISCINES, deliver, published_bytes, write_town

BETWEEN = "expect_column_values_to_be_between"
QUARANTINE = PISCINES + "quality: {failing_rows: quarantine, quarantine: 10 %}\n"


def ran(folder, declaration=QUARANTINE, suite=None, **delivered):
    """A town whose piscines were run once: what was recorded, the stages by name, the zones."""
    town = write_town(folder, "piscines", declaration=declaration)
    deliver(folder, "piscines", **delivered)
    if suite is not None:
        (folder / "expectations").mkdir()
        (folder / "expectations/piscines.json").write_text(json.dumps({"name": "p", "expectations": suite}))
    town = read_town(town)
    zones = flow.Zones.of(town)
    stages = {type(stage).__name__: stage for stage in flow.recorded(town.dataset("piscines"), town, zones)}
    return zones.journal.last("piscines"), stages, zones


def test_every_condition_is_true_for_as_many_rows_as_the_check_counts(rows, duck):
    from odpipeline.quality.dialect import DuckDialect, engine_on
    from odpipeline.quality.engine import conditions

    asked = [Expectation(kind, kwargs) for kind, kwargs, _ in (case.values for case in CASES) if by_itself(kind)]
    report = check(rows(ROWS), Suite("budget", tuple(asked)), duck)
    with duckdb.connect() as connection:
        types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE {ROWS}").fetchall()}
        said = [
            str(one.compile(dialect=DuckDialect(), compile_kwargs={"literal_binds": True}))
            for one in conditions(engine_on(connection), types, asked)
        ]
        counted = connection.execute(f"SELECT {', '.join(f'count_if({one})' for one in said)} FROM ({ROWS})").fetchone()
    assert list(counted) == [finding.counts["unexpected_count"] for finding in report.findings]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if by_itself(kind)])
def test_every_kind_that_judges_a_row_by_itself_has_a_condition(kind):
    from great_expectations.expectations.registry import get_expectation_impl

    import odpipeline.quality.engine  # noqa: F401 - registers
    from odpipeline.quality.metrics import FAILING

    assert get_expectation_impl(kind).map_metric in FAILING


def test_a_failing_row_is_set_aside_and_the_others_are_published(tmp_path):
    record, stages, _ = ran(tmp_path, cell="-987654")
    conformed, release = stages["Conformed"], stages["Release"]
    assert (conformed.rows_in, conformed.rows, conformed.quarantined) == (20, 19, 1)
    assert (record.outcome, record.rows_in, record.quarantined, record.published) == ("published", 20, 1, 19)
    assert (release.rows, release.quarantined) == (19, 1)
    (told,) = [finding for finding in stages["QualityReport"].findings if finding.counts.get("set_aside")]
    assert (told.passed, told.rule, told.column) == (True, BETWEEN, "entrees")
    assert told.message.endswith("1 row that fails it is in the quarantine")
    with duckdb.connect() as connection:
        left = connection.execute(f"SELECT _row FROM read_parquet('{conformed.parquet}')").fetchall()
        cells = connection.execute(f"FROM read_parquet('{conformed.quarantine}')").fetchall()
    assert left == [(number,) for number in range(1, 20)]
    assert cells == [(20, "entrees", BETWEEN, "-987654")]


def test_the_cell_is_in_the_private_files_and_nowhere_else(tmp_path):
    record, stages, _ = ran(tmp_path, cell="-987654")
    told = f"{record}{stages}".encode() + b"".join(published_bytes(tmp_path).values())
    assert b"987654" not in told
    journal = b"".join(file.read_bytes() for file in (tmp_path / ".odp/private").glob("*.sqlite*"))
    assert b"987654" not in journal


def test_nothing_is_set_aside_unless_it_is_declared(tmp_path):
    record, stages, _ = ran(tmp_path, declaration=PISCINES, cell="-1")
    assert (record.outcome, record.quarantined) == ("refused", 0)
    assert not any("set_aside" in finding.counts for finding in stages["QualityReport"].findings)


def test_unreadable_and_failing_rows_count_together_under_one_ceiling(tmp_path):
    town = write_town(tmp_path, "piscines", declaration=QUARANTINE)
    file = tmp_path / "depot/piscines.csv"
    lines = file.read_text().splitlines()
    lines[1:4] = ["2026-10-01,Bassin 0,-1", "2026-10-02,Bassin 0,douze", "2026-10-03,Bassin 0,-3"]
    file.write_text("\n".join(lines) + "\n")
    town = read_town(town)
    *_, conformed, _, verdict = flow.publication(town.dataset("piscines"), town, flow.Zones.of(town))
    assert (conformed.rows, conformed.quarantined) == (17, 3)
    (reason,) = verdict.reasons
    assert reason.startswith("3 of 20 rows in quarantine (15.00%, ceiling 10.00%)")
    assert f"entrees fails {BETWEEN}: 2" in reason
    assert "entrees not readable as integer: 1" in reason


def test_one_expectation_says_otherwise_than_the_dataset(tmp_path):
    own = {"type": BETWEEN, "kwargs": {"column": "entrees", "max_value": 115}, "meta": {"failing_rows": "quarantine"}}
    declared = PISCINES + "quality: {quarantine: 20 %}\n"
    record, stages, _ = ran(tmp_path, declaration=declared, suite=[own])
    assert (record.outcome, record.quarantined, stages["Release"].rows) == ("published", 4, 16)


def test_what_mostly_allows_stays_in_the_release(tmp_path):
    own = {"type": BETWEEN, "kwargs": {"column": "entrees", "max_value": 115, "mostly": 0.8}}
    record, stages, _ = ran(tmp_path, suite=[own])
    assert (record.quarantined, stages["Release"].rows) == (0, 20)


def test_keys_that_stand_twice_refuse(dataset):
    suite = suite_for(dataset(key=["id"], quality={"failing_rows": "quarantine"}))
    aside = {one.type: one.set_aside for one in suite.expectations}
    assert aside["expect_column_values_to_be_unique"] is False
    assert aside["expect_column_values_to_not_be_null"] is True


@pytest.mark.parametrize(
    ("kind", "entry", "said"),
    [
        ("values_to_not_be_null", {"meta": {"failing_rows": "quarantin"}}, "did you mean 'quarantine'?"),
        ("values_to_be_unique", {"meta": {"failing_rows": "quarantine"}}, "is not that of single rows"),
        ("values_to_not_be_null", {"meta": {"failing_rows": "quarantine"}, "severity": "info"}, "is for critical"),
        ("values_to_not_be_null", {"meta": "quarantine"}, "meta must be an object"),
    ],
)
def test_a_wrong_word_is_refused_with_its_place(kind, entry, said, dataset):
    one = {"type": f"expect_column_{kind}", "kwargs": {"column": "id"}, **entry}
    (fault,) = suite_faults(dataset(suite={"expectations": [one]}))
    assert said in str(fault)


def test_what_failed_can_be_looked_at_until_the_next_run(tmp_path):
    from odpipeline.landing.workplace import quarantined_cells

    _, _, zones = ran(tmp_path, declaration=PISCINES, cell="-987654")
    cells = quarantined_cells(zones.work, "piscines", None, most=10, failed=True)
    assert cells == [(20, "entrees", BETWEEN, "-987654")]
    assert (zones.work / "piscines/failed.parquet").stat().st_mode & 0o077 == 0
    deliver(tmp_path, "piscines", rows=21)
    town = read_town(tmp_path)
    list(flow.publication(town.dataset("piscines"), town, zones))
    assert quarantined_cells(zones.work, "piscines", None, most=10, failed=True) == []
