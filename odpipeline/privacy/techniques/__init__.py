"""The techniques: each one SQL expression on DuckDB that replaces a column."""

from odpipeline.privacy.techniques.coarser import generalise
from odpipeline.privacy.techniques.pseudonyms import pseudonymise, told

__all__ = ["generalise", "pseudonymise", "told"]
