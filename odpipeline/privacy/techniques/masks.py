"""The names of natural persons, where others may be named: grants and spending (décret 2017-779, CRPA L312-1-2)."""

from __future__ import annotations

from odpipeline.declaration.techniques import Mask
from odpipeline.duck import literal, quote
from odpipeline.quality.french import FRENCH

_RNA = "regexp_full_match({cell}, 'W[0-9]{9}')"
"""The number of an association in the répertoire national des associations."""


def masked(column: str, technique: Mask) -> str:
    """The expression of the name, or of what stands instead where the row does not tell that it is no natural person.

    A number of a wrong form or key tells nothing; missing names stay missing.
    """
    legal = [_numbered(technique.unless)] if technique.unless else []
    for other, values in technique.when.items():
        listed = ", ".join(literal(value) for value in values)
        name = f"trim(r.{quote(other)})"
        legal.append(f"{name} != '' AND {name} NOT IN ({listed})" if values else "false")
    known = " AND ".join(f"coalesce({one}, false)" for one in legal)
    name = f"r.{quote(column)}"
    return f"CASE WHEN {known} THEN {name} WHEN {name} IS NOT NULL THEN {literal(technique.instead)} END"


def _numbered(column: str) -> str:
    cell = f"regexp_replace(r.{quote(column)}, '[ \\x{{a0}}\\x{{202f}}]', '', 'g')"
    valid = (FRENCH["siren"].condition, FRENCH["siret"].condition, _RNA)
    either = " OR ".join(f"({one.replace('{cell}', cell)})" for one in valid)
    return f"({either}) AND NOT regexp_full_match({cell}, '0+')"
