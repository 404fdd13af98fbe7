"""A Table Schema → the declaration of a dataset of which nothing else is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odpipeline.declaration import checking, pinned, table_schema
from odpipeline.declaration.checking import Bench
from odpipeline.declaration.dataset import Constraints, Dataset
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.patterns import Patterns
from odpipeline.declaration.positions import parse
from odpipeline.declaration.table_schema import TableSchema
from odpipeline.declaration.wording import worded
from odpipeline.errors import DeclarationErrors, Fault, OdpError

_BOOLEANS = {"trueValues": ["true", "True", "TRUE", "1"], "falseValues": ["false", "False", "FALSE", "0"]}
"""Table Schema's own spellings of a boolean; those of French systems are for declarations."""
_SPELLED = {"primaryKey": "key", "missingValues": "missing_values", "foreignKeys": "foreign_keys"}


@dataclass(frozen=True)
class Schema:
    """A Table Schema that can be checked: `name` as it was asked for, and the `dataset` that has its fields."""

    name: str
    dataset: Dataset

    def without(self, absent: Collection[str]) -> Dataset:
        """The dataset for a file that lacks the columns `absent`: they are missing values, of which nothing is asked.

        What is asked across columns stays: of two columns of which one must be filled, the other one then is.
        """
        fields = tuple(
            field.model_copy(update={"derive": "NULL", "constraints": Constraints()}) if field.name in absent else field
            for field in self.dataset.fields
        )
        key = () if set(absent) & set(self.dataset.key) else self.dataset.key
        return self.dataset.model_copy(update={"fields": fields, "key": key})


def schema_at(named: str, town: Path) -> Schema:
    """The schema `named`: a file, an address, or a name such as `scdl/subventions@2.1` taken into the town at `town`.

    Raises: SourceError when an address does not answer, DeclarationErrors with file and line when it is no Table
    Schema or asks what cannot be checked.
    """
    read = _read(named, town)
    if isinstance(read, Fault):
        raise DeclarationErrors([Fault(read.file or named, read.line, read.what)])
    data = _declared(read)
    try:
        dataset = Dataset.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        said = worded(error, Dataset, data, "schema")
        raise DeclarationErrors([Fault(read.file, read.line(place), what) for place, what in said]) from None
    dataset._id, dataset._file, dataset._lines = Path(read.file).stem, Path(read.file), _lines(read)
    with Patterns() as patterns:
        bench = Bench(Path(), None, patterns, Hierarchies(Path()))
        faults = [Fault(read.file, read.line(place), what) for place, what in checking.faults(dataset, bench)]
    if faults:
        raise DeclarationErrors(faults)
    return Schema(named, dataset)


def _read(named: str, town: Path) -> TableSchema | Fault:
    if "://" in named:
        from odpipeline.sources.asking import small_file  # an HTTP client: only where it asks

        return table_schema.read(named, small_file(named))
    if pinned.NAME.fullmatch(named) and not Path(named).is_file():
        return pinned.load(town, named)
    try:
        return table_schema.read(named, Path(named).read_bytes())
    except OSError as error:
        raise OdpError(
            f"the schema cannot be read ({error.strerror})", where=named,
            mend="give a file, an address https://…, or the name of one that was taken into the town",
        ) from None  # fmt: skip


def _declared(schema: TableSchema) -> dict[str, Any]:
    fields = [_BOOLEANS | field if field.get("type") == "boolean" else field for field in schema.data["fields"]]
    return {
        "title": "A file", "description": "A file", "owner": "nobody@ville.example", "source": {"folder": "file"},
        "personal_data": "none", **schema.data, "fields": fields,
    }  # fmt: skip


def _lines(schema: TableSchema) -> dict[tuple[str | int, ...], int]:
    """Place in the declaration → line of the schema file."""
    found = parse(schema.content).lines
    return {(_SPELLED.get(str(place[0]), place[0]), *place[1:]): line for place, line in found.items() if place}
