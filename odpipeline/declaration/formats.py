"""The files of a release besides CSV and Parquet: the words of `formats`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed

if TYPE_CHECKING:
    from odpipeline.declaration.dataset import Dataset, TableField

GEOGRAPHIC = ("geojson", "geopoint")
"""The types of fields that are geometries."""


class Formats(Closed):
    """How the rows are published besides CSV and Parquet."""

    bom: bool = False
    """Begins the CSV with a byte order mark, by which Excel knows UTF-8."""
    xlsx: bool = False
    """Adds an Excel workbook, up to 100,000 rows; a greater release has none."""
    gzip: bool | None = None
    """Adds the CSV compressed by gzip; by default from 50 MB on."""
    geometry: str | Literal[False] | None = None
    """The field of the geometry for GeoJSON and GeoParquet; by default the only one there is. `false`: neither file."""
    partition_by: str | None = None
    """A field of few values, such as the year: adds one Parquet file for each, which later versions share while its
    rows stay the same."""


def geometry(dataset: Dataset) -> TableField | None:
    """The published field that is the geometry; None when there is none, or several of which none is named."""
    fields = [field for field in dataset.published_fields if field.type in GEOGRAPHIC]
    if (named := dataset.formats.geometry) is not None:
        return next((field for field in fields if field.name == named), None)
    return fields[0] if len(fields) == 1 else None


def faults(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    """What is wrong with `formats`, as (place, what)."""
    said = dataset.formats
    published = {field.name: field.type for field in dataset.published_fields}
    if isinstance(said.geometry, str):
        fields = [name for name, kind in published.items() if kind in GEOGRAPHIC]
        if said.geometry not in fields:
            yield ("formats", "geometry"), unknown("published geometry", said.geometry, fields, inside="formats")
    if said.partition_by is not None and said.partition_by not in published:
        yield ("formats", "partition_by"), unknown("published field", said.partition_by, list(published))
