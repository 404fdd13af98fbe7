"""What a release says of itself: its description, its Table Schema, and the Data Package of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.town import Town
from odpipeline.errors import StoreError
from odpipeline.store.releases import StoredFile

PACKAGE_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
"""The profile of Data Package 2.0, and below that of its resources, dialects and schemas."""
RESOURCE_PROFILE = "https://datapackage.org/profiles/2.0/dataresource.json"
DIALECT_PROFILE = "https://datapackage.org/profiles/2.0/tabledialect.json"
SCHEMA_PROFILE = "https://datapackage.org/profiles/2.0/tableschema.json"

LICENCES: Mapping[str, tuple[str, str]] = {
    "etalab-2.0": (
        "Licence Ouverte / Open Licence 2.0",
        "https://www.etalab.gouv.fr/wp-content/uploads/2017/04/ETALAB-Licence-Ouverte-v2.0.pdf",
    ),
    "ODbL-1.0": ("Open Data Commons Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
}
"""Licence → title and address of its text (CRPA D323-2-1)."""

_TYPES: Mapping[str, tuple[str, frozenset[str]]] = {
    "VARCHAR": ("string", frozenset({"yearmonth", "duration", "geopoint", "geojson", "array", "object", "any"})),
    "BIGINT": ("integer", frozenset({"year"})),
    "INTEGER": ("integer", frozenset({"year"})),
    "DOUBLE": ("number", frozenset()),
    "BOOLEAN": ("boolean", frozenset()),
    "DATE": ("date", frozenset()),
    "TIMESTAMP": ("datetime", frozenset()),
    "TIME": ("time", frozenset()),
}
"""DuckDB type → the Table Schema type that is always true of it, and those that a field may declare instead."""


def about(dataset: Dataset, town: Town) -> dict[str, Any]:
    """The description of `dataset` that its catalogue entry and its page are made of. The content hash covers it."""
    return {
        "title": dataset.title,
        "description": dataset.description,
        "owner": dataset.owner,
        "themes": list(dataset.themes),
        "keywords": list(dataset.keywords),
        "licence": dataset.licence,
        "schedule": dataset.schedule,
        "language": town.language,
        **({"series": dataset.series.model_dump()} if dataset.series else {}),
    }


def table_schema(dataset: Dataset, types: Mapping[str, str]) -> dict[str, Any]:
    """The Table Schema of what is published; `types` are the DuckDB types of the published columns.

    A column that anonymisation has changed has the type of what came out, and of its declared constraints only
    `required`. How values were spelled at the source is left out: published ones have the default spelling.
    Raises: StoreError for a type that the store does not know.
    """
    fields = [_field(f, types[f.name], _changed(dataset, f)) for f in dataset.published_fields]
    names = {f["name"] for f in fields}
    schema: dict[str, Any] = {"$schema": SCHEMA_PROFILE, "fields": fields, "missingValues": [""]}
    if dataset.key and names.issuperset(dataset.key):
        schema["primaryKey"] = list(dataset.key)
    return schema


def data_package(
    dataset: str, described: Mapping[str, Any], schema: Mapping[str, Any], files: Sequence[StoredFile], town: Town
) -> dict[str, Any]:
    """`datapackage.json`: one resource for each file. The version stands in `release.json`, which is written later."""
    title, path = LICENCES.get(described["licence"], (described["licence"], None))
    licence = {"name": described["licence"], "title": title} | ({"path": path} if path else {})
    package: dict[str, Any] = {
        "$schema": PACKAGE_PROFILE,
        "name": dataset,
        "title": described["title"],
        "description": described["description"],
        "homepage": town.publisher.homepage,
        "licenses": [licence],
        "contributors": [{"title": town.publisher.name, "path": town.publisher.homepage, "roles": ["publisher"]}],
        "resources": [_resource(dataset, file, schema) for file in files],
    }
    return package | ({"keywords": described["keywords"]} if described["keywords"] else {})


def _changed(dataset: Dataset, field: TableField) -> bool:
    return isinstance(dataset.privacy.columns.get(field.name), Technique)


def _field(field: TableField, duck_type: str, changed: bool) -> dict[str, Any]:
    if duck_type not in _TYPES:
        raise StoreError(f"the column {field.name} has the type {duck_type}, which the store does not publish",
                         mend="this is a fault of odpipeline: report it")  # fmt: skip
    certain, declared = _TYPES[duck_type]
    described: dict[str, Any] = {"name": field.name, "type": field.type if field.type in declared else certain}
    if described["type"] == "geopoint" and field.format != "default":
        described["format"] = field.format  # as it is spelled, which is how it is published
    described |= {word: text for word in ("title", "description") if (text := getattr(field, word))}
    constraints = field.constraints.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    if changed:
        constraints = {"required": True} if field.constraints.required else {}
    return described | ({"constraints": constraints} if constraints else {})


def _resource(dataset: str, file: StoredFile, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One file; only what holds the columns as they are has the schema. A name has letters, digits and `-._` only."""
    kind = file.name.removesuffix(".gz").rpartition(".")[2]
    rest = file.name.removeprefix(f"{dataset}.").replace(".", "-")
    resource: dict[str, Any] = {
        "$schema": RESOURCE_PROFILE,
        "name": f"{dataset}-{rest}".casefold(),
        "path": file.name,
        "format": kind,
        "mediatype": file.media_type,
        "bytes": file.size_bytes,
        "hash": f"sha256:{file.sha256}",
    }
    if kind != "geojson" and not file.name.endswith(".geo.parquet"):
        resource |= {"type": "table", "schema": dict(schema)}
    if kind == "csv":
        resource["encoding"] = "utf-8"
        resource["dialect"] = {"$schema": DIALECT_PROFILE, "delimiter": ",", "lineTerminator": "\r\n",
                               "quoteChar": '"', "doubleQuote": True, "header": True}  # fmt: skip
    if file.name.endswith(".gz"):
        resource["compression"] = "gz"
    return resource
