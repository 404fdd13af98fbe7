"""Kind `python`: what a callable of the town's own folder yields, written to Parquet as it comes.

It runs in a process of its own: what hangs is killed at the `deadline`, what crashes takes nothing with it, and what
it prints goes nowhere, since it could be data. Of an exception only the type and the module's line are told. The
module is the one declared file, whose bytes are part of the dataset's code version: it can import what is installed,
but no other file of the town.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from odpipeline.declaration import town_code
from odpipeline.declaration.source import PythonSource
from odpipeline.declaration.words import spell_duration
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources.delivery import Delivery, Order

_CHILD = "from odpipeline.sources.town_code import work; work()"
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
    command = [sys.executable, "-P", "-c", _CHILD]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603 - our own interpreter; the request goes by standard input
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd=order.root, start_new_session=True
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it has started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Fault(Exception):
    """What is wrong, how to mend it, and the module's line if one is known."""

    def __init__(self, what: str, mend: str, line: int | None = None) -> None:
        super().__init__(what)
        self.told = {"what": what, "mend": mend, "line": line}


def work() -> None:
    """What the other process does: the request comes as JSON, the outcome goes to a file beside the delivery."""
    asked = json.load(sys.stdin)
    told: dict[str, Any] = {"done": True}
    try:
        _write(asked)
    except _Fault as fault:
        told = fault.told
    except OSError as error:
        told = {"errno": error.errno}
    Path(asked["outcome"]).write_text(json.dumps(told))


def _write(asked: dict[str, Any]) -> None:
    batches = _batches(asked)
    first = next(batches, None)
    if first is None:
        raise _Fault("the town's own code yields nothing", "yield at least one batch, even without rows")
    schema = first.schema.remove_metadata()
    _refuse(schema)
    with (
        os.fdopen(os.open(asked["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as parquet,
    ):
        batch = first
        while batch is not None:
            parquet.write_batch(_checked(batch, schema))
            if file.tell() > asked["max_bytes"]:
                raise _Fault(
                    f"the rows take more than {asked['max_bytes']:,} bytes", "yield fewer, or raise `max_bytes`"
                )
            batch = next(batches, None)


def _batches(asked: dict[str, Any]) -> Iterator[Any]:
    """What the callable gives, as record batches: it may give batches, tables, or anything that exports Arrow."""
    module = Path(asked["module"])
    with _theirs(module):
        spec = importlib.util.spec_from_file_location("town_code", module)
        assert spec is not None  # noqa: S101 - the file ends in .py
        assert spec.loader is not None  # noqa: S101 - likewise
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        given = getattr(loaded, asked["name"])(**asked["arguments"])
        given = [given] if hasattr(given, "__arrow_c_stream__") or isinstance(given, pa.RecordBatch) else given
        parts = iter(given)
    while True:
        with _theirs(module):
            part = next(parts, None)
        if part is None:
            return
        if isinstance(part, pa.RecordBatch):
            yield part
        elif hasattr(part, "__arrow_c_stream__"):
            yield from _streamed(part, module)
        else:
            raise _Fault("the town's own code yields something else than Arrow", "yield pyarrow.RecordBatch or Table")


def _streamed(part: Any, module: Path) -> Iterator[Any]:
    with _theirs(module):
        stream = pa.RecordBatchReader.from_stream(part)
    empty = True
    while True:
        with _theirs(module):
            batch = next(stream, None)
        if batch is None:
            break
        empty = False
        yield batch
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=stream.schema)


@contextlib.contextmanager
def _theirs(module: Path) -> Iterator[None]:
    """Whatever goes wrong in the town's own code, by its type and its line in `module` only."""
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing of it may be shown, whatever it is
        lines = [number for frame, number in traceback.walk_tb(error.__traceback__)
                 if frame.f_code.co_filename == str(module)]  # fmt: skip
        raise _Fault(
            f"the town's own code raised {type(error).__name__}", _BY_HAND, lines[-1] if lines else None
        ) from None


def _refuse(schema: Any) -> None:
    """Refuse columns that one table cannot hold, or that would be written as something that they do not mean."""
    twins = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twins:
        raise _Fault(f"two columns are called {', '.join(twins)}", "give each a name of its own")
    odd = [field.name for field in schema if pa.types.is_nested(field.type) or _is_bytes(field.type)]
    if odd:
        raise _Fault(f"the column {odd[0]} is nested or holds bytes", "make it text, such as JSON or WKT")


def _is_bytes(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _checked(batch: Any, schema: Any) -> Any:
    if not batch.schema.equals(schema):
        raise _Fault("a batch has other columns or types than the first one", "yield batches of one schema")
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        raise _Fault("a text is not valid UTF-8", "decode it in the encoding that the system uses") from None
    return batch.replace_schema_metadata(None)
