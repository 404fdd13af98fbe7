"""Anonymisation: declared, applied in SQL, measured on what was written."""

from odpipeline.privacy.anonymising import PRIMARY, Anonymised, anonymise
from odpipeline.privacy.differencing import compares, differencing
from odpipeline.privacy.erasing import erased, fleeting, spoken_as
from odpipeline.privacy.measuring import measure, summary
from odpipeline.privacy.scan import scan
from odpipeline.privacy.small_moves import waited

__all__ = [
    "PRIMARY", "Anonymised", "anonymise", "compares", "differencing", "erased", "fleeting", "measure", "scan",
    "spoken_as", "summary", "waited",
]  # fmt: skip
