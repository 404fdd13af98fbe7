"""One incident is one message, at most the declared reminders, and one closing notice, whatever the clock does."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from odpipeline.monitoring.incidents import Incident, Policy, Telling, step
from odpipeline.monitoring.problems import Cause, Problem

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFUSED = Problem("dataset:parkings", Cause.REFUSED, "too few rows", NOW, ("parkings",))
POLICY = Policy(settle=15 * timedelta(minutes=1), escalates=True)


def lived(moments, policy=POLICY, quiet=lambda _: False):
    """The tellings of one problem over (time, whether it is wrong then)."""
    incident: Incident | None = None
    told = []
    for number, (moment, wrong) in enumerate(moments):
        changes = step([REFUSED] if wrong else [], [incident] if incident else [], moment, policy, quiet)
        assert len(changes) <= 1
        for change in changes:
            incident = None if change.incident.closed_at else change.incident
            told += [(change.telling, moment)] if change.telling else []
        if incident and not incident.id:
            incident = Incident(**{**vars(incident), "id": number + 1})
    return told


def test_five_days_are_three_messages_and_a_closing_notice():
    minutes = [(NOW + timedelta(minutes=n), n < 5 * 24 * 60) for n in range(0, 5 * 24 * 60 + 60, 5)]
    told = lived(minutes)
    assert [kind for kind, _ in told] == [Telling.OPENED, Telling.REMINDER, Telling.ESCALATION, Telling.CLOSED]
    assert [round((at - NOW) / HOUR) for _, at in told] == [0, 6, 24, 120]


def test_a_hundred_failures_are_one_message():
    assert [kind for kind, _ in lived([(NOW + n * timedelta(minutes=1), True) for n in range(100)])] == ["opened"]


def test_what_comes_and_goes_within_the_quarter_of_an_hour_is_one_incident():
    told = lived([(NOW + n * timedelta(minutes=5), n % 3 != 2) for n in range(40)])
    assert [kind for kind, _ in told] == [Telling.OPENED]


def test_after_days_without_us_one_reminder_is_enough():
    told = lived([(NOW, True), (NOW + 72 * HOUR, True), (NOW + 73 * HOUR, True)])
    assert [kind for kind, _ in told] == [Telling.OPENED, Telling.ESCALATION]


def test_a_clock_that_is_set_back_tells_nothing_twice():
    told = lived([(NOW, True), (NOW - 48 * HOUR, True), (NOW - 47 * HOUR, False), (NOW - 46 * HOUR, False)])
    assert [kind for kind, _ in told] == [Telling.OPENED, Telling.CLOSED]


def test_what_a_clock_that_was_ahead_has_told_is_told_again_in_time():
    told = lived([(NOW + 9000 * HOUR, True), *[(NOW + n * HOUR, True) for n in range(48)]])
    assert [(kind, (at - NOW) / HOUR) for kind, at in told[1:]] == [(Telling.REMINDER, 6), (Telling.ESCALATION, 24)]


def test_who_looks_after_it_is_not_reminded_and_hears_of_its_end():
    (opened,) = step([REFUSED], [], NOW, POLICY)
    seen = Incident(**{**vars(opened.incident), "id": 1, "acknowledged_by": "camille"})
    assert [change.telling for change in step([REFUSED], [seen], NOW + 30 * HOUR, POLICY)] == [None]
    (gone,) = step([], [seen], NOW + 31 * HOUR, POLICY)
    (closed,) = step([], [gone.incident], NOW + 32 * HOUR, POLICY)
    assert (gone.telling, closed.telling) == (None, Telling.CLOSED)


def test_in_a_quiet_time_nobody_is_told_and_afterwards_only_of_what_is_still_wrong():
    def night(moment: datetime) -> bool:
        return moment < NOW + 8 * HOUR

    def told(moments):
        found, incident = [], None
        for moment, wrong in moments:
            changes = step([REFUSED] if wrong else [], [incident] if incident else [], moment, POLICY,
                           lambda _: night(moment))  # noqa: B023  # fmt: skip
            for change in changes:
                incident = None if change.incident.closed_at else Incident(**{**vars(change.incident), "id": 1})
                found += [(change.telling, moment - NOW)] if change.telling else []
        return found

    assert told([(NOW, True), (NOW + 7 * HOUR, True), (NOW + 9 * HOUR, True)]) == [(Telling.OPENED, 9 * HOUR)]
    assert told([(NOW, True), (NOW + HOUR, False), (NOW + 2 * HOUR, False), (NOW + 9 * HOUR, False)]) == []


def test_what_ends_in_a_quiet_time_is_told_at_its_end_and_once():
    hours = [(0, True), (1, False), (2, False), (3, True), (4, False), (5, False), (8, False), (9, False)]
    told = lived([(NOW + n * HOUR, wrong) for n, wrong in hours], quiet=lambda _: False)
    assert [kind for kind, _ in told] == [Telling.OPENED, Telling.CLOSED] * 2
    incident = Incident(REFUSED, NOW, id=1, told=1, told_at=NOW)
    kinds = []
    for n, wrong in hours[1:]:
        [change] = step([REFUSED] if wrong else [], [incident], NOW + n * HOUR, POLICY, lambda _, n=n: n < 8)
        incident = change.incident
        kinds += [(n, change.telling)] if change.telling else []
        if incident.closed_at:
            break
    assert kinds == [(8, Telling.CLOSED)]


def test_a_consequence_opens_nothing_and_keeps_open_what_is():
    stale = Problem("dataset:parkings", Cause.STALE, "old", NOW, ("parkings",), follows=True)
    assert step([stale], [], NOW, POLICY) == []
    known = Incident(stale, NOW, id=3, told=1, told_at=NOW)
    (change,) = step([stale], [known], NOW + HOUR, POLICY)
    assert (change.incident.absent_since, change.telling) == (None, None)


MOMENTS = st.lists(st.tuples(st.timedeltas(-40 * HOUR, 40 * HOUR), st.booleans()), min_size=1, max_size=60)


@given(MOMENTS)
def test_however_the_clock_jumps_nobody_hears_more_than_was_declared(steps):
    moment, moments = NOW, []
    for jump, wrong in steps:
        moment += jump
        moments.append((moment, wrong))
    since_opened = 0
    for kind, _ in lived(moments):
        if kind is Telling.OPENED:
            assert since_opened == 0  # the one before was closed first
            since_opened = 1
        elif kind is Telling.CLOSED:
            assert since_opened >= 1
            since_opened = 0
        else:
            since_opened += 1
            assert since_opened <= 1 + len(POLICY.reminders)
