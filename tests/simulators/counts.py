"""Comptages de mobilité: hourly counts of cyclists, pedestrians and scooters, as CSV of the sensors' platform."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from tests.simulators.night import PARIS, Night, chance, local

COUNTERS = (
    ("C01", "Pont des Bateliers", "vélo", 95), ("C02", "Pont des Bateliers", "piéton", 160),
    ("C03", "Quai de l’Aubrelle", "vélo", 140), ("C04", "Quai de l’Aubrelle", "piéton", 210),
    ("C05", "Avenue Jean-Jaurès", "vélo", 60), ("C06", "Avenue Jean-Jaurès", "trottinette", 25),
    ("C07", "Rue Piétonne", "piéton", 480), ("C08", "Voie verte Sud", "vélo", 75),
    ("C09", "Voie verte Sud", "piéton", 55), ("C10", "Parvis de la Gare", "vélo", 110),
    ("C11", "Parvis de la Gare", "trottinette", 48), ("C12", "Parvis de la Gare", "piéton", 390),
)  # fmt: skip
"""Identifier, place, what is counted, passages in a busy hour."""
DAYS = 60
LATE = "C08"
"""The counter whose last two days come a night late, its radio link being down on the first."""
CORRECTED = "C03"
"""The counter that was found on the second night to have counted too few, and is corrected for its last ten days."""
LOST = {"C01", "C02", "C09", "C10", "C11"}
"""What the platform forgets on the third night: five counters of twelve, more than 40 % of the rows."""
HEADER = "compteur,nom_compteur,mode,debut,fin,passages"


def feed(night: Night) -> bytes:
    """The whole feed, one line for each counter and hour."""
    lines = [HEADER]
    for day in night.days(DAYS):
        lines += _day(night, day)
    return ("\r\n".join(lines) + "\r\n").encode()


def _day(night: Night, day: date) -> Iterator[str]:
    hours = _hours(day)
    local_hours = np.array([hour.astimezone(PARIS).hour for hour in hours])
    weekend = day.weekday() >= 5
    random = chance("comptages", day)
    weather = random.uniform(0.7, 1.15)
    spans = [f"{local(hour)},{local(hour + timedelta(hours=1))}" for hour in hours]
    age = (night.today - day).days
    for identifier, place, mode, busy in COUNTERS:
        passages = random.poisson(busy * weather * _profile(local_hours, mode, weekend))
        if (night.breaks and identifier in LOST) or (night.number == 1 and identifier == LATE and age <= 4):
            continue
        if night.number >= 2 and identifier == CORRECTED and 3 <= age < 13:
            passages = np.round(passages * 1.12).astype(int)
        for span, count in zip(spans, passages.tolist(), strict=True):
            yield f"{identifier},{place},{mode},{span},{count}"


def _hours(day: date) -> list[datetime]:
    """The beginnings of the day's hours in UTC: 23 or 25 of them when the clocks change."""
    start = datetime.combine(day, time(), PARIS).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), PARIS).astimezone(UTC)
    return [start + timedelta(hours=n) for n in range(int((end - start) / timedelta(hours=1)))]


def _profile(hours: np.ndarray, mode: str, weekend: bool) -> np.ndarray:
    """The share of a busy hour's passages: two peaks on working days, one broad afternoon otherwise."""
    afternoon = np.exp(-(((hours - 15.5) / 3.6) ** 2))
    if weekend or mode == "piéton":
        return 0.02 + (0.75 if weekend and mode != "piéton" else 0.95) * afternoon
    return 0.02 + np.exp(-(((hours - 8) / 1.3) ** 2)) + 0.9 * np.exp(-(((hours - 17.5) / 1.8) ** 2)) + 0.15 * afternoon
