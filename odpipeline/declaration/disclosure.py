"""What a class must hold besides k rows, and by what the levels of hierarchies are chosen."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from odpipeline.declaration.words import Closed

Level = Annotated[int, Field(ge=1)] | Literal["optimal"]

Score = Literal["loss", "geometric_loss", "entropy", "discernibility", "average_class", "precision", "height"]


class RecursiveDiversity(Closed):
    """Recursive (c, l)-diversity: the most frequent value stands less than c times as often as the l-th and rarer."""

    c: float = Field(gt=0)
    """How many times as often."""
    l: int = Field(ge=2)  # noqa: E741  # the name that the paper gives it
    """From which value on, the most frequent one being the first."""


class Diversity(Closed):
    """l-diversity of a sensitive column in each equivalence class (Machanavajjhala 2007)."""

    distinct: int | None = Field(default=None, ge=2)
    """The least number of different values."""
    entropy: float | None = Field(default=None, gt=1)
    """The entropy is at least the logarithm of this number."""
    recursive: RecursiveDiversity | None = None
    """Recursive (c, l)-diversity: `{c: 3, l: 2}`."""


class Differencing(Closed):
    """What happens when a class differs by fewer than k rows from what is public already."""

    severity: Literal["critical", "warning"] = "critical"
    """`critical` refuses; `warning` publishes and tells, and needs `because`."""
    because: str | None = Field(default=None, min_length=10)
    """Why so small differences may be published; it is published too."""

    small_moves: Literal["refuse", "wait"] = "refuse"
    """`wait`: such a class stays as it is in the current version until k rows or more came or went."""

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if (self.severity == "warning") != (self.because is not None):
            raise ValueError("`severity: warning` and `because` go together")
        return self


class Closeness(Closed):
    """t-closeness of a sensitive column: a class is distributed nearly as the whole table (Li 2007)."""

    t: float = Field(gt=0, lt=1)
    """The largest earth mover's distance between a class and the table, from 0 to 1."""
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    """How far values are apart: all as far, by their ranks, or by how far up a hierarchy they meet."""
    hierarchy: str | None = None
    """For `hierarchical`: a generalisation file of the values, relative to the town."""
