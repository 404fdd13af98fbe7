"""The newest file of a drop folder, and nothing that is not in it."""

import os
import threading
import time
import zipfile

import pytest

from odpipeline.declaration.source import FolderSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import folder


@pytest.fixture
def drop(tmp_path):
    """Drops a file below the town, `age` seconds old."""

    def put(name, content="id;kwh\n", age=100):
        path = tmp_path / "depot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (time.time() - age,) * 2)
        return path

    return put


def test_the_newest_matching_file_is_copied(drop, order):
    drop("releves_1.csv", "vieux", age=300)
    drop("releves_0.csv", "neuf", age=200)
    drop("autre.csv", "autre", age=1)
    delivery = folder.extract(FolderSource(folder="releves_*.csv"), order(folder="depot"))
    assert (delivery.path.read_text(), delivery.name) == ("neuf", "releves_0.csv")
    assert oct(delivery.path.stat().st_mode)[-3:] == "600"


def test_without_a_system_the_town_is_the_base(drop, order):
    drop("energie/releves.csv")
    folder.extract(FolderSource(folder="depot/energie/*.csv"), order())


def test_a_system_folder_may_be_absolute_and_from_the_environment(drop, order, monkeypatch):
    monkeypatch.setenv("ODP_DEPOT", str(drop("r.csv").parent))
    folder.extract(FolderSource(folder="r.csv"), order(folder={"env": "ODP_DEPOT"}))


def test_no_file_matches(drop, order):
    drop("autre_Dupont.csv")
    with pytest.raises(SourceError) as error:
        folder.extract(FolderSource(folder="releves_*.csv"), order(folder="depot"))
    assert str(error.value) == (
        "releves_*.csv: no file matches; have the file dropped, or correct the pattern in "
        "assets/mobilite/parkings.yaml:6"
    )


def test_a_missing_folder_is_unavailable(order):
    with pytest.raises(SourceUnavailable, match="Parkings: the drop folder is not there; mount or create it"):
        folder.extract(FolderSource(folder="*.csv"), order(folder="depot"))


def test_a_file_still_being_written_waits(drop, order):
    drop("releves_2.csv", age=5)
    with pytest.raises(
        SourceUnavailable, match="every matching file was written to in the last 300 s and may be incom"
    ):
        folder.extract(FolderSource(folder="*.csv", settled="5 min"), order(folder="depot"))


def test_the_newest_settled_file_is_taken(drop, order):
    drop("releves_1.csv", "entier", age=400)
    drop("releves_2.csv", "moitié", age=5)
    delivery = folder.extract(FolderSource(folder="*.csv", settled="5 min"), order(folder="depot"))
    assert delivery.path.read_text() == "entier"


@pytest.mark.parametrize("pattern", ["../secret.csv", "a/../../secret.csv", "/etc/*"])
def test_a_pattern_may_not_climb_out(drop, order, pattern):
    drop("../secret.csv")
    drop("a/x.csv")
    with pytest.raises(SourceError, match="the pattern leads out of the drop folder; write it relative to the folder"):
        folder.extract(FolderSource(folder=pattern), order(folder="depot"))


def test_a_link_may_not_lead_out(drop, order, tmp_path):
    secret = drop("../secret.csv")
    drop("bon.csv")
    (tmp_path / "depot" / "lien.csv").symlink_to(secret)
    with pytest.raises(SourceError, match="a link leads out of the drop folder; put the file itself into the folder"):
        folder.extract(FolderSource(folder="*.csv"), order(folder="depot"))


def test_a_linked_folder_may_not_lead_out(drop, order, tmp_path):
    drop("../ailleurs/secret.csv")
    drop("bon.csv")
    (tmp_path / "depot" / "lien").symlink_to(tmp_path / "ailleurs")
    with pytest.raises(SourceError, match="a link leads out of the drop folder"):
        folder.extract(FolderSource(folder="lien/*.csv"), order(folder="depot"))


def test_a_link_within_the_folder_is_fine(drop, order, tmp_path):
    drop("releves_2026.csv", "x")
    (tmp_path / "depot" / "dernier.csv").symlink_to("releves_2026.csv")
    assert folder.extract(FolderSource(folder="dernier.csv"), order(folder="depot")).path.read_text() == "x"


def test_an_empty_file(drop, order):
    drop("vide.csv", "")
    with pytest.raises(SourceError, match="the delivery is empty"):
        folder.extract(FolderSource(folder="*.csv"), order(folder="depot"))


def test_a_file_beyond_the_limit(drop, order):
    drop("gros.csv", "x" * 2000)
    with pytest.raises(SourceError, match="the delivery is larger than the 1,000 bytes that are taken"):
        folder.extract(FolderSource(folder="*.csv", max_bytes=1000), order(folder="depot"))


def test_a_file_that_grows_while_it_is_read_is_left_for_later(drop, order):
    path = drop("releves.csv", "x" * 200_000_000)
    ended = threading.Event()

    def grow():
        while not ended.is_set():
            with path.open("a") as file:
                file.write("y")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(SourceUnavailable, match="the file changed while it was read; declare `settled: 5 min`"):
            folder.extract(FolderSource(folder="*.csv"), order(folder="depot"))
    finally:
        ended.set()
        writer.join()


def test_all_files_come_as_one_bundle_in_the_order_of_their_names(drop, order):
    drop("releves_Dupont.csv", "d", age=100)
    drop("releves_2.csv", "deux", age=900)
    delivery = folder.extract(FolderSource(folder="releves_*.csv", take="all"), order(folder="depot"))
    with zipfile.ZipFile(delivery.path) as bundle:
        assert [(name, bundle.read(name)) for name in bundle.namelist()] == [("0001.csv", b"deux"), ("0002.csv", b"d")]
    assert b"Dupont" not in delivery.path.read_bytes()


def test_the_bundle_of_the_same_files_is_the_same_bytes(drop, order):
    source = FolderSource(folder="releves_*.csv", take="all")
    for age in (900, 100):
        drop("releves_1.csv", "un", age=age)
        drop("releves_2.csv", "deux", age=age)
        delivery = folder.extract(source, order(folder="depot"))
        delivery.path.rename(delivery.path.with_name(f"bundle-{age}"))
    first, second = (delivery.path.with_name(f"bundle-{age}").read_bytes() for age in (900, 100))
    assert first == second


def test_a_file_still_being_written_keeps_all_of_them_waiting(drop, order):
    drop("releves_1.csv", age=900)
    drop("releves_2.csv", age=5)
    with pytest.raises(SourceUnavailable, match="a matching file was written to in the last 300 s and may be incompl"):
        folder.extract(FolderSource(folder="*.csv", take="all", settled="5 min"), order(folder="depot"))


def test_a_file_that_is_the_same_twice_is_settled_whatever_its_clock_says(drop, order):
    drop("releves.csv", "x", age=-3600)
    started = time.monotonic()
    delivery = folder.extract(FolderSource(folder="*.csv", settled="1 s"), order(folder="depot"))
    assert delivery.path.read_text() == "x"
    assert time.monotonic() - started >= 1


def test_an_empty_file_among_all(drop, order):
    drop("releves_1.csv")
    drop("releves_2.csv", "")
    with pytest.raises(SourceError, match=r"a file is empty \(0 bytes\); have it dropped anew or removed"):
        folder.extract(FolderSource(folder="*.csv", take="all"), order(folder="depot"))
