"""Containers are unpacked within bounds; what is hostile, locked or ambiguous in them is refused."""

import contextlib
import gzip
import io
import stat
import zipfile

import py7zr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.conform import containers
from odpipeline.declaration import read_town
from odpipeline.errors import ConformError
from tests.conform.conftest import declared, read_file
from tests.towns import PISCINES, write_town

ONE, TWO = b"a,b\n1,x\n2,y\n", b"b,a\nz,3\n?,deux\n"
FIELDS = [{"name": "a", "type": "integer"}, {"name": "b"}]


def zipped(members, **more):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content, **more)
    return target.getvalue()


def seven(members, password=None):
    target = io.BytesIO()
    with py7zr.SevenZipFile(target, "w", password=password) as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return target.getvalue()


@pytest.fixture
def read(tmp_path):
    def look(content, **said):
        path = tmp_path / "delivery"
        path.write_bytes(content)
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        return read_file(path, declared(FIELDS, **said), folder)

    return look


def refusal(read, content, **said):
    with pytest.raises(ConformError) as error:
        read(content, **said)
    return str(error.value)


@pytest.mark.parametrize("pack", [zipped, seven])
def test_the_one_file_of_a_container_is_read(read, pack):
    assert read(pack({"exports/mars.csv": ONE})).values == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("pack", [zipped, seven])
def test_the_declared_file_is_read_and_the_others_are_not(read, pack):
    content = pack({"lisez-moi.txt": b"Bonjour", "mars.csv": ONE, "avril.csv": TWO})
    assert read(content, format={"member": "mars.csv"}).values == [(1, "x"), (2, "y")]
    assert refusal(read, content) == (
        "assets/x.yaml:4: 3 of the 3 files in the container match; name the one to read with format: {member: …}, or "
        "say members: all if they are one table together"
    )


def test_all_files_are_one_table_in_the_order_of_their_names(read):
    found = read(zipped({"2.csv": TWO, "1.csv": ONE}), format={"members": "all"}, quality={"quarantine": "50 %"})
    assert found.rows == [(1, 1, "x"), (2, 2, "y"), (3, 3, "z")]
    assert found.quarantine == [(4, "a", "integer", "deux")]
    assert found.counts == (4, 3, 1, 0)
    assert found.conformed.findings[0].message.startswith("1 of 4 rows in quarantine")


def test_a_member_may_be_gzipped_but_no_container(read):
    assert read(zipped({"mars.csv.gz": gzip.compress(ONE)})).values == [(1, "x"), (2, "y")]
    assert "the container holds another container" in refusal(read, zipped({"mars.zip": zipped({"m.csv": ONE})}))


@pytest.mark.parametrize("name", ["../../mars.csv", "/etc/mars.csv", "..\\\\mars.csv", "C:/mars.csv"])
def test_a_path_that_leads_out_is_refused_although_names_are_never_used(read, name):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        bundle.writestr(zipfile.ZipInfo(name), ONE)
    assert "the container holds a path that leads out of it" in refusal(read, target.getvalue())


def test_a_link_is_refused(read):
    link = zipfile.ZipInfo("mars.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    assert "the container holds a link" in refusal(read, target.getvalue())


@pytest.mark.parametrize("pack", [zipped, seven, lambda members: gzip.compress(*members.values())])
def test_a_bomb_is_refused_before_it_fills_the_disk(read, pack, monkeypatch):
    monkeypatch.setattr(containers, "_BOMB_BYTES", 1_000_000)
    assert "300 times" in refusal(read, pack({"mars.csv": b"a,b\n" + b"0" * 30_000_000}))


def test_all_members_together_keep_to_the_bound_of_the_source(read):
    source = {"folder": "x", "max_bytes": 20}
    said = refusal(read, zipped({"1.csv": ONE, "2.csv": TWO}), source=source, format={"members": "all"})
    assert "the delivery unpacks to more than 20 bytes" in said


def test_a_password_is_told(read):
    assert "the container is encrypted" in refusal(read, seven({"mars.csv": ONE}, password="secret"))


@pytest.mark.parametrize("content", [zipped({"m.csv": ONE * 99})[:-30], seven({"m.csv": ONE * 99})[:-30]])
def test_a_broken_container_is_told_without_the_names_in_it(read, content):
    said = refusal(read, content)
    assert "the container is broken, or was packed in a way that cannot be read" in said
    assert "m.csv" not in said


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 150), st.integers(0, 255))
def test_no_damage_makes_more_than_one_message(read, tail, place, value):
    content = bytearray(zipped({"m.csv": ONE}) + tail)
    content[place % len(content)] = value
    with contextlib.suppress(ConformError):
        assert len(read(bytes(content)).values) <= 2


def test_a_whole_drop_is_one_table(tmp_path):
    declaration = PISCINES.replace('{folder: "depot/NAME.csv"}', '{folder: "depot/*.csv", take: all}')
    write_town(tmp_path, "piscines", declaration=declaration)
    (tmp_path / "depot/2.csv").write_text("jour,piscine,entrees\n2027-01-01,Bassin 9,7\n")
    town = read_town(tmp_path)
    *_, last = flow.publication(town.dataset("piscines"), town, flow.Zones.of(town))
    assert last.rows == 21
