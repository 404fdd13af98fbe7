"""Datasets that are delivered period by period: what is asked for, what stays, what is missing."""

from __future__ import annotations

import gzip
import json
import os
import re
import sqlite3
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from odpipeline import acts, flow, unpublished
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.declaration.periods import period
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.landing import Capture
from odpipeline.landing.workplace import workplace
from odpipeline.sources import periodical, web
from odpipeline.sources.delivery import Order
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
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


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


def test_a_folder_of_our_own_is_looked_through_each_time(town):
    town.run()
    for month in LAST:
        town.drop(month, 99, 98)
    capture, _, _ = town.run()
    assert list(capture.periods) == NAMES
    assert town.published().count(",99") == 4


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
        f"1 of 4 periods are missing or have no rows: {NAMES[0]}; ask the source's owner for them, each run asks again"
    )
    gone.write_text(kept)
    _, release, verdict = town.run()
    assert release.rows == 8
    assert [finding.passed for finding in verdict.findings if finding.rule == "periods"] == [True]


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(OdpError, match="no file matches"):
        Mediatheques(tmp_path).run()


def test_a_month_without_rows_and_a_month_of_nothing_hold_nothing_back(town):
    (town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv").write_text("jour,entrees\n")
    (town.root / f"depot/entrees_{LAST[1]:%Y%m}.csv").write_text("")
    capture, release, verdict = town.run()
    assert list(capture.periods) == [NAMES[0], *NAMES[2:]]
    assert release.rows == 4
    told = next(finding for finding in verdict.findings if finding.rule == "periods")
    assert f"2 of 4 periods are missing or have no rows: {NAMES[0]}, {NAMES[1]};" in told.message
    assert town.zones.landing.latest("entrees").there == NAMES[2:]


def test_a_period_without_rows_is_asked_for_until_it_has_some(tmp_path, monkeypatch):
    town = of_a_database(tmp_path, monkeypatch)
    with sqlite3.connect(town.root / "base.db") as base:
        base.execute("DELETE FROM entrees WHERE jour LIKE ?", [f"{LAST[0]:%Y-%m}%"])
    _, release, _ = town.run()
    assert release.rows == 6
    town.run()
    with sqlite3.connect(town.root / "base.db") as base:
        base.executemany("INSERT INTO entrees VALUES (?, ?)", [(str(LAST[0]), 5), (str(LAST[1]), 6)])
    _, release, verdict = town.run()
    assert release.rows == 7  # what was added to a settled month is not asked for
    assert [finding.passed for finding in verdict.findings if finding.rule == "periods"] == [True]


def test_an_xml_month_without_records_holds_nothing_back(town):
    town.declare(
        FREQUENTATION.replace("entrees_{", "x_{").replace(".csv", ".xml") + "format: {type: xml, records: j/i}\n"
    )
    for n, month in enumerate(LAST):
        item = f"<i><jour>{month}</jour><entrees>{n}</entrees></i>" if n else ""
        (town.root / f"depot/x_{month:%Y%m}.xml").write_text(f"<j>{item}</j>")
    _, release, _ = town.run()
    assert release.rows == 3
    town.declare((town.root / "assets/sports/entrees.yaml").read_text().replace("j/i", "j/item"))
    with pytest.raises(OdpError, match="the XML has no element at j/item"):
        town.run()


def test_a_pattern_that_matches_nothing_any_more_is_an_error_not_silence(town):
    town.run()
    town.declare(FREQUENTATION.replace("entrees_{", "entres_{"))
    with pytest.raises(OdpError, match="no file matches"):
        town.run()


def test_what_answers_a_former_question_only_is_told_as_missing(town):
    town.run()
    for month in LAST[2:]:
        (town.root / f"depot/neuf_{month:%Y%m}.csv").write_text(table(month, 50, 60))
    town.declare(FREQUENTATION.replace("entrees_{", "neuf_{"))
    capture, release, verdict = town.run()
    assert release.rows == 8
    assert capture.there == NAMES[2:]
    told = next(finding for finding in verdict.findings if finding.rule == "periods")
    assert f"2 of 4 periods are missing or have no rows: {NAMES[0]}, {NAMES[1]};" in told.message


def test_other_bytes_with_the_same_content_are_asked_for_once(town):
    town.run()
    for month in LAST:
        file = town.root / f"depot/entrees_{month:%Y%m}.csv"
        file.write_text(file.read_text().replace("\n", "\r\n"))
    town.run()
    assert (
        unpublished.compared(
            read_town(town.root).dataset("entrees"), town.zones.landing, town.zones.store, town.zones.journal
        )
        is None
    )


def test_a_late_file_with_an_old_date_makes_the_data_no_older(town):
    town.declare(FREQUENTATION + "freshness: {data: 9 days, dated_by: source}\n")
    late = town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv"
    kept = late.read_text()
    late.unlink()
    _, first, _ = town.run()
    late.write_text(kept)
    os.utime(late, (1_700_000_000, 1_700_000_000))
    _, second, _ = town.run()
    assert (second.version, second.data_date) == (2, first.data_date)


def test_a_month_that_cannot_be_read_is_named_and_taken_once_it_is_mended(town):
    town.run()
    file = town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv"
    good = file.read_text()
    file.write_text(good.replace("entrees", "visites"))
    with pytest.raises(OdpError, match=f"period {NAMES[0]}: "):
        town.run()
    file.write_text(good.replace(",10", ",11"))
    _, release, _ = town.run()
    assert (release.version, release.rows) == (2, 8)


def test_a_month_of_which_nothing_can_be_read_is_a_refusal_however_small_it_is(town):
    town.declare(FREQUENTATION + "quality: {quarantine: 50 %}\n")
    (town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv").write_text("jour,entrees\nhier,3\n")
    *_, verdict = town.run()
    assert verdict is not None
    assert not verdict.accepted
    assert f"of 1 periods no row could be read: {NAMES[0]}" in "; ".join(verdict.reasons)


def test_months_in_several_packings_are_one_release(town):
    for month, suffix in ((LAST[0], ".zip"), (LAST[1], ".gz")):
        file = town.root / f"depot/entrees_{month:%Y%m}.csv"
        if suffix == ".zip":
            with zipfile.ZipFile(file.with_suffix(".zip"), "w") as bundle:
                bundle.write(file, "entrees du mois.csv")
            file.with_suffix(".zip").rename(file)
        else:
            file.write_bytes(gzip.compress(file.read_bytes()))
    _, release, _ = town.run()
    assert release.rows == 8


def test_many_periods_are_joined_in_several_steps(town, monkeypatch):
    monkeypatch.setattr("odpipeline.conform.conforming._AT_ONCE", 2)
    capture, _, _ = town.run()
    assert len(capture.periods) == 4
    assert [line.split(",")[1] for line in town.published().splitlines()[1:]] == [
        "10", "20", "11", "21", "12", "22", "13", "23",
    ]  # fmt: skip


def test_a_missing_month_is_told_also_when_nothing_is_new(town):
    (town.root / f"depot/entrees_{LAST[1]:%Y%m}.csv").unlink()
    town.run()
    town.run()
    last = town.zones.journal.last("entrees")
    assert last.outcome == "unchanged"
    assert last.reasons[0].startswith(f"1 of 4 periods are missing or have no rows: {NAMES[1]}")


def test_a_withdrawn_dataset_keeps_no_capture_beyond_its_retention(town):
    town.run()
    read = read_town(town.root)
    planned = acts.Withdrawal.planned("entrees", town.zones, None, captures=False)
    planned.done(read, town.zones, read.contact, "ordre", None, captures=False)
    for folder in (town.root / ".odp/private/captures/entrees").glob("[0-9a-f]*"):
        said = json.loads((folder / "capture.json").read_text())
        (folder / "capture.json").write_text(json.dumps(said | {"seen_at": "2020-01-01T00:00:00+00:00"}))
    flow.sweep(read, town.zones)
    assert town.zones.landing.every("entrees") == []


def test_the_last_capture_of_a_dataset_by_period_outlives_its_retention(town):
    capture, _, _ = town.run()
    (town.root / f"depot/entrees_{LAST[0]:%Y%m}.csv").write_text("jour,visites\n2026-01-01,1\n")
    with pytest.raises(OdpError):
        town.run()
    kept = town.zones.landing
    latest = kept.last("entrees")
    assert latest != capture.sha256
    for folder in (town.root / ".odp/private/captures/entrees").glob("[0-9a-f]*"):
        said = json.loads((folder / "capture.json").read_text())
        (folder / "capture.json").write_text(json.dumps(said | {"seen_at": "2020-01-01T00:00:00+00:00"}))
    flow.sweep(read_town(town.root), town.zones)
    assert {name for name, _ in kept.every("entrees")} == {latest, capture.sha256}


def test_a_second_run_of_a_patient_dataset_waits_for_the_first(town):
    read = read_town(town.root)
    zones = flow.Zones.of(read)
    with ExitStack() as held:
        held.enter_context(workplace(zones.work, "entrees", None))
        with pytest.raises(OdpError, match="another run of this dataset is under way"):
            list(flow.publication(read.dataset("entrees"), read, zones))
        patient = replace(zones, patience_seconds=60)
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(lambda: list(flow.publication(read.dataset("entrees"), read, patient)))
            assert not waits.done()
            held.close()
            assert isinstance(waits.result(timeout=60)[-1], Release)


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


class Counters:
    """A server with one file a day, and what is captured of it at any moment; `asked` are the days of the last run."""

    def __init__(self, root, server, declared="{every: day, first: 2026-10-01, again: 2}"):
        self.files: dict[str, str] = {}
        self.asked: list[str] = []
        server.answers["/jour"] = self.answer
        source = f'http: "{server.at("/jour")}?jour={{period}}", internal: true'
        self.place = Mediatheques(root, FREQUENTATION.replace('folder: "depot/entrees_{period:%Y%m}.csv"', source))
        self.declare(declared)

    def declare(self, periods):
        text = (self.place.root / "assets/sports/entrees.yaml").read_text()
        self.place.declare(re.sub(r"periods: .*", f"periods: {periods}", text))

    def answer(self, request):
        name = request.path[-10:]
        self.asked.append(name[-2:])
        mark = f'"{hash(self.files.get(name))}"'
        if name not in self.files:
            request.say(404)
        elif request.headers.get("If-None-Match") == mark:
            request.say(304)
        else:
            request.say(200, self.files[name], ETag=mark, Content_Type="text/csv")

    def put(self, entries, *days):
        for day in days:
            self.files[f"2026-10-{day:02}"] = f"jour,entrees\n2026-10-{day:02},{entries}\n"

    def capture(self, day, hour=12, names=None, public=None) -> dict[str, str]:
        """What a run at that moment captures: day → entries."""
        town = read_town(self.place.root)
        dataset, zones = town.dataset("entrees"), flow.Zones.of(town)
        folder = Path(tempfile.mkdtemp(dir=self.place.root))
        since, earlier = zones.landing.validators("entrees"), partial(zones.landing.earlier, "entrees", folder)
        order = Order(None, dataset, town.root, folder, since, earlier, "here")
        self.asked.clear()
        now = datetime(2026, 10, day, hour, tzinfo=ZoneInfo("Europe/Paris"))
        ask = lambda one: web.extract(one.dataset.source, one)  # noqa: E731
        kept = zones.landing.capture(dataset, periodical.extract(order, ask, periodical.Asked(names, public), now))
        with zipfile.ZipFile(kept.path) as bundle:
            rows = [bundle.read(name).decode().split()[1] for name in bundle.namelist()]
        return {row[8:10]: row.split(",")[1] for row in rows}


@pytest.fixture
def counters(tmp_path):
    with http_server() as server:
        yield Counters(tmp_path, server)


def test_a_run_asks_for_the_newest_periods_again_once_more_after_that_and_then_no_more(counters):
    counters.put(7, *range(1, 10))
    counters.capture(5)
    assert counters.asked == ["01", "02", "03", "04"]
    counters.capture(5)
    assert counters.asked == ["03", "04"]
    counters.capture(6)
    assert counters.asked == ["03", "04", "05"]
    counters.capture(7)
    assert counters.asked == ["04", "05", "06"]


def test_what_was_corrected_or_came_in_missed_nights_is_taken_by_the_next_run(counters):
    counters.put(7, *range(1, 20))
    counters.capture(6)
    counters.put(99, 4, 5)
    found = counters.capture(18)
    assert (found["04"], found["05"], found["17"]) == ("99", "99", "7")
    counters.put(55, 5)  # after it was settled: only who names it gets it
    assert counters.capture(19)["05"] == "99"
    assert counters.capture(19, names=["2026-10-05"])["05"] == "55"
    assert counters.asked == ["05"]


def test_a_period_under_way_is_asked_for_until_it_is_over(counters):
    counters.declare("{every: day, first: 2026-10-01, again: 1, running: true}")
    counters.put(1, 1)
    assert counters.capture(1) == {"01": "1"}
    counters.put(2, 1)
    counters.put(1, 2)
    assert counters.capture(2, hour=2) == {"01": "2", "02": "1"}


def test_what_did_not_become_public_is_asked_for_again(counters):
    counters.put(7, *range(1, 10))
    counters.capture(9)
    counters.put(8, 2)
    assert counters.capture(9)["02"] == "7"
    assert counters.capture(9, public={})["02"] == "8"
    assert counters.asked == [f"{day:02}" for day in range(1, 9)]


def test_periods_of_another_length_are_others(counters):
    counters.put(7, *range(5, 26))
    counters.declare("{every: week, first: 2026-10-05}")
    assert counters.capture(26) == {"05": "7", "12": "7", "19": "7"}
    counters.declare("{every: day, first: 2026-10-05, again: 0}")
    counters.capture(26)
    assert counters.asked == [f"{day:02}" for day in range(5, 26)]


def test_limits_are_no_other_question(counters):
    counters.put(7, 1, 2, 3)
    counters.capture(4)
    del counters.files["2026-10-01"]
    text = (counters.place.root / "assets/sports/entrees.yaml").read_text()
    counters.place.declare(text.replace("internal: true", "internal: true, timeout: 5 s, max_rows: 900"))
    assert counters.capture(4)["01"] == "7"
    assert counters.asked == ["02", "03"]


def test_an_address_where_nothing_is_any_more_is_an_error(counters):
    counters.put(7, *range(1, 5))
    counters.capture(5)
    counters.files.clear()
    with pytest.raises(OdpError, match="there is nothing at this address"):
        counters.capture(5)


def test_a_name_that_the_system_has_not_is_an_error_and_a_new_dataset_is_asked_for_whole(counters):
    counters.put(7, 1, 3)
    assert counters.capture(4, names=["2026-10-01"]) == {"01": "7", "03": "7"}
    with pytest.raises(OdpError, match="there is nothing at this address"):
        counters.capture(4, names=["2026-10-02"])


@pytest.mark.parametrize("damage", [lambda whole: b"x" * len(whole), lambda whole: whole.replace(b",7", b",9", 1)])
def test_what_only_a_damaged_capture_had_is_not_dropped_in_silence(counters, damage):
    counters.put(7, *range(1, 6))
    counters.capture(6)
    file = next(counters.place.root.rglob("captures/entrees/*/payload"))
    file.write_bytes(damage(file.read_bytes()))
    counters.put(8, 5)
    assert counters.capture(6) == {"01": "7", "02": "7", "03": "7", "04": "7", "05": "8"}
    file = max(counters.place.root.rglob("captures/entrees/*/payload"), key=lambda file: file.stat().st_mtime)
    file.write_bytes(damage(file.read_bytes()))
    del counters.files["2026-10-01"]
    counters.put(9, 5)
    with pytest.raises(OdpError, match="the last capture is damaged, and the system has no more of it: 2026-10-01"):
        counters.capture(6)


def test_more_periods_than_one_delivery_holds_are_refused(counters):
    counters.declare("{every: day, first: 1990-01-01}")
    with pytest.raises(OdpError, match="periods since 1990-01-01, and 9,999 can be one dataset"):
        counters.capture(6)


def of_a_database(tmp_path, monkeypatch):
    """Each month's first and last day, in a table."""
    monkeypatch.setenv("ODP_BASE", "sqlite:///base.db")
    query = "SELECT jour, entrees FROM entrees WHERE jour >= '{period}' AND jour < '{next}'"
    declared = FREQUENTATION.replace('folder: "depot/entrees_{period:%Y%m}.csv"', f'sql: "{query}", system: base')
    town = Mediatheques(tmp_path, declared)
    (town.root / "town.yaml").write_text(TOWN + "systems:\n  base: {title: Base, url: {env: ODP_BASE}}\n")
    with sqlite3.connect(town.root / "base.db") as base:
        base.execute("CREATE TABLE entrees (jour TEXT, entrees INTEGER)")
        for month in LAST:
            days = [(str(month), 1), (str(period("month", month)[1] - timedelta(days=1)), 2)]
            base.executemany("INSERT INTO entrees VALUES (?, ?)", days)
    return town


def test_a_query_takes_both_ends_of_a_period(tmp_path, monkeypatch):
    _, release, _ = of_a_database(tmp_path, monkeypatch).run()
    assert release.rows == 8


@pytest.mark.parametrize(
    "one", ["postgresql://lecteur:a#b[c@base.example/ville", "postgresql://autre:x@base.example/ville"]
)
def test_who_asks_a_database_is_no_part_of_the_question(tmp_path, monkeypatch, one):
    town = read_town(of_a_database(tmp_path, monkeypatch).root)
    asked = []
    for address in (
        one,
        "postgresql://lecteur:secret@base.example/ville",
        "postgresql://lecteur:secret@autre.example/ville",
    ):
        monkeypatch.setenv("ODP_BASE", address)
        asked.append(periodical.question(town.dataset("entrees"), town.systems["base"]))
    assert asked[0] == asked[1] != asked[2]


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
    assert [line.split()[1] for line in listed.splitlines() if NAMES[0] in line or NAMES[3] in line] == [TODAY, TODAY]
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
        ("{period:%Y%m}", "{period:%Y}", f"{NAMES[0]} and "),
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
