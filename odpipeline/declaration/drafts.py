"""From files to drafts: what a dataset says, with the town's defaults and its schema file merged in, and where.

A draft is plain data with the file and line of every key; `reading` turns it into a `Dataset`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odpipeline.declaration import pinned, table_schema
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.positions import Parsed, Place, parse
from odpipeline.declaration.table_schema import TableSchema
from odpipeline.declaration.wording import fields, unknown, worded
from odpipeline.declaration.words import DATASET_PATTERN
from odpipeline.errors import Fault

TOWN_FILE = "town.yaml"
ASSETS = "assets"

DEFAULTABLE = (
    "owner", "themes", "keywords", "licence", "format", "missing_values", "legal_basis", "quality", "schedule",
    "freshness", "shrink", "retention", "max_captures", "notice",
)  # fmt: skip
"""The keys that `defaults` of town.yaml may hold; the others each dataset says itself."""

_PLAIN: dict[str, Any] = {
    "title": "t", "description": "d", "owner": "o@ville.example", "source": {"http": "/"}, "fields": [{"name": "f"}],
    "personal_data": "none",
}  # fmt: skip
"""A dataset without a fault, on which `defaults` are tried."""
_NAME = re.compile(DATASET_PATTERN)
_DEFAULTS: Place = ("defaults",)


@dataclass
class Draft:
    """One dataset on its way from text to object. `file` is relative to the town, with `/`."""

    file: str
    data: dict[str, Any]
    lines: dict[Place, int]
    borrowed: dict[Place, int] = field(default_factory=dict)
    """Places whose value comes from `defaults`, with their line in town.yaml."""
    schema: TableSchema | None = None
    complete: bool = True
    """False when its fields cannot be read: what is said about columns cannot be checked then."""

    @property
    def id(self) -> str:
        """The dataset's identifier: the name of the file."""
        return Path(self.file).stem

    def where(self, place: Place) -> tuple[str, int]:
        """The file and the line where `place`, or its nearest parent, is said."""
        if self.schema and place and place[0] in self.schema.data:
            return self.schema.file, self.schema.line(place)
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return self.file, self.lines[place[:end]]
            if place[:end] in self.borrowed:
                return TOWN_FILE, self.borrowed[place[:end]]
        return self.file, 0

    def origins(self) -> dict[str, str]:
        """Dotted key → file and line, for every key that is said somewhere; lists are one value."""
        own = [(place, f"{self.file}:{line}") for place, line in self.lines.items()]
        defaults = [(place, f"{TOWN_FILE}:{line}") for place, line in self.borrowed.items()]
        words = [(place, origin) for place, origin in own + defaults if place and _all_keys(place)]
        found = {".".join(map(str, place)): origin for place, origin in words}
        return found | (dict.fromkeys(self.schema.data, self.schema.file) if self.schema else {})


def _all_keys(place: Place) -> bool:
    return all(isinstance(part, str) for part in place)


def parsed(root: Path, file: str, faults: list[Fault]) -> Parsed:
    """The YAML at `file` below `root`; what is wrong with its text is appended to `faults`."""
    try:
        found = parse((root / file).read_bytes())
    except OSError as error:
        found = Parsed(None, {}, ((0, f"the file cannot be read ({error.strerror}); mend its permissions"),))
    faults.extend(Fault(file, line, what) for line, what in found.faults)
    return found


def drafts(root: Path, town: Parsed, faults: list[Fault]) -> Iterator[Draft]:
    """Every dataset below `assets/` whose text can be read, in the order of files; faults are appended."""
    schemas: dict[str, TableSchema | Fault] = {}
    for file in _files(root, faults):
        text = parsed(root, file, faults)
        if text.data is None:
            continue
        draft = Draft(file, text.data, text.lines)
        _merge_defaults(draft, town)
        _merge_schema(draft, root, schemas, faults)
        yield draft


def default_faults(defaults: Any) -> Iterator[tuple[Place, str]]:
    """(place in town.yaml, what) for each key of `defaults` that cannot be one, and each value that cannot be."""
    if not isinstance(defaults, Mapping):
        return
    for key in defaults:
        if key in DEFAULTABLE:
            continue
        if key in fields(Dataset):
            yield (*_DEFAULTS, key), f"{key!r} can have no default; say it in each dataset and remove it here"
        else:
            yield (*_DEFAULTS, key), unknown("key", key, DEFAULTABLE, inside="defaults")
    said = _PLAIN | {key: value for key, value in defaults.items() if key in DEFAULTABLE}
    try:
        Dataset.model_validate(said, by_alias=True, by_name=False)
    except ValidationError as error:
        for place, what in worded(error, Dataset, said, "dataset"):
            yield (*_DEFAULTS, *place), what


