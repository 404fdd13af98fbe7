import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from odpipeline.declaration.bucket import BucketStore
from odpipeline.store import Store
from odpipeline.store.bucket import Bucket
from tests.s3_server import KEY, SECRET, S3Server, s3_server

_NUMBERS = itertools.count(1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "public")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server, one for all tests of a worker."""
    with s3_server() as server:
        server.bucket("opendata").put("here", b"the first object makes the bucket")
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bucket]:
    """Makes backends in a folder of their own in the bucket; `bucket(endpoint=…)` goes another way."""
    monkeypatch.setenv("ODP_S3_ID", KEY)
    monkeypatch.setenv("ODP_S3_SECRET", SECRET)
    prefix = f"essai-{next(_NUMBERS)}"

    def make(**changes: object) -> Bucket:
        said = {"bucket": "opendata", "endpoint": s3.endpoint, "region": "fr-test", "prefix": prefix, "internal": True,
                "access_key": {"id": "ODP_S3_ID", "secret": "ODP_S3_SECRET"}}  # fmt: skip
        return Bucket(BucketStore.model_validate(said | changes))

    return make
