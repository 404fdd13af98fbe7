"""Findings and verdicts → asset checks: rules, counts, trends and messages by allow-list; nothing is judged here.

A check is a group of findings that people look at together; nine of them for each dataset, known before anything runs.
The trend is told against the last run whose findings the journal kept: Dagster's own history is purged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from odpipeline.orchestration.keys import asset_key
from odpipeline.quality import RunReport, wording
from odpipeline.quality.public import MEASURES
from odpipeline.quality.records import Recorded
from odpipeline.quality.typography import english_number
from odpipeline.verdict import APPROVAL, Finding, Severity

CHECKS: dict[str, tuple[str, str]] = {
    "quarantine": ("conformed", "Rows and columns that could be read as declared: quarantine ceiling, new columns."),
    "columns": ("conformed", "The delivered table: its columns, their order and types, how many rows it has."),
    "filled": ("conformed", "Values that must be there, and those that must not."),
    "values": ("conformed", "Values against their bounds, lists, forms and types, alone and beside each other."),
    "keys": ("conformed", "Keys and unique values, and references to other tables."),
    "privacy": ("staged", "Anonymisation as measured on the written files: columns, k, small cells, suppression."),
    "over_time": ("staged", "Against the current release, and along time: growth, types, keys, drift, silent sensors."),
    "gate": ("staged", "What else stops publication: emptied or shrunken content, vanished columns, broken output."),
    "data_age": ("published", "The age of the newest published event against the promise made to the public."),
}
"""Check → the stage that it belongs to, and what it says."""

OF_EXPECTATIONS = ("columns", "filled", "values", "keys")
"""The checks that the expectations about the conformed rows are shared out to."""

_CHECK_OF_GROUP = {
    "quarantine": "quarantine",
    "schema": "quarantine",
    "privacy": "privacy",
    "over_time": "over_time",
    "freshness": "data_age",
}
"""Group of findings → check; what is in no such group is the gate's, but for the expectations."""

_CHECK_OF_RULE: tuple[tuple[str, str], ...] = (
    ("expect_table_", "columns"),
    ("column_to_exist", "columns"),
    ("of_type", "columns"),
    ("in_type_list", "columns"),
    ("be_null", "filled"),
    ("non_null", "filled"),
    ("unique", "keys"),
    ("foreign_key", "keys"),
    ("reference", "keys"),
)
"""What stands in an expectation's name → check; the first that fits counts, and all the others are about values."""

_MOST_COUNTS = 20
"""How many counts one check shows as numbers of their own; the table has more."""

_MOST_ROWS = 200
"""How many findings the table of a check shows, those that failed first; `checked` counts them all."""
_MOST_TOLD = 20
"""How many failures its description tells."""
_MOST_COLUMNS = 5
"""How many columns of a finding are named in its row."""


def check_specs(dataset: str) -> list[dg.AssetCheckSpec]:
    """The checks of one dataset; `data_age` tells, the others block."""
    return [
        dg.AssetCheckSpec(name, asset=asset_key(dataset, stage), description=words, blocking=name != "data_age")
        for name, (stage, words) in CHECKS.items()
    ]


def checks_of(assets: Iterable[dg.AssetKey]) -> list[dg.AssetCheckKey]:
    """The checks that a run of `assets` evaluates. A run that names none would evaluate those of other jobs, too."""
    wanted = set(assets)
    keys = {dg.AssetCheckKey(asset_key(dataset, stage), name) for dataset in {key.path[0] for key in wanted}
            for name, (stage, _) in CHECKS.items()}  # fmt: skip
    return sorted(key for key in keys if key.asset_key in wanted)


def unasked(dataset: str, told: Collection[str], report: RunReport | None) -> Iterator[dg.AssetCheckResult]:
    """A result for each check that a run which came to its end has not `told`: planned, it would else look broken.

    When nothing was delivered anew, `report` is that of the run which made the release: what it found still holds.
    """
    missing = [name for name in CHECKS if name not in told]
    grouped: dict[str, list[Finding]] = {name: [] for name in missing}
    for finding in report.findings if report else ():
        grouped.setdefault(check_of(finding), []).append(finding)
    for name in missing:
        yield _result(dataset, name, grouped[name], {})


