"""Secrets between datasets: one that serves two purposes opens both when it leaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.positions import Place
from odpipeline.declaration.techniques import Technique


def faults(dataset: Dataset, town: Mapping[str, Dataset | None]) -> Iterator[tuple[Place, str]]:
    """Every secret of `dataset` that also serves another scope, or stable pseudonyms of another dataset.

    `town` maps every identifier to its dataset, or to None where that one's own declaration is broken.
    """
    others = [use for other in town.values() if other for use in _uses(other)]
    for _, column, secret, scope in _uses(dataset):
        for owner, elsewhere, same, how in others:
            if same != secret or (owner, elsewhere) == (dataset.id, column):
                continue
            apart = how != scope or (scope == "stable" and owner != dataset.id)
            if apart:
                what = f"the secret {secret} also serves {elsewhere!r} of {owner} (scope {how})"
                remedy = "give each scope, and each dataset with stable pseudonyms, a secret of its own"
                yield ("privacy", "columns", column), f"{what}; {remedy}"
                break


def _uses(dataset: Dataset) -> Iterator[tuple[str, str, str, str]]:
    """(dataset, column, secret, scope) of each technique that needs a secret."""
    for column, role in dataset.privacy.columns.items():
        if isinstance(role, Technique) and role.secret:
            stable = role.pseudonymise is not None and role.pseudonymise.scope == "stable"
            yield dataset.id, column, role.secret, "stable" if stable else "release"
    if (table := dataset.privacy.table) and table.rounding_secret:
        yield dataset.id, table.count, table.rounding_secret, "rounding"
