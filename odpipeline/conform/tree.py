"""JSON: a list of records, a document that holds one, or a file of such documents, one a line (the pages of an API)."""

from __future__ import annotations

from pathlib import Path

import duckdb

from odpipeline.conform.delivered import Delivered, unreadable
from odpipeline.conform.encoding import chunks
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import literal
from odpipeline.errors import ConformError

_LARGEST, _USUAL = 1_000_000_000, 16_777_216
"""The largest JSON document that is read, and DuckDB's usual bound, in bytes."""

_DEEPEST = 100
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, _folder: Path) -> Delivered:
    """The records as text columns; nested ones are named by a dotted `source`, such as `position.lat`.

    Raises: ConformError when it is no JSON, or holds no list of records where the declaration says.
    """
    documents(connection, path, dataset)
    try:
        steps = "".join(f'."{step}"' for step in (dataset.records or "").split(".") if step)
        there = f"json_extract(json, '${steps}')"
        found = f"CASE json_type({there}) WHEN 'ARRAY' THEN from_json({there}, '[\"JSON\"]')"
        alone = " WHEN 'OBJECT' THEN [json_extract(json, '$')]" if not steps else ""
        connection.execute(f"CREATE TEMP TABLE lists AS SELECT {found}{alone} END AS records FROM documents")
        missing = connection.execute("SELECT count(*) FROM lists WHERE records IS NULL").fetchone()
        if missing and missing[0]:
            raise ConformError(
                f"there is no list of records at {dataset.records or 'the top of the document'}",
                where=dataset.place("format", "records"),
                mend="give the dotted path to the list with format: {records: …}",
            )
        connection.execute(
            "CREATE TEMP TABLE records AS SELECT row_number() OVER () AS _row, record FROM "
            "(SELECT unnest(records) AS record FROM lists)"
        )
        keys = connection.execute(
            "SELECT key FROM (SELECT unnest(json_keys(record)) AS key, _row FROM records) "
            "GROUP BY key ORDER BY min(_row)"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(error, "JSON", dataset) from None
    columns = {key: _at(_pointer(key)) for (key,) in keys}
    for _, name in dataset.delivered_fields:
        if name not in columns and "." in name and name.split(".")[0] in columns:
            columns[name] = _at("$" + "".join(f'."{step}"' for step in name.split(".")))
    return Delivered("records", _without_parents(columns, dataset) | _siblings(connection, dataset), native=True)


def documents(connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset) -> None:
    """The documents at `path` as the connection's table `documents`, with one column `json`.

    Raises: ConformError when it is no JSON, or nested without end.
    """
    _refuse_depth(path, dataset)
    try:
        connection.execute(f"CREATE TEMP TABLE documents AS {_documents(path)}")
    except duckdb.Error as error:
        raise unreadable(error, "JSON", dataset) from None


def _refuse_depth(path: Path, dataset: Dataset) -> None:
    """A document nested without end overflows the stack of DuckDB's reader, and takes the whole process with it.

    Outside strings, each round takes the innermost empty pair of brackets away; what is left over is still open.
    """
    opened, escape, quoted = b"", b"", False
    for chunk in chunks(path, 0):
        text = (escape + chunk).replace(b"\\\\", b"")
        escape = b"\\" if text.endswith(b"\\") else b""
        parts = text.removesuffix(escape).replace(b'\\"', b"").split(b'"')
        opened += b"".join(parts[quoted::2]).translate(None, _NO_BRACKETS)
        quoted ^= len(parts) % 2 == 0
        for _ in range(_DEEPEST):
            shorter = opened.replace(b"[]", b"").replace(b"{}", b"")
            if len(shorter) == len(opened):
                break
            opened = shorter
        if len(opened) > _DEEPEST:
            raise ConformError(
                f"the delivery is nested deeper than {_DEEPEST} levels, or its brackets do not pair",
                where=dataset.place("source"),
                mend="ask the source what it delivers",
            )


def _documents(path: Path) -> str:
    """One document for the whole file, or one a line: whatever makes every line, or the file, valid JSON."""
    with path.open("rb") as stream:
        first = stream.readline(_LARGEST)
        more = bool(stream.read(1))
    by_line = more and first.strip().endswith((b"}", b"]")) and first.strip() not in (b"[", b"{", b"}", b"]")
    form = "newline_delimited" if by_line and _whole(first) else "unstructured"
    largest = max(_USUAL, min(path.stat().st_size + 1, _LARGEST))  # DuckDB reserves this much for each thread
    return f"SELECT json FROM read_json_objects({literal(path)}, format='{form}', maximum_object_size={largest})"


def _whole(line: bytes) -> bool:
    found = duckdb.execute("SELECT json_valid(?)", [line.decode("utf-8-sig", "replace")]).fetchone()
    return bool(found and found[0])


def _at(path: str) -> str:
    return f"(record ->> {literal(path)})"


def _pointer(*keys: str) -> str:
    """The JSON pointer (RFC 6901) of nested keys: it can spell any of them."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _siblings(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> dict[str, str]:
    """Keys beside declared nested ones that nobody declared: `position.alt` beside `position.lat`."""
    named = {column for _, column in dataset.delivered_fields}
    parents = {name.rsplit(".", depth)[0] for name in named for depth in range(1, name.count(".") + 1)} - named
    found: dict[str, str] = {}
    for parent in sorted(parents):
        keys = connection.execute(
            "SELECT DISTINCT unnest(json_keys(record, $1)) FROM records WHERE json_type(record, $1) = 'OBJECT' "
            "ORDER BY 1",
            [_pointer(*parent.split("."))],
        ).fetchall()
        for (key,) in keys:
            name = f"{parent}.{key}"
            if name not in named | parents | set(dataset.ignored_columns):
                found[name] = _at(_pointer(*parent.split("."), key))
    return found


def _without_parents(columns: dict[str, str], dataset: Dataset) -> dict[str, str]:
    """`columns` without the objects of which the declaration names the parts: those are known."""
    named = {column for _, column in dataset.delivered_fields}
    parents = {name.split(".")[0] for name in named if "." in name} - named
    return {name: expression for name, expression in columns.items() if name not in parents}
