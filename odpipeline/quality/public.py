"""What the public reads of a release's findings: `quality.json`, from an allow-list, with the history up to it.

Nothing in it can help to single a person out. Where persons are concerned, what was counted on the delivered rows is
told as held or not: a count before suppression beside one after it would tell what the suppressed rows hold. What was
counted on the published rows is told whole, because anybody can count it again. Findings about columns that are not
published are left out, and so are privacy findings of a kind that is not listed here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from odpipeline.quality import wording
from odpipeline.quality.score import score
from odpipeline.verdict import ACCEPTED, Finding, Severity

FORMAT = 1
"""The format's number."""
HISTORY = 24
"""Over how many versions, the described one included, the history goes back."""

_GROUPS = ("quality", "gate", "quarantine", "schema", "over_time", "shrink", "freshness", "privacy")
_ON_PUBLISHED_ROWS = ("gate", "over_time", "shrink", "freshness", "privacy")
"""Groups that count what is published, or, of privacy, what the release tells already."""
_TOLD = (("quarantine", "quarantine_ceiling"), ("schema", "new_columns"))
"""Counts about delivered rows that every release tells (`rows_in`, `quarantined`)."""
_OURS = (("gate", "checked"), ("gate", "staged"))
"""What the gate says of its own work."""
_PRIVACY = (
    "published_columns",
    "k_anonymity",
    "small_cells",
    "suppression_limit",
    "identifiers",
    "l_diversity",
    "t_closeness",
    "differencing_versions",
    "differencing_datasets",
    "recoverable_cells",
    "grid",
    "looser_rules",
)
_BOUNDS = ("min_value", "max_value", "strict_min", "strict_max", "value")
_LISTS = ("column_list", "column_set")

MEASURES = (
    "unexpected_count", "quarantined", "new_columns", "vanished_columns", "lost_rows", "changed_columns",
    "vanished_keys", "orphan_rows", "changed", "reused", "behind_seconds", "new_values", "psi", "backwards", "gaps",
    "longest_run", "suppressed_rows", "rows_below", "smallest_class_rows", "rows",
)  # fmt: skip
"""The counts by which a finding is followed over time, the most telling first."""

_COUNTS = frozenset({
    *MEASURES, "element_count", "missing_count", "unexpected_percent", "share", "rows_before", "keys_before",
    "compared", "referring_rows", "unknown_keys", "silent_series", "most", "usual", "suppressed_share", "least",
    "classes", "k", "failing_classes", "cells", "detectors", "exposing", "recoverable", "secret_cells", "squares",
    "findings", "failed", "age_seconds", "promise_seconds", ACCEPTED,
})  # fmt: skip


def published(findings: Iterable[Finding], columns: Collection[str], *, of_persons: bool) -> tuple[Finding, ...]:
    """Of `findings` what may be read by everybody; `columns` are the published ones."""
    return tuple(shown for finding in findings if (shown := _shown(finding, columns, of_persons)) is not None)


def summary(shown: Sequence[Finding]) -> dict[str, Any]:
    """What `release.json` says of quality: the score, how many findings hold, which ones do not."""
    failed = [finding for finding in shown if not finding.passed]
    return {
        "score": score(shown).as_json(),
        "findings": len(shown),
        "held": len(shown) - len(failed),
        "failed": [
            {"rule": f.rule, "column": f.column, "severity": str(f.severity), "counts": dict(f.counts)} for f in failed
        ],
    }


def report(shown: Sequence[Finding], about: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """`quality.json` of a release; `about` holds its `dataset`, `version`, `content_hash` and `published_at`.

    `before` is the report of the version before it, whose history is carried on; None when there is none.
    """
    known = wording.identities(map(restored, before["findings"])) if before else []
    earlier = {name: entry["history"] for name, entry in zip(known, before["findings"] if before else (), strict=True)}
    made, version = score(shown), about["version"]
    scores = [*(before["score_history"] if before else []), [version, made.value]]
    return {
        "format": FORMAT,
        **about,
        "verdict": "published",
        "score": made.as_json(),
        "score_history": scores[-HISTORY:],
        "findings": [
            _entry(finding, earlier.get(name, []), version)
            for finding, name in zip(shown, wording.identities(shown), strict=True)
        ],
    }


def again(
    earlier: Mapping[str, Any] | None, version: int, now: datetime, before: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The report of `version`, whose content is that of the `earlier` report, with the history of `before`."""
    if earlier is None:
        return None
    about = {name: earlier[name] for name in ("dataset", "content_hash")}
    about |= {"version": version, "published_at": now.isoformat().replace("+00:00", "Z")}
    return report([restored(entry) for entry in earlier["findings"]], about, before)


def as_bytes(report: Mapping[str, Any]) -> bytes:
    """A report as it is written: one finding a line."""
    spelt = {name: json.dumps(value, ensure_ascii=False, allow_nan=False) for name, value in report.items()}
    findings = (json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in report["findings"])
    spelt["findings"] = "[\n" + ",\n".join(findings) + "\n]"
    return ("{\n" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in spelt.items()) + "\n}\n").encode()


def restored(entry: Mapping[str, Any], message: str = "") -> Finding:
    """The finding that an entry of a report was made of; its message is not part of every report."""
    return Finding(
        entry["group"], entry["rule"], entry["held"], message, Severity(entry["severity"]), entry["column"],
        entry["counts"], entry["declared"],
    )  # fmt: skip


def listed(finding: Finding) -> dict[str, Any]:
    """A finding by the fields that every report has; only finite numbers."""
    return {
        "group": finding.group,
        "rule": finding.rule,
        "column": finding.column,
        "declared": dict(finding.declared),
        "severity": str(finding.severity),
        "held": finding.passed,
        "counts": {name: value for name, value in finding.counts.items() if math.isfinite(value)},
    }


def measure(finding: Finding) -> int | float:
    """The number by which a finding is followed over time: its most telling count, else 0 if it holds and 1 if not."""
    counts = (finding.counts[name] for name in MEASURES if name in finding.counts)
    return next(filter(math.isfinite, counts), int(not finding.passed))


def _entry(finding: Finding, past: list[list[Any]], version: int) -> dict[str, Any]:
    words = {language: sentence(finding, language) for language in wording.LANGUAGES}
    return listed(finding) | {
        "words": words,
        "history": [*past, [version, measure(finding), finding.passed]][-HISTORY:],
    }


def sentence(finding: Finding, language: wording.Language) -> str:
    """Subject, rule and result in one line."""
    about, asked, found = (tell(finding, language) for tell in (wording.subject, wording.asked, wording.found))
    colon = f"{wording.COLON[language]} "
    return f"{about}{colon}{asked}{colon}{found}"


def _shown(finding: Finding, columns: Collection[str], of_persons: bool) -> Finding | None:
    if finding.group not in _GROUPS or (finding.group, finding.rule) in _OURS:
        return None
    if finding.group == "privacy" and wording.root(finding.rule) not in _PRIVACY:
        return None
    declared = dict(finding.declared)
    if finding.rule.startswith("expect_table_"):
        declared = {name: value for name, value in declared.items() if name not in _LISTS}
    elif any(name not in columns for name in wording.columns(finding)):
        return None
    hidden = of_persons and (finding.group, finding.rule) not in _TOLD and finding.group not in _ON_PUBLISHED_ROWS
    if hidden:
        declared = {name: value for name, value in declared.items() if name not in _BOUNDS}
    counts = {} if hidden else {name: value for name, value in finding.counts.items() if name in _COUNTS}
    return replace(finding, message="", declared=declared, counts=counts)
