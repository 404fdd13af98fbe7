"""Odd deliveries about persons: what comes out keeps k, or nothing comes out."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.towns import write_town

AIDES = """
title: Aides
description: Aides par quartier.
owner: aides@ville.example
source: {folder: "depot/aides.csv"}
fields:
  - {name: numero}
  - {name: quartier}
  - {name: tranche}
shrink: 100 %
personal_data: present
legal_basis: essai
privacy:
  columns: {numero: drop, quartier: keep, tranche: keep}
  quasi_identifiers: [quartier, tranche]
  k: 5
  suppression: SHARE
"""
Row = tuple[str, str]


def _town(folder: Path, share: str = "0 %") -> Path:
    root = write_town(folder)
    (root / "assets/sports/aides.yaml").write_text(AIDES.replace("SHARE", share))
    return root


def _run(root: Path, rows: list[Row], columns: str = "numero,quartier,tranche") -> Verdict | Release:
    place = {"numero": 0, "quartier": 1, "tranche": 2}
    lines = [
        ",".join((str(number), *row)[place[name]] for name in columns.split(",")) for number, row in enumerate(rows)
    ]
    (root / "depot/aides.csv").write_text("\n".join([columns, *lines]) + "\n")
    town = read_town(root)
    *_, last = flow.publication(town.dataset("aides"), town, flow.Zones.of(town))
    assert isinstance(last, Verdict | Release)
    return last


def _published(release: Verdict | Release) -> list[tuple[str | None, ...]]:
    assert isinstance(release, Release), release
    table = pq.read_table(release.folder / "aides.parquet")
    return list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def test_fewer_rows_than_k_are_refused_and_so_is_what_would_be_left_of_them(tmp_path: Path) -> None:
    few = [("nord", "a")] * 3
    refused = _run(_town(tmp_path / "none"), few)
    assert isinstance(refused, Verdict)
    assert any("3 of 3 rows suppressed" in reason for reason in refused.reasons)
    emptied = _run(_town(tmp_path / "all", "100 %"), few)
    assert isinstance(emptied, Verdict)
    assert any("would be empty" in reason for reason in emptied.reasons)


def test_rows_that_are_all_the_same_are_one_class(tmp_path: Path) -> None:
    assert _published(_run(_town(tmp_path), [("nord", "a")] * 20)) == [("nord", "a")] * 20


def test_a_missing_quasi_identifier_is_a_class_of_its_own(tmp_path: Path) -> None:
    rows = [("", "a")] * 5 + [("nord", "a")] * 6
    assert sorted(_published(_run(_town(tmp_path / "five"), rows)), key=str) == sorted(
        [(None, "a")] * 5 + [("nord", "a")] * 6, key=str
    )
    few = _run(_town(tmp_path / "four", "50 %"), rows[1:])  # four missing ones join nobody, and are suppressed
    assert _published(few) == [("nord", "a")] * 6


@pytest.mark.parametrize("twin", ["Nord", "ｎord", "nоrd", "nord\u200b", "no\u0301rd"])
def test_what_only_looks_the_same_is_not_the_same_class(tmp_path: Path, twin: str) -> None:
    rows = [("nord", "a")] * 6 + [(twin, "a")] * 4
    assert _published(_run(_town(tmp_path, "50 %"), rows)) == [("nord", "a")] * 6


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["nord", "sud", ""]), st.sampled_from(["a", "b"])), min_size=12, max_size=40
    ),
    seed=st.integers(0, 9),
)
def test_the_order_of_rows_and_columns_changes_nothing_and_the_verdict_is_the_same_twice(
    rows: list[Row], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    once, again, turned = (
        _run(_town(tmp_path_factory.mktemp("ville") / "v", "60 %"), list(given_rows), columns)
        for given_rows, columns in (
            (rows, "numero,quartier,tranche"), (rows, "numero,quartier,tranche"), (shuffled, "tranche,numero,quartier"),
        )
    )  # fmt: skip
    if isinstance(once, Verdict):
        assert isinstance(again, Verdict)
        assert isinstance(turned, Verdict)
        assert once.reasons == again.reasons == turned.reasons
    else:
        assert isinstance(again, Release)
        assert isinstance(turned, Release)
        assert once.content_hash == again.content_hash == turned.content_hash
        counted = {row: _published(once).count(row) for row in _published(once)}
        assert min(counted.values()) >= 5
