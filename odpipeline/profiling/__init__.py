"""A source → a complete draft of its declaration and suite; kept captures → what its suite may ask, or would refuse."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from odpipeline import flow, sources
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import System, Town
from odpipeline.declaration.words import FromEnvironment
from odpipeline.errors import OdpError
from odpipeline.profiling.looking import Profile, profile
from odpipeline.profiling.proposing import Advice, Proposal, proposed, with_own
from odpipeline.profiling.trying import Tried, tried
from odpipeline.profiling.what_if import WhatIf, what_if
from odpipeline.profiling.writing import write

__all__ = [
    "Advice", "Profile", "Proposal", "Tried", "WhatIf", "draft", "profile", "proposed", "tried", "what_if",
    "with_own", "write",
]  # fmt: skip

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def draft(town: Town, origin: str, identifier: str, theme: str, query: str | None = None) -> list[Path]:
    """Fetch what `origin` gives once, look at it, and write the draft of the dataset `identifier`; the files written.

    `origin` is an address, a file below the town, or `env:NAME` of a database's address, which then takes a `query`.
    What was fetched stays in the private zone for as long as it is looked at.
    Raises: OdpError, also when the names are none or the dataset is there already.
    """
    for name in (identifier, theme):
        if not _NAME.fullmatch(name):
            raise OdpError(f"{name!r} is no name of a dataset or a theme", mend="write it in a-z, 0-9, - and _")
    source, system = _source(town, origin, query)
    duck = flow.Zones.of(town).duck
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=town.private_path / "work"))
    try:
        fetched = sources.fetch(_provisional(identifier, source), system, town.root, folder)
        return write(town.root, identifier, theme, source, profile(fetched.path, source, folder, duck))
    finally:
        shutil.rmtree(folder)


def _source(town: Town, origin: str, query: str | None) -> tuple[dict[str, Any], System | None]:
    """The keys of `source`, and the system that they name."""
    if origin.startswith("env:"):
        variable = origin.removeprefix("env:")
        known = {name: s for name, s in town.systems.items() if s.url == FromEnvironment(env=variable)}
        if query is None:
            raise OdpError("a database takes a query", mend='add --sql "SELECT …"')
        if not known:
            raise OdpError(
                f"no system of town.yaml has the address in {variable}",
                where="town.yaml",
                mend=f"add one: systems: {{base: {{title: …, url: {{env: {variable}}}}}}}",
            )
        [name, *_] = known
        return {"sql": query, "system": name}, known[name]
    if origin.startswith(("http://", "https://")):
        return {"http": origin}, None
    file = (town.root / origin).resolve()
    if not file.is_file() or not file.is_relative_to(town.root):
        raise OdpError(
            "there is no such file in the town", where=origin, mend="put it below the town's folder, such as in depot/"
        )
    return {"folder": file.relative_to(town.root).as_posix()}, None


def _provisional(identifier: str, source: dict[str, Any]) -> Dataset:
    dataset = Dataset.model_validate(
        {"title": "?", "description": "?", "owner": "a@b.example", "source": source, "fields": [{"name": "?"}],
         "personal_data": "present"}
    )  # fmt: skip
    dataset._id = identifier
    return dataset
