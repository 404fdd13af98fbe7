"""Tables of counts and sums: what must be secret is, what protects it is as well, and an attacker's sums fail."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import connect
from odpipeline.errors import DeclarationErrors, PrivacyError, SecretMissing
from odpipeline.privacy import PRIMARY
from odpipeline.privacy.tables import audit, written
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.store.making import a_dataset
from tests.towns import write_town

FIELDS = [{"name": "quartier"}, {"name": "type"}, {"name": "siren"}, {"name": "montant", "type": "number"}]
Row = tuple[str, str, str, float]


def _dataset(**table: object) -> Dataset:
    return a_dataset(
        "d", fields=FIELDS, key=["quartier", "type"], personal_data="present", legal_basis="essai",
        privacy={"columns": {"quartier": "keep", "type": "keep", "siren": "keep", "montant": "keep"},
                 "table": {"by": ["quartier", "type"], "least": 3, **table}},
    )  # fmt: skip


def _table(folder: Path, rows: list[Row], **said: object) -> tuple[dict[tuple[str, str], dict[str, object]], bool]:
    """The published cells by label, and whether the audit of the written file holds."""
    target, dataset = folder / "table.parquet", _dataset(**said)
    dataset._root = folder
    with connect() as connection:
        connection.execute("CREATE TABLE r (quartier VARCHAR, type VARCHAR, siren VARCHAR, montant DOUBLE)")
        for row in rows:
            connection.execute("INSERT INTO r VALUES (?, ?, ?, ?)", row)
        written(connection, "r", dataset, target)
        found = audit(connection, "Parquet", f"read_parquet('{target}')", folder / PRIMARY, dataset)
    cells = pq.read_table(target).to_pylist()
    return {(cell["quartier"], cell["type"]): cell for cell in cells}, found.passed


def _rows(**cells: int) -> list[Row]:
    """`nord_a=4`: four rows of the cell (nord, a), each of its own holder and 100 €."""
    return [(*key.split("_"), f"{key}{n}", 100.0) for key, count in cells.items() for n in range(count)]  # type: ignore[misc]


def test_a_small_cell_is_secret_and_so_are_those_that_would_give_it_away(tmp_path: Path) -> None:
    cells, held = _table(tmp_path, _rows(nord_a=1, nord_b=9, sud_a=8, sud_b=7))
    assert cells["nord", "a"] == {"quartier": "nord", "type": "a", "effectif": None, "secret": True}
    assert {label for label, cell in cells.items() if cell["secret"]} == set(itertools.product(("nord", "sud"), "ab"))
    assert cells["Total", "Total"]["effectif"] == 25
    assert held


def test_without_margins_nothing_else_needs_to_be_secret(tmp_path: Path) -> None:
    cells, held = _table(tmp_path, _rows(nord_a=1, nord_b=9, sud_a=8, sud_b=7), totals=False)
    assert [label for label, cell in cells.items() if cell["secret"]] == [("nord", "a")]
    assert ("Total", "Total") not in cells
    assert held


def test_a_sum_that_one_holder_dominates_is_secret(tmp_path: Path) -> None:
    rows = [*_rows(nord_a=5, nord_b=6, sud_a=7, sud_b=8), ("nord", "a", "grand", 9000.0)]
    said = {"sums": {"total": "montant"}, "holder": "siren", "dominance": "85 %"}
    cells, held = _table(tmp_path, rows, **said)
    assert cells["nord", "a"]["secret"]
    assert cells["nord", "a"]["total"] is None
    assert held
    even, _ = _table(tmp_path, _rows(nord_a=5, nord_b=6, sud_a=7, sud_b=8), **said)
    assert not any(cell["secret"] for cell in even.values())
    assert even["Total", "a"]["total"] == 1200


def test_the_p_percent_rule_looks_at_the_second_largest_holder(tmp_path: Path) -> None:
    rows = [*_rows(nord_a=4, nord_b=60, sud_a=60, sud_b=60), ("nord", "a", "un", 5000.0), ("nord", "a", "deux", 4900.0)]
    cells, held = _table(tmp_path, rows, sums={"total": "montant"}, holder="siren", p_percent="20 %")
    assert cells["nord", "a"]["secret"]  # `deux` knows `un` to 400 of 5000
    assert held


def test_the_audit_finds_a_cell_that_a_margin_gives_away(tmp_path: Path) -> None:
    dataset, target = _dataset(), tmp_path / "table.parquet"
    _table(tmp_path, _rows(nord_a=1, nord_b=9, sud_a=8, sud_b=7))
    with connect() as connection:
        one = "CASE WHEN quartier = 'nord' AND type = 'b' THEN 9 ELSE effectif END AS effectif"
        told = f"SELECT * REPLACE ({one}) FROM '{target}'"
        connection.execute(f"CREATE TABLE told AS {told}")
        found = audit(connection, "Parquet", "told", tmp_path / PRIMARY, dataset)
        assert not found.passed
        assert found.counts == {"recoverable": 1, "secret_cells": 1}
        connection.execute("DELETE FROM told WHERE quartier = 'nord' AND type = 'a'")
        assert not audit(connection, "Parquet", "told", tmp_path / PRIMARY, dataset).passed


CELLS = st.lists(
    st.tuples(st.sampled_from(["nord", "sud", "est"]), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=CELLS)
def test_an_attacker_who_tries_every_table_cannot_tell_a_small_cell(
    labels: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows: list[Row] = [(*label, str(n), 1.0) for n, label in enumerate(labels)]
    try:
        cells, held = _table(tmp_path_factory.mktemp("t"), rows)
        twice, _ = _table(tmp_path_factory.mktemp("t"), rows[::-1])
    except PrivacyError:
        assume(False)  # refused in words: see below
    assert held
    assert cells == twice
    true = Counter(labels)
    inner = [label for label, cell in cells.items() if cell["secret"] and "Total" not in label]
    for label in true:
        assert cells[label]["secret"] or (true[label] >= 3 and cells[label]["effectif"] == true[label])
    small = [label for label in inner if true[label] < 3]
    assume(len(inner) <= 4)
    for label in small:
        assert _greatest(label, inner, cells, true) >= 3, (label, cells)


def _greatest(
    asked: tuple[str, str], inner: list[tuple[str, str]], cells: dict[tuple[str, str], dict[str, object]], true: Counter
) -> int:
    """The greatest count of `asked` in any table of whole numbers that fits what is published: tried one by one."""
    best = 0
    for guess in itertools.product(range(8), repeat=len(inner)):
        table = {**true, **dict(zip(inner, guess, strict=True))}
        fits = all(
            cell["effectif"] is None or cell["effectif"] == sum(n for one, n in table.items() if _in(one, label))
            for label, cell in cells.items()
            if "Total" in label
        )
        best = max(best, table[asked]) if fits else best
    return best


def _in(one: tuple[str, str], line: tuple[str, str]) -> bool:
    return all(name in ("Total", own) for own, name in zip(one, line, strict=True))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=st.lists(st.tuples(st.sampled_from(["nord", "sud", "est"]), st.sampled_from(["a", "b"])), min_size=3))
def test_rounded_counts_are_neighbouring_multiples_and_add_up(
    labels: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows: list[Row] = [(*label, str(n), 1.0) for n, label in enumerate(labels)]
    cells, held = _table(tmp_path_factory.mktemp("t"), rows, method="round", base=5)
    assert held
    assert all("secret" not in cell for cell in cells.values())
    for label, cell in cells.items():
        told, true = cell["effectif"], sum(_in(one, label) for one in labels)
        assert isinstance(told, int)
        assert told % 5 == 0
        assert abs(told - true) < 5
    for quartier in {label[0] for label in cells}:
        line = [cells[label]["effectif"] for label in cells if label[0] == quartier and label[1] != "Total"]
        assert cells[quartier, "Total"]["effectif"] == sum(line)  # type: ignore[arg-type]


def test_a_count_that_is_not_rounded_is_found(tmp_path: Path) -> None:
    dataset = _dataset(method="round", base=5)
    with connect() as connection:
        for counts, held in (((5, 5, 10), True), ((4, 6, 10), False), ((5, 5, 15), False)):
            cells = zip(("a", "b", "Total"), counts, strict=True)
            rows = ", ".join(f"('{q}', '{t}', {n})" for t, n in cells for q in ("nord", "Total"))
            connection.execute(
                f"CREATE OR REPLACE TABLE t AS SELECT * FROM (VALUES {rows}) v(quartier, type, effectif)"
            )
            assert audit(connection, "CSV", "t", tmp_path / PRIMARY, dataset).passed is held


LADDER = "nord;Rive droite;*\nest;Rive droite;*\nsud;Rive gauche;*\nouest;Rive gauche;*\n"


def _with_levels(
    folder: Path, rows: list[Row], **said: object
) -> tuple[dict[tuple[str, str], dict[str, object]], bool]:
    (folder / "rives.csv").write_text(LADDER)
    return _table(folder, rows, levels={"quartier": "rives.csv"}, **said)


def test_the_levels_of_a_hierarchy_are_margins_that_give_no_secret_away(tmp_path: Path) -> None:
    rows = _rows(nord_a=1, nord_b=9, est_a=8, est_b=7, sud_a=6, sud_b=5, ouest_a=9, ouest_b=8)
    cells, held = _with_levels(tmp_path, rows)
    assert held
    told = {label: cell["effectif"] for label, cell in cells.items()}
    assert told["Rive gauche", "a"] == 15
    assert told["Total", "Total"] == 53
    assert told["nord", "a"] is None
    assert [cells[name, "a"]["quartier_level"] for name in ("nord", "Rive droite", "Total")] == [0, 1, 2]
    secret = {label for label, cell in cells.items() if cell["secret"]}
    assert ("est", "a") in secret or ("Rive droite", "a") in secret  # the margin of the bank would give it away


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    labels=st.lists(st.tuples(st.sampled_from(["nord", "est", "sud", "ouest"]), st.sampled_from("ab")), min_size=1,
                    max_size=60)
)  # fmt: skip
def test_levels_hold_against_the_audit_and_the_order_of_rows(
    labels: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows: list[Row] = [(*label, str(n), 1.0) for n, label in enumerate(labels)]
    try:
        cells, held = _with_levels(tmp_path_factory.mktemp("t"), rows)
        twice, _ = _with_levels(tmp_path_factory.mktemp("t"), rows[::-1])
    except PrivacyError:
        assume(False)
    assert held
    assert cells == twice
    for label, n in Counter(labels).items():
        assert cells[label]["secret"] or n >= 3


def test_controlled_rounding_adds_up_on_every_level(tmp_path: Path) -> None:
    rows = _rows(nord_a=1, nord_b=9, est_a=8, est_b=7, sud_a=6, sud_b=3, ouest_a=9, ouest_b=8)
    cells, held = _with_levels(tmp_path, rows, method="round", base=5)
    assert held
    told = {label: cell["effectif"] for label, cell in cells.items()}
    for kind in ("a", "b", "Total"):
        assert told["nord", kind] + told["est", kind] == told["Rive droite", kind]  # type: ignore[operator]
        assert told["Rive droite", kind] + told["Rive gauche", kind] == told["Total", kind]  # type: ignore[operator]


def test_hierarchies_that_do_not_fit_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match=r"4 rows hold a value of quartier that rives\.csv does not know"):
        _with_levels(tmp_path, [*_rows(nord_a=9), *_rows(centre_a=4)])
    (tmp_path / "rives.csv").write_text("nord;nord;*\nsud;Rive;*\n")
    with pytest.raises(PrivacyError, match=r"1 labels of quartier stand on two levels of rives\.csv"):
        _table(tmp_path, _rows(nord_a=9, sud_a=5), levels={"quartier": "rives.csv"})


SECRET = "8e1f0c5a9b7d6e3f2a4c1b8d7e6f5a90c3b2d1e4f5a6b7c8d9e0f1a2b3c4d5e6"


def test_random_rounding_is_drawn_alike_for_the_same_count_and_leaves_the_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODP_TIRAGE", SECRET)
    said = {"method": "random", "base": 5, "rounding_secret": "ODP_TIRAGE"}
    rows = _rows(**{f"q{n}_a": 7 for n in range(200)})
    cells, held = _table(tmp_path, rows, **said)
    assert held
    assert (cells, True) == _table(tmp_path, rows[::-1], **said)
    told = [cell["effectif"] for label, cell in cells.items() if "Total" not in label]
    assert set(told) == {5, 10}
    assert 6.3 < sum(told) / 200 < 7.7  # type: ignore[arg-type]  # 7 ± 3 standard deviations
    monkeypatch.delenv("ODP_TIRAGE")
    with pytest.raises(SecretMissing, match="ODP_TIRAGE"):
        _table(tmp_path, rows, **said)


def test_a_table_is_held_against_its_own_versions(tmp_path: Path) -> None:
    town = read_town(_town(tmp_path))
    zones, dataset = flow.Zones.of(town), town.dataset("aides")
    *_, release = flow.publication(dataset, town, zones)
    assert isinstance(release, Release)
    deliveries = tmp_path / "depot/aides.csv"
    with deliveries.open("a") as more:
        more.write("99,sud,a,100\n")
    *_, verdict = flow.publication(dataset, town, zones)
    assert isinstance(verdict, Verdict)
    [moved] = [one for one in verdict.findings if one.rule == "differencing_versions"]
    assert not moved.passed
    assert "counts differ by fewer than 3 rows from version 1" in moved.message
    with deliveries.open("a") as more:
        more.write("".join(f"{n},{q},{t},100\n" for q in ("nord", "sud") for t in "ab" for n in range(100, 109)))
    *_, second = flow.publication(dataset, town, zones)
    assert isinstance(second, Release), getattr(second, "reasons", second)


def test_what_cannot_be_protected_is_refused_in_words(tmp_path: Path) -> None:
    for rows, why in (
        ([("Total", "a", "x", 1.0)] * 9, "the label of a margin"),
        ([("nord", "a", "x", -1.0)] * 9, "negative"),
        ([("nord", "a", "x", 1.0)] * 2, "2 rows in all"),
        ([*[("nord", "a", "x", 1.0)] * 2, ("nord", "b", "x", 1.0)], "cannot be protected"),
    ):
        with pytest.raises(PrivacyError, match=why):
            _table(tmp_path, rows, sums={"total": "montant"})  # type: ignore[arg-type]


DECLARED = """
title: Aides
description: Aides par quartier.
owner: aides@ville.example
source: {folder: "depot/aides.csv"}
fields:
  - {name: numero}
  - {name: quartier, title: Quartier}
  - {name: type}
  - {name: montant, type: number}
