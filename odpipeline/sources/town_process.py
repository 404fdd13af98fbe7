"""The process in which a town's own callable runs; started by `town_code`, with nothing of this package loaded.

The request comes as JSON on standard input; the rows go to a Parquet file, and how it ended to a JSON file beside it:
`{"done": true}`, `{"errno": …}` of our disk, or what is wrong with the town's code. Of an exception only the type and
the module's line are told, since its text may quote data.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_BY_HAND = "run it by hand to see why (its own message may quote data and is not shown)"


class _Fault(Exception):
    """What is wrong, how to mend it, and the module's line if one is known."""

    def __init__(self, what: str, mend: str, line: int | None = None) -> None:
        super().__init__(what)
        self.told = {"what": what, "mend": mend, "line": line}


def work() -> None:
    """Do what standard input asks for, and write how it ended."""
    asked = json.load(sys.stdin)
    told: dict[str, Any] = {"done": True}
    try:
        _write(asked)
    except _Fault as fault:
        told = fault.told
    except pa.ArrowException:
        told = _Fault("the rows have a type that cannot be written", "make it a number, a text, a date or a time").told
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
        loaded = sys.modules["town_code"] = types.ModuleType("town_code")
        loaded.__file__ = str(module)
        # Not through the import system: bytecode that somebody has cached beside the file would be run instead of it.
        exec(compile(module.read_bytes(), str(module), "exec"), loaded.__dict__)  # noqa: S102
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


if __name__ == "__main__":
    work()
