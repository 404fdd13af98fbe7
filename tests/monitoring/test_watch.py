"""What is wrong is told once, to whom it concerns, by a way that works, and its end as well; with real servers."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odpipeline import flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.journal import RunRecord
from odpipeline.monitoring import rounds
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import Message, Records
from odpipeline.monitoring.rounds import watch
from tests.mail_server import Mailbox, mail_server
from tests.servers import Visit, http_server, tls_server
from tests.towns import deliver, write_town

CONTACT, OWNER, SYSTEM, DIRECTOR = (
    "donnees@ville.example",
    "sports@ville.example",
    "dsi@ville.example",
    "dga@ville.example",
)
NIGHT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALERTS = """
alerts:
  mail: {env: ODP_TEST_MAIL}
  ui: https://dagster.ville.example
  escalation: [dga@ville.example]
  settle: 0 s
  digest: "23:59"
"""


@pytest.fixture(scope="module")
def post() -> Iterator[tuple[Mailbox, str]]:
    with mail_server() as served:
        yield served


@pytest.fixture
def mailbox(post: tuple[Mailbox, str], monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    mailbox, address = post
    mailbox.received.clear()
    mailbox.answer, mailbox.refused = "250 OK", set()
    monkeypatch.setenv("ODP_TEST_MAIL", address)
    return mailbox


class Ville:
    """A small town, run and watched at times of one's choice."""

    def __init__(self, root: Path, *datasets: str, alerts: str = ALERTS, more: str = "") -> None:
        self.root, self.mornings = write_town(root, *datasets), False
        (root / "town.yaml").write_text((root / "town.yaml").read_text() + alerts + more)

    @property
    def town(self):
        return read_town(self.root)

    @property
    def records(self) -> Records:
        return Records(flow.Zones.of(self.town).journal)

    def run(self, *names: str) -> None:
        town = self.town
        for name in names:
            try:
                list(flow.recorded(town.dataset(name), town, flow.Zones.of(town), run=f"run-{name}"))
            except OdpError:
                continue

    def watch(self, hours: float = 0):
        """A round so many hours from now: the journal notes real times. No morning comes unless it is asked for."""
        moment = datetime.now(UTC) + hours * HOUR
        if not self.mornings:
            with suppress(OdpError):  # of a journal that is broken on purpose
                self.records.mark("digest", moment)
        return watch(self.town, moment)


@pytest.fixture
def ville(tmp_path: Path, mailbox: Mailbox) -> Ville:
    ville = Ville(tmp_path / "ville", "piscines")
    ville.run("piscines")
    return ville


def test_a_refusal_is_told_to_engineers_and_owner_once_and_its_end_too(ville: Ville, mailbox: Mailbox) -> None:
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    for _ in range(5):
        ville.watch()
    [subject] = mailbox.subjects(CONTACT)
    assert subject == "[odp Ville d’Essai] piscines: refused"
    [text] = mailbox.texts(CONTACT)
    assert "The public sees: version 1 of " in text
    assert "Owner: sports@ville.example" in text
    assert "https://dagster.ville.example/runs/run-piscines" in text
    assert 'odp incidents ack 1 --because "…"' in text
    assert mailbox.subjects(OWNER) == ["« Fréquentation des piscines » : la livraison n’est pas publiée"]
    [said] = mailbox.texts(OWNER)
    assert "le public voit la version 1 du" in said
    assert "dagster" not in said.lower()

    deliver(ville.root, "piscines", rows=20)
    ville.run("piscines")
    ville.watch()
    assert mailbox.subjects(CONTACT)[1:] == ["[odp Ville d’Essai] solved: piscines: refused"]
    assert mailbox.subjects(OWNER)[1:] == ["Résolu : « Fréquentation des piscines » : la livraison n’est pas publiée"]
    assert ville.records.open() == []


