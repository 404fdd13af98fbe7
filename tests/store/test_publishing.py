import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from odpipeline.errors import PublicationRace, StoreError
from odpipeline.store import Store
from odpipeline.verdict import Finding, Severity, Verdict
from tests.store.making import a_dataset, a_staged, parkings, published, yes
from tests.towns import deliver, published_bytes, write_town


def lines(store: Store) -> list[dict[str, object]]:
    return [json.loads(line) for line in (store.root / "datasets/parkings/changelog.jsonl").read_text().splitlines()]


def test_nothing_is_current_before_the_first_publication(store):
    assert store.current("parkings") is None
    assert store.versions("parkings") == []
    assert store.datasets() == ()


def test_the_first_publication_is_version_1(store, tmp_path):
    release = published(store, tmp_path)
    assert (release.version, release.previous, release.rows) == (1, None, 3)
    assert release.columns == ("id", "nom", "places", "releve_le")
    assert store.current("parkings") == release
    assert store.datasets() == ("parkings",)
    assert sorted(path.name for path in release.folder.iterdir()) == [
        "datapackage.json", "parkings.csv", "parkings.csv-metadata.json", "parkings.parquet", "quality.json",
        "release.json",
    ]  # fmt: skip
    latest = store.root / "datasets/parkings/latest"
    assert latest.readlink() == Path("versions/1")
    assert (latest / "parkings.csv").read_bytes().startswith(b"id,nom,places,releve_le\r\n1,Parking 1,11,2026-03-29T")


def test_the_manifest_explains_the_release(store, tmp_path):
    release = published(store, tmp_path)
    manifest = json.loads((release.folder / "release.json").read_text())
    assert manifest["dataset"] == "parkings"
    assert manifest["title"] == "Disponibilité des parkings"
    assert manifest["why"] == "new delivery"
    assert manifest["capture_sha256"] == "c1"
    assert manifest["code_version"] == "v1"
    assert manifest["data_date"] == "2026-03-29T01:00:00Z"
    assert manifest["published_at"].endswith("Z")
    assert {f["name"]: f["size_bytes"] for f in manifest["files"]} == {
        f.name: (release.folder / f.name).stat().st_size for f in release.files
    }
    assert manifest["about"]["licence"] == "etalab-2.0"
    assert [f["name"] for f in manifest["schema"]["fields"]] == list(release.columns)


def test_a_new_content_is_a_new_version_and_the_old_one_stays(store, tmp_path):
    first = published(store, tmp_path)
    kept = (first.folder / "parkings.csv").read_bytes()
    second = published(store, tmp_path, parkings(places=20), capture="c2")
    assert (second.version, second.previous) == (2, 1)
    assert (first.folder / "parkings.csv").read_bytes() == kept
    assert [release.version for release in store.versions("parkings")] == [2, 1]
    assert [(line["version"], line["rows"], line["previous"]) for line in lines(store)] == [(1, 3, None), (2, 3, 1)]
    assert (store.root / "datasets/parkings/latest/parkings.csv").read_bytes() != kept


def test_the_same_content_is_no_new_version(store, tmp_path):
    first = published(store, tmp_path)
    again = published(store, tmp_path, capture="c2", code="v2")
    assert (again.version, again.content_hash) == (1, first.content_hash)
    assert again.checked_at > first.checked_at
    assert store.current("parkings") == again
    assert len(lines(store)) == 1


def test_a_changed_description_is_a_new_version(store, tmp_path):
    published(store, tmp_path)
    renamed = published(store, tmp_path, dataset=a_dataset(title="Parkings"))
    assert (renamed.version, renamed.about["title"]) == (2, "Parkings")


def test_made_from_asks_for_the_capture_that_led_here_last(store, tmp_path):
    first = published(store, tmp_path)
    assert first.made_from("c1", "v1")
    assert not first.made_from("c1", "v2")
    published(store, tmp_path, capture="c2")
    current = store.current("parkings")
    assert current.made_from("c2", "v1")
    assert not current.made_from("c1", "v1")
    third = published(store, tmp_path, parkings(places=20), capture="c3")
    assert third.made_from("c3", "v1")
    assert store.current("parkings").made_from("c3", "v1")


