"""Every count becomes a neighbouring multiple of the base.

Controlled: the margins still add up. The nearest such table, by the sum of distances, is found as an integer program
(HiGHS); zero-restricted, so that a multiple stays as it is (Cox and Ernst, Controlled rounding, INFOR 1982). In three
dimensions there may be none.

Random: up with the probability that leaves the expected count as it is (Hundepool et al., Statistical Disclosure
Control, 2012, section 5.4), margins like any other cell. It is drawn from the secret by the cell and its count, so that
the mean of many releases of one count tells nothing more.
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from odpipeline.declaration.tables import Table
from odpipeline.errors import PrivacyError
from odpipeline.privacy.tables.suppressing import Cells

_SECONDS = 120


def rounded(cells: Cells, table: Table, place: str) -> list[int]:
    """The rounded count of each cell.

    Raises: PrivacyError when no rounding adds up, or none is found in two minutes.
    """
    counts, base = cells.values[table.count], float(table.base)
    low, high = np.floor(counts / base), np.ceil(counts / base)
    up = (high * base - counts) - (counts - low * base)
    constraints = LinearConstraint(cells.margins, 0, 0) if table.totals else ()
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


def drawn(cells: Cells, table: Table, key: bytes) -> list[int]:
    """The randomly rounded count of each cell; `key` draws."""
    return [
        _one(int(count), table.base, "\x1f".join(label), key)
        for label, count in zip(cells.labels, cells.values[table.count], strict=True)
    ]


def _one(count: int, base: int, label: str, key: bytes) -> int:
    low, over = count - count % base, count % base
    digest = hmac.digest(key, f"{label}\x1e{count}".encode(), hashlib.sha256)
    return low + base * (int.from_bytes(digest[:8], "big") * base < over << 64)
