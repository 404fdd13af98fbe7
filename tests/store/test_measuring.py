"""A file that is read while it grows is hashed and compressed as if it had been read afterwards."""

from __future__ import annotations

import gzip
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from odpipeline.store.measuring import Growing, stored

LINES = b"".join(b"%d,Parking %d,%d\r\n" % (n, n, n % 997) for n in range(60_000))


def written_in_bits(path: Path, packed_from: int | None) -> Growing:
    with ThreadPoolExecutor(2) as readers:
        with Growing(path, readers, packed_from) as growing, path.open("wb", buffering=0) as out:
            for start in range(0, len(LINES), 99_991):
                out.write(LINES[start : start + 99_991])
                time.sleep(0.002)
        return growing


def test_a_growing_file_has_the_hash_of_the_whole_one(tmp_path: Path) -> None:
    growing = written_in_bits(tmp_path / "a.csv", None)
    assert growing.stored() == stored(tmp_path / "a.csv")
    assert growing.sha256() == hashlib.sha256(LINES).hexdigest()
    assert growing.packed() is None


@pytest.mark.parametrize("least", [0, 500_000, len(LINES)])
def test_a_growing_file_is_compressed_to_the_bytes_of_one_go(tmp_path: Path, least: int) -> None:
    packed = written_in_bits(tmp_path / "a.csv", least).packed()
    (tmp_path / "once").mkdir()
    with ThreadPoolExecutor(2) as readers, Growing(tmp_path / "once/a.csv", readers, 0) as at_once:
        (tmp_path / "once/a.csv").write_bytes(LINES)
    assert packed == stored(tmp_path / "a.csv.gz") == at_once.packed()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == LINES


def test_what_stays_small_is_not_compressed(tmp_path: Path) -> None:
    assert written_in_bits(tmp_path / "a.csv", len(LINES) + 1).packed() is None
    assert not (tmp_path / "a.csv.gz").exists()


def failing(path: Path, content: bytes) -> None:
    """The pool waits for its threads: this comes back only when they have given up."""
    with ThreadPoolExecutor(2) as readers, Growing(path, readers, 0):
        if content:
            path.write_bytes(content)
        raise ZeroDivisionError


@pytest.mark.parametrize("content", [b"", LINES])
def test_a_writer_that_fails_leaves_no_reader_waiting(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ZeroDivisionError):
        failing(tmp_path / "a.csv", content)
