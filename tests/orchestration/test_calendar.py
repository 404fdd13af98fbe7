"""The town's calendar, walked by Dagster's own iterator and scheduler: nights of the clock change, nights missed."""

import logging
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator

from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from odpipeline.orchestration.describing import calendar_name
from tests.towns import write_town

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize("cron", ["0 2 * * *", "30 2 * * *", "30 5 * * *"])
@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)], ids=["02:30 never", "02:30 twice"])
def test_each_night_runs_once_where_the_clock_changes(tmp_path, cron, change):
    folder = write_town(tmp_path, "piscines")
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + f"night: {{cron: '{cron}'}}\n")
    schedule = definitions(read_town(folder)).get_repository_def().get_schedule_def("nightly")
    first = datetime(change.year, change.month, change.day, tzinfo=PARIS) - timedelta(days=2)
    ticks = schedule_execution_time_iterator(first.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    last = (first + timedelta(days=5)).timestamp()
    nights = [tick.astimezone(PARIS) for tick in takewhile(lambda tick: tick.timestamp() < last, ticks)]
    assert [night.date() for night in nights] == [first.date() + timedelta(days=n) for n in range(5)]
    assert {night.hour for night in nights} <= {int(cron.split()[1]), 3}


def test_after_three_days_off_the_night_and_every_other_calendar_run_once(tmp_path: Path, monkeypatch):
    folder = write_town(tmp_path, "piscines", "patinoires", "stades")
    for name, cron in (("patinoires", "*/30 * * * *"), ("stades", "30 6 * * *")):
        file = folder / f"assets/sports/{name}.yaml"
        file.write_text(file.read_text() + f"schedule: '{cron}'\n")
    monkeypatch.setenv("ODP_TOWN", str(folder))
    target = ModuleTarget("odpipeline.orchestration.definitions", None, str(folder), "town")
    evening = datetime(2026, 11, 20, 20, tzinfo=UTC)
    logger = logging.getLogger("scheduler")
    with (
        dg.instance_for_test(temp_dir=str(tmp_path), overrides={"telemetry": {"enabled": False}}) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        for now in (evening, evening + timedelta(days=3), evening + timedelta(days=3, hours=1)):
            list(launch_scheduled_runs(workspace, logger, now, {}))
        nights = [run.tags["odp/night"] for run in instance.get_runs(dg.RunsFilter(job_name="nightly"))]
        frequent = [run.tags["odp/dataset"] for run in instance.get_runs(dg.RunsFilter(job_name="frequent"))]
    assert nights == ["2026-11-23"]
    assert sorted(frequent) == ["patinoires", "stades"]  # those of the hour after find the first still waiting


@pytest.mark.parametrize(
    ("cron", "name"),
    [("*/5 * * * *", "every_5_minutes"), ("15 * * * *", "hourly_at_15"), ("30 6 * * *", "daily_at_0630"),
     ("0 8 * * 1-5", "at_0_8_any_any_1to5")],
)  # fmt: skip
def test_calendars_have_names_that_people_read(cron, name):
    assert calendar_name(cron) == name
