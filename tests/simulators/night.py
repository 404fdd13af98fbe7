"""Which night it is in the sample town, and the chance that belongs to it: the same night gives the same data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

PARIS = ZoneInfo("Europe/Paris")

COMMUNE = "99001"
"""The town's INSEE code; 99 is no French département."""
SIREN = "219900107"
"""The town's SIREN, with a right check digit."""


@dataclass(frozen=True)
class Night:
    """The `number` of the night, from 1, lived at `moment` (aware).

    Nights are lived within minutes of each other, so that each has one more day of data, and the third reaches
    yesterday: whatever the night, data is fresh unless something broke. Only the third night breaks things.
    """

    number: int
    moment: datetime

    @property
    def today(self) -> date:
        """The day in the town."""
        return self.moment.astimezone(PARIS).date()

    @property
    def last_day(self) -> date:
        """The last day that daily data covers: three days ago, the day before yesterday, yesterday."""
        return self.today - timedelta(days=max(1, 4 - self.number))

    @property
    def breaks(self) -> bool:
        """Whether this is the night when things go wrong."""
        return self.number == 3

    def days(self, count: int) -> Iterator[date]:
        """The days of a history that began `count` days before the first night's last day, the same on all nights."""
        first = self.today - timedelta(days=3 + count)
        for offset in range((self.last_day - first).days + 1):
            yield first + timedelta(days=offset)

    def earlier(self) -> Iterator[Night]:
        """The nights up to this one, in order."""
        return (Night(number, self.moment) for number in range(1, self.number + 1))


def chance(*words: object) -> np.random.Generator:
    """The random numbers that belong to `words`, such as a dataset and a day."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, words)).encode()))


def slot(moment: datetime) -> datetime:
    """The five-minute slot that `moment` falls into, in UTC."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def local(moment: datetime) -> str:
    """`moment` as the town's systems write it: ISO 8601 with the offset of Paris."""
    return moment.astimezone(PARIS).isoformat(timespec="seconds")


def siret(siren_stem: int, establishment: int = 1) -> str:
    """A SIRET with right check digits (Luhn) from a stem of eight digits and the number of the establishment."""
    siren = _luhn(f"{siren_stem:08d}")
    return _luhn(f"{siren}{establishment:04d}")


def town_siret(establishment: int = 1) -> str:
    """The SIRET of one of the town's establishments."""
    return _luhn(f"{SIREN}{establishment:04d}")


def _luhn(digits: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"
