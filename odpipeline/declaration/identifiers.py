"""The identifiers of persons that are looked for in what is about to be published, and where they may stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset

Identifier = Literal[
    "nir", "nif", "iban", "rib", "card", "rpps", "siret", "email", "phone", "address", "plate", "identity_document",
    "driving_licence", "birth_date", "ine", "coordinates", "ip_address", "mac_address", "name",
]  # fmt: skip
IDENTIFIERS: tuple[str, ...] = get_args(Identifier)


class Allowed(Closed):
    """One identifier that a column holds on purpose; the reason is published."""

    identifier: Identifier
    """Which one: `email`, `phone`, `address`, `name`…"""
    because: str = Field(min_length=10)
    """Why it may be published: `adresse du service, pas d’une personne`."""


def faults(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    """What is wrong with `privacy.allowed`, as (place, what)."""
    published = [field.name for field in dataset.published_fields]
    for column, said in dataset.privacy.allowed.items():
        place: Place = ("privacy", "allowed", column)
        if column not in published:
            yield place, unknown("published column", column, published, inside="privacy.allowed")
        twice = [one.identifier for one in said]
        if not said or len(set(twice)) < len(twice):
            yield place, f"privacy.allowed of {column!r} names each identifier once, one at least"
