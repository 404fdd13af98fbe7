"""Any file against any Table Schema, without a town: what is wrong with it, in the words of Frictionless and Validata.

Nothing is fetched, published or recorded, and no value of a cell is told.
"""

from odpipeline.validating.schemas import Schema, schema_at
from odpipeline.validating.validation import Result, Validation, validate

__all__ = ["Result", "Schema", "Validation", "schema_at", "validate"]
