"""Reads a town: `town.yaml` and every declaration below `assets/`, with all faults at once.

No network, no secret: what needs one is checked when it runs. 300 datasets take about half a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odpipeline import __version__
from odpipeline.declaration import alerts, checking, foreign_keys, secret_rules
from odpipeline.declaration.builtin_hierarchies import BUILTIN
from odpipeline.declaration.checking import Bench
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.drafts import ASSETS, TOWN_FILE, Draft, default_faults, drafts, parsed
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.patterns import Patterns
from odpipeline.declaration.positions import Parsed, Place
from odpipeline.declaration.source import PythonSource
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.town import Town
from odpipeline.declaration.wording import nearest, worded
from odpipeline.errors import DeclarationErrors, Fault


def read_town(root: Path) -> Town:
    """The town in the folder `root` with all its datasets.

    Raises: DeclarationErrors with every fault of town.yaml, of the declarations and of the files they name.
    """
    root = Path(root).resolve()
    if not (root / TOWN_FILE).is_file():
        what = "there is no town.yaml in this folder; go to your town's folder, or make one with `odp init <folder>`"
        raise DeclarationErrors([Fault(TOWN_FILE, 0, what)])
    faults: list[Fault] = []
    text = parsed(root, TOWN_FILE, faults)
    town = _town(text, root, faults)
    found = list(drafts(root, text, faults))
    with Patterns() as patterns:
        bench = Bench(root, town, patterns, Hierarchies(root))
        read = [(draft, _dataset(draft, bench, faults)) for draft in found]
    datasets = [dataset for _, dataset in read if dataset]
    faults.extend(_twice(found))
    faults.extend(_between_datasets(read))
    faults.extend(_unused_suites(root, found, datasets))
    if town:
        names = [*(draft.id for draft in found), *town.systems]
        told = alerts.faults(town.alerts, names)
        faults.extend(Fault(TOWN_FILE, _line(text.lines, place), what) for place, what in told)
    if faults or town is None:
        raise DeclarationErrors(_once(faults))
    town._root, town._datasets = root, tuple(sorted(datasets, key=lambda dataset: dataset.id))
    for dataset in datasets:
        dataset._code_version = _code_version(dataset, town)
    return town


def _town(text: Parsed, root: Path, faults: list[Fault]) -> Town | None:
    """What town.yaml says, or None when it cannot be told."""
    if text.data is None:
        return None
    said: list[tuple[Place, str]] = list(default_faults(text.data.get("defaults")))
    town: Town | None = None
    try:
        town = Town.model_validate(text.data, by_alias=True, by_name=False)
        said += _town_faults(town, root)
    except ValidationError as error:
        said += worded(error, Town, text.data, "town")
    faults.extend(Fault(TOWN_FILE, _line(text.lines, place), what) for place, what in said)
    return town


def _town_faults(town: Town, root: Path) -> Iterator[tuple[Place, str]]:
    if why := checking.cron_fault(town.night.cron):
        yield ("night", "cron"), f"night.cron: {why}"
    if not checking.is_timezone(town.timezone):
        yield ("timezone",), f"timezone: {checking.UNKNOWN_TIMEZONE}"
    store, private = (root / town.store_path).resolve(), (root / town.private).resolve()
    if store.is_relative_to(private) or private.is_relative_to(store):
        yield ("private",), "the private zone and the public store lie in each other; give each a folder of its own"
    if town.production and not town.private_key:
        what = "production: the private zone needs a key; make one with `odp key` and name its variable in private_key"
        yield ("production",), what
    for name, system in town.systems.items():
        if town.production and system.auth and isinstance(system.url, str) and system.url.startswith("http://"):
            what = f"production: the system {name!r} would be sent its secret in clear; give its address as https://…"
            yield ("systems", name, "url"), what
        if (system.url is None) == (system.folder is None):
            yield ("systems", name), f"the system {name!r} has exactly one of url and folder"
        if isinstance(system.url, str) and (why := checking.system_fault(system.url)):
            remedy = "; an address with a password or of a database comes from the environment: url: {env: ODP_…}"
            yield ("systems", name, "url"), f"systems.{name}.url: {why.split(';')[0]}{remedy}"


def _dataset(draft: Draft, bench: Bench, faults: list[Fault]) -> Dataset | None:
    """The dataset that `draft` says; None when the models refuse it, and then the faults are appended."""
    broken = {fault.line for fault in faults if fault.file == draft.file and fault.line}
    try:
        dataset = Dataset.model_validate(draft.data, by_alias=True, by_name=False)
    except ValidationError as error:
        said = [Fault(*draft.where(place), what) for place, what in worded(error, Dataset, draft.data, "dataset")]
        faults.extend(fault for fault in said if not (fault.file == draft.file and fault.line in broken))
        known = _without_unknown(draft.data, error)
        if known is None:
            return None
        dataset = Dataset.model_validate(known, by_alias=True, by_name=False)
    file = Path(draft.file)
    dataset._id, dataset._file, dataset._root = draft.id, file, bench.root
    dataset._theme_folder = file.parts[1] if len(file.parts) > 2 else ASSETS
    dataset._lines, dataset._origins = draft.lines, draft.origins()
    if bench.town:
        dataset._timezone, dataset._calendar = bench.town.timezone, bench.town.calendar
    if draft.complete:
        faults.extend(Fault(*draft.where(place), what) for place, what in checking.faults(dataset, bench))
    return dataset


def _without_unknown(data: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """`data` without its unknown keys when they are all that is wrong, so that the other checks can still speak."""
    unknown = [
        fault["loc"][0] for fault in error.errors() if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1
    ]
    if len(unknown) < error.error_count():
        return None
    return {key: value for key, value in data.items() if key not in unknown}


def _line(lines: dict[Place, int], place: Place) -> int:
    return next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), 0)


def _twice(found: Iterable[Draft]) -> Iterator[Fault]:
    """Two files of one name in different folders would be one dataset."""
    first: dict[str, str] = {}
    for draft in found:
        if (other := first.setdefault(draft.id, draft.file)) != draft.file:
            what = f"the dataset id {draft.id!r} is also that of {other}; rename one of the files"
            yield Fault(draft.file, 1, what)


def _between_datasets(read: Sequence[tuple[Draft, Dataset | None]]) -> Iterator[Fault]:
    """Foreign keys that no dataset of the town can answer, and secrets that serve two purposes."""
    town = {draft.id: dataset for draft, dataset in read}
    for draft, dataset in read:
        if dataset and draft.complete:
            for place, what in (*foreign_keys.faults(dataset, town), *secret_rules.faults(dataset, town)):
                yield Fault(*draft.where(place), what)


def _unused_suites(root: Path, found: Iterable[Draft], datasets: Iterable[Dataset]) -> Iterator[Fault]:
    """A suite that no dataset uses would be left out in silence: most likely its name is misspelt."""
    ids = [draft.id for draft in found]
    named = {dataset.suite_file for dataset in datasets}
    for file in sorted((root / "expectations").glob("*.json")):
        if file.stem not in ids and file not in named:
            near = nearest(file.stem, ids) or "; rename it to the dataset's id, or remove it"
            yield Fault(file.relative_to(root).as_posix(), 0, f"no dataset is called {file.stem!r}{near}")


def _once(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once: one in `defaults` shows in every dataset that takes it."""
    return list(dict.fromkeys(faults))


