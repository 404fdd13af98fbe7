"""How a rule reads: what it asks for, how its failure is told, what its owner can do. The tables are per language.

A rule that counts values says the two ends of a sentence that begins with “12 values of 3,410”; any other tells its
failure from its counts. A rule without a phrase gets a sentence that is true of every rule: nothing is ever untold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Said = str | Callable[[Mapping[str, Any]], str]
"""A text, or one made of the counts (for `told`), of the declared arguments (for the others)."""


@dataclass(frozen=True)
class Phrase:
    """One rule in one language.

    `asked` names what is asked for, without a verb. `one` and `many` go on after the number of wrong values; `told` is
    a whole sentence instead, without its full stop. `advice` is for who answers for the data. `rows` tells that rows
    are counted, not values.
    """

    asked: Said
    one: Said = ""
    many: Said = ""
    told: Said = ""
    advice: str = ""
    rows: bool = False


def said(text: Said, facts: Mapping[str, Any]) -> str:
    """`text` for `facts`; empty when it needs a fact that is not there."""
    try:
        return text if isinstance(text, str) else text(facts)
    except KeyError:
        return ""


def bounds(
    between: str, least: str, most: str, number: Callable[[float], str], unsaid: str = ""
) -> Callable[[Mapping[str, Any]], str]:
    """Two bounds, or one, in words: `between` holds `{0}` and `{1}`, the next two `{0}`; `unsaid` when none is told."""

    def worded(declared: Mapping[str, Any]) -> str:
        low, high = (_bound(declared.get(name), number) for name in ("min_value", "max_value"))
        if low and high:
            return between.format(low, high)
        return least.format(low) if low else most.format(high) if high else unsaid

    return worded


def sides(below: str, above: str, outside: str, number: Callable[[float], str]) -> Callable[[Mapping[str, Any]], str]:
    """Which bound was missed: `below` and `above` hold `{0}`, `outside` is for two bounds and for none."""
    return lambda declared: bounds(outside, below, above, number)(declared) or outside


def joined(*texts: Said) -> Callable[[Mapping[str, Any]], str]:
    """Several texts one after the other, those that are empty left out."""
    return lambda facts: " ".join(filter(None, (said(text, facts) for text in texts)))


def _bound(value: Any, number: Callable[[float], str]) -> str:
    if value is None or isinstance(value, bool):
        return ""
    return number(value) if isinstance(value, (int, float)) else str(value)
