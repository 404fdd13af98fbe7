"""What is not as it was published is named: a flipped bit, a lost file, a forged line, a foreign signature."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from odpipeline.errors import OdpError, SecretMissing, StoreError
from odpipeline.store import Signer, Store, releases, retention, signing
from odpipeline.store.verifying import Verified, verify
from tests.store.making import a_staged, parkings, published, yes

HOME = "datasets/parkings"


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    store = Store(tmp_path / "public", signer=Signer("ODP_SIGNATURE"))
    for n in (1, 2, 3):
        published(store, tmp_path / f"{n}", parkings(places=n))
    return store


def looked_at(store: Store) -> Verified:
    return verify(store.backend, "parkings", listed=store.backend)


def flaws(store: Store) -> dict[str, str]:
    found = looked_at(store)
    return {flaw.where.removeprefix(f"{HOME}/"): flaw.what for flaw in found.flaws}


def test_a_sound_store_is_read_whole(signed: Store) -> None:
    found = looked_at(signed)
    assert (found.versions, found.signed, found.flaws) == (3, 3, [])
    assert found.size_bytes == sum(file.size_bytes for one in signed.versions("parkings") for file in one.files)
    assert verify(signed.backend, "parkings", listed=signed.backend, sample=1).versions == 2


def overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = change(path.read_bytes())
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "change", "where", "what"),
    [
        ("versions/2/parkings.csv", lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], "versions/2/parkings.csv",
         "its bytes are not those that were published"),
        ("versions/1/parkings.parquet", lambda b: b[:-1], "versions/1/parkings.parquet", "bytes, and"),
        ("versions/3/parkings.parquet", lambda b: b + b"x", "versions/3/parkings.parquet", "is larger than"),
        ("versions/3/release.json", lambda b: b.replace(b'"rows": 3', b'"rows": 4'), "versions/3/release.json.sig",
         "it is no signature of a key of this store over the manifest"),
        ("versions/2/release.json", lambda b: b[:50], "versions/2/release.json", "it cannot be understood"),
        ("versions/3/release.json.sig", lambda b: b.replace(b"Ed25519", b"RS256"), "versions/3/release.json.sig",
         "it is no signature"),
        ("changelog.jsonl", lambda b: b.replace(b'"rows":3', b'"rows":9', 1), "changelog.jsonl",
         "line 1 does not follow from the lines before it"),
        ("changelog.jsonl", lambda b: b.split(b"\n", 1)[1], "changelog.jsonl", "line 1 does not follow"),
        ("changelog.jsonl", lambda b: b[: b.rindex(b"{")], "changelog.jsonl", "version 3 is not in it"),
        ("current.json", lambda b: b.replace(b'"version": 3', b'"version": 2'), "current.json", "does not agree"),
    ],
)  # fmt: skip
def test_whatever_was_changed_is_named(
    signed: Store, file: str, change: Callable[[bytes], bytes], where: str, what: str
) -> None:
    overwrite(signed.root / HOME / file, change)
    found = flaws(signed)
    assert what in found[where], found


def test_a_content_hash_that_is_not_that_of_the_rows_is_named(store: Store, tmp_path: Path) -> None:
    published(store, tmp_path)
    overwrite(store.root / HOME / "versions/1/release.json", lambda b: b.replace(b"Places libres", b"Places prises"))
    assert flaws(store)["versions/1/release.json"] == "its content hash is not that of its rows and description"


@pytest.mark.parametrize("lost", ["current.json", "versions/3/release.json", "versions/1/parkings.csv"])
def test_whatever_was_deleted_is_named_and_nothing_is_published_over_a_lost_pointer(
    signed: Store, tmp_path: Path, lost: str
) -> None:
    (signed.root / HOME / lost).unlink()
    assert not looked_at(signed).sound
    if lost != "versions/1/parkings.csv":
        staged = a_staged(tmp_path / "new", parkings(places=9))
        with pytest.raises(StoreError, match=r"gone|missing"):
            signed.publish(staged, yes(staged))


def test_a_pointer_that_was_set_back_is_not_sound_and_what_it_left_is_no_orphan(signed: Store) -> None:
    second = signed.version("parkings", 2)
    pointer = releases.Pointer("parkings", 2, second.content_hash, second.published_at, second.previous)
    (signed.root / HOME / "current.json").write_bytes(releases.as_json(pointer))
    found = flaws(signed)
    assert found["current.json"] == "it names version 2, and version 3 was public after it"
    assert "versions/3" not in found
    assert not looked_at(signed).sound
    assert retention.orphans(signed.backend, "parkings") == []


def test_files_that_nobody_vouches_for_and_orphans_are_named(signed: Store) -> None:
    (signed.root / HOME / "versions/2/intrus.csv").write_text("a")
    shutil.copytree(signed.root / HOME / "versions/1", signed.root / HOME / "versions/4")
    (signed.root / HOME / "versions/4/release.json").unlink()
    found = flaws(signed)
    assert found["versions/2/intrus.csv"] == "the manifest does not name this file"
    assert found["versions/4"].startswith("it was never public")


def test_a_copy_that_was_cut_half_way_is_not_sound(signed: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    files = sorted(path for path in signed.root.rglob("*") if path.is_file() and not path.is_symlink())
    for file in files[: len(files) // 2]:
        target = copy / file.relative_to(signed.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (copy / HOME).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(signed.root / HOME / "current.json", copy / HOME / "current.json")
    store = Store(copy)
    assert not verify(store.backend, "parkings", listed=store.backend).sound


def test_changelog_and_latest_are_made_again_from_the_manifests(signed: Store) -> None:
    (signed.root / HOME / "changelog.jsonl").write_text("{broken")
    (signed.root / HOME / "latest").unlink()
    assert set(flaws(signed)) == {"changelog.jsonl", "latest"}
    signed.remade("parkings")
    assert looked_at(signed).flaws == []


def test_an_old_key_still_vouches_for_what_it_signed(
    signed: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    again = Store(signed.root, signer=Signer("ODP_SIGNATURE"))
    published(again, tmp_path / "4", parkings(places=4))
    found = looked_at(again)
    assert (found.signed, found.flaws) == (4, [])
    assert len(list((signed.root / "keys").iterdir())) == 2
    newest = signing.public_key((signed.root / f"keys/{Signer('ODP_SIGNATURE').key}.pem").read_bytes())
    pinned = verify(again.backend, "parkings", listed=again.backend, trusted=[newest])
    assert (pinned.signed, len(pinned.flaws)) == (1, 3)
    both = [signing.public_key(file.read_bytes()) for file in (signed.root / "keys").iterdir()]
    assert verify(again.backend, "parkings", listed=again.backend, trusted=both).flaws == []


def test_whoever_takes_signatures_or_chains_away_is_seen(signed: Store) -> None:
    [key] = [signing.public_key(file.read_bytes()) for file in (signed.root / "keys").iterdir()]
    log = signed.root / HOME / "changelog.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    plain = [{name: one[name] for name in one if name not in ("chain", "manifest_sha256")} for one in lines]
    log.write_text("".join(json.dumps(line) + "\n" for line in plain))
    assert flaws(signed)["changelog.jsonl"] == "the line of version 1 has lost its chain"
    (signed.root / HOME / "versions/2/release.json.sig").unlink()
    pinned = verify(signed.backend, "parkings", listed=signed.backend, trusted=[key])
    assert "the version is not signed" in {flaw.what for flaw in pinned.flaws}


@pytest.mark.parametrize("key", ["", "pas une clé", base64.b64encode(b"trop courte").decode()])
def test_without_a_usable_key_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("ODP_SIGNATURE", key)
    store = Store(tmp_path / "public", signer=Signer("ODP_SIGNATURE"))
    staged = a_staged(tmp_path)
    with pytest.raises(OdpError, match="ODP_SIGNATURE") as refused:
        store.publish(staged, yes(staged))
    assert isinstance(refused.value, SecretMissing) == (key == "")
    assert store.current("parkings") is None


def test_a_signature_is_of_exactly_these_bytes_and_this_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    signer = Signer("ODP_SIGNATURE")
    document, key = signer.sign(b"manifest"), signing.public_key(signer.public)
    assert signing.holds(document, b"manifest", key)
    assert not signing.holds(document, b"manifesf", key)
    assert not signing.holds(document, b"manifest", Ed25519PrivateKey.generate().public_key())
    assert not signing.holds(b"{}", b"manifest", key)
    assert json.loads(document)["key"] == signing.name(key)


def test_stores_from_before_there_were_chains_stay_sound(store: Store, tmp_path: Path) -> None:
    published(store, tmp_path / "1")
    log = store.root / HOME / "changelog.jsonl"
    line = {key: value for key, value in json.loads(log.read_text()).items() if key not in ("chain", "manifest_sha256")}
    log.write_text(json.dumps(line) + "\n")
    manifest = store.root / HOME / "versions/1/release.json"
    old = {key: value for key, value in json.loads(manifest.read_text()).items() if key not in ("undone", "erasures")}
    overwrite(manifest, lambda _: json.dumps(old).encode())
    published(store, tmp_path / "2", parkings(places=2))
    assert looked_at(store).flaws == []
