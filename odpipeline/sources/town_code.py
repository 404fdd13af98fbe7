"""Kind `python`: what a callable of the town's own folder yields, written to Parquet as it comes.

It runs in a process of its own (`town_process`): what hangs is killed at the `deadline`, what crashes takes nothing
with it, and what it prints goes nowhere, since it could be data. The module is the one declared file, whose bytes are
part of the dataset's code version: it can import what is installed, but no other file of the town.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from odpipeline.declaration import town_code
from odpipeline.declaration.source import PythonSource
from odpipeline.declaration.words import spell_duration
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.delivery import Delivery, Order

_PROCESS = Path(__file__).with_name("town_process.py")
"""Run by its path: importing this package would take a second."""

_BY_HAND = "run it by hand to see why (its own message may quote data and is not shown)"


def extract(source: PythonSource, order: Order) -> Delivery:
    """Run the callable and write its rows. A result without rows is delivered: later stages judge it.

    Raises: SourceError, SourceUnavailable when it is not done before its `deadline`.
    """
    if why := town_code.fault(source, order.root):
        raise SourceError(why, where=order.declared)
    outcome = order.folder / "outcome.json"
    outcome.unlink(missing_ok=True)
    asked = {
        "module": str(order.root / source.file),
        "name": source.name,
        "arguments": source.arguments,
        "path": str(order.path),
        "outcome": str(outcome),
        "max_bytes": source.max_bytes,
    }
    status = _run(asked, source, order)
    told = json.loads(outcome.read_text()) if outcome.is_file() else {}
    if number := told.get("errno"):
        raise OSError(number, os.strerror(number))
    if told.get("done"):
        return Delivery(order.path, "rows.parquet", "application/vnd.apache.parquet")
    line = told.get("line")
    raise SourceError(
        told.get("what") or f"the town's own code ended its process (status {status})",
        where=f"{source.file}:{line}" if line else source.file,
        mend=told.get("mend") or _BY_HAND,
    )


def _run(asked: dict[str, Any], source: PythonSource, order: Order) -> int:
    """Have the work done in another process, at most until the deadline; its exit status."""
    # -P: neither the town's folder nor the current one is where modules are looked for.
    command = [sys.executable, "-P", str(_PROCESS)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603 - our own interpreter; the request goes by standard input
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd=order.root, start_new_session=True, env=_lent()
    ) as process:
        try:
            process.communicate(json.dumps(asked).encode(), timeout=source.deadline.total_seconds())
        except subprocess.TimeoutExpired:
            raise SourceUnavailable(
                f"the town's own code was not done after {spell_duration(source.deadline)}",
                where=source.file,
                mend=f"raise `deadline` in {order.declared}, or have it read less",
            ) from None
        finally:
            _end(process)
    return process.returncode


def _lent() -> dict[str, str]:
    """Our environment without the key of the private zone: the town's code needs the secrets of its own source only."""
    return {name: value for name, value in os.environ.items() if "AGE-SECRET-KEY-" not in value}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it has started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
