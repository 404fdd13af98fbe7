"""How well the persons in a published file are hidden, for the data protection officer: classes and risks.

Risks are those of El Emam and Dankar (Protecting Privacy Using k-Anonymity, JAMIA 2008): the prosecutor knows that a
person is in the file, the journalist does not, the marketer wants as many as possible. Without a table of the whole
population the journalist's risk is at most the prosecutor's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, columns, connect, literal
from odpipeline.errors import PrivacyError

_BINS = (5, 11, 20, 50, 100, 1000)
"""The upper ends, exclusive, of the sizes of classes that are counted together."""


@dataclass(frozen=True)
class Risk:
    """`rows` in `classes`, the smallest of which has `smallest` rows; `sizes` maps sizes (`5-10`) to classes.

    `prosecutor` is the greatest chance that a row of the file is told to be a given person's, `marketer` the mean.
    """

    rows: int
    classes: int
    smallest: int
    sizes: Mapping[str, int]

    @property
    def prosecutor(self) -> float:
        """1 / the smallest class."""
        return 1 / self.smallest if self.smallest else 1.0

    @property
    def marketer(self) -> float:
        """The share of rows that is told rightly if everybody guesses: classes / rows."""
        return self.classes / self.rows if self.rows else 1.0

    def as_json(self) -> dict[str, Any]:
        """Counts and risks by name."""
        risks = {"prosecutor": self.prosecutor, "journalist_at_most": self.prosecutor, "marketer": self.marketer}
        return asdict(self) | {"risks": {name: round(value, 6) for name, value in risks.items()}}


def risk(parquet: Path, dataset: Dataset, duck: DuckSettings) -> Risk | None:
    """The risk of the published `parquet`; None when the dataset declares no quasi-identifiers.

    Raises: PrivacyError when it cannot be read as the dataset declares it today.
    """
    if not dataset.privacy.quasi_identifiers:
        return None
    quasi = columns(dataset.privacy.quasi_identifiers)
    labels = " ".join(f"WHEN n < {end} THEN {literal(_label(place))}" for place, end in enumerate(_BINS))
    try:
        with connect(duck) as connection:
            found = connection.execute(
                f"SELECT CASE {labels} ELSE {literal(_label(len(_BINS)))} END, count(*), sum(n), min(n) FROM "
                f"(SELECT count(*) AS n FROM read_parquet({literal(parquet)}) GROUP BY {quasi}) GROUP BY 1 ORDER BY 4"
            ).fetchall()
    except duckdb.Error as error:
        raise PrivacyError(
            f"the published file does not hold the declared quasi-identifiers ({type(error).__name__})",
            where=dataset.place("privacy", "quasi_identifiers"),
            mend="publish the dataset again as it is declared now",
        ) from None
    sizes = {str(label): int(classes) for label, classes, *_ in found}
    rows, smallest = sum(int(n) for *_, n, _ in found), min((int(least) for *_, least in found), default=0)
    return Risk(rows, sum(sizes.values()), smallest, sizes)


def _label(place: int) -> str:
    if place == len(_BINS):
        return f"{_BINS[-1]}+"
    return f"{_BINS[place - 1] if place else 1}-{_BINS[place] - 1}"
