"""Hierarchies that need no file: `hierarchy: age`. Their names, their levels, and the fields that they fit.

An EPCI is no part of a code: IRIS → commune → EPCI needs a file of the year's perimeters.
"""

from __future__ import annotations

from typing import NamedTuple


class Builtin(NamedTuple):
    """The types of the fields that it fits, and what its levels are, from the one above the leaf."""

    fits: tuple[str, ...]
    levels: tuple[str, ...]


BUILTIN: dict[str, Builtin] = {
    "age": Builtin(("integer",), ("5 years", "10 years", "20 years", "*")),
    "date": Builtin(("date",), ("month", "quarter", "year", "decade", "*")),
    "naf": Builtin(("string",), ("classe", "groupe", "division", "section", "*")),
    "csp": Builtin(("string",), ("3 digits", "2 digits", "1 digit", "*")),
    "iris": Builtin(("string",), ("commune", "département", "région", "*")),
    "commune": Builtin(("string",), ("département", "région", "*")),
}
"""Name → what it is."""
