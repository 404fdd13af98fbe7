"""The rows of a journal in PostgreSQL, copied into an SQLite file and back: a backup is read without a server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sqlalchemy import MetaData, create_engine, func, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from odpipeline import journal as journals
from odpipeline.journal import Journal, make_tables
from odpipeline.monitoring import records

_AT_ONCE = 1000
_DESCRIBED: tuple[MetaData, ...] = (journals.METADATA, records.METADATA)


def copied(journal: Journal, target: Path) -> None:
    """Write every row of `journal`, as they are at one instant, into the new SQLite file `target`.

    Raises: OdpError when the database does not answer.
    """
    records.Records(journal)  # the tables are there
    file = _file(target)
    with journal.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source, file.begin() as copy:
        for described in _DESCRIBED:
            _rows(source, copy, described)
    file.dispose()


def filled(journal: Journal, source: Path) -> None:
    """Put the rows of the SQLite file `source` in the place of those of `journal`: all of them or none.

    The file stays as it is, byte for byte: it may be that of a backup. Raises: OdpError when the database does not
    answer.
    """
    records.Records(journal)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copyfile(source, Path(temporary) / source.name))
        file = _file(copy)  # one of an earlier version gets what came since
        Journal(f"sqlite:///{copy}")
        with file.connect() as held, journal.engine.begin() as target:
            for described in _DESCRIBED:
                for table in described.sorted_tables:
                    target.execute(table.delete())
                _rows(held, target, described)
                _numbers(target, described)
        file.dispose()


def _file(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    for described in _DESCRIBED:
        make_tables(engine, described)
    return engine


def _rows(source: Connection, target: Connection, described: MetaData) -> None:
    for table in described.sorted_tables:
        found = source.execution_options(yield_per=_AT_ONCE).execute(select(table)).mappings()
        for rows in found.partitions(_AT_ONCE):
            target.execute(table.insert(), [dict(row) for row in rows])


def _numbers(target: Connection, described: MetaData) -> None:
    """What PostgreSQL counts on goes on after the copied numbers."""
    for table in described.sorted_tables:
        if "id" not in table.columns:
            continue
        newest = target.execute(select(func.max(table.c.id))).scalar()
        if newest is not None:
            of = {"name": table.name, "newest": newest}
            target.execute(text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :newest)"), of)


__all__ = ["copied", "filled"]
