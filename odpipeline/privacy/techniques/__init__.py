"""The techniques: each one SQL expression on DuckDB that replaces a column of the relation `r`."""

from __future__ import annotations

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy.techniques.coarser import generalise
from odpipeline.privacy.techniques.masks import masked
from odpipeline.privacy.techniques.microaggregation import averaged
from odpipeline.privacy.techniques.numbers import coded, noisy, rounded
from odpipeline.privacy.techniques.pseudonyms import pseudonymise, told

__all__ = ["expression", "generalise", "pseudonymise", "told"]


def expression(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, role: str | Technique, rows: str, salt: str
) -> str:
    """SQL for what is published of `column` of `rows`, which is called `r`; `salt` names the release.

    Raises: PrivacyError, SecretMissing.
    """
    if isinstance(role, str):
        return f"r.{quote(column)}"
    whole = next(field.type for field in dataset.fields if field.name == column) in ("integer", "year")
    match role.said:
        case ("pseudonymise",) if role.pseudonymise:
            return pseudonymise(connection, dataset, column, role.pseudonymise, salt)
        case ("generalise",) if role.generalise:
            return generalise(connection, dataset, column, role.generalise, rows)
        case ("constant",) if role.constant:
            return literal(role.constant)
        case ("round",) if role.round:
            return rounded(column, role.round, whole=whole)
        case ("coding",):
            return coded(column, role, whole=whole)
        case ("mask",) if role.mask:
            return masked(column, role.mask)
        case ("noise",) if role.noise:
            return noisy(connection, dataset, column, role.noise, salt, whole=whole)
        case ("microaggregate",):
            return averaged(connection, dataset, column, rows, whole=whole)
    raise PrivacyError(
        "a column has no technique, or two", where=dataset.place("privacy", "columns", column), mend="name one"
    )
