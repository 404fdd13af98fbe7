"""Tables of counts and sums: which cells are kept secret, and whether they stay so."""

from odpipeline.privacy.tables.aggregating import written
from odpipeline.privacy.tables.auditing import audit

__all__ = ["audit", "written"]