def test_reminders_reach_the_second_contact_at_last_and_five_days_are_three_messages(ville, mailbox) -> None:
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    for hour in range(0, 120, 2):
        ville.watch(hour)
    assert len([s for s in mailbox.subjects(CONTACT) if "piscines" in s]) == 3
    assert mailbox.subjects(DIRECTOR) == ["[odp Ville d’Essai] still, escalated: piscines: refused"]
    deliver(ville.root, "piscines", rows=20)
    ville.run("piscines")
    ville.watch(120)
    solved = "[odp Ville d’Essai] solved: piscines: refused"
    assert [mailbox.subjects(who).count(solved) for who in (CONTACT, DIRECTOR)] == [1, 1]


def test_fifty_datasets_of_one_system_are_one_incident_and_one_message(tmp_path: Path, mailbox: Mailbox) -> None:
    names = [f"jeu-{n:02}" for n in range(50)]
    ville = Ville(tmp_path / "ville", *names, more=(
        "systems: {equipements: {title: Logiciel des équipements, url: {env: ODP_TEST_EQUIPEMENTS}, internal: true, "
        "owner: dsi@ville.example}}\n"))  # fmt: skip
    for name in names:
        file = ville.root / f"assets/sports/{name}.yaml"
        text = file.read_text().replace(
            f'{{folder: "depot/{name}.csv"}}', f"{{http: /{name}.csv, system: equipements}}"
        )
        file.write_text(text)
    os.environ["ODP_TEST_EQUIPEMENTS"] = "http://127.0.0.1:9"  # nobody answers there
    try:
        journal = flow.Zones.of(ville.town).journal
        ville.run(*names[:2])  # the way it is recorded
        reason = journal.last(names[0])
        assert reason is not None
        assert reason.error == "SourceUnavailable"
        for name in names[2:]:  # the others in the same words, without their pauses between tries
            journal.record(RunRecord(name, "failed", reason.reasons, error=reason.error, run="run-night"))
    finally:
        del os.environ["ODP_TEST_EQUIPEMENTS"]
    for _ in range(3):
        made = ville.watch(0.25)
    assert made.open == 1
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] equipements: does not answer"]
    assert "Datasets: jeu-00, jeu-01, jeu-02, jeu-03, jeu-04 and 45 others" in mailbox.texts(CONTACT)[0]
    assert mailbox.subjects(SYSTEM) == ["« Logiciel des équipements » : le logiciel ne répond pas"]
    assert len(mailbox.to(OWNER)) == 1
    for name in names:
        journal.record(RunRecord(name, "published"))
    ville.watch(0.5)
    assert mailbox.subjects(CONTACT)[1:] == ["[odp Ville d’Essai] solved: equipements: does not answer"]


DOWN = RunRecord("piscines", "failed", ("no answer",), error="SourceUnavailable")


def test_nobody_is_woken_while_the_night_still_asks_again(ville: Ville, mailbox: Mailbox) -> None:
    journal = flow.Zones.of(ville.town).journal
    journal.record(DOWN)  # the next tries come in five and ten minutes
    for minute in (0, 5, 10):
        assert ville.watch(minute / 60).open == 0
    assert ville.watch(0.25).open == 1
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] piscines: does not answer"]


def test_five_days_without_a_system_are_three_messages_also_of_data_that_grows_old_first(tmp_path, mailbox) -> None:
    ville = Ville(tmp_path / "ville", "piscines")
    file = ville.root / "assets/sports/piscines.yaml"
    file.write_text(file.read_text() + 'schedule: "*/5 * * * *"\nfreshness: {data: 1 day, column: jour}\n')
    ville.run("piscines")  # of October: it is late by now, and its system's patience is not over
    flow.Zones.of(ville.town).journal.record(DOWN)
    for minute in (*range(0, 60, 10), *range(60, 5 * 24 * 60, 120)):
        ville.watch(minute / 60)
    assert {incident.problem.cause for incident in ville.records.open()} == {Cause.DOWN}
    assert len(mailbox.to(CONTACT)) == 3


def test_mail_that_is_down_for_an_hour_comes_afterwards_and_once(ville: Ville, mailbox: Mailbox) -> None:
    mailbox.answer = "451 the disk is full"
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    for minute in range(0, 60, 5):
        ville.watch(minute / 60)
    assert mailbox.received == []
    assert {incident.problem.subject for incident in ville.records.open()} == {"dataset:piscines", "channel:mail"}
    mailbox.answer = "250 OK"
    for minute in range(60, 90, 5):
        made = ville.watch(minute / 60)
    assert (len(mailbox.to(CONTACT)), len(mailbox.to(OWNER)), made.waiting) == (1, 1, 0)
    assert {incident.problem.subject for incident in ville.records.open()} == {"dataset:piscines"}


