"""Dagster's SQLite storage, opened by one process at a time; `dagster.yaml` of a town names it."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


class SqliteStorage(DagsterSqliteStorage):
    """The storage in `base_dir`; Dagster's own, made under a lock.

    Dagster 1.13 makes the tables of a new file first and stamps their revision afterwards. Of two processes that begin
    together (webserver and daemon after the first boot) the second then meets tables without a revision, takes them for
    those of an old version and stamps an older revision beside the newest: from then on every process of Dagster stops
    with "multiple heads are present".
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with Path(base_dir, ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """The storage that `dagster.yaml` describes; Dagster's own method names Dagster's own class."""
        return cls.from_local(inst_data=inst_data, **config_value)
