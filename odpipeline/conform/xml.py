"""XML by declared paths: `format.records` is the path of a record, each field's `source` a path below it.

Paths are local names joined by `/`, without functions; `@name` at the end is an attribute, `.` the record's own text.
Of several elements at one path the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from lxml import etree

from odpipeline.conform import markup
from odpipeline.conform.delivered import Delivered, NoRecords
from odpipeline.conform.streamed import streamed
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import ConformError

_MOST_STRANGERS = 1_000


def read(_connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The records as text columns; leaves of a record that nobody declared are columns too, as far as their names go.

    Raises: ConformError when it is no XML, or holds no record at the path.
    """
    said = dataset.format.records
    if not said:
        raise ConformError(
            "nothing says where the records of the XML are",
            where=dataset.place("format"),
            mend="give the path with format: {type: xml, records: Traffic_Status/Item}",
        )
    steps = tuple(step for step in said.split("/") if step)
    wanted = [column for _, column in dataset.delivered_fields]
    strangers: dict[str, None] = {}
    rows = _rows(markup.records(path, (steps,), dataset), wanted, strangers)
    relation, count = streamed(rows, wanted, folder)
    if not count:
        raise NoRecords(
            f"the XML has no element at {said}",
            where=dataset.place("format", "records"),
            mend="give the path of one record, such as Traffic_Status/Item, without the namespace's prefix",
        )
    columns = {name: f"c{place}" for place, name in enumerate(wanted)}
    return Delivered(relation, columns | dict.fromkeys(strangers, "NULL"))


def _rows(
    records: Iterator[tuple[etree._Element, tuple[str, ...]]], wanted: list[str], strangers: dict[str, None]
) -> Iterator[list[str | None]]:
    known = {name.casefold() for name in wanted}
    for record, _ in records:
        yield [_at(record, path) for path in wanted]
        if len(strangers) < _MOST_STRANGERS:
            strangers.update(dict.fromkeys(name for name in _leaves(record) if name.casefold() not in known))


def _at(record: etree._Element, path: str) -> str | None:
    """The text at `path` below `record`, or None."""
    element: etree._Element | None = record
    for step in path.split("/"):
        if element is None:
            return None
        if step.startswith("@"):
            return next((v for name, v in element.attrib.items() if etree.QName(name).localname == step[1:]), None)
        if step not in (".", ""):
            element = next((child for child in element if markup.local(child) == step), None)
    return None if element is None else "".join(element.itertext()).strip() or None


def _leaves(record: etree._Element, above: str = "") -> Iterator[str]:
    """The paths of attributes and of elements without children."""
    for name in record.attrib:
        yield f"{above}@{etree.QName(name).localname}"
    for child in record:
        path = f"{above}{markup.local(child)}"
        if len(child) or child.attrib:
            yield from _leaves(child, f"{path}/")
        if not len(child) and (child.text or "").strip():
            yield path
