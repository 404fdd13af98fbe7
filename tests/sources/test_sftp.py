"""Files dropped on an SFTP server: what is taken, what waits, whom we trust, and what each fault says."""

import os
import threading
import time
import zipfile

import asyncssh
import pytest

from odpipeline import flow, sources
from odpipeline.declaration import read_town
from odpipeline.declaration.source import SftpSource
from odpipeline.errors import OdpError, SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import Unchanged, Validators, sftp
from tests.ssh_server import PASSWORD, USER, ssh_server
from tests.towns import PISCINES, write_town


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    (tmp_path / "serveur" / "depot").mkdir(parents=True)
    monkeypatch.setenv("ODP_SFTP", PASSWORD)
    with ssh_server(tmp_path / "serveur") as server:
        yield server


@pytest.fixture
def drop(ssh):
    """Drops a file on the server, `age` seconds old."""

    def put(name, content="id;kwh\n1;2\n", age=100.0):
        path = ssh.folder / "depot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (time.time() - age,) * 2)
        return path

    return put


@pytest.fixture
def placed(ssh, order):
    """An order for the server's drop; what is given replaces what its system says."""

    def make(since=None, **system):
        said = {"url": ssh.at("/depot"), "host_key": ssh.host_key, "auth": {"password": "ODP_SFTP"}, "internal": True}
        return order(since=since, **(said | system))

    return make


def fetch(order, pattern="releves*.csv", **said):
    return sftp.extract(SftpSource(sftp=pattern, **said), order)


def again(delivery):
    return Validators(delivery.etag, delivery.last_modified, "", delivery.asked)


def test_the_newest_settled_file_is_taken(drop, placed):
    drop("releves_9.csv", "vieux", age=300)
    drop("releves_1.csv", "neuf", age=200)
    drop("releves_2.csv", "moitié", age=5)
    drop("autre.csv", "autre", age=100)
    delivery = fetch(placed())
    assert (delivery.path.read_text(), delivery.name) == ("neuf", "releves_1.csv")
    assert oct(delivery.path.stat().st_mode)[-3:] == "600"


def test_a_private_key_opens_too(ssh, drop, placed, monkeypatch):
    drop("releves.csv", "x")
    monkeypatch.setenv("ODP_CLE", ssh.client_key.export_private_key().decode().strip())
    assert fetch(placed(auth={"key": "ODP_CLE"}), "releves.csv").path.read_text() == "x"


def test_a_larger_file_comes_whole(drop, placed):
    content = "".join(f"{n};{n * 7}\n" for n in range(400_000))
    drop("releves.csv", content)
    assert fetch(placed(), "*.csv").path.read_text() == content


def test_a_pattern_may_have_wildcards_in_its_folders(drop, placed):
    drop("2025/releves.csv", "2025", age=900)
    drop("2026/releves.csv", "2026")
    drop(".caché/releves.csv", "caché", age=70)
    drop("2027", "un fichier")
    assert fetch(placed(), "*/releves.csv").path.read_text() == "2026"


def test_the_same_files_are_not_read_again(ssh, drop, placed):
    drop("releves.csv")
    first = fetch(placed())
    before = ssh.reads
    assert fetch(placed(since=again(first))) == Unchanged("same names, sizes and times")
    assert ssh.reads == before


@pytest.mark.parametrize("change", [{"content": "id;kwh\n1;2\n3;4\n"}, {"age": 99}])
def test_another_size_or_time_is_read(drop, placed, change):
    drop("releves.csv")
    first = fetch(placed())
    drop("releves.csv", **change)
    assert fetch(placed(since=again(first))).etag != first.etag


def test_the_mark_of_another_pattern_means_nothing(drop, placed):
    drop("releves.csv")
    first = fetch(placed())
    assert fetch(placed(since=again(first)), "releves.csv").path.exists()


def test_all_files_come_as_one_bundle_in_the_order_of_their_names(drop, placed):
    drop("releves_b.csv", "b", age=500)
    drop("releves_a.CSV", "autre", age=100)
    drop("releves_a.csv", "a", age=100)
    delivery = fetch(placed(), take="all")
    with zipfile.ZipFile(delivery.path) as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == {"0001.csv": b"a", "0002.csv": b"b"}
    first = delivery.path.read_bytes()
    drop("releves_b.csv", "b", age=400)
    assert fetch(placed(), take="all").path.read_bytes() == first
    assert b"releves" not in first


def test_a_file_still_being_written_keeps_all_of_them_waiting(drop, placed):
    drop("releves_1.csv", age=900)
    drop("releves_2.csv", age=5)
    with pytest.raises(SourceUnavailable, match="a matching file was written to in the last 300 s and may be incom"):
        fetch(placed(), take="all", settled="5 min")


