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
    """A file `leaf;level 1;level 2…` of the town, or one of `age`, `date`, `naf`, `csp`, `iris`, `commune`."""
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
    grid: int | None = Field(default=None, ge=100)
    """The side in metres of the squares that stand for points, such as 200; they are merged until they hold `least`."""
    least: int = Field(default=11, ge=3)
    """For `grid`: the fewest rows that a square holds."""
    latitude: str | None = None
    """For `grid` on a number, the longitude: the field with the latitude, in degrees; it is dropped itself."""


class Mask(Closed):
    """Replaces the names of natural persons, and keeps those of companies and associations (décret 2017-779)."""

    unless: str | None = None
    """The field with a SIREN, SIRET or RNA number: where it holds a valid one, the name is kept."""
    when: dict[str, tuple[str, ...]] = {}
    """Field → values that tell a natural person, `{nature: [physique]}`; a missing value does, too."""
    instead: str = "Personne physique"
    """What is published instead of the name."""


class Noise(Closed):
    """Adds a random number to each value, drawn anew for each release; exactly one distribution."""

    laplace: float | None = Field(default=None, gt=0)
    """The scale b of Laplace's distribution: half of the values move by less than 0.69 b; standard deviation 1.41 b."""
    gaussian: float | None = Field(default=None, gt=0)
    """The standard deviation of the normal distribution."""
    secret: EnvName
    """The environment variable with the secret from which the numbers are drawn, at least 32 bytes long."""

    @property
    def scale(self) -> float:
        """The scale of the one distribution."""
        return float(self.laplace or self.gaussian or 0)


class Technique(Closed):
    """What happens to a column on its way out; exactly one, but `bottom_code` and `top_code` may stand together."""

    pseudonymise: Pseudonymise | None = None
    """HMAC under a secret."""
    generalise: Generalise | None = None
    """A coarser value."""
    constant: str | None = Field(default=None, min_length=1)
    """The same text in every row."""
    round: int | float | None = Field(default=None, gt=0)
    """The nearest multiple of this base; from the middle to the even multiple: with 10, both 15 and 25 become 20."""
    bottom_code: int | float | None = None
    """Smaller values are published as this bound."""
    top_code: int | float | None = None
    """Greater values are published as this bound."""
    mask: Mask | None = None
    """Names of natural persons are replaced."""
    noise: Noise | None = None
    """A random number is added."""
    microaggregate: int | None = Field(default=None, ge=3)
    """The mean of a group of at least so many near rows, over all columns that say so; at most 50,000 rows."""

    @property
    def said(self) -> tuple[str, ...]:
        """The names of the techniques that are said, in the order above; bottom and top coding are one, `coding`."""
        names = [name for name in TECHNIQUES if getattr(self, name) is not None]
        return tuple(dict.fromkeys("coding" if name in _CODING else name for name in names))

    @property
    def secret(self) -> str | None:
        """The environment variable whose secret the technique needs."""
        keyed = self.pseudonymise or self.noise
        return keyed.secret if keyed else None

    @property
    def note(self) -> str:
        """What citizens must know of the published values, in French; it goes into the field's description."""
        notes = []
        if self.round is not None:
            notes.append(f"Valeurs arrondies au multiple de {self.round} le plus proche.")
        if self.bottom_code is not None:
            notes.append(f"Les valeurs inférieures à {self.bottom_code} sont publiées comme {self.bottom_code}.")
        if self.top_code is not None:
            notes.append(f"Les valeurs supérieures à {self.top_code} sont publiées comme {self.top_code}.")
        if self.mask:
            notes.append(f"Les noms de personnes physiques sont remplacés par « {self.mask.instead} ».")
        if self.noise:
            law = "de Laplace, échelle" if self.noise.laplace else "normale, écart type"
            notes.append(f"Un nombre tiré au hasard (loi {law} {self.noise.scale:g}) est ajouté à chaque valeur.")
        if self.microaggregate:
            notes.append(f"Chaque valeur est la moyenne d’au moins {self.microaggregate} lignes proches.")
        return " ".join(notes)


TECHNIQUES = tuple(Technique.model_fields)
"""The names of all techniques."""
NUMERIC = ("round", "coding", "noise", "microaggregate")
"""The techniques that leave numbers numbers."""
_CODING = ("bottom_code", "top_code")
