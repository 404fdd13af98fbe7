"""Two clocks for each dataset: run age (when did we last look?) and data age (how old is what the public sees?).

A night that finds nothing new is a success for the first clock and none for the second: stale data is noticed by the
newest event in the published rows, whatever the runs say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.verdict import Finding, Severity


@dataclass(frozen=True)
class Freshness:
    """Both ages at one moment; None when unknown (never published, no event column declared)."""

    run_age: timedelta | None
    data_age: timedelta | None
    findings: tuple[Finding, ...]

    @property
    def late(self) -> bool:
        """True when a promise is broken."""
        return any(not finding.passed for finding in self.findings)


def freshness(dataset: Dataset, *, checked_at: datetime | None, data_date: datetime | None, now: datetime) -> Freshness:
    """The ages of `dataset` at `now` against its declared promises.

    `checked_at` is when the published release was last confirmed, `data_date` the newest event in it; both with a
    time zone, or None when the dataset was never published.
    """
    run_age = now - checked_at if checked_at else None
    data_age = now - data_date if data_date else None
    findings = [_finding("run_age", run_age, dataset.freshness.run, "the last successful run is")]
    if dataset.freshness.data is not None:
        findings.append(_finding("data_age", data_age, dataset.freshness.data, "the newest published event is"))
    return Freshness(run_age, data_age, tuple(findings))


def _finding(rule: str, age: timedelta | None, promise: timedelta, words: str) -> Finding:
    if age is None:
        message = f"{words} unknown, promised at most {spoken(promise)}; nothing was published yet"
        return Finding("freshness", rule, passed=False, message=message, severity=Severity.WARNING)
    passed = age <= promise
    remedy = "" if passed else "; ask the owner of the source system whether it still delivers"
    message = f"{words} {spoken(age)} old, promised at most {spoken(promise)}{remedy}"
    counts = {"age_seconds": max(0, int(age.total_seconds())), "promise_seconds": int(promise.total_seconds())}
    return Finding("freshness", rule, passed, message, Severity.WARNING, counts=counts)


def spoken(age: timedelta) -> str:
    """A length of time in its two largest units: `3 d 4 h`, `12 min`."""
    seconds = max(0, int(age.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def newest_event(parquet: Path, dataset: Dataset, duck: DuckSettings) -> datetime | None:
    """The newest value of the declared event column in `parquet`, in UTC; None when there is no column or no value.

    A date counts from its beginning.
    """
    column = dataset.freshness.column
    if column is None:
        return None
    with connect(duck) as connection:
        found = connection.execute(
            f"SELECT CAST(max({quote(column)}) AS TIMESTAMP) FROM read_parquet({literal(parquet)})"
        ).fetchone()
    return found[0].replace(tzinfo=UTC) if found and found[0] else None
