"""Themes, licences, schedules: closed lists, each with the nearest known word."""

import pytest
from croniter import croniter


def fault_of(town, line):
    town.parkings(("personal_data: none", f"personal_data: none\n{line}"))
    (fault,) = town.faults()
    return fault.removeprefix("assets/mobilite/parkings.yaml:11: ")


def test_an_unknown_theme(town):
    assert fault_of(town, "themes: [tran]") == "unknown theme 'tran'; did you mean 'TRAN'?"


def test_a_theme_like_no_other_lists_them_all(town):
    assert fault_of(town, "themes: [zzzz]").startswith("unknown theme 'zzzz'; known: AGRI, ECON, EDUC")


def test_an_unknown_licence(town):
    assert fault_of(town, "licence: etalab") == "unknown licence 'etalab'; did you mean 'etalab-2.0'?"


@pytest.mark.parametrize(
    "cron", ["0 2 * *", "61 * * * *", "@daily", "* * * * * *", "nightli", "H 2 * * *", "0 2 * * 9"]
)
def test_a_wrong_cron(town, cron):
    assert fault_of(town, f'schedule: "{cron}"') == (
        f"schedule: {cron!r} is no cron expression; write minute, hour, day, month and weekday, such as "
        '"0 6 * * 1", or `nightly`'
    )


@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 6 * * MON-FRI", "15,45 8-18 1 jan *"])
def test_a_right_cron(town, cron):
    town.parkings(("personal_data: none", f'personal_data: none\nschedule: "{cron}"'))
    assert croniter.is_valid(town.dataset().schedule)