def _code_version(dataset: Dataset, town: Town) -> str:
    """SHA-256 of all that decides how rows become a release: 64 hexadecimal digits."""
    idle = {"retention", "max_captures"}  # how long captures are kept decides nothing about the release
    said: dict[str, Any] = dataset.model_dump(mode="json", by_alias=True, exclude=idle)
    digest = hashlib.sha256()
    for part in (__version__, dataset.id, town.timezone, json.dumps(said, sort_keys=True, ensure_ascii=False)):
        digest.update(part.encode() + b"\0")
    for file in (dataset.suite_file, *_hierarchy_files(dataset), *_reference_files(dataset), *_code_files(dataset)):
        digest.update(hashlib.sha256(file.read_bytes()).digest() if file else b"")
    return digest.hexdigest()


def _code_files(dataset: Dataset) -> list[Path]:
    return [dataset.root / dataset.source.file] if isinstance(dataset.source, PythonSource) else []


def _reference_files(dataset: Dataset) -> list[Path]:
    return [dataset.root / field.lookup.file for field in dataset.fields if field.lookup]


def _hierarchy_files(dataset: Dataset) -> list[Path]:
    roles = (role for role in dataset.privacy.columns.values() if isinstance(role, Technique))
    named = [role.generalise.hierarchy for role in roles if role.generalise]
    named += [said.hierarchy for said in dataset.privacy.closeness.values()]
    named += dataset.privacy.table.levels.values() if dataset.privacy.table else []
    return [dataset.root / file for file in named if file and file not in BUILTIN]
