"""Promises know calendars: weekends, public and school holidays, closures, periods that end."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.periods import period
from odpipeline.declaration.promises import Season, TownCalendar, faults
from odpipeline.duck import DuckSettings
from odpipeline.freshness import Promise, ahead, freshness, newest_event
from odpipeline.freshness.calendar import Calendar
from odpipeline.quality.promised import promised

PARIS = ZoneInfo("Europe/Paris")


def dataset(kind="date", school_zone=None, holidays="metropole", source="x.csv", **promise):
    made = Dataset.model_validate(
        {
            "title": "t", "description": "d", "owner": "a@ville.example", "source": {"folder": source},
            "fields": [{"name": "quand", "type": kind}], "personal_data": "none",
            "freshness": {"column": "quand"} | promise,
        }
    )  # fmt: skip
    made._calendar = TownCalendar(school_zone=school_zone, holidays=holidays)
    return made


def due(of: Dataset, dated: datetime) -> str:
    promise = Promise.of(of)
    assert promise
    return promise.due(dated).astimezone(PARIS).strftime("%Y-%m-%d %H:%M")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("promise", "dated", "until"),
    [
        ({"data": "2 days"}, "2026-11-20", "2026-11-22 00:00"),
        ({"data": "1 day", "days": "working"}, "2026-11-20", "2026-11-23 00:00"),  # a Friday, until Monday
        ({"data": "1 day", "days": "working"}, "2026-05-07", "2026-05-11 00:00"),  # 8 May is a Friday and a holiday
        ({"data": "1 day", "days": "working", "holidays": "alsace"}, "2026-12-25", "2026-12-29 00:00"),
        ({"data": "1 day", "days": "school", "school_zone": "B"}, "2026-12-18", "2027-01-04 00:00"),  # Christmas break
        ({"data": "2 days", "closed": ["07-15 to 08-31"]}, "2026-07-14", "2026-09-02 00:00"),
        ({"data": "2 days", "closed": ["12-20 to 01-04"]}, "2026-12-19", "2027-01-06 00:00"),
        ({"every": "month", "within": "10 days"}, "2026-10-31", "2026-12-11 00:00"),  # November by 10 December
        ({"every": "month", "within": "10 days", "days": "working"}, "2026-10-01", "2026-12-15 00:00"),
        ({"every": "week", "within": "2 days"}, "2026-11-18", "2026-12-02 00:00"),
        ({"every": "quarter", "within": "30 days"}, "2026-09-30", "2027-01-31 00:00"),
        ({"every": "year", "within": "90 days"}, "2025-12-31", "2027-04-01 00:00"),
    ],
)
def test_when_a_promise_is_broken(promise, dated, until):
    assert due(dataset(**promise), day(dated)) == until


def test_a_date_of_the_source_promises_a_change_since_the_period_ended():
    said = dataset(every="month", within="10 days", dated_by="source")
    assert due(said, datetime(2026, 10, 20, 8, tzinfo=UTC)) == "2026-11-11 00:00"
    assert due(said, datetime(2026, 11, 2, 8, tzinfo=UTC)) == "2026-12-11 00:00"


def test_minutes_are_counted_over_the_change_of_clocks():
    said = dataset("datetime", data="90 min")
    assert due(said, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "2026-10-25 03:00"  # 2:30 comes twice


def test_the_weekend_does_not_make_working_data_late_and_monday_does():
    said = dataset("datetime", data="12 h", days="working")
    friday = datetime(2026, 11, 20, 17, 0, tzinfo=PARIS)

    def late(now: datetime) -> bool:
        return freshness(said, checked_at=now, data_date=friday, now=now).late

    assert not late(datetime(2026, 11, 22, 12, 0, tzinfo=PARIS))
    assert not late(datetime(2026, 11, 23, 4, 59, tzinfo=PARIS))
    assert late(datetime(2026, 11, 23, 5, 1, tzinfo=PARIS))


def test_a_late_dataset_says_since_when_and_what_was_promised():
    said = dataset(every="month", within="10 days")
    ages = freshness(said, checked_at=day("2026-12-15"), data_date=day("2026-10-31"), now=day("2026-12-15"))
    assert ages.findings[1].message == (
        "the newest published event is 45 d old, promised each month within 10 days of its end, "
        "late since 2026-12-11 00:00; ask the owner of the source system whether it still delivers"
    )


@pytest.mark.parametrize(
    ("promise", "french", "english"),
    [
        ({"data": "20 min"}, "Données de moins de 20 minutes", "Data less than 20 minutes old"),
        ({"every": "month", "within": "10 days", "days": "working"},
         "Chaque mois est publié dans les 10 jours qui suivent (jours ouvrés)",
         "Each month is published within 10 days of its end (working days)"),
        ({"every": "week", "within": "1 day"}, "Chaque semaine est publiée dans les 24 heures qui suivent",
         "Each week is published within 24 hours of its end"),
        ({"data": "3 days", "closed": ["07-15 to 08-31"]},
         "Données de moins de 3 jours, hors période du 15 juillet au 31 août",
         "Data less than 3 days old, except from 15 July to 31 August"),
    ],
)  # fmt: skip
def test_citizens_read_the_promise(promise, french, english):
    now = datetime(2026, 11, 24, 0, 10, tzinfo=PARIS)
    told = promised(dataset(**promise), day("2026-11-24"), now, "fr")
    assert told
    assert (told.text.replace("\u00a0", " ").replace("\u202f", " "), told.kept) == (french, True)
    other = promised(dataset(**promise), day("2020-01-01"), now, "en")
    assert other
    assert (other.text, other.kept) == (english, False)


@pytest.mark.parametrize(
    ("kind", "values", "newest", "beyond"),
    [
        ("date", "[DATE '2026-11-20', DATE '2099-01-01']", "2026-11-20", 1),
        ("yearmonth", "['2026-09', '2026-10', '2027-03']", "2026-10-31", 1),
        ("year", "[2024, 2026, 2031]", "2026-12-31", 1),
        ("date", "[DATE '2099-01-01']", None, 1),
    ],
)
def test_an_event_in_the_future_does_not_make_stale_data_fresh(tmp_path: Path, kind, values, newest, beyond):
    file = tmp_path / "r.parquet"
    duckdb.execute(f"COPY (SELECT unnest({values}) AS quand) TO '{file}'")
    said = dataset(kind, data="3 days")
    found = newest_event(file, said, DuckSettings(), day("2026-11-24"))
    assert (found.date, found.ahead) == (day(newest) if newest else None, beyond)
    (told,) = ahead(said, found)
    assert not told.passed
    assert told.counts == {"unexpected_count": beyond}


def test_announcements_may_lie_ahead(tmp_path: Path):
    file = tmp_path / "r.parquet"
    duckdb.execute(f"COPY (SELECT DATE '2026-12-20' AS quand) TO '{file}'")
    said = dataset(data="3 days", ahead="60 days")
    found = newest_event(file, said, DuckSettings(), day("2026-11-24"))
    assert (found.date, found.ahead) == (day("2026-12-20"), 0)
    ages = freshness(said, checked_at=day("2026-11-24"), data_date=found.date, now=day("2026-11-24"))
    assert not ages.late
    assert ages.data_age == timedelta()


@pytest.mark.parametrize(
    ("said", "kind", "fault"),
    [
        ({"data": "1 day", "every": "month", "within": "1 day"}, "date", "keep one of the two"),
        ({"every": "month"}, "date", "every and within go together"),
        ({"within": "3 days"}, "date", "every and within go together"),
        ({"every": "month", "within": "1 day", "column": None}, "date", "name the event's column"),
        ({"data": "1 day"}, "string", "published as string"),
        ({"data": "1 day", "days": "school"}, "date", "calendar.school_zone"),
        ({"data": "1 day", "closed": ["01-01 to 12-10"]}, "date", "leaves less than 31 days"),
    ],
)
def test_a_promise_that_nobody_could_keep_or_tell_is_refused(said, kind, fault):
    class Anywhere:
        calendar = TownCalendar()

    assert any(fault in what for _, what in faults(dataset(kind, **said), Anywhere()))  # type: ignore[arg-type]


def test_a_source_without_a_date_of_its_own_cannot_date_a_promise():
    made = Dataset.model_validate(
        {
            "title": "t", "description": "d", "owner": "a@ville.example", "source": {"sql": "SELECT 1", "system": "f"},
            "fields": [{"name": "a"}], "personal_data": "none", "freshness": {"data": "1 day", "dated_by": "source"},
        }
    )  # fmt: skip
    assert ["has no date of its own" in what for _, what in faults(made, None)] == [True]


@pytest.mark.parametrize("text", ["02-30 to 03-01", "juillet", "07-15", "15-07 to 31-08"])
def test_a_season_that_is_none_is_refused(text):
    with pytest.raises(ValidationError, match="two days of the year, month first"):
        dataset(data="1 day", closed=[text])


DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
CALENDARS = st.builds(
    Calendar, st.just(PARIS), st.sampled_from(["every", "working", "school"]), st.just("metropole"),
    st.sampled_from(["A", "B", "C"]), st.sampled_from([(), (Season((7, 1), (8, 31)),), (Season((12, 20), (1, 5)),)]),
)  # fmt: skip


@given(CALENDARS, st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
       st.timedeltas(timedelta(), timedelta(days=20)), st.timedeltas(timedelta(), timedelta(hours=30)))  # fmt: skip
def test_counted_time_never_runs_backwards_nor_faster_than_time(calendar, moment, length, more):
    end = calendar.after(moment, length)
    assert end >= moment + length - timedelta(hours=1)  # a day at the change of clocks has 23 hours
    assert calendar.after(moment, length + more) >= end - timedelta(hours=1)


@given(DAYS, st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_periods_follow_each_other_without_a_gap(some, kind):
    begins, ends = period(kind, some)
    assert begins <= some < ends
    assert period(kind, ends)[0] == ends
    assert period(kind, ends - timedelta(days=1)) == (begins, ends)
