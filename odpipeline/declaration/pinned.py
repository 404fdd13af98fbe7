"""Table Schemas by name, such as `scdl/subventions@2.1`: a file of the town, pinned by its SHA-256.

::

    schemas/
      scdl/subventions@2.1.json     the schema as its authors publish it
      pinned.json                   {"scdl/subventions@2.1": {"sha256": …, "origin": …, "taken_on": …}}

A check needs no network, and what a national schema becomes next year changes nothing until a person takes it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

from odpipeline.declaration import table_schema
from odpipeline.declaration.table_schema import TableSchema
from odpipeline.errors import Fault, OdpError

NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)+[A-Za-z0-9][\w.-]*@[0-9][\w.-]*")
"""A schema's name: owner, name, version."""

_PINNED = "schemas/pinned.json"


def load(root: Path, name: str) -> TableSchema | Fault:
    """The schema called `name` of the town at `root`. Returns a fault, never raises, when it is not what was pinned."""
    file = f"schemas/{name}.json"
    pin = _pins(root).get(name)
    if pin is None or not (root / file).is_file():
        return Fault(
            "", 0, f"the schema {name!r} was never taken; take it with: odp take-schema {name} <address or file>"
        )
    if hashlib.sha256((root / file).read_bytes()).hexdigest() != pin.get("sha256"):
        return Fault(
            file, 0, f"it is no longer what was taken from {pin.get('origin')}; take it again, or undo the change"
        )
    return table_schema.load(root, file)


def take(root: Path, name: str, content: bytes, origin: str) -> Path:
    """Keep `content` as the schema called `name` and pin it; the file.

    Raises: OdpError when the name is none, or the content is no Table Schema: nothing is kept then.
    """
    if not NAME.fullmatch(name):
        raise OdpError(f"{name!r} is no schema's name", mend="write owner/name@version, such as scdl/subventions@2.1")
    target = root / f"schemas/{name}.json"
    aside = target.with_suffix(".taking")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.write_bytes(content)
    found = table_schema.load(root, aside.relative_to(root).as_posix())
    if isinstance(found, Fault):
        aside.unlink()
        raise OdpError(found.what, where=origin, mend="give the address of the schema's JSON itself")
    aside.replace(target)
    pins = _pins(root)
    pins[name] = {"sha256": hashlib.sha256(content).hexdigest(), "origin": origin, "taken_on": f"{date.today()}"}  # noqa: DTZ011
    (root / _PINNED).write_text(json.dumps(pins, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return target


def _pins(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / _PINNED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
