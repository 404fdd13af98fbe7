"""Where the coordinates of a town may lie."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from odpipeline.declaration.words import Closed


class Territory(Closed):
    """A rectangle of degrees, WGS 84, that holds the town."""

    west: float = Field(ge=-180, le=180, allow_inf_nan=False)
    """The least longitude."""
    south: float = Field(ge=-90, le=90, allow_inf_nan=False)
    """The least latitude."""
    east: float = Field(ge=-180, le=180, allow_inf_nan=False)
    """The greatest longitude."""
    north: float = Field(ge=-90, le=90, allow_inf_nan=False)
    """The greatest latitude."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError("`west` is less than `east`, and `south` less than `north`")
        return self
