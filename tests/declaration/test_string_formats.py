"""The formats of a string that Table Schema knows are checked; one that nobody checks is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from odpipeline import quality
from odpipeline.declaration import read_town
from odpipeline.duck import DuckSettings, connect
from odpipeline.errors import DeclarationErrors
from tests.towns import PISCINES, write_town

_PLAIN = "  - {name: piscine, constraints: {required: true}}"


def _suite(folder: Path, form: str) -> quality.Suite:
    declaration = PISCINES.replace(_PLAIN, f"  - {{name: piscine, format: {form}}}").replace("key:", "# key:")
    return quality.suite_for(read_town(write_town(folder / "town", "a", declaration=declaration)).dataset("a"))


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("email", "mairie@ville.example", "mairie"),
        ("uri", "https://ville.example/a?b=é", "ville.example"),
        ("uri", "urn:isbn:2070360024", "https://ville example"),
        ("uuid", "123e4567-e89b-42d3-a456-426614174000", "123e4567"),
    ],
)
def test_a_string_of_a_format_is_refused_when_it_is_none(tmp_path: Path, form: str, right: str, wrong: str) -> None:
    suite = _suite(tmp_path, form)
    parquet = tmp_path / "rows.parquet"
    with connect() as connection:
        connection.execute("CREATE TABLE t (jour DATE, piscine VARCHAR, entrees BIGINT)")
        connection.execute(
            "INSERT INTO t VALUES ('2026-01-01', ?, 1), ('2026-01-01', ?, 1), ('2026-01-01', NULL, 1)", [right, wrong]
        )
        connection.execute(f"COPY t TO '{parquet}' (FORMAT parquet)")
    failed = [finding for finding in quality.check(parquet, suite, DuckSettings()).findings if not finding.passed]
    assert [finding.counts["unexpected_count"] for finding in failed] == [1]
    assert failed[0].blocks


def test_a_format_that_nobody_checks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DeclarationErrors, match=r"a\.yaml:9: .*'emial'.*email"):
        _suite(tmp_path, "emial")
