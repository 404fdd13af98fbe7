import json
from pathlib import Path

import pytest

from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect

FIELDS = [
    {"name": "id", "type": "integer"},
    {"name": "sens", "type": "string"},
    {"name": "montant", "type": "number"},
    {"name": "jour", "type": "date"},
]


@pytest.fixture
def duck(tmp_path):
    return DuckSettings("500MB", 1, tmp_path / "spill")


@pytest.fixture
def rows(tmp_path):
    """Writes the rows of a SELECT statement to a Parquet file."""

    def written(select: str) -> Path:
        target = tmp_path / "rows.parquet"
        with connect() as connection:
            connection.execute(f"COPY ({select}) TO '{target}' (FORMAT parquet)")
        return target

    return written


@pytest.fixture
def dataset(tmp_path):
    """Makes a dataset of the given fields; every line number is that of `lines`, and `suite` is its own file."""

    def made(fields=FIELDS, suite=None, lines=None, **changes) -> Dataset:
        declared = Dataset.model_validate(
            {
                "title": "Budget",
                "description": "Le budget.",
                "owner": "finances@ville.example",
                "source": {"http": "https://ville.example/budget.csv"},
                "fields": fields,
                "personal_data": "none",
                **changes,
            }
        )
        declared._id, declared._root, declared._file = "budget", tmp_path, Path("assets/finances/budget.yaml")
        declared._lines = lines or {}
        if suite is not None:
            text = suite if isinstance(suite, str) else json.dumps(suite, indent=2)
            (tmp_path / "expectations").mkdir(exist_ok=True)
            (tmp_path / "expectations" / "budget.json").write_text(text)
        return declared

    return made
