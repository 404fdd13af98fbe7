"""What was found, for other tools: JSON of our own, SARIF 2.1.0 for code hosts, JUnit for test reports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lxml import etree

from odpipeline import __version__
from odpipeline.validating.validation import Result, Validation

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_TOLD_ROWS = 100
"""The most rows of one result that SARIF tells one by one: code hosts show a few thousand results at most."""


def as_json(found: Validation) -> dict[str, Any]:
    """Everything, for programs: `results` holds what held as well."""
    counts = {level: sum(one.level == level for one in found.issues) for level in ("error", "warning")}
    return {
        "file": found.file,
        "schema": found.schema,
        "valid": found.valid,
        "rows": found.rows,
        "errors": counts["error"],
        "warnings": counts["warning"],
        "results": [asdict(one) for one in found.results],
    }


def as_sarif(found: Validation) -> dict[str, Any]:
    """OASIS SARIF 2.1.0: one result for each row that fails, the first hundred of each rule, or for the whole file."""
    codes = dict.fromkeys(one.code for one in found.results)
    tool = {"driver": {"name": "odpipeline", "version": __version__, "rules": [{"id": code} for code in codes]}}
    results = [
        {
            "ruleId": one.code,
            "level": one.level,
            "message": {"text": one.message},
            "locations": [_location(found.file, one, row)],
        }
        for one in found.issues
        for row in one.rows[:_TOLD_ROWS] or (None,)
    ]
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": tool, "results": results}]}


def _location(file: str, one: Result, row: int | None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": file.replace("\\", "/")}}
    if row is not None:
        physical["region"] = {"startLine": row}
    return {"physicalLocation": physical, "logicalLocations": [{"name": name} for name in one.columns]}


def as_junit(found: Validation) -> str:
    """JUnit's XML: each rule is a test case; a warning is one that passed, with what it tells as its output."""
    failed = [one for one in found.issues if one.level == "error"]
    counts = {"tests": str(len(found.results)), "failures": str(len(failed)), "errors": "0", "skipped": "0"}
    root = etree.Element("testsuites", counts, name="odpipeline")
    suite = etree.SubElement(root, "testsuite", counts, name=found.schema)
    for one in found.results:
        name = " ".join((*one.columns, one.code, one.rule))
        case = etree.SubElement(suite, "testcase", {"classname": found.file, "name": name})
        if one in failed:
            etree.SubElement(case, "failure", {"type": one.code, "message": one.message}).text = _rows(one)
        elif not one.held:
            etree.SubElement(case, "system-out").text = one.message
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return text.decode()


def _rows(one: Result) -> str:
    more = f" and {one.count - len(one.rows)} more" if one.count > len(one.rows) else ""
    return f"rows {', '.join(map(str, one.rows))}{more}" if one.rows else ""
