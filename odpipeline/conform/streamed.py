"""Rows that a library can only give one by one, as a relation: written to Parquet in batches, in flat memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from odpipeline.duck import literal

_BATCH = 10_000


def streamed(rows: Iterable[Sequence[str | None]], names: Sequence[str], folder: Path) -> tuple[str, int]:
    """`rows` of texts as SQL after FROM, with `_row` and the columns `c0`, `c1`…; and their number."""
    file, count = folder / "streamed.parquet", 0
    schema = pa.schema([(f"c{place}", pa.string()) for place in range(len(names))])
    waiting = iter(rows)
    with pq.ParquetWriter(file, schema, compression="lz4") as parquet:
        while batch := list(itertools.islice(waiting, _BATCH)):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            parquet.write_batch(pa.record_batch(columns, schema=schema))
            count += len(batch)
    file.chmod(0o600)
    read = f"read_parquet({literal(file)}, file_row_number=true)"
    return f"(SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number) FROM {read})", count
