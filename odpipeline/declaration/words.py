"""The small words of a declaration: closed models, durations, shares, environment references."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

DATASET_PATTERN = r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$)[a-z0-9][a-z0-9_-]{0,99}"
"""An identifier of a dataset, which names its files everywhere: none that Windows keeps for its devices."""
_UNITS = {
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
    "week": 604800,
    "weeks": 604800,
    "year": 31557600,
    "years": 31557600,
}


class Closed(BaseModel):
    """A part of a declaration: unknown keys are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([a-z]+)", str(value).strip())
    if not match or match[2] not in _UNITS:
        raise ValueError("a duration is a whole number and a unit: 20 min, 36 h, 7 days, 5 weeks")
    try:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except (OverflowError, ValueError):  # longer than any calendar, or than Python reads a number
        raise ValueError("a duration is at most a few thousand years") from None


def spell_duration(value: timedelta) -> str:
    """`value` in the largest unit that is whole: `36 h`, `7 days`."""
    seconds = int(value.total_seconds())
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0 and (unit != "days" or seconds > size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def spell_share(value: float) -> str:
    """`value` as a percentage: `2 %`."""
    return f"{value * 100:.10g} %"


def _share(value: Any) -> float:
    match = re.fullmatch(r"(?:≤\s*)?(\d+(?:[.,]\d+)?)\s*%", str(value).strip())
    if not match or (share := float(match[1].replace(",", ".")) / 100) > 1:
        raise ValueError("a share is a percentage from 0 % to 100 %, sign included: 2 %, ≤ 0.5 %")
    return share


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(spell_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ ?(s|min|h|d|days?|weeks?|years?)$"}),
]
"""A length of time, written `20 min`, `36 h`, `7 days`."""

Share = Annotated[
    float,
    BeforeValidator(_share),
    PlainSerializer(spell_share, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^(≤ ?)?\d+([.,]\d+)? ?%$"}),
]
"""A part of a whole, from 0.0 to 1.0, written `2 %`."""

MAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
"""One mail address, as far as its form tells."""
ENV_NAME_PATTERN = r"^[A-Z][A-Z0-9_]*$"
"""The name of an environment variable."""
DATE_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
"""A day in ISO 8601."""
SIREN_PATTERN = r"^\d{9}$"
"""A SIREN number."""
CALLABLE_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
"""A module of the town and a name in it."""
TABLE_PATTERN = r"^[a-z_]{1,60}$"
"""The name of a GTFS table."""
MEMORY_PATTERN = r"^\d+(\.\d+)? ?[KMGT](i)?B$"
"""An amount of memory in DuckDB's words."""

Mail = Annotated[str, Field(pattern=MAIL_PATTERN)]
"""One mail address."""

EnvName = Annotated[str, Field(pattern=ENV_NAME_PATTERN)]
"""The name of an environment variable; a secret itself is never written in a declaration."""


class FromEnvironment(Closed):
    """A value read from the environment at run time: `{env: ODP_PARKING_URL}`."""

    env: EnvName
    """The variable's name."""
