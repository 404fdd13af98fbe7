"""Numbers, dates, moments and times that a request writes as texts → SQL that means the same.

DuckDB reads such a text leniently when it compares it with a column: it leaves out the zone of a moment and whatever
follows a date, and rounds `'12.7'` beside whole numbers. Rows would be wrong without a word, so texts are read here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from odpipeline.duck import literal

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")


def like(value: str, operator: str, pattern: str) -> str:
    """The SQL of `value LIKE pattern` (or `ILIKE`), which takes no longer than the text is long.

    DuckDB tries all ways to share a text out among several wildcards, for hours, and is not to be interrupted in it.
    """
    if "%" not in (inner := pattern.strip("%")) and ("_" not in pattern or inner == pattern):
        return f"({value} {operator} {literal(pattern)})"
    wild = {"%": ".*", "_": "."}
    regular = "".join(wild.get(sign) or re.escape(sign) for sign in re.sub("%+", "%", pattern))
    text, regular = f"CAST({value} AS VARCHAR)", literal(regular)
    if operator == "ILIKE":
        text, regular = f"lower({text})", f"lower({regular})"
    return f"regexp_full_match({text}, {regular}, 's')"


class Unread(ValueError):
    """A text is no value of the kind; the message is for whoever asked."""


def written(text: str, kind: str) -> str:
    """The literal of SQL that `text` means where a value of `kind` is due: `number`, `date`, `datetime` or `time`.

    Dates and times are those of ISO 8601. A moment with a zone (RFC 3339) becomes one of UTC, as moments are published;
    one without is of UTC already.

    Raises: Unread.
    """
    try:
        if kind == "number":
            if not _NUMBER.fullmatch(text):
                raise Unread(_HOW[kind])
            return text
        if kind == "date":
            return f"DATE {literal(date.fromisoformat(text).isoformat())}"
        if kind == "time":
            at = time.fromisoformat(text)
            if at.tzinfo is not None:
                raise Unread(_HOW[kind])
            return f"TIME {literal(at.isoformat())}"
        moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return f"TIMESTAMP {literal(utc.isoformat(sep=' '))}"
    except Unread:
        raise
    except (ValueError, OverflowError):
        raise Unread(_HOW[kind]) from None


_HOW = {
    "number": "a number is written 12 or 12.5",
    "date": "a date is written '2026-01-31'",
    "datetime": "a moment is written '2026-01-31', '2026-01-31T10:00:00Z' (UTC) or '2026-01-31T10:00:00+01:00' (in an "
                "address the + is spelled %2B), from year 1 to 9999",
    "time": "a time is written '10:00:00', without a zone",
}  # fmt: skip
