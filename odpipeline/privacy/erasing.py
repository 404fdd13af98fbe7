"""Rows that were erased stay out of what is published, whatever is delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from odpipeline import published
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, held, literal
from odpipeline.errors import PrivacyError
from odpipeline.privacy.anonymising import Anonymised


def erased(
    anonymised: Anonymised, conditions: Sequence[Mapping[str, str]], dataset: Dataset, duck: DuckSettings
) -> Anonymised:
    """`anonymised` without the rows that hold all columns of one of `conditions`.

    Raises: PrivacyError when they cannot be told: nothing may be published then.
    """
    names = [field.name for field in dataset.published_fields]
    if unknown := {name for one in conditions for name in one if name not in names}:
        raise PrivacyError(
            f"rows were erased by {', '.join(sorted(unknown))}, which is not published any more",
            where=dataset.place("privacy"),
            mend="publish the column again, or have the rows taken out of the source and ask for the erasure anew",
        )
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
