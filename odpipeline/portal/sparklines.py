"""How a number went from version to version, as a small SVG in the page, with the same in words for who cannot see it.

No colour tells anything alone: a version whose check did not hold has a dot, the others have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT, _MARGIN = 120, 28, 4


@dataclass(frozen=True)
class Point:
    """One version, or one run: its `label`, the `value` that was counted (None: nothing), and whether it `held`."""

    label: str
    value: float | None
    held: bool


def sparkline(points: Sequence[Point], words: str) -> Markup:
    """The line of `points`, oldest first; `words` say the same. Nothing for fewer than two points: that is no line."""
    if len(points) < 2:
        return Markup("")
    values = [point.value for point in points if point.value is not None]
    low, high = min(0.0, *values, 0.0), max([0.0, *values])
    step = (WIDTH - 2 * _MARGIN) / (len(points) - 1)
    places = [
        (_MARGIN + number * step, _height(point.value, low, high), point)
        for number, point in enumerate(points)
        if point.value is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y, point in places if not point.held)
    base = _height(0.0, low, high)
    return Markup(  # noqa: S704 - numbers of our own, and the words are escaped
        f'<svg class="spark" role="img" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{escape(words)}</title>"
        f'<line class="base" x1="0" x2="{WIDTH}" y1="{base:.1f}" y2="{base:.1f}"/>'
        f'<polyline points="{line}"/>{dots}</svg>'
    )


def _height(value: float, low: float, high: float) -> float:
    """Where a value stands, from the top; a line of nothing but zeros lies at the foot."""
    share = (value - low) / (high - low) if high > low else 0.0
    return HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN)
