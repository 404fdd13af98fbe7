"""With a key, nothing that was delivered lies in clear once a run has ended, however it ended."""

import os
import signal
import stat

import pytest

from odpipeline import flow
from odpipeline.conform import Conformed
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors, OdpError, SecretMissing
from odpipeline.landing import Capture, sealing, workplace
from odpipeline.store import Staged
from tests.killing import in_child
from tests.towns import deliver, write_town

PLANTED = "Bassin-Plante-Ici"
UNREADABLE = "douze-Plante-Ici"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A town with a key, a planted cell in a good column, and one in the quarantine."""
    monkeypatch.setenv("ODP_PRIVATE_KEY", sealing.new_key())
    folder = write_town(tmp_path, "piscines")
    (folder / "town.yaml").write_text((folder / "town.yaml").read_text() + "private_key: ODP_PRIVATE_KEY\n")
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text() + "quality: {quarantine: 10 %}\n")
    planted(folder)
    return folder


def planted(folder, rows=20):
    deliver(folder, "piscines", rows=rows, cell=UNREADABLE)
    file = folder / "depot/piscines.csv"
    file.write_text(file.read_text().replace("Bassin 0,100", f"{PLANTED},100"))


def zones(folder):
    town = read_town(folder)
    return town.dataset("piscines"), town, flow.Zones.of(town)


def in_clear(folder):
    """The files of the private zone that hold a planted cell."""
    private = folder / ".odp/private"
    return sorted(p.name for p in private.rglob("*") if p.is_file() and b"Plante-Ici" in p.read_bytes())


def test_without_a_key_the_planted_cells_are_there_to_be_found(folder):
    town = folder / "town.yaml"
    town.write_text(town.read_text().replace("private_key: ODP_PRIVATE_KEY\n", ""))
    list(flow.recorded(*zones(folder)))
    assert {"payload", "conformed.parquet", "quarantine.parquet"} <= set(in_clear(folder))


def test_nothing_delivered_lies_in_clear_after_a_run(folder):
    *_, last = flow.recorded(*zones(folder))
    assert last.rows == 19
    assert in_clear(folder) == []
    left = {path.name for path in (folder / ".odp/private/work/piscines").iterdir()}
    assert left == {".lock", "quarantine.json", "quarantine.parquet.age"}
    for path in (folder / ".odp/private").rglob("*.age"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nor_after_a_refusal_an_error_or_an_abandoned_run(folder, monkeypatch):
    dataset, town, where = zones(folder)
    deliver(folder, "piscines", cell="-1")
    file = folder / "depot/piscines.csv"
    file.write_text(file.read_text().replace("Bassin 0", PLANTED))
    *_, refused = flow.recorded(dataset, town, where)
    assert not refused.accepted
    assert in_clear(folder) == []
    planted(folder, rows=19)
    stages = flow.recorded(dataset, town, where)
    next(stage for stage in stages if isinstance(stage, Staged))
    stages.close()
    assert in_clear(folder) == []

    def broken(*_args, **_kwargs):
        raise RuntimeError(f"la valeur {UNREADABLE}")

    planted(folder, rows=18)
    monkeypatch.setattr("odpipeline.privacy.anonymise", broken)
    with pytest.raises(OdpError, match=r"faults/piscines-.*\.txt\.age: report it"):
        list(flow.recorded(dataset, town, where))
    assert in_clear(folder) == []
    [fault] = (folder / ".odp/private/faults").iterdir()
    where.seal.open(fault, folder / "fault.txt")
    assert UNREADABLE in (folder / "fault.txt").read_text()


@pytest.mark.parametrize("reached", [Capture, Conformed, Staged])
def test_what_a_killed_run_leaves_is_removed_by_the_next_run_and_by_a_sweep(folder, reached):
    list(flow.recorded(*zones(folder)))
    planted(folder, rows=21)

    def killed():
        for stage in flow.recorded(*zones(folder)):
            if isinstance(stage, reached):
                if reached is Capture:  # as if it died before the delivery was sealed
                    (folder / ".odp/private/work/piscines/delivery").write_text(PLANTED)
                os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(killed) == -signal.SIGKILL
    assert in_clear(folder)
    if reached is Conformed:
        _, town, where = zones(folder)
        assert flow.sweep(town, where) == []
    else:
        list(flow.recorded(*zones(folder)))
    assert in_clear(folder) == []


def test_spilled_rows_go_with_the_run(folder):
    _, _, where = zones(folder)
    with workplace.workplace(where.work, "piscines", where.seal) as place:
        (place / "spill" / "duckdb_temp_storage_DEFAULT-0.tmp").write_text(PLANTED)
        assert stat.S_IMODE((place / "spill").stat().st_mode) == 0o700
    assert in_clear(folder) == []


def test_a_sweep_leaves_a_run_alone_and_says_so(folder):
    dataset, town, where = zones(folder)
    stages = flow.recorded(dataset, town, where)
    next(stages)
    [busy] = flow.sweep(town, where)
    assert str(busy) == "piscines: another run of this dataset is under way; wait until it has ended"
    stages.close()


def test_a_sweep_clears_what_is_declared_no_more(folder):
    list(flow.recorded(*zones(folder)))
    (folder / "assets/sports/piscines.yaml").rename(folder / "piscines.yaml")
    town = read_town(folder)
    assert flow.sweep(town, flow.Zones.of(town)) == []
    assert not (folder / ".odp/private/work/piscines").exists()
    assert len(flow.Zones.of(town).landing.every("piscines")) == 1  # seen today: its 30 days are not over


def test_without_its_key_nothing_is_fetched(folder, monkeypatch):
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    dataset, town, where = zones(folder)
    with pytest.raises(SecretMissing):
        list(flow.recorded(dataset, town, where))
    assert not (folder / ".odp/private/captures").exists()
    assert where.journal.last("piscines").outcome == "failed"


def test_production_is_refused_to_a_town_that_names_no_key(folder):
    town = folder / "town.yaml"
    town.write_text(town.read_text().replace("private_key: ODP_PRIVATE_KEY", "production: true"))
    with pytest.raises(DeclarationErrors, match=r"town\.yaml:\d+: production: the private zone needs a key"):
        read_town(folder)


def test_a_capture_sealed_with_another_key_is_one_clear_error(folder, monkeypatch):
    first, *_ = flow.recorded(*zones(folder))
    monkeypatch.setenv("ODP_PRIVATE_KEY", sealing.new_key())
    planted(folder, rows=21)
    list(flow.recorded(*zones(folder)))  # what is delivered from now on has the new key
    with pytest.raises(OdpError, match=r"piscines: .*sealed with another key than that of ODP_PRIVATE_KEY; add the"):
        flow.compared(*zones(folder), first)


def test_the_quarantine_is_counted_without_the_key_and_shown_with_it(folder, monkeypatch):
    list(flow.recorded(*zones(folder)))
    _, _, where = zones(folder)
    cells = workplace.quarantine_counts(where.work, "piscines")["cells"]
    assert cells == [{"column": "entrees", "rule": "integer", "rows": 1}]
    assert workplace.quarantined_cells(where.work, "piscines", where.seal, most=10) == [
        (20, "entrees", "integer", UNREADABLE)
    ]
    assert in_clear(folder) == []
    monkeypatch.delenv("ODP_PRIVATE_KEY")
    with pytest.raises(SecretMissing):
        workplace.quarantined_cells(where.work, "piscines", flow.Zones.of(read_town(folder)).seal, most=10)
    sealed = where.work / "piscines/quarantine.parquet.age"
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(OdpError, match="the quarantine is damaged: it is not what was written; run the dataset again"):
        workplace.quarantined_cells(where.work, "piscines", where.seal, most=10)