def test_the_next_channel_takes_over_when_one_fails(tmp_path: Path, mailbox: Mailbox, monkeypatch) -> None:
    with http_server() as server:
        said: list[dict[str, str]] = []

        def take(visit: Visit) -> None:
            said.append(json.loads(visit.body))
            visit.say(200)

        server.posts["/alerte"] = take
        monkeypatch.setenv("ODP_TEST_WEB", f"json://127.0.0.1:{server.server_port}/alerte")
        alerts = ALERTS + "  mail_next: astreinte\n  channels: {astreinte: {url: {env: ODP_TEST_WEB}}}\n"
        ville = Ville(tmp_path / "ville", "piscines", alerts=alerts)
        ville.run("piscines")
        deliver(ville.root, "piscines", rows=3)
        ville.run("piscines")
        mailbox.answer = "451 the disk is full"
        for minute in (0, 2, 4, 6):
            ville.watch(minute / 60)
    titles = [message["title"] for message in said]
    assert "[odp Ville d’Essai] piscines: refused" in titles
    assert any("(donnees@ville.example could not be reached.)" in message["message"] for message in said)
    [channel] = [incident for incident in ville.records.open() if incident.problem.cause is Cause.CHANNEL]
    assert channel.problem.subject == "channel:mail"


def test_the_incident_of_a_channel_ends_when_it_is_declared_no_more(
    tmp_path: Path, mailbox: Mailbox, monkeypatch
) -> None:
    monkeypatch.setenv("ODP_TEST_WEB", "json://127.0.0.1:9/")  # nobody answers there
    ways = "  channels: {equipe: {url: {env: ODP_TEST_WEB}, next: donnees@ville.example}}\n  routes: [{to: [equipe]}]\n"
    ville = Ville(tmp_path / "ville", "piscines", alerts=ALERTS + ways)
    ville.run("piscines")
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    for minute in (0, 2, 4):
        ville.watch(minute / 60)
    assert {incident.problem.subject for incident in ville.records.open()} == {"dataset:piscines", "channel:equipe"}
    (ville.root / "town.yaml").write_text((ville.root / "town.yaml").read_text().replace(ways, ""))
    ville.watch(0.2)
    assert {incident.problem.subject for incident in ville.records.open()} == {"dataset:piscines"}


def test_an_address_that_is_refused_holds_up_no_other_and_is_told_as_long_as_it_is(ville, mailbox) -> None:
    mailbox.refused = {OWNER}
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    ville.watch()
    assert len(mailbox.to(CONTACT)) == 1
    for minute in (1, 3, 8, 20, 30, 45):
        ville.watch(minute / 60)
    [channel] = [incident for incident in ville.records.open() if incident.problem.cause is Cause.CHANNEL]
    assert channel.problem.what.startswith(f"messages to {OWNER} are not taken")
    mailbox.refused = set()
    for minute in (60, 61):
        ville.watch(minute / 60)
    assert len(mailbox.to(OWNER)) == 1
    assert {incident.problem.subject for incident in ville.records.open()} == {"dataset:piscines"}


def test_several_addresses_that_are_refused_hold_up_the_others_for_minutes_only(ville, mailbox) -> None:
    lost = [f"parti-{n}@ville.example" for n in range(5)]
    mailbox.refused = set(lost)
    ville.records.queue([Message(to, to, "t", "b", "digest") for to in (*lost, CONTACT)])
    for minute in range(10):
        ville.watch(minute / 60)
    assert len(mailbox.to(CONTACT)) == 1