def test_confirm_moves_checked_at_only(store, tmp_path):
    release = published(store, tmp_path)
    confirmed = store.confirm(release)
    assert confirmed.checked_at > release.checked_at
    assert store.current("parkings") == confirmed
    assert confirmed.made_from("c1", "v1")
    assert len(store.versions("parkings")) == 1


REFUSING = Finding("quality", "r", passed=False, message="it does not hold", severity=Severity.CRITICAL)
PASSED = Finding("quality", "r", passed=True, message="it holds")


@pytest.mark.parametrize(
    "verdict",
    [
        lambda s: Verdict(s.dataset, s.content_hash, (REFUSING,)),
        lambda s: Verdict(s.dataset, s.content_hash, ()),
        lambda s: Verdict(s.dataset, "0" * 64, (PASSED,)),
        lambda s: Verdict("another", s.content_hash, (PASSED,)),
        lambda s: Verdict(s.dataset, "", (PASSED,)),
    ],
    ids=["refused", "unchecked", "other content", "other dataset", "nothing staged"],
)
def test_only_an_accepted_verdict_on_this_content_publishes(store, tmp_path, verdict):
    staged = a_staged(tmp_path)
    with pytest.raises(StoreError, match="the verdict does not accept this content; nothing was published"):
        store.publish(staged, verdict(staged))
    assert store.current("parkings") is None


@pytest.mark.parametrize("name", ["parkings.csv", "parkings.parquet", "datapackage.json"])
def test_bytes_changed_after_the_verdict_are_not_published(store, tmp_path, name):
    before = published(store, tmp_path)
    staged = a_staged(tmp_path, parkings(places=20))
    content = (staged.folder / name).read_bytes()
    (staged.folder / name).write_bytes(content[:-1] + b"?")
    with pytest.raises(StoreError) as caught:
        store.publish(staged, yes(staged))
    assert "the staged bytes have changed since the verdict; nothing was published, version 1 is still served" in str(
        caught.value
    )
    assert store.current("parkings") == before
    assert list((store.root / "datasets/parkings/versions/2").iterdir()) == []


def test_a_number_is_never_used_again(store, tmp_path):
    published(store, tmp_path)
    orphan = store.root / "datasets/parkings/versions/2"
    orphan.mkdir()
    (orphan / "parkings.csv").write_bytes(b"half")
    release = published(store, tmp_path, parkings(places=20))
    assert (release.version, release.previous) == (3, 1)
    assert [r.version for r in store.versions("parkings")] == [3, 1]
    assert (orphan / "parkings.csv").read_bytes() == b"half"


def test_a_verdict_against_an_older_release_counts_no_longer(store, tmp_path):
    judged_against = published(store, tmp_path / "a")
    late = a_staged(tmp_path / "b", parkings(places=20))
    published(store, tmp_path / "c", parkings(places=30))
    with pytest.raises(PublicationRace) as caught:
        store.publish(late, yes(late), over=judged_against)
    assert "someone published version 2 meanwhile; nothing was published by this run; run again" in str(caught.value)
    assert store.current("parkings").version == 2


def test_latest_and_changelog_are_mended_by_the_next_confirmation(store, tmp_path):
    published(store, tmp_path)
    second = published(store, tmp_path, parkings(places=20))
    home = store.root / "datasets/parkings"
    (home / "latest").unlink()
    (home / "latest").symlink_to("versions/1")
    (home / "changelog.jsonl").write_text((home / "changelog.jsonl").read_text().splitlines(keepends=True)[0])
    store.confirm(second)
    assert (home / "latest").readlink() == Path("versions/2")
    assert [line["version"] for line in lines(store)] == [1, 2]


