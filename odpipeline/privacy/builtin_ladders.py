"""The ladders of the built-in hierarchies, as SQL over the text `leaf`; nested by construction.

A value is on a ladder when it has the right form and, where the nomenclature is short, when it exists: other values are
outside, and refused.
"""

from __future__ import annotations

from typing import NamedTuple

NAF_SECTIONS = {
    "A": (1, 3), "B": (5, 9), "C": (10, 33), "D": (35, 35), "E": (36, 39), "F": (41, 43), "G": (45, 47), "H": (49, 53),
    "I": (55, 56), "J": (58, 63), "K": (64, 66), "L": (68, 68), "M": (69, 75), "N": (77, 82), "O": (84, 84),
    "P": (85, 85), "Q": (86, 88), "R": (90, 93), "S": (94, 96), "T": (97, 98), "U": (99, 99),
}  # fmt: skip
"""Section → its first and last division: NAF rév. 2, décret 2007-1888 (its divisions skip some numbers)."""
_NO_DIVISION = (4, 34, 40, 44, 48, 54, 57, 67, 76, 83, 89)

REGIONS = {
    "01": ("971",), "02": ("972",), "03": ("973",), "04": ("974",), "06": ("976",),
    "11": ("75", "77", "78", "91", "92", "93", "94", "95"),
    "24": ("18", "28", "36", "37", "41", "45"),
    "27": ("21", "25", "39", "58", "70", "71", "89", "90"),
    "28": ("14", "27", "50", "61", "76"),
    "32": ("02", "59", "60", "62", "80"),
    "44": ("08", "10", "51", "52", "54", "55", "57", "67", "68", "88"),
    "52": ("44", "49", "53", "72", "85"),
    "53": ("22", "29", "35", "56"),
    "75": ("16", "17", "19", "23", "24", "33", "40", "47", "64", "79", "86", "87"),
    "76": ("09", "11", "12", "30", "31", "32", "34", "46", "48", "65", "66", "81", "82"),
    "84": ("01", "03", "07", "15", "26", "38", "42", "43", "63", "69", "73", "74"),
    "93": ("04", "05", "06", "13", "83", "84"),
    "94": ("2A", "2B"),
}  # fmt: skip
"""Région → its départements: INSEE, code officiel géographique since 2016 (loi 2015-29)."""


class Ladder(NamedTuple):
    """A condition on `leaf`, the levels above it, and all the leaves as SQL after FROM, where they can be counted."""

    valid: str
    levels: tuple[str, ...]
    domain: str = ""


def _cases(of: str, groups: dict[str, tuple[str, ...]]) -> str:
    whens = " ".join(
        f"WHEN {of} IN ({', '.join(map(repr, members))}) THEN '{name}'" for name, members in groups.items()
    )
    return f"CASE {whens} END"


def _bands(width: int) -> str:
    low = f"(CAST(leaf AS INTEGER) // {width} * {width})"
    return f"{low} || '-' || ({low} + {width - 1})"


_SECTIONS = {
    section: tuple(f"{division:02}" for division in range(first, last + 1) if division not in _NO_DIVISION)
    for section, (first, last) in NAF_SECTIONS.items()
}
_SECTION = _cases("left(leaf, 2)", _SECTIONS)
_DEPARTMENT = "CASE WHEN left(leaf, 2) = '97' THEN left(leaf, 3) ELSE left(leaf, 2) END"
_REGION = _cases(f"({_DEPARTMENT})", REGIONS)
_COMMUNE = "(?:[0-9]{2}|2[AB])[0-9]{3}"

LADDERS: dict[str, Ladder] = {
    "age": Ladder(
        "TRY_CAST(leaf AS INTEGER) BETWEEN 0 AND 139",
        (_bands(5), _bands(10), _bands(20), "'*'"),
        "(SELECT CAST(range AS VARCHAR) AS leaf FROM range(140))",
    ),
    "date": Ladder(
        "regexp_full_match(leaf, '[0-9]{4}-[0-9]{2}-[0-9]{2}')",
        (
            "left(leaf, 7)",
            "left(leaf, 4) || '-T' || quarter(CAST(leaf AS DATE))",
            "left(leaf, 4)",
            "left(leaf, 3) || '0-' || left(leaf, 3) || '9'",
            "'*'",
        ),
    ),
    "naf": Ladder(
        f"regexp_full_match(leaf, '[0-9]{{2}}[.]?[0-9]{{2}}[A-Z]') AND ({_SECTION}) IS NOT NULL",
        (
            "left(leaf, 2) || '.' || left(replace(substr(leaf, 3), '.', ''), 2)",
            "left(leaf, 2) || '.' || left(replace(substr(leaf, 3), '.', ''), 1)",
            "left(leaf, 2)",
            _SECTION,
            "'*'",
        ),
    ),
    "csp": Ladder(
        "regexp_full_match(leaf, '[1-8][0-9]{2}[0-9a-zA-Z]')",
        ("left(leaf, 3)", "left(leaf, 2)", "left(leaf, 1)", "'*'"),
    ),
    "iris": Ladder(
        f"regexp_full_match(leaf, '{_COMMUNE}[0-9]{{4}}') AND ({_REGION}) IS NOT NULL",
        ("left(leaf, 5)", _DEPARTMENT, _REGION, "'*'"),
    ),
    "commune": Ladder(
        f"regexp_full_match(leaf, '{_COMMUNE}') AND ({_REGION}) IS NOT NULL",
        (_DEPARTMENT, _REGION, "'*'"),
    ),
}
"""Name of the built-in hierarchy → its ladder."""
