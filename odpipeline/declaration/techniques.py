"""What may happen to a column of personal data on its way out: the words of `privacy.columns`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from odpipeline.declaration.disclosure import Level
from odpipeline.declaration.words import DATE_PATTERN, Closed, EnvName


class Pseudonymise(Closed):
    """Replaces a value by HMAC-SHA-256 under a secret of the environment."""

    secret: EnvName
    """The environment variable with the secret, at least 32 bytes long."""
    scope: Literal["release", "stable"] = "release"
    """`release`: versions cannot be joined; `stable`: they can, for the stated reason."""
    because: str | None = None
    """The reason for `stable`; it is published."""
    rotated: str | None = Field(default=None, pattern=DATE_PATTERN)
    """For `stable`: the day since which the secret is another than before, so that pseudonyms are; it is published."""


class Generalise(Closed):
    """Replaces a value by a coarser one; exactly one of the ways."""

    bands: int | None = Field(default=None, ge=1)
    """The width of number bands: 10 gives `20-29`."""
    hierarchy: str | None = None
    """A generalisation file `leaf;level 1;level 2…`, relative to the town."""
    level: Level = 1
    """The level of the hierarchy, from 1; or `optimal`: the least loss at which k holds, chosen for each release."""
    at_least: int = Field(default=0, ge=0)
    """The least level that is chosen; 0 are the values themselves."""
    at_most: int | None = Field(default=None, ge=0)
    """The greatest level that is chosen; by default the top of the hierarchy."""
    weight: int = Field(default=1, ge=1)
    """How much the loss of this column counts beside the others when levels are chosen."""
    date: Literal["year", "month", "quarter"] | None = None
    """The part of a date that is kept."""
    prefix: int | None = Field(default=None, ge=1)
    """How many leading characters of a code are kept."""


class Technique(Closed):
    """What happens to a column on its way out; exactly one."""

    pseudonymise: Pseudonymise | None = None
    """HMAC under a secret."""
    generalise: Generalise | None = None
    """A coarser value."""

    @property
    def secret(self) -> str | None:
        """The environment variable whose secret the technique needs."""
        return self.pseudonymise.secret if self.pseudonymise else None