def test_when_a_way_is_down_all_that_waits_for_it_goes_to_the_next(tmp_path, mailbox, monkeypatch) -> None:
    with http_server() as server:
        server.posts["/alerte"] = lambda visit: visit.say(200)
        monkeypatch.setenv("ODP_TEST_WEB", f"json://127.0.0.1:{server.server_port}/alerte")
        alerts = ALERTS + "  mail_next: astreinte\n  channels: {astreinte: {url: {env: ODP_TEST_WEB}}}\n"
        ville = Ville(tmp_path / "ville", "piscines", alerts=alerts)
        mailbox.answer = "451 the disk is full"
        addresses = [f"agent-{n}@ville.example" for n in range(8)]
        ville.records.queue([Message(to, to, "t", "b", "digest") for to in addresses])
        for minute in range(4):
            ville.watch(minute / 60)
        assert {m.destination for m in ville.records.waiting()} & set(addresses) == set()


def test_a_round_that_dies_before_sending_is_made_up_for_and_tells_once(ville: Ville, mailbox: Mailbox) -> None:
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    dies = """
import os, signal, sys
from odpipeline.monitoring import channels
channels.send = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from odpipeline.cli import app
app(["watch", "--town", sys.argv[1]])
"""
    ended = subprocess.run([sys.executable, "-c", dies, str(ville.root)], capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert (mailbox.received, len(ville.records.open())) == ([], 1)
    for minute in (3, 6, 9):  # what was taken is free again after two minutes
        ville.watch(minute / 60)
    assert (len(mailbox.to(CONTACT)), len(mailbox.to(OWNER))) == (1, 1)


def test_two_watches_at_once_tell_once(ville: Ville, mailbox: Mailbox) -> None:
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    command = [sys.executable, "-m", "odpipeline.cli", "watch", "--town", str(ville.root)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in both] == [("", 0)] * 3
    assert (len(mailbox.to(CONTACT)), len(mailbox.to(OWNER))) == (1, 1)


def test_what_a_source_answers_is_text_and_nothing_else(ville: Ville, mailbox: Mailbox) -> None:
    hostile = "HTTP 500\r\nBcc: tout@ville.example\r\n\r\n<script>alert(1)</script> @everyone "
    hostile += "[clic](http://mal.example) `x`\x1b[2J"
    journal = flow.Zones.of(ville.town).journal
    journal.record(RunRecord("piscines", "failed", (hostile * 40,), error="SourceError"))
    ville.watch()
    assert {recipient for recipient, _ in mailbox.received} == {CONTACT, OWNER}
    [mail] = mailbox.to(CONTACT)
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "text/plain"
    [reason] = [line for line in mailbox.texts(CONTACT)[0].splitlines() if line.startswith("Reason: ")]
    assert len(reason) < 620
    assert not any(sign in reason for sign in ("<", "@everyone", "](", "`", "\x1b"))


def test_old_data_is_told_when_nothing_else_explains_it_and_not_beside_its_cause(tmp_path, mailbox) -> None:
    ville = Ville(tmp_path / "ville", "piscines")
    file = ville.root / "assets/sports/piscines.yaml"
    file.write_text(file.read_text() + "freshness: {data: 100 days, column: jour}\n")
    ville.run("piscines")
    assert ville.watch().late == ()
    assert ville.watch(24 * 200).late == ("piscines",)
    causes = {incident.problem.cause for incident in ville.records.open()}
    assert causes == {Cause.STALE, Cause.UNCHECKED}
    assert "« Fréquentation des piscines » : les données sont plus anciennes que promis au public" in mailbox.subjects(
        OWNER
    )

    other = Ville(tmp_path / "autre", "piscines")
    other.run("piscines")
    deliver(other.root, "piscines", rows=3)
    other.run("piscines")
    other.watch(24 * 200)
    assert [incident.problem.cause for incident in other.records.open()] == [Cause.REFUSED]


def test_a_daemon_that_stopped_is_one_message_however_many_datasets_wait(tmp_path: Path, mailbox: Mailbox) -> None:
    names = [f"jeu-{n}" for n in range(6)]
    ville = Ville(tmp_path / "ville", *names)
    ville.run(*names)
    for hours in (35.999, 36.001, 40, 41):  # they cross the line one after the other
        made = ville.watch(hours)
    assert made.late == tuple(names)
    [told] = [text for text in mailbox.texts(CONTACT) if "was not run for too long" in text]
    assert told.startswith(("jeu-0: ", "machine: "))
    [incident] = ville.records.open()
    assert (incident.problem.subject, len(incident.problem.datasets)) == ("machine", 6)


def test_a_secret_that_is_missing_is_one_message(tmp_path: Path, mailbox: Mailbox) -> None:
    ville = Ville(tmp_path / "ville", *(f"jeu-{n}" for n in range(4)))
    journal = flow.Zones.of(ville.town).journal
    for dataset in ville.town.datasets:
        told = ("the environment variable CLE is not set",)
        journal.record(RunRecord(dataset.id, "failed", told, error="SecretMissing"))
    ville.watch()
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] machine: a secret is missing"]
    assert "Datasets: jeu-0, jeu-1, jeu-2, jeu-3" in mailbox.texts(CONTACT)[0]


