"""What a message says: to engineers technically and in English, to data owners in French and without jargon.

No text holds a value of the data. What a source has answered may be in a reason: it is taken for text, never for
markup, mentions or further lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.freshness import spoken
from odpipeline.monitoring import in_french
from odpipeline.monitoring.incidents import Incident, Telling
from odpipeline.monitoring.problems import KINDS, Cause, Problem
from odpipeline.monitoring.routing import concerned
from odpipeline.monitoring.situation import situation
from odpipeline.quality import run_reports
from odpipeline.quality.owner import owner_text

_LONGEST_TITLE, _LONGEST_REASON, _MOST = 150, 600, 5
_FRENCH_BLANKS = "\n\u00a0\u202f"
_HEADS = {Telling.OPENED: "", Telling.REMINDER: "still: ", Telling.ESCALATION: "still, escalated: ",
          Telling.CLOSED: "solved: "}  # fmt: skip
_OF_RUNS = (Cause.REFUSED, Cause.QUARANTINE, Cause.SCHEMA, Cause.SOURCE, Cause.UNREADABLE)
"""Causes that the report of the last run explains to its owner."""


def for_engineers(incident: Incident, telling: Telling, town: Town, zones: Zones, now: datetime) -> tuple[str, str]:
    """Title and body, as plain text; `{incident}` stands for the number of one that is not recorded yet."""
    problem, kind, zone = incident.problem, KINDS[incident.problem.cause], ZoneInfo(town.timezone)
    title = f"[odp {town.publisher.name}] {_HEADS[telling]}{problem.name}: {kind.title}"
    since = f"since {problem.since.astimezone(zone):%Y-%m-%d %H:%M}"
    often = f", {problem.times} times on end" if problem.times > 1 and not problem.subject.startswith("system") else ""
    lines = [f"{problem.name}: {kind.title}, {since}{often}.", ""]
    if telling is Telling.CLOSED:
        lines[0] = f"Solved after {spoken(now - incident.opened_at)}: {problem.name}: {kind.title}, {since}."
    lines += [f"Reason: {plain(problem.what)}"]
    datasets = concerned(problem, town)
    if len(datasets) > 1:
        lines += [f"Datasets: {_some([dataset.id for dataset in datasets])}"]
    lines += [f"The public sees: {_served(dataset, zones, zone)}" for dataset in datasets[:1]]
    lines += [f"Owner: {owner}" for owner in _owners(problem, datasets, town)]
    if telling is not Telling.CLOSED:
        lines += [f"To do: {kind.todo.format(id=datasets[0].id if datasets else problem.name)}"]
        lines += [f"Dagster: {link}" for link in _links(problem, datasets, town)]
        number = str(incident.id or "{incident}")
        lines += ["", f'No more reminders once it is looked after: odp incidents ack {number} --because "…"']
    return _title(title), "\n".join(lines) + "\n"


def for_owners(incident: Incident, telling: Telling, town: Town, zones: Zones) -> tuple[str, str]:
    """Title and body in French for those who can mend the data; as plain text."""
    problem, datasets = incident.problem, concerned(incident.problem, town)
    about = datasets[0].title if len(datasets) == 1 else problem.name
    if problem.subject.startswith("system:") and problem.name in town.systems:
        about = town.systems[problem.name].title
    title = in_french.title(about, problem, telling)
    if telling is Telling.CLOSED:
        return _title(title), in_french.closed(about, problem, town)
    if problem.cause in _OF_RUNS and datasets:
        try:
            report, known = situation(datasets[0], town, zones, run_reports(zones.journal, datasets[0].id))
            body = _letter(owner_text(report, replace(known, message=plain(known.message))), town)
        except OdpError:
            body = in_french.opened(about, problem, datasets, town)
    else:
        body = in_french.opened(about, problem, datasets, town)
    return _title(title), body


def plain(text: str) -> str:
    """`text` on one line and of bounded length, with every sign spelt harmlessly that a channel would act on."""
    line = _harmless(" ".join("".join(sign if sign.isprintable() else " " for sign in text).split()))
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def _letter(text: str, town: Town) -> str:
    """A text of many lines, whose names of columns are as they were delivered; the contact stays an address."""
    kept = "".join(sign if sign.isprintable() or sign in _FRENCH_BLANKS else " " for sign in text)
    return town.contact.join(_harmless(part) for part in kept.split(town.contact))


def _harmless(text: str) -> str:
    text = text.replace("<", "‹").replace(">", "›").replace("`", "’").replace("](", "] (")
    return re.sub(r"@(?=\w)", "@\u2060", text)  # a word joiner: no mention, and still to be read


def _title(text: str) -> str:
    line = plain(text)
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def _some(names: Sequence[str]) -> str:
    left = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {left} others" if left > 0 else "")


def _served(dataset: Dataset, zones: Zones, zone: ZoneInfo) -> str:
    try:
        release = zones.store.current(dataset.id)
    except OdpError:
        return f"not known, the store cannot be read ({dataset.id})"
    if release is None:
        return f"nothing ({dataset.id})"
    day = f"{release.published_at.astimezone(zone):%Y-%m-%d}"
    return f"version {release.version} of {day}, {release.rows:,} rows ({dataset.id})"


def _owners(problem: Problem, datasets: Sequence[Dataset], town: Town) -> list[str]:
    system = town.systems.get(problem.name) if problem.subject.startswith("system:") else None
    found = [system.owner] if system and system.owner else []
    return list(dict.fromkeys([*found, *(dataset.owner for dataset in datasets)]))[:_MOST]


def _links(problem: Problem, datasets: Sequence[Dataset], town: Town) -> list[str]:
    if not town.alerts.ui:
        return []
    base = town.alerts.ui.rstrip("/")
    links = [f"{base}/runs/{problem.run}"] if problem.run else []
    return links + [f"{base}/assets/{dataset.id}/published" for dataset in datasets[:1]]


__all__ = ["for_engineers", "for_owners", "plain"]
