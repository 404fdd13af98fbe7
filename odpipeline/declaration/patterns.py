"""Regular expressions are RE2, because DuckDB runs them: no look-around, no back-reference. Asked of DuckDB itself."""

from __future__ import annotations

from types import TracebackType

import duckdb

_KNOWN: dict[str, str] = {}
"""What was said about each pattern, in this process: a town is read again and again, and a connection takes a while."""


class Patterns:
    """A DuckDB connection, opened when the first pattern is asked about that is not known."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Patterns:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._connection is not None:
            self._connection.close()

    def fault(self, pattern: str) -> str:
        """Why RE2 cannot compile `pattern`, with the remedy; an empty text when it can."""
        if pattern not in _KNOWN:
            _KNOWN[pattern] = self._compile(pattern)
        return _KNOWN[pattern]

    def _compile(self, pattern: str) -> str:
        self._connection = self._connection or duckdb.connect(":memory:", config={"threads": "1"})
        quoted = "'" + pattern.replace("'", "''") + "'"  # a bound parameter would make DuckDB import pandas: 1.4 s
        try:
            self._connection.execute(f"SELECT regexp_matches('', {quoted})")
        except duckdb.Error as error:
            reason = str(error).removeprefix("Invalid Input Error: ").split("\n", 1)[0].split(": ", 1)[0]
            return f"RE2 cannot compile it ({reason}); write it without look-around (?=…) and back-reference (\\1)"
        return ""