def test_a_message_for_a_channel_that_is_declared_no_more_is_given_up(ville: Ville, mailbox: Mailbox) -> None:
    ville.records.queue([Message("a", "ancienne", "t", "b", "digest"), Message("b", CONTACT, "t", "b", "digest")])
    assert (ville.watch().waiting, mailbox.subjects(CONTACT)) == (0, ["t"])


def test_every_morning_proves_that_messages_come(ville: Ville, mailbox: Mailbox, monkeypatch) -> None:
    text = (ville.root / "town.yaml").read_text()
    (ville.root / "town.yaml").write_text(text.replace('"23:59"', '"00:00"'))
    ville.mornings = True
    for _ in range(3):
        ville.watch()
    [subject] = mailbox.subjects(CONTACT)
    assert subject.endswith(": all is well")
    assert "1 new versions" in mailbox.texts(CONTACT)[0]
    ville.watch(24)
    assert len([s for s in mailbox.subjects(CONTACT) if "all is well" in s or "open" in s]) == 2


def test_a_clock_that_was_a_year_ahead_for_a_moment_silences_no_morning(ville: Ville, mailbox: Mailbox) -> None:
    text = (ville.root / "town.yaml").read_text()
    (ville.root / "town.yaml").write_text(text.replace('"23:59"', '"00:00"'))
    ville.mornings = True
    for day in (365, 1, 1, 2):
        ville.watch(24 * day)
    mornings = [s for s in mailbox.subjects(CONTACT) if s.endswith((": all is well", " open"))]
    assert len(mornings) == 3


def test_what_a_clock_that_was_ahead_has_put_off_is_sent_when_it_is_put_right(ville: Ville, mailbox: Mailbox) -> None:
    mailbox.answer = "451 the disk is full"
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    ville.watch(9000)
    mailbox.answer = "250 OK"
    ville.watch()
    assert "[odp Ville d’Essai] piscines: refused" in mailbox.subjects(CONTACT)


def test_the_dead_mans_switch_is_asked_only_while_messages_come(tmp_path, mailbox, monkeypatch) -> None:
    with http_server() as server:
        server.answers["/vivant"] = lambda visit: visit.say(200)
        monkeypatch.setenv("ODP_TEST_SWITCH", f"http://127.0.0.1:{server.server_port}/vivant")
        ville = Ville(tmp_path / "ville", "piscines", alerts=ALERTS + "  dead_man: {env: ODP_TEST_SWITCH}\n")
        ville.run("piscines")
        ville.watch()
        assert len(server.visits) == 1
        mailbox.answer = "451 no"
        deliver(ville.root, "piscines", rows=3)
        ville.run("piscines")
        for minute in (0, 3, 8):
            ville.watch(minute / 60)
        before = len(server.visits)
        ville.watch(0.2)
        assert len(server.visits) == before


def test_a_journal_that_refuses_is_cried_out_once(ville: Ville, mailbox: Mailbox, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(rounds, "_LAST_CRY", {})
    (ville.root / ".odp/private/journal.sqlite").write_bytes(b"not a database" * 500)
    for _ in range(3):
        with pytest.raises(OdpError, match="journal"):
            ville.watch()
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] the watch is blind"]
    with pytest.raises(OdpError):
        ville.watch(7)
    assert len(mailbox.to(CONTACT)) == 2