def test_a_server_whose_clock_is_ahead_is_looked_at_twice(drop, placed):
    drop("releves.csv", "x", age=-3600)
    started = time.monotonic()
    assert fetch(placed(), settled="1 s").path.read_text() == "x"
    assert time.monotonic() - started >= 1


def test_a_file_that_grows_between_two_looks_waits(drop, placed):
    path = drop("releves.csv", age=0)
    ended = threading.Event()

    def grow():
        while not ended.wait(0.1):
            with path.open("a") as file:
                file.write("y")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(SourceUnavailable, match="every matching file was written to in the last 3 s"):
            fetch(placed(), settled="3 s")
    finally:
        ended.set()
        writer.join()


def test_a_server_without_a_declared_key_is_not_asked(ssh, placed):
    with pytest.raises(SourceError) as error:
        fetch(placed(host_key=None))
    assert str(error.value) == (
        "the system “Parkings”: the server's key is not declared, so that anyone could pose as it; "
        f"run `ssh-keyscan -t ed25519 -p {ssh.port} 127.0.0.1`, have the server's owner confirm the key, and write "
        "`host_key: ssh-ed25519 AAAA…` for the system in town.yaml"
    )
    assert ssh.connections == 0


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ssh-rsa"])
def test_a_server_with_another_key_gets_no_password(ssh, drop, placed, kind):
    drop("releves.csv")
    other = asyncssh.generate_private_key(kind).export_public_key().decode()
    with pytest.raises(SourceError, match="the server does not show the declared key") as error:
        fetch(placed(host_key=other))
    assert not isinstance(error.value, SourceUnavailable)


def test_any_key_of_the_server_may_be_declared(ssh, drop, placed):
    drop("releves.csv")
    assert fetch(placed(host_key=ssh.second_host_key.export_public_key().decode()))


def test_the_known_hosts_of_the_user_are_not_trusted(ssh, drop, placed, tmp_path, monkeypatch):
    drop("releves.csv")
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "known_hosts").write_text(f"[127.0.0.1]:{ssh.port} {ssh.host_key}\n")
    (home / "config").write_text("Host *\n  StrictHostKeyChecking no\n")
    monkeypatch.setenv("HOME", str(home.parent))
    with pytest.raises(SourceError, match="does not show the declared key"):
        fetch(placed(host_key=asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()))


def test_the_keys_of_the_user_are_not_offered(ssh, drop, placed, tmp_path, monkeypatch):
    drop("releves.csv")
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    ssh.client_key.write_private_key(str(home / "id_ed25519"))
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.setenv("ODP_SFTP", "faux")
    with pytest.raises(SourceError, match="the server does not let us in; check ODP_SFTP and the user"):
        fetch(placed())


def test_a_wrong_password_is_not_shown_nor_tried_again(ssh, drop, placed, monkeypatch):
    monkeypatch.setenv("ODP_SFTP", "faux-mot")
    with pytest.raises(SourceError) as error:
        fetch(placed())
    assert "faux-mot" not in str(error.value)
    assert ssh.connections == 1


def test_a_password_that_is_not_set(placed, monkeypatch):
    monkeypatch.delenv("ODP_SFTP")
    with pytest.raises(SecretMissing, match="ODP_SFTP is not set"):
        fetch(placed())


def test_what_is_not_a_key_is_not_shown(placed, monkeypatch):
    monkeypatch.setenv("ODP_CLE", "/root/.ssh/id_rsa")
    with pytest.raises(SourceError, match="ODP_CLE does not hold a private key without a passphrase") as error:
        fetch(placed(auth={"key": "ODP_CLE"}))
    assert "id_rsa" not in str(error.value)


def test_a_key_with_a_passphrase_is_told(ssh, placed, monkeypatch):
    monkeypatch.setenv("ODP_CLE", ssh.client_key.export_private_key("pkcs8-pem", passphrase="x").decode())
    with pytest.raises(SourceError, match="ODP_CLE does not hold a private key without a passphrase"):
        fetch(placed(auth={"key": "ODP_CLE"}))


@pytest.mark.parametrize(
    "url", ["https://ville.example", "sftp://ville.example", "sftp://a:secret@ville.example", "sftp://a@h:x"]
)
def test_an_address_that_is_none(placed, url):
    with pytest.raises(SourceError, match="the address is not one of an SFTP server; write sftp://user@host") as error:
        fetch(placed(url=url))
    assert "secret" not in str(error.value)


def test_the_inside_of_the_network_must_be_declared(ssh, placed):
    with pytest.raises(SourceError, match="the host resolves to an address inside the network"):
        fetch(placed(internal=False))
    assert ssh.connections == 0


@pytest.mark.parametrize("pattern", ["../secret.csv", "a/../../secret.csv", "/etc/*"])
def test_a_pattern_may_not_climb_out(placed, pattern):
    with pytest.raises(SourceError, match="the pattern leads out of the drop folder"):
        fetch(placed(), pattern)


