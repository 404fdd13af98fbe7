"""The journal in PostgreSQL keeps what the one in SQLite keeps, tells incidents, and is backed up and restored."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.journal import Act, Approval, Journal, RunRecord
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import Message, Records
from odpipeline.monitoring.rounds import watch
from odpipeline.operating import backup
from tests.servers import postgresql
from tests.towns import deliver, write_town

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


def _by_driver(server: str) -> str:
    return server.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def journal(server: str) -> Iterator[Journal]:
    made = Journal(_by_driver(server))
    yield made
    with made.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA odpipeline CASCADE")


def test_runs_acts_acceptances_and_approvals_are_kept(journal: Journal) -> None:
    journal.record(RunRecord("parkings", "failed", ("non",), error="SourceError", run="a"), {"findings": []})
    journal.record(RunRecord("parkings", "failed"))
    since = journal.failing_since("parkings")
    assert since is not None
    assert abs(datetime.now(UTC) - since) < timedelta(minutes=1)
    journal.record(RunRecord("parkings", "published", version=3, seconds=2.5))
    assert journal.failing_since("parkings") is None
    assert journal.newest()["parkings"].version == 3
    assert journal.datasets_of("a") == {"parkings"}
    assert journal.reports("parkings") == [{"findings": []}]
    assert [(tally.outcome, tally.runs) for tally in journal.tallies()] == [("failed", 2), ("published", 1)]
    journal.accept("parkings", "abc", who="a", because="b", until=datetime.now(UTC) + timedelta(days=1))
    assert journal.accepted("parkings") == {"abc"}
    journal.approve(Approval("parkings", "abc", "dpo", "a@v.example", "a", "vu", NOW, datetime(2099, 1, 1, tzinfo=UTC)))
    assert journal.approved("parkings") == {"abc"}
    journal.act(Act("parkings", "rollback", "a", "a", "erreur", NOW, {"version": 2}))
    assert journal.acts("parkings")[0].at == NOW


def test_processes_that_open_it_at_once_all_find_it(journal: Journal, server: str) -> None:
    journal.engine.dispose()
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            Records(Journal(_by_driver(server))).sign("dataset:a", Cause.STORE, "x", NOW)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(Records(journal).signs()) == 1


def test_a_message_is_taken_by_one_watch_only(journal: Journal, server: str) -> None:
    records = Records(journal)
    for _ in range(2):
        records.queue([Message(f"m{n}", "a@v.example", "t", "b", "digest", made_at=NOW) for n in range(20)])
    taken: list[int] = []

    def take_all() -> None:
        mine = Records(Journal(_by_driver(server)))
        misses = 0
        while misses < 20:
            if message := mine.take(NOW, timedelta(minutes=2)):
                taken.append(message.id)
            else:
                misses += 1

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 20


@pytest.fixture
def folder(tmp_path: Path, server: str, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = write_town(tmp_path / "ville", "piscines")
    (made / "town.yaml").write_text((made / "town.yaml").read_text() + "journal: {env: ODP_TEST_JOURNAL}\n")
    monkeypatch.setenv("ODP_TEST_JOURNAL", server)
    return made


def test_a_town_runs_watches_is_backed_up_and_restored(folder: Path, journal: Journal, tmp_path: Path) -> None:
    def odp(*words: str | Path) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code in (0, 3), result.output + str(result.exception)
        return result.output

    odp("run", "--town", folder)
    deliver(folder, "piscines", rows=3)
    odp("run", "--town", folder)
    assert watch(read_town(folder)).opened == 1
    assert not (folder / ".odp/private/journal.sqlite").exists()
    odp("backup", tmp_path / "kept", "--town", folder)
    [made] = backup.complete(tmp_path / "kept")
    with sqlite3.connect(made / "journal.sqlite") as copy:
        assert copy.execute("SELECT outcome FROM runs ORDER BY id").fetchall() == [("published",), ("refused",)]

    with journal.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA odpipeline CASCADE")
    new = write_town(tmp_path / "neuve", "piscines")
    (new / "town.yaml").write_text((folder / "town.yaml").read_text())
    odp("restore", made, "--into", new, "--yes")
    assert backup.sha256_of(made / "journal.sqlite") == backup.read(made).files["journal.sqlite"][0]  # it serves again
    zones = flow.Zones.of(read_town(new))
    assert [one.problem.cause for one in Records(zones.journal).open()] == [Cause.REFUSED]
    zones.journal.record(RunRecord("piscines", "unchanged"))  # its numbers go on
    assert zones.journal.newest()["piscines"].outcome == "unchanged"
    told = {line["subject"]: line for line in json.loads(
        CliRunner().invoke(app, ["doctor", "--json", "--town", str(new)]).stdout)}  # fmt: skip
    assert told["journal"]["state"] == "ok"


def test_the_acts_since_a_backup_are_named_from_a_journal_in_postgresql(folder: Path, journal, tmp_path, monkeypatch):
    def restore(newest: str):
        words = ["restore", str(made), "--into", str(new), "--journal", newest]
        return CliRunner().invoke(app, words)

    new = write_town(tmp_path / "neuve", "piscines")  # its own journal is a file
    town = read_town(folder)
    list(flow.recorded(town.dataset("piscines"), town, flow.Zones.of(town)))
    CliRunner().invoke(app, ["backup", str(tmp_path / "kept"), "--town", str(folder)])
    [made] = backup.complete(tmp_path / "kept")
    journal.act(Act("piscines", "withdrawal", "dpo@ville.example", "a", "arrêté", datetime.now(UTC), {}))
    told = restore("ODP_TEST_JOURNAL").output
    assert "1 acts since then, to be done again" in told
    assert "withdrawal of piscines by dpo@ville.example: arrêté" in told
    for wrong, why in (("ODP_NOWHERE", "ODP_NOWHERE is not set"), ("rien.sqlite", "there is no journal"),
                       ("postgresql://a:b@c/d", "there is no journal")):  # fmt: skip
        assert why in str(restore(wrong).exception)
    Journal.at(tmp_path / "autre")
    assert "nothing was ever recorded" in str(restore(str(tmp_path / "autre/journal.sqlite")).exception)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "ODP_TEST_JOURNAL is not set"),
        ("mysql://a@b/c", "holds no address of PostgreSQL"),
        ("postgresql://a:b@127.0.0.1:9/c", "the journal cannot be read or written"),
        ("postgresql://a:b:c@d:e/f", "the journal's database cannot be asked"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_message(
    folder: Path, monkeypatch, address: str | None, said: str
) -> None:
    if address is None:
        monkeypatch.delenv("ODP_TEST_JOURNAL")
    else:
        monkeypatch.setenv("ODP_TEST_JOURNAL", address)
    with pytest.raises(OdpError, match=said):
        flow.Zones.of(read_town(folder))
