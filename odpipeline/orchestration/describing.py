"""What the UI says of a dataset beside its numbers: descriptions, links, where it is declared, names of calendars."""

from __future__ import annotations

import re
import warnings
from typing import Any

import dagster as dg

from odpipeline.declaration.approval import approval
from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.declaration.town import Town
from odpipeline.lineage_graph import hit_by
from odpipeline.orchestration.keys import plain

_EVERY = re.compile(r"\*/(\d+) \* \* \* \*")
_DAILY = re.compile(r"(\d+) (\d+) \* \* \*")
_HOURLY = re.compile(r"(\d+) \* \* \* \*")


def described(dataset: Dataset, stage: str) -> str:
    """Title and description of `dataset` for people, after what the `stage` is, in Markdown."""
    role = approval(dataset.approval)
    notes = [
        "Runs in the night." if dataset.schedule == "nightly" else f"Runs at `{dataset.schedule}`.",
        "**Personal data**: what is published is what the privacy gate measured."
        if dataset.personal_data is PersonalData.PRESENT
        else "",
        f"Waits for a yes in the role `{role.role}`." if role else "",
    ]
    return "\n\n".join([f"**{dataset.title}**: {stage}", dataset.description, " ".join(filter(None, notes))])


def of_declaration(dataset: Dataset, town: Town, stage: str) -> dict[str, Any]:
    """The YAML, as a file to open; what is published has a link to its public page besides, schedule and licence."""
    shown: dict[str, Any] = {"declaration": dataset.place()}
    if stage == "published":
        page = f"{town.publisher.homepage.rstrip('/')}/dataset/{dataset.id}.html"
        if hit := hit_by(dataset, town):
            shown["referred_to_by"] = ", ".join(hit)
        if refers := sorted({key.dataset for key in dataset.foreign_keys if key.dataset}):
            shown["refers_to"] = ", ".join(refers)
        shown |= {"page": dg.MetadataValue.url(page), "schedule": dataset.schedule, "licence": dataset.licence}
    file = town.root / dataset.place().rsplit(":", 1)[0]
    if file.is_file():
        shown |= _code_reference(str(file), dataset.place())
    return shown


def calendar_name(cron: str) -> str:
    """A name for the schedule at `cron`: `every_5_minutes`, `hourly_at_15`, `daily_at_0630`, or the expression."""
    if every := _EVERY.fullmatch(cron):
        return f"every_{every[1]}_minutes"
    if hourly := _HOURLY.fullmatch(cron):
        return f"hourly_at_{int(hourly[1]):02}"
    if daily := _DAILY.fullmatch(cron):
        return f"daily_at_{int(daily[2]):02}{int(daily[1]):02}"
    return "at_" + plain(cron.replace("*/", "each").replace("*", "any").replace("-", "to").replace(",", "and"))


def _code_reference(path: str, label: str) -> dict[str, Any]:
    """The one place that knows this part of Dagster, which it may still rename."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=path, line_number=1, label=label)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