def test_a_changelog_that_cannot_be_read_is_made_anew(store, tmp_path):
    published(store, tmp_path)
    (store.root / "datasets/parkings/changelog.jsonl").write_text("not JSON\n")
    published(store, tmp_path, parkings(places=20))
    assert [line["version"] for line in lines(store)] == [1, 2]


def damaged(store: Store, name: str, content: str | None) -> str:
    path: Path = store.root / "datasets/parkings" / name
    if content is None:
        path.unlink()
    else:
        path.chmod(0o644)
        path.write_text(content)
    with pytest.raises(StoreError) as caught:
        store.current("parkings")
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("current.json", "{", "current.json: it cannot be understood (the whole)"),
        ("current.json", '{"dataset": "parkings"}', "it cannot be understood (content_hash, previous, published_at)"),
        ("current.json", None, "current.json: the pointer is gone, although versions were published"),
        ("versions/1/release.json", None, "versions/1/release.json: the manifest is missing; restore it from a backup"),
        ("versions/1/release.json", "[]", "versions/1/release.json: it cannot be understood"),
        ("checked.json", "", "checked.json: it cannot be understood"),
    ],
)
def test_a_broken_store_is_an_error_with_its_remedy(store, tmp_path, name, content, said):
    store.confirm(published(store, tmp_path))
    assert said in damaged(store, name, content)


def test_a_manifest_that_the_pointer_does_not_mean_is_an_error(store, tmp_path):
    release = published(store, tmp_path)
    manifest = json.loads((release.folder / "release.json").read_text())
    said = damaged(store, "versions/1/release.json", json.dumps(manifest | {"content_hash": "0" * 64}))
    assert "current.json: it does not agree with the manifest of version 1" in said
    assert "it is the manifest of another version" in damaged(
        store, "versions/1/release.json", json.dumps(manifest | {"version": 7})
    )


def test_a_store_of_a_later_format_is_not_guessed_at(store, tmp_path):
    release = published(store, tmp_path)
    manifest = json.loads((release.folder / "release.json").read_text())
    said = damaged(store, "versions/1/release.json", json.dumps(manifest | {"format": 3}))
    assert "it is written in another format of the store; this odpipeline knows formats 1 to 2" in said


@pytest.mark.parametrize("identifier", ["../x", "A", "a/b", ".hidden", "", "con", "lpt1", "é", "e\u0301", "a" * 101])
def test_an_identifier_never_leaves_its_folder(store, identifier):
    with pytest.raises(StoreError, match="cannot be a folder of the store"):
        store.current(identifier)


def test_a_disk_that_is_read_only_changes_nothing_and_is_told(tmp_path):
    """A mount in a namespace of its own, which holds for root, too."""
    folder = write_town(tmp_path, "piscines")
    odp = [sys.executable, "-m", "odpipeline.cli", "run", "piscines", "--town", str(folder)]
    subprocess.run(odp, check=True, capture_output=True)
    before, public = published_bytes(folder), folder / ".odp/public"
    deliver(folder, "piscines", rows=21)
    mounted = f"mount --bind {public} {public} && mount -o remount,ro,bind {public}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mounted], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk for one process")
    ended = subprocess.run(["unshare", "-rm", "sh", "-c", f"{mounted} && exec {shlex.join(odp)}"],
                           capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})  # fmt: skip
    assert ended.returncode != 0
    assert "Read-only file system" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert published_bytes(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where nobody may: run as another user to see it refused")
def test_a_disk_that_may_not_be_written_changes_nothing(store, tmp_path):
    published(store, tmp_path / "a")
    home = store.root / "datasets/parkings/versions"
    home.chmod(0o555)
    try:
        staged = a_staged(tmp_path / "b", parkings(places=20))
        with pytest.raises(StoreError, match="it cannot be written"):
            store.publish(staged, yes(staged))
    finally:
        home.chmod(0o755)
    assert store.current("parkings").version == 1
