"""The same town on PostgreSQL: both databases deliver the same rows."""

import pyarrow.parquet as pq

from odpipeline import sources
from odpipeline.declaration import read_town
from tests.simulators import systems
from tests.simulators_town.conftest import NOW, ROOT


def test_postgresql_delivers_what_sqlite_does(night, monkeypatch, tmp_path):
    town = read_town(ROOT)
    with systems(1, tmp_path / "systems", now=NOW, postgres=True) as environment:
        for identifier in ("budget", "depenses", "subventions", "aides-sociales"):
            rows = []
            for variables in (night(1), environment):
                for name, value in variables.items():
                    monkeypatch.setenv(name, value)
                delivery = sources.extract(town.dataset(identifier), town, tmp_path / identifier, None)
                rows.append(pq.read_table(delivery.path))
            assert rows[0].equals(rows[1]), identifier
