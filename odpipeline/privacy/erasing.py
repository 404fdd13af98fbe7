"""Rows that were erased stay out of what is published, whatever is delivered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from odpipeline import published
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import DuckSettings, connect, held, literal
from odpipeline.errors import PrivacyError
from odpipeline.landing.erasures import Kept
from odpipeline.privacy.anonymising import Anonymised


def spoken_as(dataset: Dataset, columns: Iterable[str]) -> dict[str, Any]:
    """How each of `columns` is published, as JSON: a value of one way means nothing in another."""
    said = {column: dataset.privacy.columns.get(column) for column in columns}
    return {
        column: role.model_dump(mode="json", exclude_defaults=True) if isinstance(role, Technique) else role
        for column, role in sorted(said.items())
    }


def fleeting(dataset: Dataset, columns: Iterable[str]) -> list[str]:
    """Those of `columns` whose published values are others in the next release, so that no row can be known by them."""
    roles = {column: dataset.privacy.columns.get(column) for column in columns}
    return [column for column, role in sorted(roles.items()) if isinstance(role, Technique) and _fleeting(role)]


def _fleeting(role: Technique) -> bool:
    anew = role.noise is not None or role.microaggregate is not None
    level = role.generalise is not None and (role.generalise.level == "optimal" or role.generalise.grid is not None)
    return anew or level or (role.pseudonymise is not None and role.pseudonymise.scope == "release")


def _changed(erasure: Kept, dataset: Dataset) -> list[str]:
    then, now = erasure.spoken_as, spoken_as(dataset, erasure.where)
    return [] if then is None else [column for column in now if now[column] != then.get(column)]


def erased(anonymised: Anonymised, erasures: Sequence[Kept], dataset: Dataset, duck: DuckSettings) -> Anonymised:
    """`anonymised` without the rows of `erasures`.

    Raises: PrivacyError when they cannot be told: nothing may be published then.
    """
    names = [field.name for field in dataset.published_fields]
    for one in erasures:
        if changed := sorted(set(one.where) - set(names)) or _changed(one, dataset):
            raise PrivacyError(
                f"rows were erased by {', '.join(changed)}, which is published otherwise since or not at all, so that "
                "they cannot be told any more",
                where=dataset.place("privacy"),
                mend=f"publish it as before, or ask for the erasure anew and take the former one back: odp erase "
                f"{dataset.id} --lift",
            )
    conditions = [one.where for one in erasures]
    target = anonymised.parquet.with_name("erased.parquet")
    rows = f"read_parquet({literal(anonymised.parquet)})"
    try:
        with connect(duck) as connection:
            left = published.write(
                connection, f"(SELECT * FROM {rows} WHERE NOT ({held(conditions, names)}))", dataset, target
            )
    except duckdb.Error as error:
        raise PrivacyError(
            f"the rows that were erased could not be taken out ({type(error).__name__})",
            where=dataset.place("privacy"), mend="nothing is published until they can be; run again",
        ) from None  # fmt: skip
    target.replace(anonymised.parquet)
    return replace(anonymised, rows=left)
