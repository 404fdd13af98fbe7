"""What each stage shows in the UI: counts, hashes, schema, column lineage. Never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from odpipeline import lineage
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.freshness import freshness
from odpipeline.landing import Capture
from odpipeline.orchestration.keys import asset_key
from odpipeline.store import Release, Staged, layout


def of_capture(capture: Capture) -> dict[str, Any]:
    """Size, hash, time, and why nothing new was delivered, if so."""
    shown: dict[str, Any] = {
        "bytes": capture.size_bytes,
        "sha256": capture.sha256,
        "fetched_at": dg.MetadataValue.timestamp(capture.fetched_at),
        "delivery": capture.unchanged or "new",
    }
    if capture.periods:
        shown["periods"] = f"{len(capture.periods)}, from {min(capture.periods)} to {max(capture.periods)}"
    return shown


def of_conformed(rows: Conformed, dataset: Dataset) -> dict[str, Any]:
    """Rows in, kept, quarantined, ignored; reasons of the quarantine by column and rule."""
    shown: dict[str, Any] = {
        "dagster/row_count": rows.rows,
        "rows_in": rows.rows_in,
        "quarantined": rows.quarantined,
        "ignored": rows.ignored,
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(f.name, f.type) for f in dataset.fields]),
    }
    if rows.reasons:
        shown["quarantine_reasons"] = dg.MetadataValue.table(
            [dg.TableRecord({"column": r.column, "rule": r.rule, "rows": r.rows}) for r in rows.reasons]
        )
    return shown


def of_staged(staged: Staged) -> dict[str, Any]:
    """Rows and content hash of the release that waits at the gate."""
    return {"dagster/row_count": staged.rows, "content_hash": staged.content_hash, "columns": len(staged.columns)}


def of_release(release: Release, dataset: Dataset, *, unchanged: bool) -> dict[str, Any]:
    """Version, hashes, sizes, dates, table schema, column lineage, and where the files are."""
    shown: dict[str, Any] = {
        "version": release.version,
        "content_hash": release.content_hash,
        "dagster/row_count": release.rows,
        "rows_in": release.rows_in,
        "quarantined": release.quarantined,
        "bytes": sum(file.size_bytes for file in release.files),
        "outcome": "unchanged" if unchanged else "new version",
        "checked_at": dg.MetadataValue.timestamp(release.checked_at),
        "release": dg.MetadataValue.path(str(release.folder)),
        "declaration": dataset.place(),
        "dagster/column_schema": _schema(dataset),
        "dagster/column_lineage": _column_lineage(dataset),
    }
    if score := release.quality.get("score"):
        shown |= _score(score, release)
    if release.data_date:
        shown["data_date"] = dg.MetadataValue.timestamp(release.data_date)
        ages = freshness(dataset, checked_at=release.checked_at, data_date=release.data_date, now=release.checked_at)
        shown["data_age_hours"] = round((release.checked_at - release.data_date).total_seconds() / 3600, 2)
        if ages.data_due:
            shown |= {"promise": ages.promise, "data_due": dg.MetadataValue.timestamp(ages.data_due)}
    return shown


def _score(score: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """The score and its dimensions from 0 to 1, as numbers that the UI plots, and where it is explained."""
    parts = {part["dimension"]: float(part["value"]) for part in score["components"] if part["value"] is not None}
    shown: dict[str, Any] = {"score": score["value"]} if score["value"] is not None else {}
    report = dg.MetadataValue.path(str(release.folder / layout.QUALITY))
    return shown | parts | {"checks_failed": len(release.quality.get("failed", ())), "quality_report": report}


def _schema(dataset: Dataset) -> dg.TableSchema:
    done = {column.column: column.transformation for column in lineage.of(dataset)}
    return dg.TableSchema(
        [
            dg.TableColumn(
                field.name,
                field.type,
                description=" · ".join(filter(None, (field.description or field.title, done[field.name]))),
                constraints=dg.TableColumnConstraints(
                    nullable=not field.constraints.required,
                    unique=field.constraints.unique or dataset.key == (field.name,),
                ),
            )
            for field in dataset.published_fields
        ]
    )


def _column_lineage(dataset: Dataset) -> dg.TableColumnLineage:
    conformed = asset_key(dataset.id, "conformed")
    return dg.TableColumnLineage(
        {
            field.name: [dg.TableColumnDep(conformed, name) for name in lineage.behind(dataset, field.name)]
            for field in dataset.published_fields
        }
    )
