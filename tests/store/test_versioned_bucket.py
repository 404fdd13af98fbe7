"""A bucket that keeps every version of its objects forgets as well: what an act takes away is in none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from odpipeline import acts, flow
from odpipeline.declaration import read_town
from odpipeline.store.bucket import Bucket
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
