from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings

FIELDS = [
    {"name": "numero"},
    {"name": "nom"},
    {"name": "age", "type": "integer"},
    {"name": "quartier"},
    {"name": "montant", "type": "number"},
    {"name": "depuis", "type": "date"},
]
KEEP_ALL = {field["name"]: "keep" for field in FIELDS}


@pytest.fixture
def duck() -> DuckSettings:
    return DuckSettings(memory_limit="500MB", threads=1)


@pytest.fixture
def aides(tmp_path: Path) -> Callable[..., Dataset]:
    """A dataset with personal data: `aides(columns={…}, k=3, …)`; columns that are not named are kept."""

    def make(columns: dict[str, Any] | None = None, **privacy: Any) -> Dataset:
        dataset = Dataset.model_validate(
            {
                "title": "Aides sociales",
                "description": "Aides accordées.",
                "owner": "ccas@ville.example",
                "source": {"folder": "aides.csv"},
                "fields": FIELDS,
                "personal_data": "present",
                "legal_basis": "CRPA L312-1-2",
                "privacy": {"columns": KEEP_ALL | (columns or {}), **privacy},
            }
        )
        dataset._id, dataset._root, dataset._file = "aides", tmp_path, Path("assets/social/aides.yaml")
        return dataset

    return make


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[str], Path]:
    """Conformed rows from the body of a VALUES list, in the order of FIELDS."""

    def write(values: str) -> Path:
        target = tmp_path / "conformed.parquet"
        duckdb.execute(
            f"COPY (SELECT row_number() OVER () AS _row, *, DATE '2026-03-04' AS depuis FROM (VALUES {values}) "
            f"t(numero, nom, age, quartier, montant)) TO '{target}' (FORMAT parquet)"
        )
        return target

    return write


TEN_PEOPLE = ", ".join(
    f"('D{n}', 'Nom {n}', {20 + n if n < 6 else 40 + n}, '{'A' if n < 6 else 'B'}', {n}.5)" for n in range(10)
)
"""Six persons of 20 to 25 in A, four of 46 to 49 in B."""
