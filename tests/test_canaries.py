"""Every cell of a delivery is a canary: none may sing outside the private zone and the published files themselves.

One dataset asks for everything that looks at cells (custom checks, French types, patterns, lists, rules over time, a
foreign key, rows set aside), and every way of running it is listened to: the flow, the command line, Dagster.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.orchestration.building import definitions
from tests.towns import write_town

AIDES = """
title: Aides
description: Aides accordées.
owner: aides@ville.example
source: {folder: "depot/NAME.csv"}
fields:
  - {name: numero, constraints: {required: true, pattern: "[a-z0-9-]+"}}
  - {name: nom, constraints: {maxLength: 60}}
  - {name: statut, constraints: {enum: [accorde, refuse]}}
  - {name: courriel, format: email}
  - {name: siret}
  - {name: demande, type: number}
  - {name: accorde, type: number, constraints: {minimum: 0, maximum: 999999999}}
  - {name: jour, type: date}
  - {name: quartier}
key: [numero]
custom_checks:
  - {name: french-siret-value, params: {column: siret}}
  - {name: compare-columns-value, params: {column: demande, column2: accorde, op: ">="}}
  - {name: cohesive-columns-value, params: {column: demande, othercolumns: [accorde]}}
  - {name: one-of-required, params: {column1: nom, column2: siret}}
foreign_keys:
  - {fields: [quartier], dataset: quartiers, references: [code], severity: warning}
freshness: {column: jour}
quality:
  quarantine: 60 %
  failing_rows: FAILING
  over_time:
    steady: [statut]
    never_reused: [statut]
    new_categories: [statut, quartier]
    drift: {accorde: 0.01}
    counters: {accorde: [statut]}
    gaps: {longest: 1 h, by: [statut]}
    stuck: {accorde: {by: [statut], most: 1}}
    weekday: 1 %
personal_data: present
legal_basis: essai
privacy:
  columns: {numero: {pseudonymise: {secret: ODP_SEL}}, nom: drop, courriel: drop, siret: drop, statut: keep,
    demande: keep, accorde: keep, jour: keep, quartier: keep}
