"""Dagster resources: `dagster-duckdb` says how DuckDB connects; the zones follow it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dagster_duckdb import DuckDBResource

from odpipeline.declaration.town import Town
from odpipeline.duck import DuckSettings
from odpipeline.flow import Zones


def duckdb_resource(town: Town) -> DuckDBResource:
    """The connection settings of `town`: memory limit, threads, spill folder in the private zone."""
    settings = DuckSettings(town.memory_limit, town.threads, town.private_path / "spill")
    return DuckDBResource(database=":memory:", connection_config=settings.config())


def zones(town: Town, duckdb: DuckDBResource) -> Zones:
    """The zones of `town`, with the connection settings of the resource."""
    config = duckdb.connection_config
    spill = config.get("temp_directory")
    duck = DuckSettings(config["memory_limit"], int(config["threads"]), Path(spill) if spill else None)
    return replace(Zones.of(town), duck=duck)
