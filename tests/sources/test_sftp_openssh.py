"""The same drops on OpenSSH, which most towns run."""

import os
import time

import pytest

from odpipeline.declaration.source import SftpSource
from odpipeline.errors import SourceError
from odpipeline.sources import Unchanged, Validators, sftp
from tests.ssh_server import openssh, sshd


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    if (program := sshd()) is None:
        pytest.skip("OpenSSH's server is not installed on this machine")
    home = tmp_path_factory.mktemp("openssh")
    (home / "depot").mkdir()
    with openssh(program, home / "depot", home) as server:
        yield server, home / "depot"


@pytest.fixture
def drop(running, monkeypatch):
    server, folder = running
    monkeypatch.setenv("ODP_CLE", server.client_key)

    def put(name, content="id;kwh\n1;2\n", age=100.0):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
        os.utime(folder / name, (time.time() - age,) * 2)
        return folder / name

    return put


@pytest.fixture
def fetch(running, drop, order):
    server, _ = running

    def fetch(pattern, since=None, **said):
        system = {"url": server.url, "host_key": server.host_key, "auth": {"key": "ODP_CLE"}, "internal": True}
        return sftp.extract(SftpSource(sftp=pattern, **said), order(since=since, **system))

    return fetch


def test_the_newest_file_is_taken_once(drop, fetch):
    drop("un_1.csv", "vieux", age=900)
    drop("un_2.csv", "x" * 3_000_000)
    delivery = fetch("un_*.csv")
    assert delivery.path.stat().st_size == 3_000_000
    assert (
        fetch("un_*.csv", Validators(delivery.etag, None, "", delivery.asked)).reason == "same names, sizes and times"
    )
    drop("un_2.csv", "y")
    assert not isinstance(fetch("un_*.csv", Validators(delivery.etag, None, "", delivery.asked)), Unchanged)


def test_wildcards_in_folders(drop, fetch):
    drop("2026/deux.csv", "x")
    drop("2027", "un fichier")
    assert fetch("*/deux.csv").path.read_text() == "x"


@pytest.mark.parametrize("pattern", ["trois/rien.csv", "rien/*.csv", "trois.csv/*.csv", "rien_*.csv"])
def test_no_file_matches(drop, fetch, pattern):
    drop("trois.csv")
    with pytest.raises(SourceError, match="no file matches"):
        fetch(pattern)


def test_a_link_may_not_lead_out(drop, fetch):
    drop("../secret.csv", "secret")
    drop("quatre_1.csv").with_name("quatre_2.csv").symlink_to("../secret.csv")
    with pytest.raises(SourceError, match="a link leads out of the drop folder"):
        fetch("quatre_*.csv")


def test_another_user_is_not_let_in(running, order, drop):
    server, _ = running
    url = server.url.replace("sftp://", "sftp://x")
    system = {"url": url, "host_key": server.host_key, "auth": {"key": "ODP_CLE"}, "internal": True}
    with pytest.raises(SourceError, match="the server does not let us in; check ODP_CLE"):
        sftp.extract(SftpSource(sftp="*.csv"), order(**system))
