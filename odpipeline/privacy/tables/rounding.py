"""Controlled rounding: every count becomes a neighbouring multiple of the base, and the margins still add up.

The nearest such table, by the sum of distances, is found as an integer program (HiGHS); zero-restricted, so that a
multiple stays as it is (Cox and Ernst, Controlled rounding, INFOR 1982). In three dimensions there may be none.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from odpipeline.declaration.tables import Table
from odpipeline.errors import PrivacyError
from odpipeline.privacy.tables.suppressing import Cells, margins_of

_SECONDS = 120


def rounded(cells: Cells, table: Table, place: str) -> list[int]:
    """The rounded count of each cell.

    Raises: PrivacyError when no rounding adds up, or none is found in two minutes.
    """
    counts, base = cells.values[table.count], float(table.base)
    low, high = np.floor(counts / base), np.ceil(counts / base)
    up = (high * base - counts) - (counts - low * base)
    constraints = LinearConstraint(margins_of(cells.labels), 0, 0) if table.totals else ()
    found = milp(
        up, constraints=constraints, integrality=np.ones(len(counts)), bounds=Bounds(low, high),
        options={"time_limit": _SECONDS},
    )  # fmt: skip
    if found.x is None:
        raise PrivacyError(
            f"no rounding of the table to multiples of {table.base} was found whose margins add up",
            where=place,
            mend="publish fewer dimensions, leave the margins out with totals: false, or use method: suppress",
        )
    return [round(float(one)) * table.base for one in found.x]
