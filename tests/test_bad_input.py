"""Whatever comes in: one message that says what, where and how to mend; nothing published; the last release served.

Each test publishes a good release first, breaks one thing, and compares every published byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors, OdpError
from odpipeline.journal import RunRecord
from tests.commands import odp
from tests.towns import PISCINES, deliver, published_bytes, write_town

GOOD = "jour,piscine,entrees\n" + "".join(f"2026-10-{n + 1:02},Bassin,{n}\n" for n in range(20))
OVER_HTTP = PISCINES.replace(
    '{folder: "depot/NAME.csv"}', '{http: "ADDRESS/donnees.csv", internal: true, timeout: 2 s}'
)
PERSONAL = PISCINES.replace(
    "personal_data: none",
    "personal_data: present\nlegal_basis: CRPA L312-1-2\n"
    "privacy: {columns: {jour: keep, entrees: keep, piscine: {pseudonymise: {secret: ODP_SECRET_ESSAI}}}}",
)


def run(folder: Path) -> RunRecord:
    """One run of the only dataset, as `odp run` does it; how it ended, from the journal."""
    town = read_town(folder)
    zones = flow.Zones.of(town)
    with contextlib.suppress(OdpError):
        for _ in flow.recorded(town.datasets[0], town, zones):
            pass
    record = zones.journal.last(town.datasets[0].id)
    assert record is not None
    return record


def refused_with(folder: Path, before: dict[str, bytes]) -> str:
    """The one message of a run that must not publish; everything published is as before, byte for byte."""
    record = run(folder)
    assert record.outcome in ("failed", "refused")
    assert published_bytes(folder) == before
    [reason] = record.reasons
    assert "Traceback" not in reason
    return reason


@pytest.fixture
def piscines(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """A town with one dataset from a drop folder, published once."""
    folder = write_town(tmp_path, "piscines")
    assert run(folder).outcome == "published"
    return folder, published_bytes(folder)


class Answer:
    """What the server answers next: status, body, headers, and the length that it claims."""

    status, body, headers, claimed = 200, GOOD.encode(), {"Content-Type": "text/csv"}, -1
    asked = 0


@pytest.fixture
def over_http(tmp_path: Path) -> Iterator[tuple[Path, type[Answer], dict[str, bytes], ThreadingHTTPServer]]:
    """A town with one dataset from a real HTTP server, published once; the answer can be changed."""

    class Next(Answer):
        pass

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            Next.asked += 1
            self.send_response(Next.status)
            for name, value in Next.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(Next.claimed if Next.claimed >= 0 else len(Next.body)))
            self.end_headers()
            self.wfile.write(Next.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    declaration = OVER_HTTP.replace("ADDRESS", f"http://127.0.0.1:{server.server_port}")
    folder = write_town(tmp_path, "piscines", declaration=declaration)
    assert run(folder).outcome == "published"
    yield folder, Next, published_bytes(folder), server
    server.shutdown()
    server.server_close()
    thread.join()


def test_source_down(over_http):
    folder, _, before, server = over_http
    server.shutdown()
    server.server_close()
    message = refused_with(folder, before)
    assert message.startswith("piscines: ")
    assert f"127.0.0.1:{server.server_port}" in message


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_status(over_http, status):
    folder, answer, before, _ = over_http
    answer.status, answer.asked = status, 0
    message = refused_with(folder, before)
    assert str(status) in message
    assert "127.0.0.1" in message
    assert answer.asked == (1 if status == 404 else 3)


def test_a_truncated_body(over_http):
    folder, answer, before, _ = over_http
    answer.claimed = len(answer.body) + 5000
    answer.headers = {"Content-Type": "text/csv", "Connection": "close"}
    assert "the answer broke off before its end; wait for the next run" in refused_with(folder, before)


def test_html_instead_of_csv(over_http):
    folder, answer, before, _ = over_http
    answer.body, answer.headers = b"<!DOCTYPE html><html>Connexion</html>", {"Content-Type": "text/html"}
    assert "HTML" in refused_with(folder, before)


def test_html_in_a_drop_folder(piscines):
    folder, before = piscines
    (folder / "depot/piscines.csv").write_text("<html><body>Connexion</body></html>")
    assert "HTML or XML instead of data" in refused_with(folder, before)


def test_a_wrong_declared_encoding(piscines):
    folder, _ = piscines
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(declared.read_text() + "format: {encoding: utf-8}\n")
    assert run(folder).outcome in ("published", "unchanged")
    before = published_bytes(folder)
    (folder / "depot/piscines.csv").write_bytes(GOOD.replace("Bassin", "Été").encode("cp1252"))
    message = refused_with(folder, before)
    assert "is not utf-8: byte 32, line 2" in message
    assert "encoding: cp1252" in message


def test_a_missing_column(piscines):
    folder, before = piscines
    deliver(folder, "piscines", header="jour,piscine,frequentation")
    message = refused_with(folder, before)
    assert "assets/sports/piscines.yaml:7: the delivery has no column entrees (it has: jour, piscine, freq" in message


def test_a_new_column_with_personal_data_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ODP_SECRET_ESSAI", hashlib.sha256(b"essai").hexdigest())
    folder = write_town(tmp_path, "piscines", declaration=PERSONAL)
    assert run(folder).outcome == "published"
    before = published_bytes(folder)
    (folder / "depot/piscines.csv").write_text(
        GOOD.replace("entrees\n", "entrees,telephone\n").replace(",1\n", ",1,06\n")
    )
    message = refused_with(folder, before)
    assert "new columns: telephone, and this dataset holds personal data" in message
    assert "privacy.columns" in message


def test_a_missing_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("ODP_SECRET_ESSAI", hashlib.sha256(b"essai").hexdigest())
    folder = write_town(tmp_path, "piscines", declaration=PERSONAL)
    assert run(folder).outcome == "published"
    before = published_bytes(folder)
    deliver(folder, "piscines", rows=21)
    monkeypatch.delenv("ODP_SECRET_ESSAI")
    message = refused_with(folder, before)
    assert "ODP_SECRET_ESSAI is not set, and the pseudonyms of piscine needs it" in message


@pytest.mark.parametrize("content", ["", "\n\n", "jour,piscine,entrees\n"])
def test_an_empty_file(piscines, content):
    folder, before = piscines
    (folder / "depot/piscines.csv").write_text(content)
    message = refused_with(folder, before)
    assert "empty" in message or "no rows" in message


def test_too_many_unreadable_cells(piscines):
    folder, before = piscines
    (folder / "depot/piscines.csv").write_text(GOOD.replace(",3\n", ",fermé Mme Dupont\n"))
    message = refused_with(folder, before)
    assert "1 of 20 rows in quarantine (5.00%, ceiling 1.00%): entrees not readable as integer: 1" in message
    assert "Dupont" not in message


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("assets/sports/piscines.yaml", "title: [", "assets/sports/piscines.yaml:"),
        ("assets/sports/piscines.yaml", PISCINES + "licens: etalab-2.0\n", "did you mean 'licence'"),
        ("expectations/piscines.json", '{"expectations": [', "expectations/piscines.json"),
        ("expectations/piscines.json", ('{"name": "p", "expectations": [{"type": "expect_column_values_to_be_uniqe",\n'
         '"kwargs": {"column": "jour"}}]}'), "expectations/piscines.json:1"),
    ],
)  # fmt: skip
def test_unreadable_yaml_unknown_key_and_bad_suite_stop_before_any_run(piscines, file, text, message):
    folder, before = piscines
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text.replace("NAME", "piscines"))
    ended = odp("run", "--town", str(folder))
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert published_bytes(folder) == before


def test_all_faults_are_told_at_once(piscines):
    folder, _ = piscines
    declared = folder / "assets/sports/piscines.yaml"
    declared.write_text(
        PISCINES.replace("key: [jour, piscine]", "key: [jour, bassin]") + "licens: x\nschedule: jamais\n"
    )
    with pytest.raises(DeclarationErrors) as told:
        read_town(folder)
    assert len(told.value.faults) == 3


def test_a_full_disk_while_publishing(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a file system of a few megabytes can only be mounted by root; tests/store fills a quota instead")
    folder = write_town(tmp_path / "ville", "piscines")
    public = folder / ".odp/public"
    public.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(public)]).returncode:
        pytest.skip("this machine does not let tests mount a small file system; tests/store fills a quota instead")
    try:
        assert run(folder).outcome == "published"
        before = published_bytes(folder)
        deliver(folder, "piscines", rows=20_000)
        message = refused_with(folder, before)
        assert "disk is full" in message
        assert "version 1 is still served" in message
    finally:
        subprocess.run(["umount", str(public)], check=True)