key: [quartier, type]
personal_data: present
legal_basis: essai
privacy:
  columns: {numero: drop, quartier: keep, type: keep, montant: keep}
  table: {by: [quartier, type], count: foyers, sums: {total: montant}, least: 3}
"""


def _town(folder: Path, said: str = DECLARED) -> Path:
    root = write_town(folder)
    (root / "assets/sports/aides.yaml").write_text(said)
    cells = {("nord", "a"): 1, ("nord", "b"): 9, ("sud", "a"): 8, ("sud", "b"): 7}
    lines = [f"{n},{q},{t},{100 + n}" for (q, t), count in cells.items() for n in range(count)]
    (root / "depot/aides.csv").write_text("\n".join(["numero,quartier,type,montant", *lines]) + "\n")
    return root


def test_a_table_goes_the_whole_way_and_no_row_is_published(tmp_path: Path) -> None:
    town = read_town(_town(tmp_path))
    *_, verdict, release = flow.publication(town.dataset("aides"), town, flow.Zones.of(town))
    assert isinstance(release, Release), getattr(release, "reasons", release)
    assert isinstance(verdict, Verdict)
    audits = [one for one in verdict.findings if one.rule.startswith("recoverable_cells")]
    assert [one.passed for one in audits] == [True, True]
    assert release.columns == ("quartier", "type", "foyers", "total", "secret")
    text = (release.folder / "aides.csv").read_text()
    assert "Total,Total,25," in text
    assert "nord,a,,,true" in text
    assert not list((tmp_path / ".odp/public").rglob(PRIMARY))
    assert release.schema["fields"][0]["title"] == "Quartier"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("by: [rue], least: 3", "unknown column 'rue'"),
        ("by: [numero], least: 3", "unknown column 'numero'"),
        ("by: [quartier], sums: {total: type}", "name a number"),
        ("by: [quartier], count: quartier", "two columns called quartier"),
        ("by: [quartier], dominance: 85 %", "about sums"),
        ("by: [quartier], method: round, sums: {total: montant}", "is for counts"),
        ("by: [quartier], base: 5", "is for method: round"),
        ("by: [quartier], method: random", "the two stand together"),
        ("by: [quartier], levels: {type: age}", "unknown column 'type'"),
        ("by: [quartier], levels: {quartier: rien.csv}", "rien.csv"),
        ("by: [quartier], levels: {quartier: iris}, totals: false", "are margins"),
        ("by: [quartier], least: 1", "at least 3"),
        ("by: []", "at least 1"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_its_line(tmp_path: Path, said: str, why: str) -> None:
    wrong = DECLARED.replace("by: [quartier, type], count: foyers, sums: {total: montant}, least: 3", said)
    with pytest.raises(DeclarationErrors, match=r"aides\.yaml:15: .*") as refused:
        read_town(_town(tmp_path, wrong.replace("key: [quartier, type]\n", "")))
    assert why in str(refused.value)
