"""What identifies a person and was not allowed is found in the very files, told by column and count, and refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.identifiers import CHECKED, NEGATIVE, POSITIVE
from benchmarks.residual_scan import scores
from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.identifiers import IDENTIFIERS
from odpipeline.duck import DuckSettings, connect
from odpipeline.errors import DeclarationErrors, PrivacyError
from odpipeline.privacy import scan
from odpipeline.privacy.scan.detectors import DETECTORS
from odpipeline.store import Release
from odpipeline.verdict import Finding, Severity, Verdict
from tests.store.making import a_dataset
from tests.towns import PISCINES, write_town


def _scanned(folder: Path, cells: list[object], kind: str = "VARCHAR", **changes: object) -> dict[str, Finding]:
    """rule → finding of a file with the one column `c`."""
    parquet, csv = folder / "rows.parquet", folder / "rows.csv"
    with connect() as connection:
        connection.execute(f"CREATE TABLE t (c {kind})")
        connection.executemany("INSERT INTO t VALUES (?)", [[cell] for cell in cells])
        connection.execute(f"COPY t TO '{parquet}' (FORMAT parquet)")
        connection.execute(f"COPY t TO '{csv}' (HEADER)")
    dataset: Dataset = a_dataset("d", fields=[{"name": "c"}], key=[], **changes)
    return {finding.rule: finding for finding in scan(parquet, csv, dataset, DuckSettings())}


def test_the_detectors_are_those_that_can_be_allowed() -> None:
    assert {detector.name for detector in DETECTORS} == set(IDENTIFIERS)
    assert set(POSITIVE) == set(IDENTIFIERS) - {"siret"}


def test_recall_and_precision_are_those_that_are_promised() -> None:
    for name, score in scores(7, 120).items():
        recall, precision = (0.98, 0.95) if name in CHECKED else (0.9, 0.9)
        assert score.held > 80, name
        assert score.recall >= recall, (name, score)
        assert score.precision >= precision, (name, score)


SURROUNDINGS = [
    (before, after) for before in ("", "vu par ", "(", "x: ", "é ") for after in ("", ".", ")", " ", ", merci")
]


@pytest.mark.parametrize("name", [name for name in POSITIVE if name not in ("address", "coordinates")])
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9))
def test_an_identifier_in_any_surroundings_is_found_and_never_told(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    r = random.Random(seed)
    fixed = {"phone": "06 12 34 56 78", "ip_address": "91.121.4.7"}  # not every generated one is assigned
    made = [fixed.get(name) or POSITIVE[name](r) for _ in SURROUNDINGS]
    cells = [before + one + after for one, (before, after) in zip(made, SURROUNDINGS, strict=True)]
    found = _scanned(tmp_path_factory.mktemp("scan"), [*cells, "rien", None])
    assert found[f"identifier_{name}"].counts == {"cells": len(cells), "filled": len(cells) + 1}
    told = " ".join(finding.message for finding in found.values())
    assert not any(one in told for one in (*made, "rien"))


def test_what_only_looks_like_one_is_none(tmp_path: Path) -> None:
    r = random.Random(3)
    found = _scanned(tmp_path, [make(r) for _ in range(60) for make in NEGATIVE])
    assert list(found) == ["identifiers"]
    assert found["identifiers"].passed


def test_typography_hides_nothing(tmp_path: Path) -> None:
    for hidden in (
        "２９５１０９９１２６１１１９３",
        "2\u00a095\u202f10\u200999\u00a0126\u00a0111\u00a093",
        "2‑95‑10‑99‑126‑111‑93",
    ):
        assert "identifier_nir" in _scanned(tmp_path, [hidden]), hidden


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("0 612 345 678", "phone"), ("0612 345 678", "phone"), ("06 - 12 - 34 - 56 - 78", "phone"),
        ("(+33)6 12 34 56 78", "phone"), ("+ 33 6 12 34 56 78", "phone"), ("Tel0612345678", "phone"),
        ("0612345678_x", "phone"), ("06\t12\t34\t56\t78", "phone"),
        ("٠٦12345678", "phone"), ("06\u200b12 34\u200b 56 78", "phone"), ("née à Lyon le 12/03/1980", "birth_date"),
        ("ne\u0301 le 12/03/1980", "birth_date"), ("ＦＲ76 3000 6000 0112 3456 7890 189", "iban"),
        ("BE68 5390 0754 7034 pour le loyer", "iban"),
    ],
)  # fmt: skip
def test_other_writings_are_found_as_well(tmp_path: Path, cell: str, name: str) -> None:
    assert f"identifier_{name}" in _scanned(tmp_path, [cell, "rien"])


def test_a_few_real_ones_are_found_among_many_others(tmp_path: Path) -> None:
    r = random.Random(11)
    orders = [f"1{r.randrange(10**14):014}" for _ in range(3000)]
    real = [POSITIVE["nir"](r) for _ in range(20)]
    assert "identifier_nir" in _scanned(tmp_path, [*orders, *real])
    assert list(_scanned(tmp_path, orders)) == ["identifiers"]
    assert "identifier_nir" in _scanned(tmp_path, [*orders[:10], real[0]])


def test_a_name_in_two_columns_is_a_name(tmp_path: Path) -> None:
    parquet, csv = tmp_path / "r.parquet", tmp_path / "r.csv"
    dataset: Dataset = a_dataset("d", fields=[{"name": "prenom"}, {"name": "nom"}], key=[])
    for last, found in (("nom", True), ("total", False)):
        with connect() as connection:
            rows = ", ".join(
                f"('{first}', 'X{n}')" for n, first in enumerate(("Léa", "JEAN-PIERRE", "zoé", "Ibrahima"))
            )
            connection.execute(f"CREATE TABLE t AS SELECT * FROM (VALUES {rows}) v(prenom, {last})")
            connection.execute(f"COPY t TO '{parquet}' (FORMAT parquet)")
            connection.execute(f"COPY t TO '{csv}' (HEADER)")
        told = {one.rule: one for one in scan(parquet, csv, dataset, DuckSettings())}
        assert ("identifier_name" in told) is found
        if found:
            assert told["identifier_name"].counts == {"cells": 3, "filled": 4}
            assert told["identifier_name"].blocks


def test_mobile_numbers_without_their_zero_are_told_where_a_column_is_made_of_them(tmp_path: Path) -> None:
    r = random.Random(2)
    assert _scanned(tmp_path, [600000000 + r.randrange(10**8) for _ in range(40)], "BIGINT")["identifier_phone"].blocks
    assert list(_scanned(tmp_path, [r.randrange(10**8, 10**9) for _ in range(400)], "BIGINT")) == ["identifiers"]


def test_numbers_hold_numbers(tmp_path: Path) -> None:
    for kind in ("BIGINT", "DOUBLE"):
        assert "identifier_nir" in _scanned(tmp_path, [295109912611193, 1], kind)
        assert list(_scanned(tmp_path, [12, 4000], kind)) == ["identifiers"]


def test_a_column_of_order_numbers_is_not_one_of_bank_cards_though_a_tenth_passes_luhn(tmp_path: Path) -> None:
    r = random.Random(5)
    orders = [f"4{r.randrange(10**15):015}" for _ in range(300)]
    assert list(_scanned(tmp_path, orders)) == ["identifiers"]
    cards = [POSITIVE["card"](r) for _ in range(300)]
    assert _scanned(tmp_path, cards)["identifier_card"].counts == {"cells": 300, "filled": 300}


def test_what_is_usual_elsewhere_refuses_only_about_persons_or_as_a_whole_column(tmp_path: Path) -> None:
    streets = ["12 rue des Lilas", *(["mairie"] * 9)]
    assert list(_scanned(tmp_path, streets)) == ["identifiers"]
    about = {"personal_data": "present", "legal_basis": "essai", "privacy": {"columns": {"c": "keep"}}}
    assert _scanned(tmp_path, streets, **about)["identifier_address"].blocks
    few = _scanned(tmp_path, ["Camille Martin", *(["mairie"] * 9)])["identifier_name"]
    assert few.severity is Severity.WARNING
    assert _scanned(tmp_path, ["Camille Martin", "Jean Dubois", "Léa Petit"])["identifier_name"].blocks


def test_what_is_allowed_with_a_reason_is_published(tmp_path: Path) -> None:
    cells = ["mairie@ville.example", "06 12 34 56 78"]
    allowed = {"privacy": {"allowed": {"c": [{"identifier": "email", "because": "adresse du service"}]}}}
    found = _scanned(tmp_path, cells, **allowed)
    assert sorted(found) == ["identifier_phone", "identifiers"]
    assert found["identifier_phone"].blocks
    assert not found["identifiers"].passed


def test_files_that_cannot_be_looked_through_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("c\n1\n")
    with pytest.raises(PrivacyError, match="could not be looked through"):
        scan(
            tmp_path / "none.parquet",
            tmp_path / "a.csv",
            a_dataset("d", fields=[{"name": "c"}], key=[]),
            DuckSettings(),
        )


CONTACTS = PISCINES.replace("  - {name: piscine, constraints: {required: true}}", "  - {name: piscine}")


def _town(folder: Path, more: str = "") -> Path:
    root = write_town(folder, "piscines", declaration=CONTACTS + more)
    file = root / "depot/piscines.csv"
    file.write_text(file.read_text().replace("Bassin 0", "contact zoe.martin@orange.fr"))
    return root


def test_the_gate_refuses_a_dataset_that_says_it_holds_nothing_personal_and_does(tmp_path: Path) -> None:
    town = read_town(_town(tmp_path))
    *_, last = flow.publication(town.dataset("piscines"), town, flow.Zones.of(town))
    assert isinstance(last, Verdict)
    [reason, whole] = last.reasons
    assert reason.startswith("piscine: 20 of 20 cells hold what looks like mail addresses")
    assert "allowed: {piscine: [{identifier: email, because: …}]}" in reason
    assert "orange" not in reason + whole


def test_a_reason_lets_it_be_published_and_is_read_by_the_public(tmp_path: Path) -> None:
    said = 'privacy: {allowed: {piscine: [{identifier: email, because: "adresse du service des sports"}]}}\n'
    town = read_town(_town(tmp_path, said))
    *_, last = flow.publication(town.dataset("piscines"), town, flow.Zones.of(town))
    assert isinstance(last, Release)
    assert "adresse du service des sports" in (last.folder / "release.json").read_text()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{bassin: [{identifier: email, because: adresse du service}]}", "unknown published column 'bassin'"),
        ("{piscine: [{identifier: mail, because: adresse du service}]}", "email"),
        ("{piscine: [{identifier: email, because: oui}]}", "because"),
        ("{piscine: []}", "one at least"),
    ],
)
def test_a_permission_that_is_none_is_refused_with_its_line(tmp_path: Path, said: str, why: str) -> None:
    with pytest.raises(DeclarationErrors, match=r"piscines\.yaml:13: .*") as refused:
        read_town(_town(tmp_path, f"privacy: {{allowed: {said}}}\n"))
    assert why in str(refused.value)


_WORDS = st.sampled_from([
    "Passeport", "carte d’identité", "CARTE NATIONALE D'IDENTITE", "cni", "titre de séjour", "TITRE DE SEJOUR",
    "permis de conduire", "PERMIS", "né", "Née le", "nees", "NAISSANCE", "date de naissance", "M.", "Mme", "Dr",
    "Durand", "Élodie", "MARTIN", "d'Arc", "Jean-Pierre", "",
])  # fmt: skip
_BETWEEN = st.sampled_from([" ", "  ", ": ", " n° ", ". ", ", ", "-", "’", "\n", ""])
_AFTER = st.sampled_from(["12", "2001-02-03", "3 mars 1987", "12AB34567", "123456789012", "Durand", "Élodie", ""])


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.tuples(_WORDS, _BETWEEN, _WORDS, _BETWEEN, _AFTER).map("".join), min_size=1, max_size=60))
def test_whatever_a_pattern_finds_its_hint_finds_too(cells: list[str]) -> None:
    hinted = [detector for detector in DETECTORS if detector.hint]
    assert hinted
    with connect() as connection:
        for detector in hinted:
            missed = connection.execute(
                "SELECT cell FROM (SELECT unnest($1) AS cell) "
                "WHERE regexp_matches(cell, $2) AND NOT regexp_matches(cell, $3)",
                [cells, detector.pattern, detector.hint],
            ).fetchall()
            assert missed == [], detector.name
