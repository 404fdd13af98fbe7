"""Each night differs from the last as reality does, and the same night is always the same."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.simulators import systems
from tests.simulators_town import reading
from tests.simulators_town.conftest import NOW


def mandates(environment):
    return dict(reading.query(environment, "ODP_FINANCES_URL", "SELECT numero_mandat, montant_ht FROM mandats"))


def everything(environment):
    """All that a night delivers, in a form that can be compared."""
    depot = Path(environment["ODP_DEPOT"])
    files = {path.relative_to(depot): path.read_bytes() for path in depot.rglob("*") if path.is_file()}
    tables = [reading.query(environment, "ODP_FINANCES_URL", f"SELECT * FROM {t}") for t in FINANCES]
    cases = reading.query(environment, "ODP_ACTION_SOCIALE_URL", "SELECT * FROM dossiers")
    feeds = [read(environment) for read in (reading.parkings, reading.sections, reading.counts, reading.first_names)]
    return files, tables, cases, feeds


FINANCES = ("scdl_budget", "mandats", "subventions")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_same_night_gives_the_same_bytes(night, tmp_path, number):
    with systems(number, tmp_path, now=NOW) as again:
        assert everything(again) == everything(night(number))


def test_a_folder_can_be_used_again_for_an_earlier_night(night, tmp_path):
    for number in (2, 1):
        with systems(number, tmp_path, now=NOW) as environment:
            again = everything(environment)
    assert again == everything(night(1))


def test_first_names_and_budget_never_change(night):
    assert len({reading.first_names(night(n)) for n in (1, 2, 3)}) == 1
    budgets = [reading.query(night(n), "ODP_FINANCES_URL", "SELECT * FROM scdl_budget") for n in (1, 2, 3)]
    assert budgets[0] == budgets[1] == budgets[2]


def test_mandates_come_late_and_are_corrected_on_the_second_night(night):
    first, second = mandates(night(1)), mandates(night(2))
    assert set(first) < set(second)
    assert min(set(second) - set(first)) < max(first), "late ones are dated before the newest of the first night"
    assert 1 <= sum(first[number] != second[number] for number in first) < 100
    assert 15_000 < len(first) < 25_000


def test_grants_are_corrected_on_the_second_night(night):
    sql = 'SELECT "referenceDecision", montant FROM subventions'
    first, second = (dict(reading.query(night(n), "ODP_FINANCES_URL", sql)) for n in (1, 2))
    assert set(first) <= set(second)
    assert 1 <= sum(first[number] != second[number] for number in first) <= 4


def test_a_late_counter_catches_up_and_another_is_corrected_on_the_second_night(night):
    first, second = ({(r[0], r[3]): r[5] for r in reading.counts(night(n))[1:]} for n in (1, 2))
    assert {counter for counter, start in set(second) - set(first) if start < max(s for _, s in first)} == {"C08"}
    assert {counter for counter, start in first if first[counter, start] != second[counter, start]} == {"C03"}


def test_five_counters_are_lost_on_the_third_night_and_back_on_the_fourth(night, tmp_path):
    second, third = reading.counts(night(2)), reading.counts(night(3))
    assert len({row[0] for row in third[1:]}) == 7
    assert 0.38 < 1 - len(third) / len(second) < 0.45
    with systems(4, tmp_path, now=NOW) as environment:
        assert len(reading.counts(environment)) > len(second)


def test_hours_are_counted_once_when_the_clocks_change(night):
    starts = [row[3] for row in reading.counts(night(1)) if row[0] == "C01"]
    assert {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"} <= set(starts)
    assert len(starts) == len(set(starts))


def test_the_parking_feed_is_frozen_on_the_third_night_only(night):
    seen = [[datetime.fromisoformat(row["releve_le"]) for row in reading.parkings(night(n))] for n in (1, 2, 3)]
    ages = [NOW - min(moments) for moments in seen]
    assert ages[0] == ages[1] == timedelta(minutes=2)
    assert ages[2] > timedelta(hours=2)


def test_three_road_sections_fall_silent_on_the_third_night(night):
    silent = [[s["id_troncon"] for s in reading.sections(night(n)) if s["etat"] == "inconnu"] for n in (1, 2, 3)]
    assert silent == [[], [], ["T0103", "T0205", "T0706"]]


def unreadable(rows):
    return sum(row[4] in ("#VALEUR!", "défaut capteur") or row[3].startswith("31/02") for row in rows)


def test_some_energy_cells_are_unreadable_on_the_second_night_below_the_ceiling(night):
    first, second, third = (reading.readings(night(n)) for n in (1, 2, 3))
    assert unreadable(first) == unreadable(third) == 0
    assert 5 <= unreadable(second) < 0.01 * len(second)


def test_energy_files_gather_in_the_drop_folder(night):
    folder = Path(night(3)["ODP_DEPOT"]) / "energie"
    files = [f"releves_202611{day}.csv" for day in (22, 23, 24)]
    assert sorted(path.name for path in folder.iterdir()) == files


def test_a_column_of_the_workbook_is_gone_on_the_third_night_only(night):
    headers = [[cell.value for cell in reading.sheet(night(n))[4]] for n in (1, 2, 3)]
    assert "gratuites" in headers[0]
    assert headers[0] == headers[1]
    assert "gratuites" not in headers[2]


def test_social_cases_are_added_each_night(night):
    sql = "SELECT count(*) FROM dossiers"
    assert [reading.query(night(n), "ODP_ACTION_SOCIALE_URL", sql)[0][0] for n in (1, 2, 3)] == [4800, 4860, 4920]


def test_without_a_stopped_clock_data_is_of_today(tmp_path):
    with systems(1, tmp_path) as environment:
        started = datetime.fromisoformat(reading.parkings(environment)[0]["releve_le"])
    assert abs(datetime.now(started.tzinfo) - started) < timedelta(minutes=15)
