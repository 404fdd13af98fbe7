"""Whatever is dropped: the bundle holds all of it, in the order of the names, and none of the names."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.source import FolderSource
from odpipeline.errors import SourceError
from odpipeline.sources import drops
from odpipeline.sources.delivery import Order
from odpipeline.sources.drops import Dropped

DATASET = Dataset.model_validate(
    {"title": "Relevés", "description": "Relevés.", "owner": "energie@ville.example", "source": {"folder": "*.csv"},
     "fields": [{"name": "kwh"}], "personal_data": "none"}
)  # fmt: skip


class Memory:
    """A drop of which each file is its name's bytes and content."""

    asked = "x"

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def look(self) -> list[Dropped]:
        return [Dropped(name, len(content), 0) for name, content in self._files.items()]

    def read(self, file: Dropped) -> Iterator[bytes]:
        content = self._files[file.path]
        yield from (content[:1], content[1:])


def ordered(folder: Path) -> Order:
    return Order(None, DATASET, folder, folder, None, lambda: None, "assets/energie/releves.yaml:4")


@given(st.dictionaries(st.text(min_size=1).map(lambda name: f"Dupont-{name}"), st.binary(min_size=1), min_size=1))
@settings(max_examples=50, deadline=None)
def test_the_bundle_holds_everything_in_order_and_no_name(files):
    source = FolderSource(folder="*", take="all")
    with tempfile.TemporaryDirectory() as folder:
        first, second = (
            drops.deliver(
                Memory(given), source, ordered(Path(folder)), pattern="*", settled_seconds=0
            ).path.read_bytes()
            for given in (files, dict(reversed(files.items())))
        )
        assert first == second
        assert b"Dupont" not in first
        with zipfile.ZipFile(Path(folder) / "delivery") as bundle:
            assert [bundle.read(name) for name in bundle.namelist()] == [files[name] for name in sorted(files)]
            assert bundle.namelist() == sorted(bundle.namelist())
            assert all(member.compress_type == zipfile.ZIP_STORED for member in bundle.infolist())


@given(st.lists(st.sampled_from(["..", ".", "a", "*", "", "**", "…", "\\", "\0"])).map("/".join))
def test_no_pattern_climbs_out(pattern):
    if ".." in pattern.split("/") or pattern.startswith("/") or "\\" in pattern or "\0" in pattern:
        with pytest.raises(SourceError, match="the pattern leads out of the drop folder"):
            drops.parts(pattern, ordered(Path()))
    elif pattern.replace("/", "").replace(".", ""):
        assert not {"", "..", "/"} & set(drops.parts(pattern, ordered(Path())))


def test_more_files_than_their_names_can_count():
    files = {f"{number}.csv": b"x" for number in range(drops.MOST_FILES + 1)}
    source = FolderSource(folder="*", take="all")
    with tempfile.TemporaryDirectory() as folder, pytest.raises(SourceError, match="there are more than 9,999 files"):
        drops.deliver(Memory(files), source, ordered(Path(folder)), pattern="*", settled_seconds=0)