def test_a_link_may_not_lead_out(ssh, drop, placed):
    drop("../secret.csv", "secret")
    drop("bon.csv", age=500)
    (ssh.folder / "depot" / "lien.csv").symlink_to("../secret.csv")
    with pytest.raises(SourceError, match="a link leads out of the drop folder"):
        fetch(placed(), "*.csv")


def test_a_linked_folder_may_not_lead_out(ssh, drop, placed):
    drop("../ailleurs/secret.csv", "secret")
    (ssh.folder / "depot" / "lien").symlink_to("../ailleurs")
    with pytest.raises(SourceError, match="a link leads out of the drop folder"):
        fetch(placed(), "lien/*.csv")


def test_no_file_matches_and_none_is_named(drop, placed):
    drop("autre_Dupont.csv")
    with pytest.raises(SourceError) as error:
        fetch(placed())
    assert str(error.value) == (
        "releves*.csv: no file matches; have the file dropped, or correct the pattern in "
        "assets/mobilite/parkings.yaml:6"
    )


def test_a_folder_that_is_not_there(ssh, placed):
    with pytest.raises(SourceError, match="the folder or the file is not there"):
        fetch(placed(url=ssh.at("/nulle-part")))


def test_a_connection_that_breaks_off_is_tried_again(ssh, drop, placed):
    drop("releves_Dupont.csv", "x" * 5_000_000)
    ssh.cut_after_bytes = 2_000_000
    with pytest.raises(SourceUnavailable, match="the connection broke off, at the third try too") as error:
        fetch(placed())
    assert ssh.connections == 3
    assert "Dupont" not in str(error.value)


def test_a_connection_that_comes_back_is_enough(ssh, drop, placed):
    drop("releves.csv", "x" * 5_000_000)
    ssh.cut_after_bytes = 2_000_000
    mended = threading.Timer(0.4, setattr, (ssh, "cut_after_bytes", None))
    mended.start()
    assert fetch(placed()).path.stat().st_size == 5_000_000
    mended.join()


def test_a_server_that_ends_a_file_early(ssh, drop, placed):
    drop("releves.csv", "x" * 100_000)
    ssh.end_after_bytes = 50_000
    with pytest.raises(SourceUnavailable, match="the file changed while it was read"):
        fetch(placed())


def test_a_server_that_falls_silent(ssh, drop, placed):
    drop("releves.csv")
    ssh.silent = True
    with pytest.raises(SourceUnavailable, match="the server stayed silent for more than 1 s"):
        fetch(placed(), timeout="1 s")


def test_a_server_that_is_not_there(placed):
    with pytest.raises(SourceUnavailable, match="the server cannot be reached, at the third try neither"):
        fetch(placed(url=f"sftp://{USER}@127.0.0.1:1/depot"))


def test_an_empty_file(drop, placed):
    drop("releves.csv", "")
    with pytest.raises(SourceError, match="the delivery is empty"):
        fetch(placed())
    with pytest.raises(SourceError, match="a file is empty"):
        fetch(placed(), take="all")


@pytest.mark.parametrize("take", ["newest", "all"])
def test_a_file_beyond_the_limit(drop, placed, take):
    drop("releves.csv", "x" * 2000)
    with pytest.raises(SourceError, match="the delivery is larger than the 1,000 bytes that are taken"):
        fetch(placed(), max_bytes=1000, take=take)


TOWN = """
systems:
  energie:
    title: Énergie
    url: {url}
    host_key: {host_key}
    auth: {{password: ODP_SFTP}}
    internal: true
"""


@pytest.fixture
def piscines(ssh, tmp_path):
    source = '{sftp: "piscines_*.csv", system: energie}'
    folder = write_town(tmp_path, "piscines", declaration=PISCINES.replace('{folder: "depot/NAME.csv"}', source))
    with (folder / "town.yaml").open("a") as file:
        file.write(TOWN.format(url=ssh.at("/depot"), host_key=ssh.host_key))
    return read_town(folder)


def test_the_whole_way_from_the_server_to_a_release(piscines, drop):
    drop("piscines_1.csv", "jour,piscine,entrees\n2026-10-01,Bassin,12\n")
    dataset, zones = piscines.dataset("piscines"), flow.Zones.of(piscines)
    *_, release = flow.publication(dataset, piscines, zones)
    assert release.version == 1
    capture, same = flow.publication(dataset, piscines, zones)
    assert (capture.unchanged, same.version) == ("same names, sizes and times", 1)


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full to write to")
def test_a_full_disk_is_told_and_not_tried_again(ssh, piscines, drop, tmp_path):
    drop("piscines_1.csv", "x" * 300_000)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "delivery").symlink_to("/dev/full")
    with pytest.raises(OdpError, match="the disk is full: the delivery could not be written"):
        sources.extract(piscines.datasets[0], piscines, tmp_path / "work", None)
    assert ssh.connections == 1
