"""What the API says of itself: an OpenAPI 3.1 document for machines, a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from odpipeline.api.grammar import FUNCTIONS
from odpipeline.api.spelling import FORMATS
from odpipeline.store import Release

_TYPES = {"integer": "integer", "number": "number", "boolean": "boolean", "year": "integer"}

_OTHER_FORMATS: dict[str, Any] = {media.partition(";")[0]: {} for kind, media in FORMATS.items() if kind != "json"}


def summary(release: Release) -> dict[str, Any]:
    """What is public of one dataset, in short."""
    return {
        "dataset": release.dataset,
        "title": release.about["title"],
        "version": release.version,
        "rows": release.rows,
        "published_at": release.published_at.isoformat().replace("+00:00", "Z"),
        "licence": release.about["licence"],
        "records": f"/api/v1/{release.dataset}/records",
    }


def openapi(releases: Sequence[Release], usual: int, most: int, farthest: int) -> dict[str, Any]:
    """The OpenAPI document; the schema of each dataset's rows is that of its Table Schema."""
    said = {
        "select": "Columns, and what is made of them: `quartier, count(*) AS n`.",
        "where": "A condition: `annee = 2025 AND lower(nom) LIKE '%parc%'`.",
        "group_by": "The columns by which rows are gathered.",
        "order": "Columns, each with or without DESC.",
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string", "maxLength": 2000}}
        for name, text in said.items()
    ]
    parameters += [
        {
            "name": "limit",
            "in": "query",
            "schema": {"type": "integer", "default": usual, "maximum": most, "minimum": 0},
        },
        {
            "name": "offset",
            "in": "query",
            "schema": {"type": "integer", "default": 0, "minimum": 0, "maximum": farthest},
        },
        {"name": "format", "in": "query", "schema": {"type": "string", "enum": ["json", "csv", "geojson", "parquet"]}},
    ]
    problem = {"description": "A problem document (RFC 9457)", "content": {"application/problem+json": {}}}
    paths = {
        f"/api/v1/{release.dataset}/records": {
            "get": {
                "summary": release.about["title"],
                "operationId": f"records_{release.dataset}",
                "parameters": parameters,
                "responses": {
                    "200": {
                        "description": "Rows",
                        "content": {"application/json": {"schema": _rows(release)}, **_OTHER_FORMATS},
                    },
                    "400": problem, "404": problem, "410": problem, "503": problem,
                },
            }
        }
        for release in releases
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "Données ouvertes", "version": "1", "description": f"Functions: {', '.join(FUNCTIONS)}."},
        "paths": paths,
    }


def _rows(release: Release) -> dict[str, Any]:
    columns = {
        field["name"]: {"type": [_TYPES.get(field["type"], "string"), "null"], "description": field.get("title", "")}
        for field in release.schema["fields"]
    }
    row = {"type": "object", "properties": columns}
    total = {"type": ["integer", "null"], "description": "null where rows are gathered"}
    return {"type": "object", "properties": {"rows": {"type": "array", "items": row}, "total": total}}


def page(releases: Sequence[Release], *, english: bool) -> bytes:
    """A page without script: how to ask, and an example for each dataset."""

    def t(french: str, other: str) -> str:
        return other if english else french

    items = Markup("").join(
        Markup('<li><a href="/api/v1/{0}/records?limit=10">{1}</a> : <code>/api/v1/{0}/records?select={2}</code></li>')
        .format(release.dataset, release.about["title"], ",".join(release.columns[:3]))
        for release in releases
    )  # fmt: skip
    functions = escape(", ".join(FUNCTIONS))
    how = t(
        "Chaque jeu de données se lit à l’adresse /api/v1/<jeu>/records, avec select, where, group_by, order, limit, "
        "offset et format (json, csv, geojson, parquet).",
        "Each dataset is read at /api/v1/<dataset>/records, with select, where, group_by, order, limit, offset and "
        "format (json, csv, geojson, parquet).",
    )
    title = t("Interroger les données", "Query the data")
    other = t('<a href="?lang=en" lang="en" hreflang="en">This page in English</a>',
              '<a href="?" lang="fr" hreflang="fr">Cette page en français</a>')  # fmt: skip
    example = escape("?select=quartier,count(*) AS n&where=annee >= 2024&group_by=quartier&order=n DESC&format=csv")
    text = (
        f'<!doctype html>\n<html lang="{"en" if english else "fr"}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/style.css">'
        f'</head><body><main><h1>{title}</h1><p class="quiet">{other}</p><p>{escape(how)}</p>'
        f"<p><code>{example}</code></p><p>{t('Fonctions', 'Functions')} : {functions}.</p>"
        f'<p><a href="/api/v1/openapi.json">OpenAPI 3.1</a> · <a href="/api/v1/datasets">/api/v1/datasets</a></p>'
        f"<h2>{t('Jeux de données', 'Datasets')}</h2><ul>{items}</ul></main></body></html>\n"
    )
    return text.encode()
