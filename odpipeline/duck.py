"""Opens DuckDB connections: memory limit, threads, spill folder; quotes identifiers and literals.

Each dataset works on a connection of its own, in memory, bounded; whatever does not fit spills to disk.

Making a DuckDB instance takes 20 ms, and a run asks for ten: one that has served well is emptied and serves again,
always one block at a time.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Event, Thread
from typing import Literal

import duckdb

_MOST_IDLE = 4


@dataclass(frozen=True)
class DuckSettings:
    """`memory_limit` in DuckDB's words (`2GB`), number of `threads`, and the `spill` folder (private zone).

    `patience`: after how many seconds whatever a connection still does is interrupted; None: never.
    """

    memory_limit: str = "1500MB"
    threads: int = 2
    spill: Path | None = None
    patience: float | None = None

    def config(self) -> dict[str, str]:
        """The settings as `duckdb.connect(config=…)` takes them, which is also what `DuckDBResource` takes."""
        config = {
            "memory_limit": self.memory_limit,
            "threads": str(self.threads),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        return config | ({"temp_directory": str(self.spill)} if self.spill else {})


@contextmanager
def connect(settings: DuckSettings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A bounded in-memory connection, closed at the end of the block.

    Raises: duckdb.InterruptException in the block when its patience is over.
    """
    settings = settings or DuckSettings()
    instance = _taken(settings)
    connection, done = instance.cursor(), Event()
    if settings.patience is not None:
        Thread(target=_interrupted, args=(connection, done, settings.patience), daemon=True).start()
    try:
        connection.execute("ATTACH ':memory:' AS here; USE here; SET enable_progress_bar = false")
        yield connection
    except BaseException:
        done.set()
        connection.close()
        instance.close()
        raise
    done.set()
    connection.close()
    _give_back(instance, settings.config())


_idle: list[tuple[duckdb.DuckDBPyConnection, dict[str, str]]] = []
"""Empty instances, each with the settings that it has."""


def _taken(settings: DuckSettings) -> duckdb.DuckDBPyConnection:
    """An instance that nobody else uses."""
    config = settings.config()
    try:
        instance, has = _idle.pop()
    except IndexError:
        instance = duckdb.connect(":memory:", config=dict(config))
        instance.execute("SET GLOBAL TimeZone = 'UTC'")
    else:
        if changed := [f"SET {name} = {literal(value)}" for name, value in config.items() if has.get(name) != value]:
            instance.execute("; ".join(changed))
    return instance


def _give_back(instance: duckdb.DuckDBPyConnection, config: dict[str, str]) -> None:
    """Keep it with nothing of its rows; one that has spilled, or whose settings were locked, has ended."""
    try:
        instance.execute(_EMPTIED)
    except duckdb.Error:
        instance.close()
    else:
        _idle.append((instance, {name: value for name, value in config.items() if name != "temp_directory"}))
        while len(_idle) > _MOST_IDLE:
            _idle.pop(0)[0].close()


_EMPTIED = (
    "DETACH here; RESET temp_directory; "
    "SET enable_external_file_cache = false; SET enable_external_file_cache = true"  # what it has read
)


def _before_fork() -> None:
    """End the threads of idle instances: a forked process would have none of them, and believe that it has."""
    for place, (instance, has) in enumerate(_idle):
        instance.execute("SET threads = 1")
        _idle[place] = instance, has | {"threads": "1"}


os.register_at_fork(before=_before_fork)


def _interrupted(connection: duckdb.DuckDBPyConnection, done: Event, patience: float) -> None:
    """Interrupt the query under way once patience is over, and those that come after it."""
    pause = patience
    while not done.wait(pause):
        connection.interrupt()
        pause = 0.1


def spatial(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension `spatial` from its wheel: nothing is fetched."""
    _load(connection, "spatial")


def workbooks(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension `excel`, which writes workbooks, from its wheel: nothing is fetched."""
    _load(connection, "excel")


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    home = files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD {literal(str(home / f'{name}.duckdb_extension'))}")


def quote(identifier: str) -> str:
    """`identifier` as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """`text` as a quoted SQL string, for the few places where DuckDB takes no parameter (COPY, paths)."""
    return "'" + str(text).replace("'", "''") + "'"


def columns(identifiers: Sequence[str]) -> str:
    """A quoted, comma-separated list of columns."""
    return ", ".join(map(quote, identifiers))


def no_room(error: duckdb.Error | OSError) -> bool:
    """True when `error` says that the disk, or the memory that is allowed, is full."""
    return "No space left" in str(error) or isinstance(error, duckdb.OutOfMemoryException)


def held(conditions: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    """SQL that is true, and else false, for rows that hold every value of one of `conditions` (column → value).

    Values are text, as DuckDB spells them or as they stand in a published CSV. A condition on a column that is not
    among `names` is held by no row.
    """
    meant = [
        " AND ".join(
            f"coalesce(CAST({quote(name)} AS VARCHAR) IN ({', '.join(map(literal, _spelled(value)))}), false)"
            for name, value in one.items()
        )
        for one in conditions
        if set(one) <= set(names)
    ]
    return " OR ".join(f"({one})" for one in meant) or "false"


def _spelled(value: str) -> list[str]:
    """`value`, and what DuckDB writes for it when it was taken from a CSV: a moment, a text that was disarmed.

    Letters with accents may be one character or two, here and there: both are the same text.
    """
    said = [value]
    if found := re.fullmatch(r"(\d{4,}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z", value):
        fraction = (found[3] or "").rstrip("0").rstrip(".")
        said.append(f"{found[1]} {found[2]}{fraction}")
    elif re.match(r"'[=+\-@\t\r\n]", value):
        said.append(value[1:])
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    return list(dict.fromkeys([*said, *(unicodedata.normalize(form, one) for form in forms for one in said)]))
