"""Periods as Dagster's partitions: what a night, a backfill and a dropped file run, and which are then there."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.keys import STAGES, asset_key
from odpipeline.orchestration.night import probe
from odpipeline.orchestration.periodical import partition_tag
from odpipeline.sources.periodical import all_due
from tests.test_periods import FREQUENTATION, LAST, NAMES, Mediatheques
from tests.towns import deliver

JOB = f"monthly_since_{NAMES[0].replace('-', '_')}"
KEYS = [asset_key("entrees", stage) for stage in STAGES]
PUBLISHED = KEYS[-1]


@pytest.fixture
def place(tmp_path):
    """Four months dropped, the second of them never."""
    town = Mediatheques(tmp_path)
    for n, month in enumerate(LAST):
        if n != 1:
            town.drop(month, 10 + n, 20 + n)
    return town


@pytest.fixture
def instance(place):
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(place, instance, **tags):
    """A run as the night asks for it, or as a person does who names partitions."""
    town = read_town(place.root)
    tags = tags or {"odp/trigger": "night", **partition_tag(town.dataset("entrees"))}
    job = definitions(town).resolve_job_def(JOB)
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def there(instance, key=PUBLISHED):
    return sorted(instance.get_materialized_partitions(key))


def test_a_night_materialises_each_period_that_was_delivered_and_no_other(place, instance):
    assert run(place, instance).success
    assert {tuple(there(instance, key)) for key in KEYS} == {(NAMES[0], NAMES[2], NAMES[3])}


def test_a_backfill_asks_for_its_periods_and_makes_one_release(place, instance):
    run(place, instance)
    place.drop(LAST[0], 99, 98)
    place.drop(LAST[1], 11, 21)
    place.drop(LAST[3], 77, 78)  # not asked for
    ended = run(
        place, instance,
        **{"dagster/asset_partition_range_start": NAMES[0], "dagster/asset_partition_range_end": NAMES[1]},
    )  # fmt: skip
    assert ended.success
    assert there(instance) == NAMES
    store = flow.Zones.of(read_town(place.root)).store
    assert store.current("entrees").version == 2
    published = next(place.root.rglob("versions/2/entrees.csv")).read_text()
    assert f"{LAST[0]},99" in published
    assert ",77" not in published


def test_a_period_that_a_backfill_does_not_get_stays_missing(place, instance):
    run(place, instance)
    assert not run(place, instance, **{"dagster/partition": NAMES[1]}).success
    assert NAMES[1] not in there(instance)


def test_a_period_that_the_system_has_no_more_is_not_materialised_again(place, instance):
    run(place, instance)
    (place.root / f"depot/entrees_{LAST[0]:%Y%m}.csv").unlink()
    range_of = {"dagster/asset_partition_range_start": NAMES[0], "dagster/asset_partition_range_end": NAMES[2]}
    assert run(place, instance, **range_of).success
    told = instance.fetch_materializations(PUBLISHED, limit=9).records
    assert told[0].partition_key == NAMES[2]
    assert [record.partition_key for record in told].count(NAMES[0]) == 1


def test_what_was_published_without_dagster_is_there_after_the_next_quiet_night(place, instance):
    place.run()
    town = read_town(place.root)
    assert probe(town.datasets, town, instance) == []
    assert there(instance) == [NAMES[0], NAMES[2], NAMES[3]]
    before = len(instance.fetch_materializations(PUBLISHED, limit=50).records)
    probe(town.datasets, town, instance)
    assert len(instance.fetch_materializations(PUBLISHED, limit=50).records) == before + 1  # the newest one only


def test_no_run_is_asked_for_before_the_first_period_is_over(place, instance):
    place.declare(FREQUENTATION.replace("FIRST", "2099-01"))
    schedule = definitions(read_town(place.root)).resolve_schedule_def("nightly_monthly_since_2099_01")
    with dg.DagsterInstance.local_temp(str(place.root)) as kept:
        context = dg.build_schedule_context(instance=kept, scheduled_execution_time=datetime.now(UTC))
        assert schedule.evaluate_tick(context).run_requests == []


def test_periodical_datasets_have_a_job_and_a_schedule_of_their_own(place, instance):
    deliver(place.root, "piscines")
    (place.root / "assets/sports/lectures.yaml").write_text(
        FREQUENTATION.replace("FIRST", NAMES[0]).replace("entrees_{", "lectures_{")
    )
    town = read_town(place.root)
    found = definitions(town)
    schedule = found.resolve_schedule_def(f"nightly_{JOB}")
    with dg.DagsterInstance.local_temp(str(place.root)) as kept:
        context = dg.build_schedule_context(instance=kept, scheduled_execution_time=datetime.now(UTC))
        asked = schedule.evaluate_tick(context).run_requests
    assert [request.tags["odp/dataset"] for request in asked] == ["entrees", "lectures"]
    assert {request.tags["dagster/partition"] for request in asked} == {NAMES[-1]}
    nightly = found.resolve_job_def("nightly").asset_layer.executable_asset_keys
    assert not set(nightly) & set(KEYS)


def test_the_partitions_are_the_periods_that_the_source_is_asked_for(place, instance):
    for said, names in (
        ("{every: week, first: 2026-10-26}", ["2026-10-26", "2026-11-02"]),
        ("{every: quarter, first: 2025-07}", ["2025-07", "2025-10"]),
        ("{every: year, first: 2019}", ["2019", "2020"]),
        ("{every: day, first: 2026-10-24}", ["2026-10-24", "2026-10-25"]),
        ("{every: month, first: 2026-10, running: true}", ["2026-10", "2026-11"]),
    ):
        place.declare(FREQUENTATION.replace("{every: month, first: FIRST}", said).replace("{period:%Y%m}", "{period}"))
        town = read_town(place.root)
        dataset = town.dataset("entrees")
        assets = definitions(town).resolve_assets_def(PUBLISHED)
        keys = assets.partitions_def.get_partition_keys()
        assert keys[:2] == names
        assert keys == all_due(dataset, datetime.now(UTC))
        assert partition_tag(dataset) == {"dagster/partition": keys[-1]}


def test_a_dropped_period_is_run_in_the_job_of_its_periods(place, instance):
    run(place, instance)
    town = read_town(place.root)
    sensor = definitions(town).resolve_sensor_def("drop_folders")
    repository = definitions(town).get_repository_def()

    def look(cursor):
        context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
        return sensor.evaluate_tick(context)

    first = look(None)
    place.drop(LAST[1], 1, 2)
    second = look(first.cursor)
    third = look(second.cursor)
    assert [request.job_name for request in third.run_requests] == [JOB]
