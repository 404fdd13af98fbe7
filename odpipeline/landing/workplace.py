"""The private work folder of a dataset: one run at a time, and nothing left that is not meant to stay.

::

    work/<dataset>/            0700
      .lock                    held by the run, or by who looks
      conformed.parquet        what the last run read, and
      quarantine.parquet       what it could not read, with the values: to be looked at, until the next run
      staged/                  the last release that came before the gate
      failed.parquet           the first cells that failed an expectation row by row
      quarantine.json          how many cells could not be read, by column and rule

With a seal, `conformed.parquet` and `staged/` go when the run ends, the quarantine is `quarantine.parquet.age`, and
what failed is `failed.parquet.age`.
Every other copy of the delivery goes in any case, so that the captures' retention is that of the delivered bytes. A run
that was killed leaves its files in clear: whoever takes the folder next begins by removing them.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from odpipeline.duck import DuckSettings, connect, literal
from odpipeline.errors import OdpError
from odpipeline.landing import captures
from odpipeline.landing.sealing import Broken, Seal

_QUARANTINE, _SEALED, _COUNTS = "quarantine.parquet", "quarantine.parquet.age", "quarantine.json"
_FAILED, _FAILED_SEALED = "failed.parquet", "failed.parquet.age"
_LOOKED_AT = "looked-at.parquet"


@contextmanager
def workplace(work: Path, dataset_id: str, seal: Seal | None, patience_seconds: float = 0) -> Iterator[Path]:
    """The work folder of the dataset, for one run at a time, empty but for what stays.

    Another run that holds it is waited for as long as `patience_seconds`.

    Raises: OdpError when another run holds it; SecretMissing when the seal's key is not set.
    """
    if seal:
        seal.ready()
    folder = work / dataset_id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder, patience_seconds):
        _clear(folder, seal)
        (folder / "spill").mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _clear(folder, seal)


def forget(folder: Path) -> None:
    """Remove every row and cell that the last run left in the work folder, which the caller holds; counts stay.

    Raises: OdpError when the disk refuses.
    """
    with captures.on_disk():
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (".lock", _COUNTS):
                path.unlink()


def set_aside(folder: Path, quarantine: Path, said: dict[str, Any], seal: Seal | None) -> Path:
    """Keep the quarantine of a run, and `said` of it: counts, never values; where the quarantine is now.

    Raises: OdpError when the disk refuses.
    """
    with captures.on_disk():
        kept = _sealed(quarantine, folder / _SEALED, seal) if seal else quarantine
        captures.write_json(folder, _COUNTS, said)
    return kept


def keep_failed(folder: Path, seal: Seal | None) -> None:
    """Keep the cells that failed in this run, and none of a run before.

    Raises: OdpError when the disk refuses.
    """
    with captures.on_disk():
        (folder / _FAILED_SEALED).unlink(missing_ok=True)
        if seal and (folder / _FAILED).exists():
            _sealed(folder / _FAILED, folder / _FAILED_SEALED, seal)


def _sealed(clear: Path, kept: Path, seal: Seal) -> Path:
    aside = kept.with_name(f".{kept.name}")
    seal.close(clear, aside)
    aside.replace(kept)
    clear.unlink()
    return kept


def quarantine_counts(work: Path, dataset_id: str) -> dict[str, Any]:
    """What `set_aside` was told by the last run that read a delivery.

    Raises: OdpError when there was none.
    """
    file = work / dataset_id / _COUNTS
    if not file.exists():
        raise OdpError("no run has read a delivery yet", where=dataset_id, mend=f"run it: odp run {dataset_id}")
    return captures.read_json(file)


def quarantined_cells(
    work: Path, dataset_id: str, seal: Seal | None, most: int, *, failed: bool = False
) -> list[tuple[int, str, str, str]]:
    """The first `most` cells of the last quarantine, or of those that `failed`: row, column, rule, value.

    The column is empty for a line without form. These are delivered values: they are for the eyes of who asks only.
    Raises: SecretMissing, OdpError; also when a run is under way.
    """
    folder = work / dataset_id
    clear, sealed = (_FAILED, _FAILED_SEALED) if failed else (_QUARANTINE, _SEALED)
    with _alone(folder):
        plain, looked_at = folder / clear, folder / _LOOKED_AT
        try:
            if (folder / sealed).exists():
                _open(folder / sealed, looked_at, seal)
                plain = looked_at
            if not plain.exists() and failed:
                return []
            if not plain.exists():
                raise OdpError("its quarantine is gone", where=dataset_id, mend=f"run it again: odp run {dataset_id}")
            with connect(DuckSettings("500MB", 1)) as connection:
                return connection.execute(
                    f'SELECT _row, "column", rule, value FROM read_parquet({literal(plain)}) ORDER BY ALL LIMIT {most}'
                ).fetchall()
        finally:
            looked_at.unlink(missing_ok=True)


def _open(sealed: Path, clear: Path, seal: Seal | None) -> None:
    where, again = f"work/{sealed.parent.name}", "run the dataset again"
    if seal is None:
        raise OdpError("the quarantine is sealed, and town.yaml names no key", where=where, mend=again)
    try:
        seal.open(sealed, clear)
    except Broken:
        raise OdpError("the quarantine is damaged: it is not what was written", where=where, mend=again) from None


@contextmanager
def _alone(folder: Path, patience_seconds: float = 0) -> Iterator[None]:
    until = time.monotonic() + patience_seconds
    with (folder / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise OdpError("another run of this dataset is under way", mend="wait until it has ended") from None
            time.sleep(0.5)
        yield


def _leftovers(folder: Path, seal: Seal | None) -> list[Path]:
    """What is in `folder` and does not stay after a run."""
    stays = {".lock", _COUNTS} | (
        {_SEALED, _FAILED_SEALED} if seal else {"conformed.parquet", _QUARANTINE, _FAILED, "staged"}
    )
    return [path for path in folder.iterdir() if path.name not in stays] if folder.is_dir() else []


def _clear(folder: Path, seal: Seal | None) -> None:
    for path in _leftovers(folder, seal):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
