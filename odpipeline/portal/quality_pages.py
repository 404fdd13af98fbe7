"""The page that says how good a release is: score, every check, its history, and what was refused since.

A release's page shows the history up to that release, and lies outside the immutable version: what was refused since,
and that a newer version has come, are written into it later. Once a newer version is there it stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from odpipeline.declaration.town import Town
from odpipeline.journal import Journal
from odpipeline.portal.sparklines import Point, sparkline
from odpipeline.portal.templating import environment
from odpipeline.quality import RunReport, run_reports, wording
from odpipeline.quality.public import measure, published, restored
from odpipeline.quality.records import Recorded
from odpipeline.quality.score import score
from odpipeline.quality.typography import english_number, french_number
from odpipeline.quality.wording import Language
from odpipeline.store import Release, Store, layout
from odpipeline.verdict import ACCEPTED, Finding

_SECTIONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("quarantine", "schema"), "Lecture du fichier livré", "Reading the delivered file"),
    (("quality",), "Valeurs livrées", "Delivered values"),
    (("gate",), "Fichier publié", "Published file"),
    (
        ("over_time", "shrink"),
        "Par rapport à la version précédente et au passé",
        "Against the version before, and time",
    ),
    (("freshness",), "Fraîcheur", "Freshness"),
    (("privacy", "approval"), "Protection des personnes", "Protection of persons"),
)
MOST_ROWS = 200
"""How many checks a section shows, those that failed first: a table may have thousands of columns."""
_MOST_REASONS = 10
_OTHER = ("Autres contrôles", "Other checks")


@dataclass(frozen=True)
class Refused:
    """What the gate refused since the release was published: how often, when, and what of it may be told."""

    times: int
    first: datetime
    last: datetime
    reasons: tuple[Finding, ...]


def write(
    store: Store, engines: Mapping[Language, Environment], release: Release, journal: Journal | None
) -> Refused | None:
    """Write the pages of a current release in each language; what was refused since is for the dataset's page as well.

    The page of the version before is written once more when it learns that it is no longer current.
    Raises: StoreError.
    """
    report = store.quality(release)
    if report is None:
        return None
    arrived = store.page(layout.quality_page(release.dataset, release.version, "fr")) is None
    older = store.version(release.dataset, release.previous) if arrived and release.previous is not None else None
    before = store.quality(older) if older else None
    refused = _refused(release, journal)
    for language, engine in engines.items():
        if older and before:
            _write(store, engine, language, older, before, None, release.version)
        _write(store, engine, language, release, report, refused, None)
    return refused


def run_page(
    report: RunReport, earlier: Sequence[RunReport], title: str, town: Town, served: Release | None, language: Language
) -> str:
    """The page of a run, published or not, as a file that stands alone: for the data's owner, not for the public.

    `earlier` are the reports of the runs before, the newest first.
    """
    runs = [report, *earlier][::-1]
    known = [dict(zip(wording.identities(run.findings), run.findings, strict=True)) for run in runs]
    rows = []
    for entry, name in zip(report.recorded, wording.identities(report.findings), strict=True):
        past = [
            (f"{run.ended_at:%Y-%m-%d}", found[name]) for run, found in zip(runs, known, strict=True) if name in found
        ]
        points = [Point(label, measure(finding), finding.passed) for label, finding in past]
        if (entry.finding.group, entry.finding.rule) != ("gate", "staged"):  # it only repeats the others
            rows.append((entry, points))
    return _rendered(
        environment(town, language, standing_alone=True), language, rows=rows, title=title, score=report.score,
        scores=[], release=served, run=report, refused=None, newer=None, root="", alternate=None,
    )  # fmt: skip


def _write(
    store: Store,
    engine: Environment,
    language: Language,
    release: Release,
    report: Mapping[str, Any],
    refused: Refused | None,
    newer: int | None,
) -> None:
    other: Language = "en" if language == "fr" else "fr"
    key = layout.quality_page(release.dataset, release.version, language)
    page = _rendered(
        engine, language, rows=[_recorded(entry) for entry in report["findings"]], title=release.about["title"],
        score=score(restored(entry) for entry in report["findings"]),
        scores=[Point(str(version), value, True) for version, value in report["score_history"]], release=release,
        run=None, refused=refused, newer=newer, root="../../",
        alternate=layout.quality_page(release.dataset, release.version, other).rpartition("/")[2],
    )  # fmt: skip
    store.write(key, page.encode())


def _recorded(entry: Mapping[str, Any]) -> tuple[Recorded, list[Point]]:
    points = [Point(str(version), value, held) for version, value, held in entry["history"]]
    return Recorded(restored(entry)), points


def _rendered(
    engine: Environment, language: Language, *, rows: Iterable[tuple[Recorded, list[Point]]], scores: list[Point],
    refused: Refused | None, **known: Any,
) -> str:  # fmt: skip
    said = refused.reasons if refused else ()
    reasons = [(wording.subject(finding, language), wording.asked(finding, language)) for finding in said]
    told = [_row(entry, points, language) for entry, points in rows]
    return engine.get_template("quality.html").render(
        sections=list(_sections(told, language)),
        refused=refused,
        most_rows=MOST_ROWS,
        reasons=list(dict.fromkeys(reasons))[:_MOST_REASONS],
        failed=sum(not row["held"] for row in told),
        checks=len(told),
        score_line=sparkline(scores, f"Score{wording.COLON[language]} {_spoken(scores, language)}"),
        score_words=_spoken(scores, language),
        **known,
    )


def _row(entry: Recorded, points: Sequence[Point], language: Language) -> dict[str, Any]:
    finding = entry.finding
    words = _spoken(points, language)
    return {
        "group": finding.group,
        "subject": wording.subject(finding, language),
        "asked": wording.asked(finding, language),
        "found": wording.found(finding, language),
        "held": finding.passed,
        "accepted": ACCEPTED in finding.counts,
        "severity": str(finding.severity),
        "since": entry.since,
        "advice": "" if finding.passed else wording.advice(finding),
        "line": sparkline(points, words) if _moves(points) else Markup(""),
        "last": points[-1].value if points else measure(finding),
        "versions": len(points),
    }


def _moves(points: Sequence[Point]) -> bool:
    """Whether there is anything to see: a check that always held and counted the same has no line."""
    return len({(point.value, point.held) for point in points}) > 1


def _spoken(points: Sequence[Point], language: Language) -> str:
    """The line in words: `1 : 0 ; 2 : 12 (non respecté)`."""
    french = language == "fr"
    number, colon = (french_number, wording.COLON["fr"]) if french else (english_number, ":")
    failed = " (non respecté)" if french else " (does not hold)"
    told = [
        f"{point.label}{colon} {'–' if point.value is None else number(point.value)}{'' if point.held else failed}"
        for point in points
    ]
    return ", ".join(told)


def _sections(rows: Sequence[dict[str, Any]], language: Language) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    """The rows under their headings, what failed first."""
    place = 0 if language == "fr" else 1
    known = {group for groups, *_ in _SECTIONS for group in groups}
    for groups, *headings in _SECTIONS:
        if found := [row for row in rows if row["group"] in groups]:
            yield headings[place], sorted(found, key=lambda row: bool(row["held"]))
    if found := [row for row in rows if row["group"] not in known]:
        yield _OTHER[place], found


def _refused(release: Release, journal: Journal | None) -> Refused | None:
    """What was refused after `release`; of the reasons only what each release tells, without any count."""
    counted = journal.refused_since(release.dataset, release.published_at) if journal else None
    if journal is None or counted is None:
        return None
    report = next((run for run in run_reports(journal, release.dataset) if run.outcome == "refused"), None)
    blocking: Iterable[Finding] = (entry.finding for entry in report.blocking) if report else ()
    shown = published(blocking, release.columns, of_persons=True)
    return Refused(counted.times, counted.first, counted.last, shown)
