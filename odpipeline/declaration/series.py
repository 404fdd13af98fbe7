"""Datasets that belong together, such as the budgets of several years: one entry of the catalogue above them."""

from __future__ import annotations

from pydantic import Field

from odpipeline.declaration.words import Closed


class Series(Closed):
    """A series of datasets (DCAT 3, 12); each of its datasets says the same of it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")
    """Its identifier, as those of datasets are."""
    title: str
    """Its title; citizens read it."""
    description: str
    """What belongs to it."""