"""
QUARTIERS = """
title: Quartiers
description: Quartiers.
owner: aides@ville.example
source: {folder: "depot/NAME.csv"}
fields: [{name: code}, {name: nom}]
key: [code]
personal_data: none
"""
SUITE = {
    "name": "aides",
    "expectations": [
        {"type": "expect_column_values_to_be_valid_telephone", "kwargs": {"column": "nom"}, "severity": "warning"},
        {"type": "expect_column_values_to_not_match_regex", "kwargs": {"column": "nom", "regex": "^canari"},
         "severity": "warning"},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "accorde", "max_value": 1},
         "severity": "warning"},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "quartier", "value_set": ["a"]},
         "severity": "info"},
    ],
}  # fmt: skip
HEADER = "numero,nom,statut,courriel,siret,demande,accorde,jour,quartier"


def _town(folder: Path, failing: str) -> Path:
    root = write_town(folder)
    for name, said in (("aides", AIDES), ("quartiers", QUARTIERS)):
        text = said.replace("NAME", name).replace("FAILING", failing)
        (root / "assets/sports" / f"{name}.yaml").write_text(text)
    (root / "depot/quartiers.csv").write_text("code,nom\ncanari-quartier-0,canari-place\n")
    (root / "expectations").mkdir()
    (root / "expectations/aides.json").write_text(json.dumps(SUITE))
    return root


def _rows(tag: str, spoilt: int) -> Iterator[str]:
    """Ten rows that can be published, then spoilt ones: unreadable, failing by themselves, failing together."""
    for n in range(10):
        yield _row(tag, n, "accorde", f"canari-{tag}-{n}@ville.example", "73282932000074", f"{86_413_570 + n}")
    for n in range(10, 10 + spoilt):
        yield _row(tag, n, f"canari-statut-{tag}", f"canari-{tag}", f"canari-{tag}", f"canari-{tag}")


def _row(tag: str, n: int, statut: str, courriel: str, siret: str, amount: str) -> str:
    day = f"1931-07-{1 + n % 28:02}" if n % 7 else f"canari-{tag}"
    day = day if n >= 10 else f"1931-07-{1 + n % 28:02}"
    cells = [
        f"canari-{tag}-{n}",
        f"canari {tag} Zoé",
        statut,
        courriel,
        siret,
        amount,
        amount,
        day,
        f"canari-quartier-{n}",
    ]
    return ",".join(cells)


def _heard(text: str, tag: str) -> list[str]:
    """The canaries that sing in `text`."""
    return [sign for sign in ("canari", tag, "8641357", "1931-07-0") if sign in text]


def _deliver(root: Path, tag: str, spoilt: int) -> None:
    (root / "depot/aides.csv").write_text("\n".join([HEADER, *_rows(tag, spoilt)]) + "\n")


def _written(root: Path) -> str:
    """All that everybody may read but the rows, and the journal."""
    rows = {".csv", ".parquet"}
    public = [path for path in (root / ".odp/public").rglob("*") if path.is_file() and path.suffix not in rows]
    files = [*public, *(root / ".odp/private").glob("journal*")]
    names = "\n".join(str(path.relative_to(root)) for path in (root / ".odp").rglob("*"))
    return names + "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


def _on_the_command_line(root: Path) -> str:
    """Everything that the commands print about the dataset."""
    told = []
    for command in (
        ("run", "quartiers"), ("run", "aides"), ("status",), ("report", "aides"), ("report", "aides", "--json"),
        ("quarantine", "aides"), ("quarantine", "aides", "--failed"), ("captures", "aides"), ("explain", "aides"),
        ("suite", "aides", "--try"), ("suite", "aides", "--propose"), ("replay", "aides"),
    ):  # fmt: skip
        ran = CliRunner().invoke(app, [*command, "--town", str(root)])
        told.append(
            ran.output + (ran.stderr if ran.stderr_bytes else "") + (str(ran.exception) if ran.exception else "")
        )
    return "\n".join(told)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SEL", hashlib.sha256(b"sel").hexdigest())


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(("failing", "spoilt"), [("quarantine", 5), ("refuse", 5), ("quarantine", 40)])
def test_no_canary_sings_on_the_command_line_or_in_what_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failing: str, spoilt: int
) -> None:
    caplog.set_level(logging.DEBUG)
    root = _town(tmp_path / "ville", failing)
    _deliver(root, "tagzqk", 0)
    told = _on_the_command_line(root)
    assert "published" in told
    _deliver(root, "tagzqx", spoilt)
    told += _on_the_command_line(root)
    assert _heard(told, "tagzq") == [], told
    assert _heard(caplog.text, "tagzq") == []
    written = _written(root)
    assert "quality.json" in written
    assert _heard(written, "tagzq") == []


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("spoilt", [5, 40])
def test_no_canary_sings_in_dagsters_events(tmp_path: Path, spoilt: int) -> None:
    root = _town(tmp_path / "ville", "quarantine")
    _deliver(root, "tagzqk", 0)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(read_town(root)).resolve_job_def("frequent")
        for tag, bad in (("tagzqk", 0), ("tagzqx", spoilt)):
            _deliver(root, tag, bad)
            result = job.execute_in_process(instance=instance, raise_on_error=False)
            told = "\n".join(str(record) for record in instance.all_logs(result.run_id))
            assert "ASSET_CHECK_EVALUATION" in told
            assert _heard(told, "tagzq") == []


@pytest.mark.usefixtures("secret")
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(cell=st.text("abcdefghijklmnopqrstuvwxyz'\"%_;\\é", min_size=9, max_size=14), column=st.integers(0, 8))
def test_whatever_stands_in_any_cell_is_not_told(
    cell: str, column: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = _town(tmp_path_factory.mktemp("ville") / "v", "quarantine")
    rows = [row.split(",") for row in _rows("tagzqk", 0)]
    for row in rows[:3]:
        row[column] = '"' + cell.replace('"', '""') + '"'
    (root / "depot/aides.csv").write_text("\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n")
    told = "".join(
        CliRunner().invoke(app, [*command, "--town", str(root)]).output
        for command in (("run", "quartiers"), ("run", "aides"), ("report", "aides"), ("quarantine", "aides"))
    )
    assert cell not in told + _written(root)
