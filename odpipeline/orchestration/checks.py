"""Findings and verdicts → asset checks: rules, counts and messages by allow-list; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg

from odpipeline.orchestration.keys import asset_key
from odpipeline.verdict import Finding, Severity

CHECKS: dict[str, tuple[str, str]] = {
    "quarantine": ("conformed", "Rows and columns that could be read as declared: quarantine ceiling, new columns."),
    "expectations": (
        "conformed",
        "Great Expectations on the conformed rows: schema, key, and the dataset's own suite.",
    ),
    "privacy": ("staged", "Anonymisation as measured on the written files: columns, k, small cells, suppression."),
    "gate": ("staged", "What else stops publication: emptied or shrunken content, vanished columns, broken output."),
    "over_time": ("staged", "Against the current release, and along time: growth, types, keys, drift, silent sensors."),
    "data_age": ("published", "The age of the newest published event against the promise made to the public."),
}
"""Check → the stage that it belongs to, and what it says."""

_CHECK_OF_GROUP = {
    "quarantine": "quarantine",
    "schema": "quarantine",
    "quality": "expectations",
    "privacy": "privacy",
    "over_time": "over_time",
    "shrink": "gate",
    "gate": "gate",
    "freshness": "data_age",
}


def check_specs(dataset: str) -> list[dg.AssetCheckSpec]:
    """The six checks of one dataset; `data_age` tells, the others block."""
    return [
        dg.AssetCheckSpec(name, asset=asset_key(dataset, stage), description=words, blocking=name != "data_age")
        for name, (stage, words) in CHECKS.items()
    ]


def check_results(
    dataset: str, findings: Iterable[Finding], *, only: Iterable[str] = CHECKS
) -> Iterator[dg.AssetCheckResult]:
    """One result for each check among `only` that has findings; red when one of them failed.

    The severity is ERROR when a failed finding blocks, else WARN.
    """
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(_CHECK_OF_GROUP.get(finding.group, "gate"), []).append(finding)
    for name in only:
        if found := grouped.get(name):
            yield _result(dataset, name, found)


def _result(dataset: str, name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    failed = [f for f in findings if not f.passed]
    blocks = any(f.blocks for f in findings)
    shown = sorted(findings, key=lambda f: f.passed)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset_key(dataset, CHECKS[name][0]),
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description="; ".join(f.message for f in failed) or f"all {len(findings)} findings hold",
        metadata={
            "findings": dg.MetadataValue.table([_record(f) for f in shown]),
            "failed": len([f for f in failed if f.severity is not Severity.INFO]),
            "checked": len(findings),
        },
    )


def _record(finding: Finding) -> dg.TableRecord:
    counts = ", ".join(f"{name} {value}" for name, value in finding.counts.items())
    return dg.TableRecord(
        {
            "holds": "yes" if finding.passed else "NO",
            "rule": finding.rule,
            "column": finding.column or "",
            "severity": str(finding.severity),
            "message": finding.message,
            "counts": counts,
        }
    )
