"""l-diversity and t-closeness measured on the written files: what plain SQL says is what the definitions say."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.duck import DuckSettings, connect
from odpipeline.errors import PrivacyError
from odpipeline.privacy import measure
from odpipeline.verdict import Finding
from tests.store.making import a_dataset

FIELDS = [{"name": "quartier"}, {"name": "maladie"}, {"name": "revenu", "type": "integer"}]
TREE = {"a": "voies", "b": "voies", "c": "coeur", "d": "coeur"}
Row = tuple[str | None, str | None, int | None]

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["N", "S", None]), st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([9, 10, 30, 200, None]),
    ),
    min_size=1, max_size=24,
)  # fmt: skip


def _measured(folder: Path, rows: list[Row], share: float = 0.0, **privacy: Any) -> list[Finding]:
    parquet, csv = folder / "r.parquet", folder / "r.csv"
    (folder / "arbre.csv").write_text("".join(f"{leaf};{group};*\n" for leaf, group in TREE.items()))
    with connect() as connection:
        connection.execute("CREATE TABLE t (quartier VARCHAR, maladie VARCHAR, revenu BIGINT)")
        for row in rows:
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", row)
        connection.execute(f"COPY t TO '{parquet}' (FORMAT parquet)")
        connection.execute(f"COPY t TO '{csv}' (HEADER)")
    dataset = a_dataset(
        "d", fields=FIELDS, key=[], personal_data="present", legal_basis="essai",
        privacy={"columns": dict.fromkeys(("quartier", "maladie", "revenu"), "keep"), "quasi_identifiers": ["quartier"],
                 "k": 2, **privacy},
    )  # fmt: skip
    dataset._root = folder
    found = measure(parquet, csv, dataset, DuckSettings(), share)
    return [one for one in found if one.rule.startswith(("l_diversity", "t_closeness"))]


def _classes(rows: list[Row], column: int) -> list[Counter[Any]]:
    return [Counter(row[column] for row in rows if row[0] == name) for name in {row[0] for row in rows}]


def _same(found: list[Finding], failing: int, classes: int) -> None:
    assert [(one.counts["failing_classes"], one.counts["classes"]) for one in found] == [(failing, classes)] * 2
    assert [one.passed for one in found] == [failing == 0] * 2


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, least=st.integers(2, 3), c=st.sampled_from([0.5, 1, 2, 3]))
def test_diversity_is_that_of_its_definition(
    rows: list[Row], least: int, c: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("l")
    classes = _classes(rows, 1)
    distinct = sum(len(one) < least for one in classes)
    _same(_measured(folder, rows, diversity={"maladie": {"distinct": least}}), distinct, len(classes))
    entropies = [-sum(n / one.total() * math.log(n / one.total()) for n in one.values()) for one in classes]
    flat = sum(entropy < math.log(least) - 1e-9 for entropy in entropies)
    _same(_measured(folder, rows, diversity={"maladie": {"entropy": least}}), flat, len(classes))
    ordered = [sorted(one.values(), reverse=True) for one in classes]
    skewed = sum(not one[0] < c * sum(one[least - 1 :]) for one in ordered)
    _same(_measured(folder, rows, diversity={"maladie": {"recursive": {"c": c, "l": least}}}), skewed, len(classes))


def _equal(one: Counter[Any], whole: Counter[Any]) -> float:
    return sum(abs(one[v] / one.total() - whole[v] / whole.total()) for v in whole) / 2


def _by_rank(one: Counter[Any], whole: Counter[Any]) -> float:
    ranked = sorted(whole, key=lambda v: (v is None, v))
    moved, total = 0.0, 0.0
    for value in ranked:
        moved += one[value] / one.total() - whole[value] / whole.total()
        total += abs(moved)
    return total / max(len(ranked) - 1, 1)


def _by_tree(one: Counter[Any], whole: Counter[Any]) -> float:
    groups = [Counter[Any](), Counter[Any]()]
    for side, counted in zip(groups, (one, whole), strict=True):
        for value, n in counted.items():
            side[TREE[value]] += n
    return (_equal(one, whole) + _equal(*groups)) / 2


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, t=st.sampled_from([0.05, 0.2, 0.4]))
@pytest.mark.parametrize(
    ("column", "place", "said", "distance"),
    [
        ("maladie", 1, {}, _equal),
        ("revenu", 2, {"distance": "ordered"}, _by_rank),
        ("maladie", 1, {"distance": "hierarchical", "hierarchy": "arbre.csv"}, _by_tree),
    ],
    ids=["equal", "ordered", "hierarchical"],
)
def test_closeness_is_that_of_its_definition(
    rows: list[Row], t: float, column: str, place: int, said: Any, distance: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    classes, whole = _classes(rows, place), Counter(row[place] for row in rows)
    far = sum(distance(one, whole) > t + 1e-9 for one in classes)
    found = _measured(tmp_path_factory.mktemp("t"), rows, closeness={column: {"t": t, **said}})
    _same(found, far, len(classes))


def test_what_suppression_moved_is_allowed_besides_t(tmp_path: Path) -> None:
    rows: list[Row] = [*[("N", "a", 1)] * 5, *[("S", "b", 1)] * 5]
    close = {"closeness": {"maladie": {"t": 0.45}}}
    assert not any(one.passed for one in _measured(tmp_path, rows, 0.01, **close))
    assert all(one.passed for one in _measured(tmp_path, rows, 0.06, **close))


def test_a_sensitive_column_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="could not be measured"):
        _measured(tmp_path, [("N", "a", 1)], diversity={"revenus": {"distinct": 2}})


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    found = _measured(tmp_path, [], diversity={"maladie": {"distinct": 2}})
    assert [one.passed for one in found] == [False, False]
