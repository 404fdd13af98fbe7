"""`odp doctor`: each thing that is wrong is one line with its remedy; no value of the environment is shown."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors
from odpipeline.journal import Journal, RunRecord
from odpipeline.operating import doctor, secrets
from odpipeline.operating.doctor import Line, State
from tests.towns import keep_runs_in, write_town


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_town(tmp_path / "ville", "piscines")


def lines(folder: Path) -> dict[str, Line]:
    """The worst line of each subject, but for the versions, which are the same everywhere."""
    found = list(doctor.look(read_town(folder)))
    return {line.subject: line for line in sorted(found, key=lambda line: list(State).index(line.state))}


def test_the_whole_look_says_that_the_daemon_never_ran_and_that_is_a_fault(folder):
    result = CliRunner().invoke(app, ["doctor", "--json", "--town", str(folder)])
    told = {line["subject"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert told["daemon"]["state"] == "fault"
    assert "odp-daemon" in told["daemon"]["mend"]
    assert told["code location"]["state"] == "ok"
    assert [name for name, line in told.items() if line["state"] == "fault"] == ["daemon"]
    assert all(line["mend"] for line in told.values() if line["state"] != "ok")


def test_a_storage_of_dagster_that_cannot_be_opened_is_a_fault_and_the_bare_one_a_warning(folder):
    def told() -> dict[str, dict[str, str]]:
        result = CliRunner().invoke(app, ["doctor", "--json", "--town", str(folder)])
        return {line["subject"]: line for line in json.loads(result.stdout)}

    ours = (folder / "dagster.yaml").read_text()
    keep_runs_in(folder, "storage: {sqlite: {base_dir: .odp/dagster}}")
    assert told()["dagster's storage"]["state"] == "warning"
    (folder / "dagster.yaml").write_text(ours)
    assert told()["dagster's storage"]["state"] == "ok"
    with closing(sqlite3.connect(folder / ".odp/dagster/schedules/schedules.db")) as database, database:
        database.execute("INSERT INTO alembic_version VALUES ('5771160a95ad')")
    assert told()["dagster's storage"]["state"] == "fault"


def test_declarations_that_cannot_be_read_are_one_fault(folder):
    (folder / "town.yaml").write_text("publisher: [")
    result = CliRunner().invoke(app, ["doctor", "--json", "--town", str(folder)])
    assert result.exit_code == 1
    assert [line["subject"] for line in json.loads(result.stdout) if line["state"] == "fault"] == ["declarations"]


def test_variables_are_named_wherever_they_stand_and_never_shown(folder, monkeypatch):
    town = folder / "town.yaml"
    town.write_text(
        town.read_text() + "private_key: CLE\nsystems: {a: {title: A, url: {env: ADRESSE}, auth: {basic: {user: QUI, "
        "password: MOT}}}}\n"
    )
    assert set(secrets.named(read_town(folder))) == {"CLE", "ADRESSE", "QUI", "MOT"}
    monkeypatch.setenv("MOT", "s3cr3t")
    found = lines(folder)
    assert (found["$MOT"].state, found["$QUI"].state) == (State.OK, State.FAULT)
    assert "s3cr3t" not in str(found)


def test_a_private_zone_that_others_may_read_is_a_fault(folder):
    assert lines(folder)["private zone"].state is State.WARNING  # not sealed
    (folder / ".odp/private/work").chmod(0o755)
    found = lines(folder)["private zone"]
    assert (found.state, found.mend) == (State.FAULT, "chmod 700 .odp/private/work")


def test_a_clock_behind_the_journal_is_a_fault(folder):
    later = datetime.now(UTC) + timedelta(hours=2)
    Journal.at(folder / ".odp/private").record(RunRecord("piscines", "published", ended_at=later))
    assert lines(folder)["clock"].state is State.FAULT


def test_a_damaged_journal_and_a_store_without_rights_are_faults_of_their_own(folder):
    private, public = folder / ".odp/private", folder / ".odp/public"
    private.mkdir(parents=True, mode=0o700)
    (private / "journal.sqlite").write_bytes(b"not a database at all" * 300)
    assert "restore" in lines(folder)["journal"].mend
    (private / "journal.sqlite").unlink()
    public.write_text("a file where the store should be")
    assert lines(folder)["store"].state is State.FAULT


def test_secrets_over_http_are_refused_in_production_and_told_otherwise(folder, monkeypatch):
    town = folder / "town.yaml"
    systems = "systems: {a: {title: A, url: {env: ADRESSE}, auth: {bearer: JETON}}}\n"
    town.write_text(town.read_text() + systems)
    monkeypatch.setenv("ADRESSE", "http://192.0.2.7/")
    assert lines(folder)["secrets in clear"].state is State.WARNING
    town.write_text(town.read_text() + "production: true\nprivate_key: CLE\n")
    assert lines(folder)["secrets in clear"].state is State.FAULT
    town.write_text(town.read_text().replace("{env: ADRESSE}", '"http://192.0.2.7/"'))
    with pytest.raises(DeclarationErrors, match="would be sent its secret in clear"):
        read_town(folder)
