"""What lies at the edge of a type, a table or a suite is read right, set aside or refused, never changed unseen."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from odpipeline import flow
from odpipeline.conform import Conformed
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.towns import PISCINES, write_town

ONE = """
title: Relevés
description: Relevés.
owner: a@ville.example
source: {folder: "depot/NAME.csv"}
fields:
  - {name: numero, type: integer}
  - {name: cellule, TYPE}
key: [numero]
quality: {quarantine: 60 %QUALITY}
personal_data: none
"""


def _town(folder: Path, type_: str, quality: str = "") -> Path:
    root = write_town(folder)
    (root / "assets/sports/r.yaml").write_text(
        ONE.replace("NAME", "r").replace("TYPE", type_).replace("QUALITY", quality)
    )
    return root


def _run(root: Path, content: bytes) -> tuple[object, ...]:
    (root / "depot/r.csv").write_bytes(content)
    town = read_town(root)
    return tuple(flow.publication(town.dataset("r"), town, flow.Zones.of(town)))


@pytest.mark.parametrize(
    ("type_", "cell", "published"),
    [
        ("type: number", "NaN", None), ("type: number", "Infinity", None), ("type: number", "-inf", None),
        ("type: number", "1" + "0" * 400, None), ("type: number", "1e400", None), ("type: number", "1e-400", "0.0"),
        ("type: number", "-0", "0.0"), ("type: number", "1_000", None), ("type: number", "0x1F", None),
        ("type: integer", "9223372036854775807", "9223372036854775807"), ("type: integer", "9223372036854775808", None),
        ("type: integer", "-0", "0"), ("type: integer", "1.5", None), ("type: integer", "1e3", None),
        ("type: date", "0000-01-01", None), ("type: date", "0001-01-01", "0001-01-01"),
        ("type: date", "9999-12-31", "9999-12-31"), ("type: date", "10000-01-01", None),
        ("type: date", "2024-02-29", "2024-02-29"), ("type: date", "2023-02-29", None),
        ("type: datetime", "9999-12-31T23:59:59", "9999-12-31T23:59:59Z"),
        ("type: datetime", "2026-01-01T24:00:00", "2026-01-02T00:00:00Z"),
        ("type: datetime", "0000-01-01T10:00:00", None), ("type: datetime", "0000-01-01 10:00", None),
        ("type: year", "0000", "0"), ("type: year", "10000", None), ("type: boolean", "2", None),
        ("type: string", "", ""), ("type: string", '""', ""), ("type: string", "é" * 60_000, "é" * 60_000),
        ("type: string", '"a\nb"', "a\nb"), ("type: string", "=1+1", "'=1+1"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_cell_at_the_edge_is_published_as_it_is_or_set_aside(
    tmp_path: Path, type_: str, cell: str, published: str | None
) -> None:
    root = _town(tmp_path, type_)
    stages = _run(root, f"numero,cellule\n1,{cell}\n2,\n".encode())
    [rows] = [stage for stage in stages if isinstance(stage, Conformed)]
    release = stages[-1]
    assert isinstance(release, Release)
    assert rows.quarantined == (published is None)
    with (release.folder / "r.csv").open(newline="", encoding="utf-8") as file:
        written = [row["cellule"] for row in csv.DictReader(file)]
    assert written == ([""] if published is None else [published, ""])
    assert pq.read_table(release.folder / "r.parquet").num_rows == len(written)


@pytest.mark.parametrize(
    ("content", "published"),
    [(b"numero,cellule\n1,\xe9t\xe9\n", "été"), (b"numero,cellule\n1,a\x00b\n", "a\x00b")],
    ids=["no UTF-8", "a NUL"],
)
def test_bytes_that_are_no_utf8_are_windows_text(tmp_path: Path, content: bytes, published: str) -> None:
    root = _town(tmp_path, "type: string")
    release = _run(root, content)[-1]
    assert isinstance(release, Release)
    [row] = csv.DictReader((release.folder / "r.csv").read_text(encoding="utf-8").splitlines())
    assert row["cellule"] == published


def test_a_delivery_of_which_every_row_fails_is_refused_and_not_published_empty(tmp_path: Path) -> None:
    root = _town(tmp_path, "type: integer, constraints: {minimum: 10}", ", failing_rows: quarantine")
    *_, last = _run(root, b"numero,cellule\n1,1\n2,2\n")
    assert isinstance(last, Verdict)
    assert not last.accepted
    assert any("2 of 2 rows in quarantine" in reason for reason in last.reasons)


def test_one_row_goes_the_whole_way(tmp_path: Path) -> None:
    *_, last = _run(_town(tmp_path, "type: integer"), b"numero,cellule\n1,1\n")
    assert isinstance(last, Release)
    assert last.rows == 1


def test_two_hundred_expectations_on_one_column_are_all_answered(tmp_path: Path) -> None:
    root = _town(tmp_path, "type: integer")
    (root / "expectations").mkdir()
    asked = [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "cellule", "max_value": bound}}
        for bound in range(100, 300)
    ]
    (root / "expectations/r.json").write_text(json.dumps({"name": "r", "expectations": asked}))
    stages = _run(root, b"numero,cellule\n1,150\n2,50\n")
    assert isinstance(stages[-1], Verdict)
    assert len(stages[-1].reasons) == 50


def test_a_table_of_many_columns_is_checked_and_one_of_too_many_refused(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(400)]
    fields = "".join(f"  - {{name: {name}, type: integer, constraints: {{required: true}}}}\n" for name in names)
    before, after = PISCINES.replace("NAME", "r").split("fields:\n")
    root = write_town(tmp_path)
    declared = root / "assets/sports/r.yaml"
    declared.write_text(before + "fields:\n" + fields + "key: [c0]\npersonal_data: none\n")
    assert "personal_data: none" in after
    row = ",".join(map(str, range(400)))
    stages = _run(root, f"{','.join(names)}\n{row}\n".encode())
    assert isinstance(stages[-1], Release)
    assert len(stages[-1].columns) == 400
    with pytest.raises(OdpError, match="has 5,000 columns, and at most 2,000 are read"):
        _run(root, (",".join(f"c{n}" for n in range(5000)) + "\n" + ",".join(["1"] * 5000) + "\n").encode())