def _files(root: Path, faults: list[Fault]) -> list[str]:
    """The declarations, relative to the town; what cannot be one is a fault, for it would be left out in silence."""
    found: list[str] = []
    for path in sorted((root / ASSETS).rglob("*")):
        file = path.relative_to(root).as_posix()
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        if path.suffix in (".yml", ".YAML", ".YML"):
            faults.append(Fault(file, 0, "a declaration's name ends in .yaml; rename the file"))
        elif path.suffix == ".yaml":
            found.append(file)
            faults.extend(_name_faults(file))
    return found


def _name_faults(file: str) -> Iterator[Fault]:
    *folders, name = file.removeprefix(f"{ASSETS}/").removesuffix(".yaml").split("/")
    if not _NAME.fullmatch(name):
        remedy = "rename it to a-z, 0-9, - and _ only, up to 100 of them, and to no device of Windows (con, nul…)"
        yield Fault(file, 0, f"the dataset's id {name[:110]!r} is the file's name; {remedy}")
    if not folders:
        yield Fault(file, 0, f"the file has no theme; move it into a folder such as {ASSETS}/mobilite/")
    for folder in folders:
        if not _NAME.fullmatch(folder):
            yield Fault(file, 0, f"the folder {folder!r} is a theme; rename it to a-z, 0-9, - and _ only")


def _merge_defaults(draft: Draft, town: Parsed) -> None:
    defaults = town.data.get("defaults") if town.data else None
    if isinstance(defaults, dict):
        _merge(draft, draft.data, {key: defaults[key] for key in DEFAULTABLE if key in defaults}, (), town.lines)


def _merge(
    draft: Draft, own: dict[str, Any], defaults: dict[str, Any], place: Place, town_lines: Mapping[Place, int]
) -> None:
    """Fill into `own` what it does not say; keys and values are merged key by key, lists never."""
    for key, value in defaults.items():
        here = (*place, key)
        if key not in own:
            own[key] = _copied(value)
            start = (*_DEFAULTS, *here)
            draft.borrowed.update({said[1:]: line for said, line in town_lines.items() if said[: len(start)] == start})
        elif isinstance(own[key], dict) and isinstance(value, dict):
            _merge(draft, own[key], value, here, town_lines)


def _copied(value: Any) -> Any:
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _merge_schema(draft: Draft, root: Path, schemas: dict[str, TableSchema | Fault], faults: list[Fault]) -> None:
    named = draft.data.get("schema")
    if not isinstance(named, str):
        draft.complete = "fields" in draft.data
        return
    line = draft.lines[("schema",)]
    if "fields" in draft.data:
        faults.append(Fault(draft.file, line, "`schema` and `fields` say the same thing; keep one of them"))
        return
    if named not in schemas:
        schemas[named] = _schema(root, named)
    schema = schemas[named]
    if isinstance(schema, Fault):
        faults.append(schema if schema.file else Fault(draft.file, line, schema.what))
        draft.data["fields"], draft.complete = [{"name": "unread"}], False
        return
    said = {key: value for key, value in schema.data.items() if key == "fields" or key not in draft.data}
    draft.data.update(said)
    draft.schema = TableSchema(schema.file, said, schema.content)
    draft.lines.update({(key,): line for key in said})


def _schema(root: Path, named: str) -> TableSchema | Fault:
    """The schema file, its fault, or a fault without a file when there is none: that is the declaration's."""
    if pinned.NAME.fullmatch(named):
        return pinned.load(root, named)
    if not inside(root, named) or not (root / named).is_file():
        remedy = "give its path relative to town.yaml, or its name, such as scdl/subventions@2.1"
        return Fault("", 0, f"there is no Table Schema file {named!r} in the town; {remedy}")
    return table_schema.load(root, named)


def inside(root: Path, relative: str) -> bool:
    """True when `relative` stays in the town: not absolute, no way out by `..` or a link."""
    return not Path(relative).is_absolute() and (root / relative).resolve().is_relative_to(root)
