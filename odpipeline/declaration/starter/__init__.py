"""What `odp init` writes: a town's folder that runs as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from odpipeline.errors import OdpError

_FILES = Path(__file__).with_name("files")


def write(folder: Path) -> Iterator[str]:
    """Write the starter town into `folder` and give the path of each file, relative to it.

    Raises: OdpError when the folder holds something already; nothing is ever overwritten.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OdpError(f"{folder} is not empty", mend="give the name of a folder that does not exist yet")
    for source in sorted(path for path in _FILES.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        relative = source.relative_to(_FILES)
        target = folder / relative.with_name(relative.name.replace("dot_", "."))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        yield str(target.relative_to(folder))
