"""Staged releases of a small made-up dataset, for whoever tests what comes after staging."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odpipeline import published as published_rows
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.duck import DuckSettings, connect
from odpipeline.store import Staged, StagedFacts, Store, stage
from odpipeline.verdict import Finding, Verdict

DUCK = DuckSettings(memory_limit="500MB", threads=1)
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "integer", "constraints": {"required": True}},
    {"name": "nom", "title": "Nom du parking", "description": "Le nom affiché à l’entrée."},
    {"name": "places", "type": "integer", "constraints": {"minimum": 0}},
    {"name": "releve_le", "type": "datetime"},
]


def a_town(root: Path) -> Town:
    publisher = {"name": "Ville d’Essai", "siren": "219900001", "homepage": "https://donnees.ville.example",
                 "email": "donnees@ville.example"}  # fmt: skip
    town = Town.model_validate({"publisher": publisher, "contact": "sig@ville.example", "dpo": "dpo@ville.example"})
    town._root = root
    return town


def a_dataset(identifier: str = "parkings", **changes: Any) -> Dataset:
    dataset = Dataset.model_validate(
        {
            "title": "Disponibilité des parkings",
            "description": "Places libres par parking.",
            "owner": "stationnement@ville.example",
            "themes": ["TRAN"],
            "keywords": ["stationnement"],
            "source": {"folder": "parkings.csv"},
            "fields": FIELDS,
            "key": ["id"],
            "personal_data": "none",
            **changes,
        }
    )
    dataset._id, dataset._file = identifier, Path(f"assets/{identifier}.yaml")
    return dataset


def rows(folder: Path, select: str, dataset: Dataset, duck: DuckSettings = DUCK) -> Path:
    """The rows of a SELECT as the anonymised Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "anonymised.parquet"
    with connect(duck) as connection:
        published_rows.write(connection, f"({select})", dataset, target)
    return target


def parkings(count: int = 3, places: int = 10) -> str:
    """`count` parkings, each with at least `places` free places."""
    return f"""SELECT i AS _row, i AS id, 'Parking ' || i AS nom, {places} + i AS places,
        TIMESTAMP '2026-03-29 01:00:00' AS releve_le FROM range(1, {count + 1}) t(i)"""


def facts(capture: str = "c1", code: str = "v1", **changes: Any) -> StagedFacts:
    stated: dict[str, Any] = {
        "capture_sha256": capture, "code_version": code, "data_date": datetime(2026, 3, 29, 1, tzinfo=UTC),
        "privacy": {"personal_data": "none"},
        "lineage": {"id": {"delivered": "id", "transformation": "read as integer"}}, "rows_in": 3, "quarantined": 0,
        "why": "new delivery",
    }  # fmt: skip
    return StagedFacts(**(stated | changes))


def a_staged(folder: Path, select: str = "", *, dataset: Dataset | None = None, **stated: Any) -> Staged:
    dataset = dataset or a_dataset()
    parquet = rows(folder, select or parkings(), dataset)
    return stage(parquet, dataset, a_town(folder), folder, DUCK, facts=facts(**stated))


def yes(staged: Staged) -> Verdict:
    """A verdict that accepts exactly `staged`."""
    return Verdict(staged.dataset, staged.content_hash, (Finding("quality", "r", passed=True, message="it holds"),))


def published(store: Store, folder: Path, select: str = "", **stated: Any) -> Any:
    """The release after publishing one more content."""
    staged = a_staged(folder, select, **stated)
    return store.publish(staged, yes(staged))
