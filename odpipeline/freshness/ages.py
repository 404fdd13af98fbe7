"""Two clocks for each dataset: run age (when did we last look?) and data age (how old is what the public sees?).

A night that finds nothing new is a success for the first clock and none for the second: stale data is noticed by the
newest event in the published rows, or by the source's own date of its content, whatever the runs say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.freshness.promise import Promise
from odpipeline.verdict import Finding, Severity

_ASK = "; ask the owner of the source system whether it still delivers"


@dataclass(frozen=True)
class Freshness:
    """Both ages at one moment; None when unknown (never published, no date declared).

    `data_due`: when the promise of the data is broken unless something newer comes (UTC); None when nothing is promised
    or nothing is dated. `promise`: what is promised, for data engineers; "" when nothing is.
    """

    run_age: timedelta | None
    data_age: timedelta | None
    findings: tuple[Finding, ...]
    data_due: datetime | None = None
    promise: str = ""

    @property
    def late(self) -> bool:
        """True when a promise is broken."""
        return any(not finding.passed for finding in self.findings)


@dataclass(frozen=True)
class Newest:
    """The newest event that is not in the future: `date` in UTC, or None; `ahead` rows lie further in the future."""

    date: datetime | None
    ahead: int = 0


def freshness(dataset: Dataset, *, checked_at: datetime | None, data_date: datetime | None, now: datetime) -> Freshness:
    """The ages of `dataset` at `now` against its declared promises.

    `checked_at` is when the published release was last confirmed, `data_date` the date of its data; both with a time
    zone, or None when the dataset was never published.
    """
    run_age = now - checked_at if checked_at else None
    data_age = max(now - data_date, timedelta()) if data_date else None
    promise = Promise.of(dataset)
    findings = [_run_finding(run_age, dataset.freshness.run)]
    due = promise.due(data_date) if promise and data_date else None
    if promise:
        findings.append(_data_finding(promise, data_age, data_date, due, now))
    return Freshness(run_age, data_age, tuple(findings), due, promise.words if promise else "")


def _run_finding(age: timedelta | None, promise: timedelta) -> Finding:
    if age is None:
        message = f"the last successful run is unknown, promised at most {spoken(promise)}; nothing was published yet"
        return Finding("freshness", "run_age", passed=False, message=message, severity=Severity.WARNING)
    passed = age <= promise
    message = f"the last successful run is {spoken(age)} old, promised at most {spoken(promise)}"
    remedy = "" if passed else "; look at its last runs, and whether the daemon is alive: odp doctor"
    return Finding("freshness", "run_age", passed, message + remedy, Severity.WARNING, counts=_counts(age, promise))


def _data_finding(
    promise: Promise, age: timedelta | None, dated: datetime | None, due: datetime | None, now: datetime
) -> Finding:
    what = "the last change at the source" if promise.by_source else "the newest published event"
    what = "the newest period that was delivered" if promise.by_period else what
    if age is None or dated is None or due is None:
        why = "the source gave no date" if promise.by_source else "nothing that has a date was published yet"
        message = f"{what} is unknown, promised {promise.words}; {why}"
        return Finding("freshness", "data_age", passed=False, message=message, severity=Severity.WARNING)
    passed = now <= due
    late = "" if passed else f", late since {due.astimezone(promise.calendar.zone):%Y-%m-%d %H:%M}{_ASK}"
    message = f"{what} is {spoken(age)} old, promised {promise.words}{late}"
    counts = _counts(age, max(due - dated, timedelta()))
    return Finding("freshness", "data_age", passed, message, Severity.WARNING, counts=counts)


def _counts(age: timedelta, promise: timedelta) -> dict[str, int | float]:
    return {"age_seconds": max(0, int(age.total_seconds())), "promise_seconds": int(promise.total_seconds())}


def ahead(dataset: Dataset, newest: Newest) -> tuple[Finding, ...]:
    """Whether events lie in the future, where one of them would make stale data look fresh for ever."""
    column = dataset.freshness.column
    if column is None:
        return ()
    limit = spoken(dataset.freshness.ahead)
    message = f"no event lies more than {limit} in the future"
    if newest.ahead:
        message = (f"{newest.ahead} rows lie more than {limit} in the future and tell nothing of the data's age; "
                   "correct the clock of the source, or raise freshness.ahead if they are announcements")  # fmt: skip
    return (
        Finding("freshness", "future_dates", not newest.ahead, message, Severity.WARNING, column,
                counts={"unexpected_count": newest.ahead}),
    )  # fmt: skip


def spoken(age: timedelta) -> str:
    """A length of time in its two largest units: `3 d 4 h`, `12 min`."""
    seconds = max(0, int(age.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def newest_event(parquet: Path, dataset: Dataset, duck: DuckSettings, now: datetime) -> Newest:
    """The newest value of the declared event column in `parquet` that is not in the future at `now`.

    A date counts from its beginning, a month or a year as its last day; `freshness.ahead` says how far is future.
    """
    column = dataset.freshness.column
    if column is None:
        return Newest(None)
    begins, dated = _moments(quote(column), next(f.type for f in dataset.published_fields if f.name == column))
    limit = (now.astimezone(UTC) + dataset.freshness.ahead).replace(tzinfo=None)
    with connect(duck) as connection:
        found = connection.execute(
            f"SELECT max({dated}) FILTER ({begins} <= $1), count(*) FILTER ({begins} > $1) "
            f"FROM read_parquet({literal(parquet)})",
            [limit],
        ).fetchone()
    assert found  # noqa: S101 - an aggregate has a row
    return Newest(found[0].replace(tzinfo=UTC) if found[0] else None, found[1])


def _moments(column: str, kind: str) -> tuple[str, str]:
    """SQL of the moment when the event of `column` begins, and of the one that stands for it."""
    if kind == "year":
        return f"make_timestamp({column}, 1, 1, 0, 0, 0)", f"make_timestamp({column}, 12, 31, 0, 0, 0)"
    if kind == "yearmonth":
        first = f"CAST({column} || '-01' AS DATE)"
        return f"CAST({first} AS TIMESTAMP)", f"CAST(last_day({first}) AS TIMESTAMP)"
    return f"CAST({column} AS TIMESTAMP)", f"CAST({column} AS TIMESTAMP)"