def test_a_full_disk_under_the_journal_stops_the_round_and_the_next_one_tells(
    ville, mailbox, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(rounds, "_LAST_CRY", {})
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    journal = ville.root / ".odp/private/journal.sqlite"
    full = """
import sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
@event.listens_for(Engine, "connect")
def small(connection, _):
    connection.execute("PRAGMA max_page_count = 1")  # not a page more than there is
from odpipeline.cli import main
sys.argv = ["odp", "watch", "--town", sys.argv[1]]
main()
"""
    with sqlite3.connect(journal) as direct:  # no room is left in the pages there are
        direct.execute("VACUUM")
    ended = subprocess.run([sys.executable, "-c", full, str(ville.root)], capture_output=True, text=True, timeout=60,
                           env=os.environ | {"TMPDIR": str(tmp_path)})  # fmt: skip
    assert ended.returncode == 1
    assert "database or disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    mailbox.received.clear()
    ville.watch()
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] piscines: refused"]


def test_a_locked_journal_is_waited_for(ville: Ville, mailbox: Mailbox) -> None:
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    holder = sqlite3.connect(ville.root / ".odp/private/journal.sqlite", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(1.5, lambda: holder.execute("COMMIT"))
    release.start()
    ville.watch()
    release.join()
    holder.close()
    assert len(mailbox.to(CONTACT)) == 1


def test_a_quiet_time_of_a_system_holds_back_its_datasets_only(tmp_path: Path, mailbox: Mailbox) -> None:
    alerts = ALERTS + "  quiet: [{of: [piscines], from: 2020-01-01, until: 2100-01-01, because: travaux}]\n"
    ville = Ville(tmp_path / "ville", "piscines", "patinoires", alerts=alerts)
    for name in ("piscines", "patinoires"):
        ville.run(name)
        deliver(ville.root, name, rows=3)
        ville.run(name)
    ville.watch()
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] patinoires: refused"]
    assert len(ville.records.open()) == 2


def test_routes_choose_by_theme_and_severity(tmp_path: Path, mailbox: Mailbox) -> None:
    alerts = (
        ALERTS
        + """  tell_owners: false
  routes:
    - {to: [tout@ville.example]}
    - {to: [transports@ville.example], themes: [TRAN]}
    - {to: [ecoles@ville.example], themes: [EDUC], severity: critical}
    - {to: [sports@ville.example], owners: [sports@ville.example], text: owner}
"""
    )
    ville = Ville(tmp_path / "ville", "piscines", alerts=alerts)
    ville.run("piscines")
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    ville.watch()
    assert {recipient for recipient, _ in mailbox.received} == {
        "tout@ville.example", "ecoles@ville.example", "sports@ville.example"
    }  # fmt: skip
    assert "la livraison n’est pas publiée" in mailbox.subjects("sports@ville.example")[0]


def test_commands_list_acknowledge_and_try(ville: Ville, mailbox: Mailbox, monkeypatch) -> None:
    def odp(*words: str):
        return CliRunner().invoke(app, [*words, "--town", str(ville.root)])

    assert odp("incidents").stdout == "no incident is open\n"
    deliver(ville.root, "piscines", rows=3)
    ville.run("piscines")
    assert odp("watch").stdout == "1 incidents open, 1 new, 0 closed; 2 messages sent, 0 wait\n"
    [row] = json.loads(odp("incidents", "--json").stdout)
    assert (row["number"], row["about"], row["cause"], row["severity"]) == (1, "piscines", "refused", "critical")
    assert odp("incidents", "ack", "1", "--because", "je regarde").exit_code == 0
    ville.watch(30)
    assert mailbox.subjects(DIRECTOR) == []
    assert "is at it" in json.loads(odp("incidents", "--json").stdout)[0]["state"]
    assert isinstance(odp("incidents", "ack", "7", "--because", "je regarde").exception, OdpError)
    tried = odp("alert", "test", "--json")
    assert (tried.exit_code, json.loads(tried.stdout)[0]["state"]) == (0, "taken")
    mailbox.answer = "554 no"
    tried = odp("alert", "test", "--json")
    assert (tried.exit_code, json.loads(tried.stdout)[0]["state"]) == (1, "not taken")
    monkeypatch.setenv("ODP_TEST_MAIL", "json://127.0.0.1")
    assert "is not a mail address that Apprise knows" in odp("alert", "test", "--json").stdout