def check_results(
    dataset: str, findings: Iterable[Finding], *, only: Iterable[str], before: RunReport | None = None
) -> Iterator[dg.AssetCheckResult]:
    """One result for each check among `only` that has findings, or asks nothing of the rows; red when one failed.

    `before` is the report of the run before this one, for the trend. The severity is ERROR when a failed finding
    blocks, else WARN.
    """
    grouped: dict[str, list[Finding]] = {name: [] for name in OF_EXPECTATIONS}
    for finding in findings:
        grouped.setdefault(check_of(finding), []).append(finding)
    known = dict(zip(wording.identities(before.findings), before.recorded, strict=True)) if before else {}
    for name in only:
        if (found := grouped.get(name)) is not None:
            yield _result(dataset, name, found, known)


def check_of(finding: Finding) -> str:
    """The check that shows `finding`."""
    if finding.group == "quality":
        return next((check for part, check in _CHECK_OF_RULE if part in finding.rule), "values")
    return _CHECK_OF_GROUP.get(finding.group, "gate")


def _result(
    dataset: str, name: str, findings: list[Finding], known: Mapping[tuple[Any, ...], Recorded]
) -> dg.AssetCheckResult:
    failed = [f for f in findings if not f.passed]
    blocks = any(f.blocks and f.group != APPROVAL for f in findings)  # what waits for a person is no error
    earlier = [known.get(identity) for identity in wording.identities(findings)]
    rows = sorted(zip(findings, earlier, strict=True), key=lambda row: row[0].passed)
    metadata: dict[str, Any] = {
        "failed": len([f for f in failed if f.severity is not Severity.INFO]),
        "checked": len(findings),
    }
    if rows:
        metadata["findings"] = dg.MetadataValue.table([_record(f, e) for f, e in rows[:_MOST_ROWS]])
    metadata |= _counts(findings) | _trend(rows)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset_key(dataset, CHECKS[name][0]),
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=_description(findings, failed, metadata),
        metadata=metadata,
    )


def _description(findings: list[Finding], failed: list[Finding], metadata: Mapping[str, Any]) -> str:
    """How many findings fail and how many values are wrong, now and the time before, then what is wrong."""
    if not findings:
        return "nothing of this kind is asked"
    if not failed:
        return f"all {len(findings)} findings hold"
    told = []
    for name, words in (("failed", f"of {len(findings)} findings fail"), ("wrong_values", "wrong values")):
        if name in metadata:
            before = metadata.get(f"{name}_before")
            told.append(f"{metadata[name]} {words}" + ("" if before is None else f" ({before} before)"))
    more = f"; and {len(failed) - _MOST_TOLD} more" if len(failed) > _MOST_TOLD else ""
    return f"{', '.join(told)}: {'; '.join(f.message for f in failed[:_MOST_TOLD])}{more}"


def _counts(findings: Iterable[Finding]) -> dict[str, int | float]:
    """The most telling count of each finding, as a number that Dagster can follow; wrong values are added up."""
    shown: dict[str, int | float] = {}
    for finding in findings:
        name = next((name for name in MEASURES if name in finding.counts), None)
        if name == "unexpected_count":
            shown["wrong_values"] = shown.get("wrong_values", 0) + finding.counts[name]
        elif name and len(shown) < _MOST_COUNTS:
            shown[f"{name} of {finding.column}" if finding.column else name] = finding.counts[name]
    return shown


def _trend(rows: Iterable[tuple[Finding, Recorded | None]]) -> dict[str, Any]:
    """How many wrong values the run before had, how many findings failed in it, and since when some fail."""
    compared = [(finding, before) for finding, before in rows if before is not None]
    if not compared:
        return {}
    shown: dict[str, Any] = {"failed_before": sum(not before.finding.passed for _, before in compared)}
    counted = [b.finding.counts["unexpected_count"] for _, b in compared if "unexpected_count" in b.finding.counts]
    if counted:
        shown["wrong_values_before"] = sum(counted)
    since = [before.since for finding, before in compared if not finding.passed and before.since]
    return shown | ({"failing_since": dg.MetadataValue.timestamp(min(since))} if since else {})


def _record(finding: Finding, before: Recorded | None) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "holds": "yes" if finding.passed else "NO",
            "column": ", ".join(wording.columns(finding)[:_MOST_COLUMNS]),
            "rule": finding.rule,
            "severity": str(finding.severity),
            "count": _told(finding),
            "before": "" if before is None else f"{'yes' if before.finding.passed else 'NO'} {_told(before.finding)}",
            "message": finding.message,
            "counts": ", ".join(f"{name} {value}" for name, value in finding.counts.items()),
        }
    )


def _told(finding: Finding) -> str:
    """The most telling count, without its name; the message has it."""
    return next((english_number(finding.counts[name]) for name in MEASURES if name in finding.counts), "")
