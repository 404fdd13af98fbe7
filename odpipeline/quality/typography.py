"""Numbers, dates, ages and blanks as French and English readers expect them.

French follows the Lexique des règles typographiques en usage à l’Imprimerie nationale: a narrow no-break blank between
thousands, before units and before `;` `!` `?`, a no-break blank before `:` and inside « ».
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

NARROW, NO_BREAK = "\u202f", "\u00a0"
"""The narrow no-break blank and the no-break blank."""

_MONTHS = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
           "novembre", "décembre")  # fmt: skip
_ENGLISH_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                   "November", "December")  # fmt: skip
_BLANKS = (
    (re.compile(r" (?=[;!?%])"), NARROW), (re.compile(r" (?=[:»])"), NO_BREAK), (re.compile(r"(?<=«) "), NO_BREAK),
)  # fmt: skip


def typographic(text: str) -> str:
    """French `text` with the right blanks before and after its punctuation."""
    for pattern, blank in _BLANKS:
        text = pattern.sub(blank, text)
    return text


def french_date(moment: date | datetime | None, zone: ZoneInfo) -> str:
    """`29 mars 2026`, in `zone` when a time is given; a dash when unknown."""
    if moment is None:
        return "–"
    day = _day(moment, zone)
    return f"{'1er' if day.day == 1 else day.day} {_MONTHS[day.month - 1]} {day.year}"


def english_date(moment: date | datetime | None, zone: ZoneInfo) -> str:
    """`29 March 2026`, in `zone` when a time is given; a dash when unknown."""
    if moment is None:
        return "–"
    day = _day(moment, zone)
    return f"{day.day} {_ENGLISH_MONTHS[day.month - 1]} {day.year}"


def french_moment(moment: datetime, zone: ZoneInfo) -> str:
    """`29 mars 2026 à 14 h 05`, in `zone`."""
    local = moment.astimezone(zone)
    return f"{french_date(moment, zone)} à {local.hour}{NO_BREAK}h{NO_BREAK}{local.minute:02}"


def english_moment(moment: datetime, zone: ZoneInfo) -> str:
    """`29 March 2026 at 14:05`, in `zone`."""
    return f"{english_date(moment, zone)} at {moment.astimezone(zone):%H:%M}"


def french_number(number: float) -> str:
    """`1 234 567`, `0,25`: narrow no-break blanks between thousands, four significant digits behind the comma."""
    return _digits(number).replace(",", NARROW).replace(".", ",")


def english_number(number: float) -> str:
    """`1,234,567`, `0.25`: four significant digits behind the point."""
    return _digits(number)


def french_share(share: float) -> str:
    """`4,2 %` for 0.042; one digit behind the comma, two below one percent."""
    return f"{_percent(share).replace('.', ',')}{NARROW}%"


def english_share(share: float) -> str:
    """`4.2%` for 0.042."""
    return f"{_percent(share)}%"


def french_size(size_bytes: int) -> str:
    """`1,2 Mo`: decimal units, one decimal below ten."""
    size, unit = float(size_bytes), "o"
    for unit in ("o", "ko", "Mo", "Go"):
        if size < 1000 or unit == "Go":
            break
        size /= 1000
    text = f"{size:.1f}".replace(".", ",") if size < 10 and unit != "o" else f"{size:.0f}"
    return f"{text}{NARROW}{unit}"


def french_count(number: float, one: str, many: str = "") -> str:
    """`0 ligne`, `1 ligne`, `2 lignes`: the singular below two; `many` is `one` with an s by default."""
    return f"{french_number(number)} {one if abs(number) < 2 else many or one + 's'}"


def english_count(number: float, one: str, many: str = "") -> str:
    """`0 rows`, `1 row`, `2 rows`."""
    return f"{english_number(number)} {one if number == 1 else many or one + 's'}"


def french_age(seconds: float) -> str:
    """`3 jours`, `5 heures`, `12 minutes`: the largest unit that fits, rounded down."""
    size, one = _largest(seconds, ("jour", "heure", "minute", "seconde"))
    return french_count(size, one)


def english_age(seconds: float) -> str:
    """`3 days`, `5 hours`, `12 minutes`: the largest unit that fits, rounded down."""
    size, one = _largest(seconds, ("day", "hour", "minute", "second"))
    return english_count(size, one)


def _day(moment: date | datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date() if isinstance(moment, datetime) else moment


def _digits(number: float) -> str:
    """Thousands with commas, point decimals; what is whole has none, and what is no number is a dash."""
    if not math.isfinite(number):
        return "–"
    if number == int(number):
        return f"{int(number):,}"
    whole, _, decimals = f"{number:,.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0')}" if decimals.rstrip("0") else f"{number:.4g}"


def _percent(share: float) -> str:
    digits = 2 if 0 < abs(share) < 0.01 else 1
    return f"{share * 100:.{digits}f}".removesuffix(".0")


def _largest(seconds: float, units: tuple[str, str, str, str]) -> tuple[int, str]:
    for size, unit in zip((86400, 3600, 60), units, strict=False):
        if seconds >= size:
            return int(seconds // size), unit
    return max(0, int(seconds)), units[3]