def test_a_run_much_slower_than_usual_is_told(ville: Ville, mailbox: Mailbox) -> None:
    journal = flow.Zones.of(ville.town).journal
    for seconds in (10, 11, 9, 12, 10, 200):
        journal.record(RunRecord("piscines", "published", seconds=seconds))
    ville.watch()
    assert mailbox.subjects(CONTACT) == ["[odp Ville d’Essai] piscines: takes much longer than usual"]
    assert mailbox.to(OWNER) == []


def test_a_key_that_ends_soon_is_told_to_who_runs_the_system(tmp_path: Path, mailbox: Mailbox) -> None:
    soon = (datetime.now(UTC) + timedelta(days=10)).date()
    system = f"{{title: Caisse, url: 'https://caisse.invalid', owner: {SYSTEM}, expires: {soon}}}"
    ville = Ville(tmp_path / "ville", more=f"systems: {{caisse: {system}}}\n")
    ville.watch()
    assert mailbox.subjects(SYSTEM) == ["« Caisse » : la clé d’accès arrive à expiration"]
    assert "jamais par courriel" in mailbox.texts(SYSTEM)[0]
    assert f"its key ends on {soon}" in mailbox.texts(CONTACT)[0]


def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, mailbox: Mailbox, monkeypatch) -> None:
    with tls_server(tmp_path, days=5) as (server, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        system = f"{{title: Caisse, url: 'https://localhost:{server.server_port}', owner: {SYSTEM}, internal: true}}"
        Ville(tmp_path / "ville", more=f"systems: {{caisse: {system}}}\n").watch()
    assert mailbox.subjects(SYSTEM) == ["« Caisse » : le certificat arrive à expiration"]
    assert "its certificate ends on" in mailbox.texts(CONTACT)[0]


def test_no_certificate_is_asked_for_inside_the_network_unless_the_system_says_so(tmp_path: Path, mailbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        system = f"{{title: Caisse, url: 'https://localhost:{inside.getsockname()[1]}', owner: {SYSTEM}}}"
        Ville(tmp_path / "ville", more=f"systems: {{caisse: {system}}}\n").watch()
        assert select.select([inside], [], [], 0)[0] == []  # nobody has knocked
    assert mailbox.received == []


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("  routes: [{to: [equipe]}]\n", "neither a mail address nor a channel"),
        ("  reminders: [24 h, 6 h]\n", "each is later than the one before"),
        ("  channels: {a: {url: {env: A}, next: b}, b: {url: {env: B}, next: a}}\n", "leads back to itself"),
        ("  quiet: [{of: [rien], daily: [\"22:00\", \"06:00\"], because: nuit}]\n", "neither a dataset nor a system"),
        ("  quiet: [{because: nuit}]\n", "say either `from` and `until`, or `daily`"),
        ('  quiet: [{from: "2026-12-01T22:00", until: "2026-12-02T06:00+01:00", because: nuit}]\n', "without a zone"),
        ("  quiet: [{from: 2026-12-01T22:00:00Z, until: 2026-12-02T06:00:00Z, because: nuit}]\n", "without a zone"),
        ("  quiet: [{daily: [\"22:00\", \"22:00\"], because: nuit}]\n", "never holds"),
        ("  chanels: {}\n", "chanels"),
        ("  dead_man: https://hc.example/secret\n", "dead_man"),
    ],
)  # fmt: skip
def test_alerts_that_would_reach_nobody_are_refused_with_their_line(tmp_path: Path, said: str, fault: str) -> None:
    ville = Ville(tmp_path / "ville", "piscines", alerts=ALERTS + said)
    with pytest.raises(OdpError, match=r"town\.yaml:\d+: ") as caught:
        _ = ville.town
    assert fault in str(caught.value)
