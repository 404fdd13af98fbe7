"""A bucket that keeps every version of its objects forgets as well: what an act takes away is in none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from typer.testing import CliRunner

from odpipeline import acts, flow
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import StoreError
from odpipeline.store import layout
from odpipeline.store.bucket import Bucket
from odpipeline.store.verifying import verify
from tests.s3_server import KEY, SECRET, S3Server
from tests.towns import write_town

Make = Callable[..., Bucket]


@pytest.fixture
def client(s3: S3Server) -> Iterator[Any]:
    made = botocore.session.get_session().create_client(
        "s3", endpoint_url=s3.endpoint, region_name="fr-test", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    s3.bucket("versions").put("here", b"the first object makes the bucket")
    made.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    yield made
    made.close()


def holding(client: Any, prefix: str, word: bytes) -> list[str]:
    """The keys below `prefix` of which any version, also an old one, holds `word`."""
    found = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket="versions", Prefix=prefix):
        for one in page.get("Versions", ()):
            said = client.get_object(Bucket="versions", Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
            if word in said:
                found.append(one["Key"])
    return found


class Ville:
    def __init__(self, root: Path, s3: S3Server, prefix: str) -> None:
        self.root = write_town(root, "piscines")
        said = (
            f"store: {{bucket: versions, endpoint: '{s3.endpoint}', prefix: {prefix}, internal: true, "
            "access_key: {id: ODP_S3_ID, secret: ODP_S3_SECRET}}\n"
        )
        town_file = self.root / "town.yaml"
        town_file.write_text(town_file.read_text() + said)
        self.town = read_town(self.root)
        self.zones, self.dataset = flow.Zones.of(self.town), self.town.dataset("piscines")

    def run(self, names: list[str]) -> Any:
        lines = ["jour,piscine,entrees", *(f"2026-10-{1 + n:02},{name},{100 + n}" for n, name in enumerate(names))]
        (self.root / "depot" / "piscines.csv").write_text("\n".join(lines) + "\n")
        *_, last = flow.publication(self.dataset, self.town, self.zones)
        return last


NAMES = [f"Bassin {n}" for n in range(20)]


@pytest.fixture
def ville(client: Any, s3: S3Server, bucket: Make, tmp_path: Path) -> Ville:
    return Ville(tmp_path, s3, bucket()._said.prefix)


def test_erased_rows_are_in_no_old_version_of_an_object(ville: Ville, client: Any) -> None:
    assert ville.run([*NAMES, "Secretum"]).version == 1
    assert ville.run([*NAMES, "Secretum", "Autre"]).version == 2
    prefix = f"{ville.town.store.prefix}/"
    assert holding(client, prefix, b"Secretum")
    planned = acts.Erasure.planned(ville.dataset, ville.zones, {"piscine": "Secretum"})
    planned.done(ville.town, ville.zones, ville.town.contact, "demande")
    assert holding(client, prefix, b"Secretum") == []


class _Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [1, 3, 8])
def test_an_erasure_that_was_cut_short_is_finished(
    ville: Ville, client: Any, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    for names in ([*NAMES, "Secretum"], [*NAMES, "Secretum", "Autre"], NAMES):
        ville.run(names)
    said = ville.town, ville.zones, ville.town.contact, "demande"
    backend, done = ville.zones.store.backend, 0
    put = Bucket.put

    def until(bucket: Bucket, key: str, content: Any) -> None:
        nonlocal done
        if done == after:
            raise _Killed
        done += 1
        put(bucket, key, content)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put", until)
        with pytest.raises(_Killed):
            acts.Erasure.planned(ville.dataset, ville.zones, {"piscine": "Secretum"}).done(*said)
    acts.Erasure.planned(ville.dataset, ville.zones, {"piscine": "Secretum"}).done(*said)
    assert holding(client, f"{ville.town.store.prefix}/", b"Secretum") == []
    assert verify(backend, "piscines", listed=backend).flaws == []


def test_a_version_that_is_withdrawn_is_in_no_old_copy_of_latest(ville: Ville, client: Any) -> None:
    assert ville.run([*NAMES, "Secretum"]).version == 1
    assert ville.run(NAMES).version == 2
    prefix = f"{ville.town.store.prefix}/"
    planned = acts.Withdrawal.planned("piscines", ville.zones, 1, captures=False)
    proof = planned.done(ville.town, ville.zones, ville.town.contact, "arrêté", None, captures=False)
    assert proof["still_there"] == []
    assert holding(client, prefix, b"Secretum") == []


def test_a_withdrawal_without_the_right_to_old_versions_is_done_whole_once_it_has_it(
    ville: Ville, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ville.run([*NAMES, "Secretum"]).version == 1
    prefix = f"{ville.town.store.prefix}/"

    def refused(_bucket: Bucket, key: str, *_: Any) -> None:
        raise StoreError("no right", where=key)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "_purge_versions", refused)
        for _ in range(60):
            try:
                ville.zones.store.withdraw(
                    ville.zones.store.tombstone("piscines")
                    or acts.Withdrawal.planned("piscines", ville.zones, None, captures=False)._tombstone("arrêté", None)
                )
                break
            except StoreError:
                continue
    planned = acts.Withdrawal.planned("piscines", ville.zones, None, captures=False)
    planned.done(ville.town, ville.zones, ville.town.contact, "arrêté", None, captures=False)
    assert holding(client, prefix, b"Secretum") == []


def test_old_versions_that_a_proof_did_not_know_of_go_when_it_is_repeated(
    ville: Ville, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ville.run([*NAMES, "Secretum"]).version == 1
    prefix = f"{ville.town.store.prefix}/"

    def withdrawn() -> Any:
        planned = acts.Withdrawal.planned("piscines", ville.zones, None, captures=False)
        return planned.done(ville.town, ville.zones, ville.town.contact, "arrêté", None, captures=False)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "_purge_versions", lambda *_: None)  # as of a package that knew of none
        proof = withdrawn()
    assert proof["still_there"] == []
    assert holding(client, prefix, b"Secretum")
    assert withdrawn() == proof
    backend = ville.zones.store.backend
    assert verify(backend, "piscines", listed=backend).flaws == []
    assert holding(client, prefix, b"Secretum") == []


@pytest.mark.parametrize("act", ["erasure", "withdrawal"])
def test_what_the_pages_were_before_an_act_is_forgotten(ville: Ville, client: Any, act: str) -> None:
    ville.run([*NAMES, "Secretum"])
    ville.run(NAMES)
    acts.rebuild(ville.town, ville.zones, forget=False)
    prefix = f"{ville.town.store.prefix}/"
    who = ville.town.contact
    cli = [*(["erase", "piscines", "--where", "piscine=Secretum"] if act == "erasure" else ["withdraw", "piscines"]),
           "--as", who, "--because", "demande", "--town", str(ville.root), "--yes"]  # fmt: skip
    done = CliRunner().invoke(app, cli)
    assert done.exit_code == 0, done.output
    listed = client.list_object_versions(Bucket="versions", Prefix=prefix)
    assert "NextKeyMarker" not in listed or not listed["IsTruncated"]
    former = [one["Key"].removeprefix(prefix) for one in listed["Versions"] if not one["IsLatest"]]
    assert [key for key in former if key.split("/")[0] in layout.REBUILT] == []


def test_a_second_withdrawal_that_was_cut_short_has_a_proof_of_its_own(
    ville: Ville, monkeypatch: pytest.MonkeyPatch
) -> None:
    def withdrawn(because: str) -> Any:
        planned = acts.Withdrawal.planned("piscines", ville.zones, None, captures=False)
        return planned.done(ville.town, ville.zones, ville.town.contact, because, None, captures=False)

    ville.run(NAMES)
    assert withdrawn("premier")["reason"] == "premier"
    acts.Readmission.planned("piscines", ville.zones).done(ville.town, ville.zones, ville.town.contact, "retour")
    ville.run([*NAMES, "Autre"])
    with monkeypatch.context() as patched:
        patched.setattr("odpipeline.store.withdrawing._log", lambda *_: (_ for _ in ()).throw(StoreError("killed")))
        with pytest.raises(StoreError):
            withdrawn("second")
    assert withdrawn("encore")["reason"] == "second"


@pytest.mark.parametrize("act", ["erasure", "withdrawal"])
def test_latest_shows_no_more_than_its_version_what_an_act_took_away(ville: Ville, act: str) -> None:
    ville.run([*NAMES, "Secretum"])
    ville.run(NAMES)  # its list of changes shows the row that is gone
    said = ville.town, ville.zones, ville.town.contact, "demande"
    if act == "erasure":
        acts.Erasure.planned(ville.dataset, ville.zones, {"piscine": "Secretum"}).done(*said)
    else:
        acts.Withdrawal.planned("piscines", ville.zones, 1, captures=False).done(*said, None, captures=False)
    backend = ville.zones.store.backend
    latest, current = (f"datasets/piscines/{one}" for one in ("latest", "versions/2"))
    assert set(backend.names(latest)) - {"alias.json"} == set(backend.names(current))
    for name in backend.names(current):
        assert backend.read(f"{latest}/{name}") == backend.read(f"{current}/{name}")
        assert b"Secretum" not in (backend.read(f"{latest}/{name}") or b"")
