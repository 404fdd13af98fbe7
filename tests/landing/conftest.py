"""One dataset, its captures in clear or sealed, and deliveries of a few bytes."""

import pytest

from odpipeline.declaration import read_town
from odpipeline.landing import Landing, Seal, sealing
from odpipeline.sources import Delivery
from tests.towns import write_town


@pytest.fixture
def dataset(tmp_path):
    return read_town(write_town(tmp_path / "town", "piscines")).datasets[0]


@pytest.fixture
def landing(tmp_path):
    return Landing(tmp_path / "private")


@pytest.fixture
def seal(monkeypatch):
    monkeypatch.setenv("ODP_PRIVATE_KEY", sealing.new_key())
    return Seal("ODP_PRIVATE_KEY")


@pytest.fixture
def sealed(tmp_path, seal):
    """The same captures as `landing`, with a key."""
    return Landing(tmp_path / "private", seal)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "private" / "captures" / "piscines"


@pytest.fixture
def deliver(tmp_path):
    """A delivery with these bytes, as a source makes it."""

    def make(content, name="releves.csv", **more):
        path = tmp_path / "delivery"
        path.write_bytes(content)
        return Delivery(path, name, **more)

    return make
