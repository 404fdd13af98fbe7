"""Subtracting what is public from a new release must not single out fewer than k persons."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors, PrivacyError
from odpipeline.privacy import differencing
from odpipeline.store import Release
from odpipeline.verdict import Finding, Verdict
from tests.towns import write_town

AIDES = """
title: Aides
description: Aides par quartier.
owner: aides@ville.example
source: {folder: "depot/NAME.csv"}
fields:
  - {name: numero}
  - {name: quartier}
  - {name: tranche}
shrink: 90 %
personal_data: present
legal_basis: essai
privacy:
  columns: {numero: drop, quartier: keep, tranche: keep}
  quasi_identifiers: [quartier, tranche]
  k: 5
"""


@pytest.fixture
def town(tmp_path: Path) -> Path:
    root = write_town(tmp_path)
    _declare(root, "aides")
    return root


def _declare(root: Path, name: str, more: str = "") -> None:
    (root / "assets/sports" / f"{name}.yaml").write_text(AIDES.replace("NAME", name) + more)


def _deliver(root: Path, name: str = "aides", **classes: int) -> None:
    """`nord_a=7`: seven rows of the class (nord, a)."""
    rows = [key.split("_") for key, n in classes.items() for _ in range(n)]
    lines = [f"{number},{quartier},{tranche}" for number, (quartier, tranche) in enumerate(rows)]
    (root / "depot" / f"{name}.csv").write_text("\n".join(["numero,quartier,tranche", *lines]) + "\n")


def _run(root: Path, name: str = "aides") -> Verdict | Release:
    town = read_town(root)
    *_, last = flow.publication(town.dataset(name), town, flow.Zones.of(town))
    assert isinstance(last, Verdict | Release)
    return last


def _reason(ended: Verdict | Release) -> str:
    assert isinstance(ended, Verdict)
    [reason] = ended.reasons
    return reason


def test_a_row_that_is_taken_away_is_not_told_by_publishing_again(town: Path) -> None:
    _deliver(town, nord_a=7, sud_b=9)
    assert isinstance(_run(town), Release)
    _deliver(town, nord_a=6, sud_b=9)
    reason = _reason(_run(town))
    assert reason.startswith("1 classes differ by fewer than k = 5 rows from version 1")
    assert "nord" not in reason


def test_as_many_as_k_may_come_and_go(town: Path) -> None:
    _deliver(town, nord_a=7, sud_b=9)
    _run(town)
    _deliver(town, nord_a=12, sud_b=9, est_a=5)
    assert isinstance(_run(town), Release)
    _deliver(town, nord_a=12, sud_b=9)
    assert isinstance(_run(town), Release)


def test_every_version_that_is_public_is_compared_with(town: Path) -> None:
    for classes in ({"nord_a": 7, "sud_b": 9}, {"nord_a": 17, "sud_b": 9}):
        _deliver(town, **classes)
        assert isinstance(_run(town), Release)
    _deliver(town, nord_a=8, sud_b=9)  # nine fewer than version 2, one more than version 1
    assert "from version 1" in _reason(_run(town))


def test_a_reason_lets_small_differences_be_published_and_is_published_too(town: Path) -> None:
    _declare(town, "aides", '  differencing: {severity: warning, because: "effectifs déjà publics au recueil"}\n')
    _deliver(town, nord_a=7, sud_b=9)
    _run(town)
    _deliver(town, nord_a=6, sud_b=9)
    release = _run(town)
    assert isinstance(release, Release)
    assert "effectifs déjà publics" in (release.folder / "release.json").read_text()


def test_two_datasets_on_the_same_persons_are_compared(town: Path) -> None:
    _declare(town, "inscrits")
    _deliver(town, nord_a=7, sud_b=9)
    assert isinstance(_run(town), Release)
    _deliver(town, "inscrits", nord_a=9, sud_b=9)
    reason = _reason(_run(town, "inscrits"))
    assert "from the dataset aides" in reason
    assert "privacy.population" in reason


def test_datasets_on_other_persons_are_not(town: Path) -> None:
    _declare(town, "aides", "  population: allocataires\n")
    _declare(town, "inscrits", "  population: nageurs\n")
    _deliver(town, nord_a=7, sud_b=9)
    _deliver(town, "inscrits", nord_a=9, sud_b=9)
    assert isinstance(_run(town), Release)
    assert isinstance(_run(town, "inscrits"), Release)


def test_a_column_of_another_level_is_left_out_and_the_others_still_tell(town: Path) -> None:
    _deliver(town, nord_a=7, nord_b=5, sud_b=9)
    _run(town)
    _deliver(town, nord_x=11, sud_x=9)  # all of `tranche` has other labels now
    assert "1 classes differ" in _reason(_run(town))


def test_what_is_public_and_cannot_be_read_refuses(town: Path) -> None:
    _deliver(town, nord_a=7)
    release = _run(town)
    assert isinstance(release, Release)
    dataset = read_town(town).dataset("aides")
    file = release.folder / "aides.parquet"
    found: tuple[Finding, ...] = differencing(
        file, {"version 1": file}, {}, dataset, flow.Zones.of(read_town(town)).duck
    )
    assert all(one.passed for one in found)
    with pytest.raises(PrivacyError, match="could not be compared with"):
        differencing(file, {"version 1": town / "none.parquet"}, {}, dataset, flow.Zones.of(read_town(town)).duck)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("differencing: {severity: warning}", "go together"),
        ("differencing: {because: effectifs déjà publics}", "go together"),
        ("differencing: {severity: info, because: effectifs déjà publics}", "critical, warning"),
        ("population: Les gens", "population"),
    ],
)
def test_a_word_that_does_not_fit_is_refused_with_its_line(town: Path, said: str, why: str) -> None:
    _declare(town, "aides", f"  {said}\n")
    with pytest.raises(DeclarationErrors, match=r"aides\.yaml:17: .*") as refused:
        read_town(town)
    assert why in str(refused.value)


WAIT = "  differencing: {small_moves: wait}\n"


def test_small_moves_may_wait_until_as_many_as_k_have_come(town: Path) -> None:
    _declare(town, "aides", WAIT)
    _deliver(town, nord_a=7, sud_b=9)
    assert isinstance(_run(town), Release)
    _deliver(town, nord_a=8, sud_b=20)
    second = _run(town)
    assert isinstance(second, Release)
    assert _classes(second) == {("nord", "a"): 7, ("sud", "b"): 20}
    _deliver(town, nord_a=10, sud_b=22)
    third = _run(town)
    assert isinstance(third, Release)
    assert third.version == second.version  # everything waits: nothing new is published
    _deliver(town, nord_a=12, sud_b=22)
    fourth = _run(town)
    assert isinstance(fourth, Release)
    assert _classes(fourth) == {("nord", "a"): 12, ("sud", "b"): 20}


def test_pseudonyms_do_not_show_which_classes_waited(town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SECRET_AIDES", "2b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfe")
    _declare(town, "aides", WAIT)
    declared = town / "assets/sports/aides.yaml"
    text = declared.read_text().replace("numero: drop", "numero: {pseudonymise: {secret: ODP_SECRET_AIDES}}")
    declared.write_text(text)

    def pseudonyms(ended: Verdict | Release) -> dict[str, set[str]]:
        assert isinstance(ended, Release)
        rows = duckdb.sql(
            f"SELECT quartier, list(numero) FROM '{ended.folder / 'aides.parquet'}' GROUP BY ALL"
        ).fetchall()
        return {quartier: set(names) for quartier, names in rows}

    _deliver(town, nord_a=9, sud_b=9, est_c=9)
    first = pseudonyms(_run(town))
    _deliver(town, nord_a=30, sud_b=11, est_c=9)
    second = pseudonyms(_run(town))
    assert {quartier: len(names) for quartier, names in second.items()} == {"nord": 30, "sud": 9, "est": 9}
    assert second["sud"] == first["sud"]  # it waits
    assert second["est"] == first["est"]  # nothing has changed in it
    assert not second["nord"] & first["nord"]


def test_a_class_that_comes_near_an_older_version_waits_too(town: Path) -> None:
    _declare(town, "aides", WAIT)
    for nord in (20, 30, 21, 19, 36):
        _deliver(town, nord_a=nord, sud_b=9)
        ended = _run(town)
        assert isinstance(ended, Release), getattr(ended, "reasons", ended)
        public = _classes(ended)["nord", "a"]
        assert public == {20: 20, 30: 30, 21: 30, 19: 30, 36: 36}[nord]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(nights=st.lists(st.tuples(st.integers(0, 25), st.integers(5, 25)), min_size=2, max_size=4))
def test_whatever_comes_no_two_versions_differ_by_a_few_persons(
    nights: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = write_town(tmp_path_factory.mktemp("nights"))
    _declare(root, "aides", WAIT.rstrip() + "\n  suppression: 100 %\n")
    told = []
    for nord, sud in nights:
        _deliver(root, nord_a=nord, sud_b=sud)
        ended = _run(root)
        if isinstance(ended, Release):
            told.append(_classes(ended))
    for one, other in itertools.combinations(told, 2):
        for label in {*one, *other}:
            assert abs(one.get(label, 0) - other.get(label, 0)) not in range(1, 5)


def _classes(release: Release) -> dict[tuple[str, str], int]:
    file = release.folder / "aides.parquet"
    found = duckdb.execute(f"SELECT quartier, tranche, count(*) FROM '{file}' GROUP BY ALL").fetchall()
    return {(quartier, tranche): n for quartier, tranche, n in found}
