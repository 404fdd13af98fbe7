"""Datasets that are delivered period by period: what is asked for, what stays, what is missing."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.declaration.periods import period
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.landing import Capture
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.servers import http_server
from tests.towns import TOWN, write_town

FREQUENTATION = """
title: Fréquentation des médiathèques
description: Entrées par jour.
owner: lecture@ville.example
source: {folder: "depot/entrees_{period:%Y%m}.csv"}
periods: {every: month, first: FIRST}
fields:
  - {name: jour, type: date, constraints: {required: true}}
  - {name: entrees, type: integer}
key: [jour]
personal_data: none
"""


def months(count: int) -> list[date]:
    """The first days of the last `count` months that are over, the oldest first."""
    found = [datetime.now(ZoneInfo("Europe/Paris")).date().replace(day=1)]
    for _ in range(count):
        found.insert(0, period("month", found[0] - timedelta(days=1))[0])
    return found[:-1]


LAST = months(4)
NAMES = [f"{month:%Y-%m}" for month in LAST]


def table(month: date, *entries: int) -> str:
    return "\n".join(["jour,entrees", *(f"{month + timedelta(days=n)},{many}" for n, many in enumerate(entries))])


class Mediatheques:
    """A town with one dataset that a department drops month by month."""

    def __init__(self, root, declaration=FREQUENTATION):
        self.root = write_town(root)
        self.declare(declaration)

    def declare(self, declaration):
        text = declaration.replace("FIRST", NAMES[0])
        (self.root / "assets/sports/entrees.yaml").write_text(text)

    def drop(self, month: date, *entries: int):
        (self.root / f"depot/entrees_{month:%Y%m}.csv").write_text(table(month, *entries))

    def run(self, periods=None) -> tuple[Capture, Release, Verdict | None]:
        town = read_town(self.root)
        self.zones = flow.Zones.of(town)
        stages = list(flow.recorded(town.dataset("entrees"), town, self.zones, periods=periods))
        verdict = next((stage for stage in stages if isinstance(stage, Verdict)), None)
        return stages[0], stages[-1], verdict

    def published(self) -> str:
        release = self.zones.store.current("entrees")
        return next(self.root.rglob(f"versions/{release.version}/entrees.csv")).read_text()


@pytest.fixture
def town(tmp_path):
    town = Mediatheques(tmp_path)
    for n, month in enumerate(LAST):
        town.drop(month, 10 + n, 20 + n)
    return town


def test_all_periods_since_the_first_are_one_release(town):
    capture, release, _ = town.run()
    assert list(capture.periods) == NAMES
    assert release.rows == 8
    assert [line.split(",")[1] for line in town.published().splitlines()[1:]] == [
        "10", "20", "11", "21", "12", "22", "13", "23",
    ]  # fmt: skip


def test_a_run_asks_for_the_newest_periods_again_and_keeps_the_older_ones(town):
    town.run()
    for month in LAST:
        town.drop(month, 99, 98)
    capture, _, _ = town.run()
    assert list(capture.periods) == NAMES
    with_99 = [line for line in town.published().splitlines() if line.endswith(",99")]
    assert with_99 == [f"{month},99" for month in LAST[-2:]]


def test_a_period_that_is_named_is_asked_for_and_nothing_else(town):
    town.run()
    for month in LAST:
        town.drop(month, 99, 98)
    town.run(NAMES[:1])
    assert [line for line in town.published().splitlines() if line.endswith(",99")] == [f"{LAST[0]},99"]


def test_nothing_new_makes_no_version(town):
    _, first, _ = town.run()
    capture, again, verdict = town.run()
    assert capture.unchanged == "every period that was asked for is unchanged"
    assert (again.version, verdict) == (first.version, None)


def test_a_period_that_the_department_has_deleted_stays_published(town):
    _, first, _ = town.run()
    for month in LAST:
        (town.root / f"depot/entrees_{month:%Y%m}.csv").unlink()
    _, again, _ = town.run()
    assert (again.version, again.rows) == (first.version, 8)


def test_a_period_that_never_came_is_told_and_asked_for_each_time(town):
    gone = town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv"
    kept = gone.read_text()
    gone.unlink()
    _, release, verdict = town.run()
    assert release.rows == 6
    told = [finding for finding in verdict.findings if finding.rule == "periods"]
    assert told[0].message == (
        f"1 of 4 periods were never delivered: {NAMES[0]}; ask the source's owner for them, each run asks again"
    )
    gone.write_text(kept)
    _, release, verdict = town.run()
    assert release.rows == 8
    assert [finding.passed for finding in verdict.findings if finding.rule == "periods"] == [True]


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(OdpError, match="no file matches"):
        Mediatheques(tmp_path).run()


@pytest.mark.parametrize("damage", [lambda whole: b"x" * len(whole), lambda whole: whole.replace(b",10", b",90", 1)])
def test_a_capture_that_is_damaged_is_fetched_anew(town, damage):
    capture, _, _ = town.run()
    capture.path.write_bytes(damage(capture.path.read_bytes()))
    town.drop(LAST[-1], 77, 78, 79)
    _, release, _ = town.run()
    assert release.rows == 9
    assert f"{LAST[0]},10" in town.published()


def test_another_address_asks_for_every_period(town):
    town.run()
    for n, month in enumerate(LAST):
        (town.root / f"depot/neuf_{month:%Y%m}.csv").write_text(table(month, 50 + n, 60 + n))
    town.declare(FREQUENTATION.replace("entrees_{", "neuf_{"))
    town.run()
    assert [line.split(",")[1] for line in town.published().splitlines()[1::2]] == ["50", "51", "52", "53"]


def test_a_row_that_two_periods_deliver_is_refused(town):
    town.drop(LAST[1], 1)
    (town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv").write_text(table(LAST[1], 2))
    *_, verdict = town.run()
    assert verdict is not None
    assert not verdict.accepted


def test_the_newest_period_dates_the_data(town):
    town.declare(FREQUENTATION + "freshness: {every: month, within: 20 days, dated_by: period}\n")
    _, release, _ = town.run()
    assert release.data_date == datetime.combine(
        period("month", LAST[-1])[1] - timedelta(days=1), datetime.min.time(), UTC
    )


def test_periods_over_http_ask_only_what_changed(tmp_path):
    with http_server() as server:
        asked = []

        def answer(request):
            asked.append((request.path, request.headers.get("If-None-Match")))
            month = date.fromisoformat(request.path[-7:] + "-01")
            if month == LAST[0]:
                request.say(404)
            elif request.headers.get("If-None-Match") == f'"{month}"':
                request.say(304)
            else:
                request.say(200, table(month, month.month), ETag=f'"{month}"', Content_Type="text/csv")

        server.answers["/entrees"] = answer
        declared = FREQUENTATION.replace(
            'folder: "depot/entrees_{period:%Y%m}.csv"',
            f'http: "{server.at("/entrees")}?mois={{period:%Y-%m}}", internal: true',
        )
        town = Mediatheques(tmp_path, declared)
        _, release, _ = town.run()
        assert release.rows == 3
        asked.clear()
        town.run()
    assert [(path[-7:], mark) for path, mark in asked] == [
        (NAMES[0], None), (NAMES[2], f'"{LAST[2]}"'), (NAMES[3], f'"{LAST[3]}"'),
    ]  # fmt: skip


def test_a_query_takes_both_ends_of_a_period(tmp_path, monkeypatch):
    monkeypatch.setenv("ODP_BASE", "sqlite:///base.db")
    town = Mediatheques(
        tmp_path,
        FREQUENTATION.replace(
            'folder: "depot/entrees_{period:%Y%m}.csv"',
            "sql: \"SELECT jour, entrees FROM entrees WHERE jour >= '{period}' AND jour < '{next}'\", system: base",
        ),
    )
    (town.root / "town.yaml").write_text(TOWN + "systems:\n  base: {title: Base, url: {env: ODP_BASE}}\n")
    with sqlite3.connect(town.root / "base.db") as base:
        base.execute("CREATE TABLE entrees (jour TEXT, entrees INTEGER)")
        for month in LAST:
            days = [(str(month), 1), (str(period("month", month)[1] - timedelta(days=1)), 2)]
            base.executemany("INSERT INTO entrees VALUES (?, ?)", days)
    _, release, _ = town.run()
    assert release.rows == 8


def odp(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_line_backfills_and_lists(town):
    assert odp("run", "--town", town.root).exit_code == 0
    town.drop(LAST[0], 1)
    town.drop(LAST[1], 2, 3, 4)
    assert odp("run", "entrees", "--period", f"{NAMES[0]}:{NAMES[1]}", "--town", town.root).exit_code == 0
    town.run()
    assert town.zones.store.current("entrees").version == 2
    listed = odp("periods", "entrees", "--town", town.root).output
    assert [line.split()[1] for line in listed.splitlines() if NAMES[0] in line or NAMES[3] in line] == ["yes", "yes"]
    for said, why in (
        ("2019-01", f"there is no period 2019-01; there are: from {NAMES[0]} to {NAMES[3]}"),
        ("mai", "'mai' is no month; write 2026-10"),
    ):
        refused = odp("run", "entrees", "--period", said, "--town", town.root)
        assert refused.exit_code == 1
        assert why in str(refused.exception)
    assert "--period is for one dataset" in str(
        odp("run", "--period", NAMES[0], "--night", "--town", town.root).exception
    )


@pytest.mark.parametrize(
    ("said", "instead", "why"),
    [
        ("{period:%Y%m}", "", "periods are declared, but the source is not asked for one"),
        ("{period:%Y%m}", "{periode:%Y%m}", "{periode:%Y%m} is no place for a period"),
        ("{period:%Y%m}", "{period:%B}", "{period:%B}: a period is written with %Y"),
        ("periods: {every: month, first: FIRST}\n", "", "asks for one period, but none are declared"),
        ("first: FIRST", "first: 2026-13", "'2026-13' is no month; write 2026-10"),
        ("every: month, first: FIRST", "every: quarter, first: 2026-02", "'2026-02' is no quarter"),
        ("every: month, first: FIRST", "every: week, first: 2026-10-27", "'2026-10-27' is no week; write its Monday"),
        ("key: [jour]\n", "", "name the key of a row"),
        ("}.csv\"", "}.csv\", take: all", "each period is one file"),
        ("personal_data: none", "personal_data: none\nformat: {members: all}", "leave out member and members"),
        ("personal_data: none", "personal_data: none\nfreshness: {data: 9 days, dated_by: periode}", "dated_by"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_periods_is_told_with_its_line(tmp_path, said, instead, why):
    assert said in FREQUENTATION
    with pytest.raises(DeclarationErrors) as error:
        read_town(Mediatheques(tmp_path, FREQUENTATION.replace(said, instead)).root)
    assert why in str(error.value)
    assert "assets/sports/entrees.yaml:" in str(error.value)
