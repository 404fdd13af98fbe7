"""Every column has a role, or nothing goes on: a column that nobody spoke of never flows through by default."""

from __future__ import annotations

from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.declaration.techniques import Technique
from odpipeline.errors import PrivacyError

Role = str | Technique
"""`keep`, `drop`, or a technique."""


def roles(dataset: Dataset) -> dict[str, Role]:
    """The role of each declared field, in declared order.

    Raises: PrivacyError when the delivery holds personal data and a field has no stated role.
    """
    declared = dataset.privacy.columns
    stated = set(declared) | set(dataset.privacy.quasi_identifiers)
    silent = [field.name for field in dataset.fields if field.name not in stated]
    if dataset.personal_data is PersonalData.PRESENT and silent:
        raise PrivacyError(
            f"no role is stated for {', '.join(silent)}, and this dataset holds personal data",
            where=dataset.place("privacy"),
            mend="say keep, drop, pseudonymise or generalise for each under privacy.columns",
        )
    return {field.name: declared.get(field.name, "keep") for field in dataset.fields}
