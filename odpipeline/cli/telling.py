"""How commands print: JSON for machines, a table for people."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WRAPPED = ("title", "value", "why", "meaning", "what", "mend")
"""The columns of tables that may take several lines."""


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """One reporter for all commands: JSON for machines, a table for people."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False, header_style="bold")
    told = {row["dataset"]: row.pop("reason") for row in rows if row.get("reason")}
    for name in rows[0] if rows else ():
        if name != "reason":
            table.add_column(name, overflow="fold", no_wrap=name not in _WRAPPED)
    for row in rows:
        table.add_row(*(Text("–" if value is None else str(value)) for name, value in row.items() if name != "reason"))
    console.print(table)
    for dataset, reason in told.items():
        typer.echo(f"{dataset}: {reason.removeprefix(dataset + ': ')}")


def visible(text: str | None) -> str:
    """`text` with every sign spelt out that a terminal would obey or hide."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text or "")
