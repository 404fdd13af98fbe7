"""A small SQLAlchemy dialect that speaks to a DuckDB connection which is already open.

Published dialects pin another DuckDB, or close the connection before Great Expectations has fetched the rows. This one
owns nothing: it quotes as DuckDB does, and opens, commits and closes nothing.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import duckdb
from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.compiler import IdentifierPreparer

from odpipeline.duck import quote

NAME = "odp_duckdb"
"""The dialect's name, and the scheme of its URL."""


class AlwaysQuoting(IdentifierPreparer):
    """Quotes every identifier: DuckDB's reserved words are not SQLAlchemy's."""

    def quote(self, ident: str, force: Any = None) -> str:
        """`ident` in double quotes."""
        del force
        return self.quote_identifier(ident)


class _InSameDatabase(DefaultExecutionContext):
    """A statement is executed on a cursor, which would begin in another database than its connection is in."""

    def create_cursor(self) -> Any:
        """A cursor of the connection, where the connection is."""
        connection: Any = self._dbapi_connection.dbapi_connection
        (database,) = connection.execute("SELECT current_database()").fetchone()
        cursor = connection.cursor()
        cursor.execute(f"USE {quote(database)}")
        return cursor


class DuckDialect(DefaultDialect):
    """DuckDB, as far as SELECT goes. Transactions are none of its business: nothing is ever written."""

    name = NAME
    supports_statement_cache = True
    supports_native_boolean = True
    preparer = AlwaysQuoting
    execution_ctx_cls = _InSameDatabase

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """DuckDB's own module, which follows PEP 249."""
        return duckdb

    def initialize(self, connection: Any) -> None:
        """Ask the database nothing: what there is to know of it is written here."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing to take back."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing to keep."""

    def do_close(self, dbapi_connection: Any) -> None:
        """Leave the connection to who opened it."""


registry.register(NAME, __name__, DuckDialect.__name__)


def engine_on(connection: duckdb.DuckDBPyConnection) -> Engine:
    """An SQLAlchemy engine whose only connection is `connection`."""
    return create_engine(f"{NAME}://", creator=lambda: connection, poolclass=StaticPool)
