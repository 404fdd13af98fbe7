"""A backup is whole though runs go on, and a town that is restored from it goes on where the old one was."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.journal import Act
from odpipeline.operating import backup
from odpipeline.operating.restore import Restore
from odpipeline.orchestration.building import definitions
from odpipeline.store import Store, verifying
from tests.killing import FORK, dying_at, in_child
from tests.store.making import parkings, published
from tests.towns import deliver, published_bytes, write_town


def odp(*words: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output + str(result.exception)
    return result.output


def night(folder: Path) -> bool:
    """Everything through Dagster, on the instance of the town's own dagster.yaml."""
    with chdir(folder), dg.DagsterInstance.from_config(str(folder)) as instance:
        job = definitions(read_town(folder)).resolve_job_def("frequent")
        return job.execute_in_process(instance=instance, raise_on_error=False).success


def runs(folder: Path) -> int:
    with chdir(folder), dg.DagsterInstance.from_config(str(folder)) as instance:
        return instance.get_runs_count()


def fresh(old: Path, new: Path) -> Path:
    """A checkout of the same town on another machine: what is declared and delivered, nothing of what was made."""
    return Path(shutil.copytree(old, new, ignore=shutil.ignore_patterns(".odp", "kept")))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with a second version, and a journal that knows of an act."""
    folder = write_town(tmp_path_factory.mktemp("once") / "ville", "piscines")
    assert night(folder)
    deliver(folder, "piscines", rows=21)
    odp("run", "piscines", "--town", folder)
    said = Act("piscines", "note", "a@ville.example", "agent", "pour voir", datetime.now(UTC), {})
    flow.Zones.of(read_town(folder)).journal.act(said)
    return folder


@pytest.fixture
def ville(made_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once, tmp_path / "ville", symlinks=True))


def test_a_restored_town_goes_on_where_the_old_one_was(ville, tmp_path):
    odp("backup", tmp_path / "kept", "--town", ville)
    [made] = backup.complete(tmp_path / "kept")
    new = fresh(ville, tmp_path / "neuve")
    assert "nothing was done" in odp("restore", made, "--into", new)
    assert not (new / ".odp/public/datasets").exists()
    odp("restore", made, "--into", new, "--yes")
    assert published_bytes(new) == published_bytes(ville)
    assert (new / ".odp/public/datasets/piscines/latest/piscines.csv").is_file()
    assert (new / ".odp/public/catalogue.jsonld").is_file()
    assert runs(new) == 1
    assert [act.because for act in flow.Zones.of(read_town(new)).journal.acts("piscines")] == ["pour voir"]

    assert night(new)
    [row] = json.loads(odp("versions", "piscines", "--town", new, "--json"))[:1]
    assert row["version"] == 2  # unchanged: the release remembers its capture
    deliver(new, "piscines", rows=22)
    assert night(new)
    assert json.loads(odp("versions", "piscines", "--town", new, "--json"))[0]["version"] == 3
    assert runs(new) == 3


def test_acts_since_the_backup_are_named_from_the_newest_journal(ville, tmp_path):
    made = backup.make(read_town(ville), tmp_path / "kept", state=None, private=False)
    later = Act("aides", "withdrawal", "dpo@ville.example", "agent", "une erreur", datetime.now(UTC), {"versions": 3})
    flow.Zones.of(read_town(ville)).journal.act(later)
    new, newest = fresh(ville, tmp_path / "neuve"), ville / ".odp/private/journal.sqlite"
    said = odp("restore", made, "--into", new, "--journal", newest)
    assert "1 acts since then, to be done again" in said
    assert "UTC: withdrawal of aides (versions 3) by dpo@ville.example: une erreur" in said
    assert "pour voir" not in said  # that one is in the backup


def test_rows_that_were_erased_do_not_come_back_with_a_restored_town(ville, tmp_path):
    done = ["--as", "donnees@ville.example", "--because", "demande", "--yes", "--town", ville]
    odp("erase", "piscines", "--where", "jour=2026-10-01", *done)
    made = backup.make(read_town(ville), tmp_path / "kept", state=None, private=False)
    new = fresh(ville, tmp_path / "neuve")
    assert Restore.planned(made, read_town(new), None).done() == []
    deliver(new, "piscines", rows=23)
    odp("run", "--town", new)
    published = (new / ".odp/public/datasets/piscines/latest/piscines.csv").read_text().splitlines()
    assert (len(published), [line for line in published if "2026-10-01" in line]) == (1 + 22, [])


def test_what_is_damaged_or_in_use_is_not_restored(ville, tmp_path):
    made = backup.make(read_town(ville), tmp_path / "kept", state=None, private=False)
    with pytest.raises(OdpError, match="the town is in use"):
        Restore.planned(made, read_town(ville), None)
    (made / "store/datasets/piscines/versions/1/piscines.csv").write_text("autre chose")
    with pytest.raises(OdpError, match="the backup is damaged"):
        Restore.planned(made, read_town(fresh(ville, tmp_path / "neuve")), None)
    (made / backup.MANIFEST).unlink()
    with pytest.raises(OdpError, match="there is no complete backup"):
        backup.read(made)


def test_a_restore_that_was_killed_is_repeated(ville, tmp_path):
    made = backup.make(read_town(ville), tmp_path / "kept", state=None, private=False)
    for instant in (25, 60, 110):
        new = fresh(ville, tmp_path / f"neuve{instant}")
        planned = Restore.planned(made, read_town(new), None)
        assert in_child(dying_at(instant, planned.done)) != 0
        assert Restore.planned(made, read_town(new), None).done() == []
        shown = {name: held for name, held in published_bytes(new).items() if "/.tmp-" not in name}
        assert shown == published_bytes(ville)


def test_a_store_that_lost_bytes_gives_no_backup(ville, tmp_path):
    file = ville / ".odp/public/datasets/piscines/versions/2/piscines.csv"
    file.chmod(0o644)
    file.write_text("plus rien")
    with pytest.raises(OdpError, match="not what was published"):
        backup.make(read_town(ville), tmp_path / "kept", state=None, private=False)
    assert list((tmp_path / "kept").iterdir()) == []


def test_captures_in_clear_stay_and_only_the_newest_backups_are_kept(ville, tmp_path, monkeypatch):
    town = read_town(ville)
    with pytest.raises(OdpError, match="captures in clear do not leave"):
        backup.make(town, tmp_path / "kept", state=None, private=True)
    monkeypatch.setenv("CLE", odp("key"))
    (ville / "town.yaml").write_text((ville / "town.yaml").read_text() + "private_key: CLE\n")
    with pytest.raises(OdpError, match="a capture lies in clear"):
        backup.make(read_town(ville), tmp_path / "kept", state=None, private=True)
    odp("captures", "--sweep", "--town", ville)
    (tmp_path / "kept/2020-01-01T000000Z").mkdir()
    (tmp_path / "kept/2020-01-01T000000Z" / backup.MANIFEST).touch()
    made = backup.make(read_town(ville), tmp_path / "kept", state=None, private=True, keep=1)
    assert backup.complete(tmp_path / "kept") == [made]
    new = fresh(ville, tmp_path / "neuve")
    assert Restore.planned(made, read_town(new), None).done() == []
    assert len(flow.Zones.of(read_town(new)).landing.every("piscines")) == 2


def test_a_backup_made_while_versions_are_published_holds_whole_ones_only(tmp_path):
    folder = write_town(tmp_path / "ville", "piscines")
    town = read_town(folder)
    root = town.store_path

    def publish_on_and_on() -> None:
        for number in range(1, 500):
            published(Store(root), tmp_path / f"work{number % 2}", parkings(3, number))

    publisher = FORK.Process(target=publish_on_and_on, daemon=True)
    publisher.start()
    try:
        while not (root / "datasets/parkings/current.json").exists() and publisher.is_alive():
            pass
        made = [backup.make(town, tmp_path / f"kept{n}", state=None, private=False) for n in range(3)]
        assert publisher.is_alive()
    finally:
        publisher.kill()
        publisher.join()
    versions = []
    for number, one in enumerate(made):
        new = fresh(folder, tmp_path / f"neuve{number}")
        assert Restore.planned(one, read_town(new), None).done() == []
        store = Store(read_town(new).store_path)
        assert verifying.verify(store.backend, "parkings", listed=store.backend).sound
        versions.append(store.current("parkings").version)
    assert versions == sorted(versions)
