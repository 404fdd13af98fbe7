"""A profile → YAML and suite: what is certain stands there, what is guessed has a comment, what is dangerous is shut.

Columns that may be about persons are dropped by the draft, and `odp check` refuses it until a person has completed what
only a person can know: title, owner, and, where persons may be concerned, the legal basis.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from odpipeline.declaration.checking import TO_COMPLETE
from odpipeline.errors import OdpError
from odpipeline.profiling.looking import Column, Profile


def write(root: Path, identifier: str, theme: str, source: dict[str, Any], found: Profile) -> list[Path]:
    """Write `assets/<theme>/<identifier>.yaml` and `expectations/<identifier>.json` below `root`; their paths.

    Raises: OdpError when one of them is there already: nothing is ever overwritten.
    """
    declaration = root / "assets" / theme / f"{identifier}.yaml"
    suite = root / "expectations" / f"{identifier}.json"
    for file in (declaration, suite):
        if file.exists():
            raise OdpError(
                "there is such a file already",
                where=str(file.relative_to(root)),
                mend="give the draft another name with --as, or remove the file",
            )
        file.parent.mkdir(parents=True, exist_ok=True)
    declaration.write_text(_declaration(source, found), encoding="utf-8")
    suite.write_text(_suite(identifier, found), encoding="utf-8")
    return [declaration, suite]


def _declaration(source: dict[str, Any], found: Profile) -> str:
    names = field_names(found)
    lines = [
        f"# A draft made from {found.rows} rows: read every line. What follows a # is why, or what to do.",
        f"title: {TO_COMPLETE}  # the title that citizens read, in French",
        f"description: {TO_COMPLETE}  # what it holds, in French",
        f"owner: {TO_COMPLETE}  # the mail address of the department that answers for it",
        "themes: []  # codes of the EU vocabulary: TRAN, GOVE, SOCI, ENVI, EDUC…",
        f"source: {_flow(source)}",
    ]
    if found.form:
        lines.append(f"format: {_flow(found.form)}  # found by trying")
    lines += ["fields:", *(_field(column, names[column.name], found) for column in found.columns)]
    if found.key:
        lines.append(f"key: {_flow([names[n] for n in found.key])}  # guessed: it names each row of this delivery once")
    else:
        lines.append("# key: […]  # no column or pair of columns names each row once")
    lines += _personal(found, names)
    lines.append('schedule: nightly  # or a cron expression, such as "*/15 * * * *"')
    if found.event:
        lines.append(
            f"freshness: {{data: 35 days, column: {_flow(names[found.event])}}}  # guessed: promise what you can"
        )
    else:
        lines.append("# freshness: {data: …, column: …}  # no column tells when a row was made")
    return "\n".join(lines) + "\n"


def field_names(found: Profile) -> dict[str, str]:
    """Delivered column → field name: lower case, no accents, no blanks, none twice."""
    names: dict[str, str] = {}
    for column in found.columns:
        apart = unicodedata.normalize("NFKD", column.name.replace("œ", "oe").replace("’", "_"))
        letters = "".join(sign for sign in apart if not unicodedata.combining(sign))
        plain = "_".join(re.findall(r"[A-Za-z0-9.]+", letters)).replace(".", "_").strip("_").lower() or "colonne"
        name, number = plain, 2
        while name in names.values():
            name, number = f"{plain}_{number}", number + 1
        names[column.name] = name
    return names


def _field(column: Column, name: str, found: Profile) -> str:
    said: dict[str, Any] = {"name": name, **column.said}
    if name != column.name:
        said["source"] = column.name
    constraints: dict[str, Any] = {}
    if column.complete and column.rows:
        constraints["required"] = True
    if found.key == (column.name,):
        constraints["unique"] = True
    if column.values and not found.personal:
        constraints["enum"] = list(column.values)
    if constraints:
        said["constraints"] = constraints
    return f"  - {_flow(said)}  # {'; '.join(_remarks(column, found))}"


def _remarks(column: Column, found: Profile) -> list[str]:
    told = [f"{column.filled} of {column.rows} filled, {column.distinct} different"]
    if not column.said:
        told.append("read as text" if column.filled else "always empty, so that its type cannot be told")
    if column.kind not in ("", "string", "int", "float", "bool", "date", column.said.get("type", "")):
        told.append(f"looks like {column.kind}")
    if column.values and not found.personal:
        told.append("these few values may not be all")
    if column.why_personal:
        told.append(f"may be about persons: {column.why_personal}")
    return told


def _personal(found: Profile, names: dict[str, str]) -> list[str]:
    if not found.personal:
        return ["personal_data: none  # nothing speaks for persons here; you know better than a guess"]
    roles = [
        f"    {names[c.name]}: {'drop' if c.why_personal else 'keep'}"
        + (f"  # {c.why_personal}; or pseudonymise, or generalise" if c.why_personal else "")
        for c in found.columns
    ]
    return [
        "personal_data: present  # a suspicion is enough: say `none` only when you have looked",
        f"legal_basis: {TO_COMPLETE}  # the text and article that allow it: ask the DPO",
        "privacy:",
        "  columns:",
        *roles,
        "  # quasi_identifiers: […]  # the published columns that together could single out a person",
        "  # k: 11",
    ]


def _suite(identifier: str, found: Profile) -> str:
    """Expectations beyond the schema, in GX's own JSON; the notes say that they are guesses."""
    names = field_names(found)
    expectations = [
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": max(1, found.rows // 2), "max_value": max(10, found.rows * 4)},
            "severity": "warning",
            "meta": {"notes": f"guessed from one delivery of {found.rows} rows"},
        }
    ]
    expectations += [
        {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": names[column.name], "mostly": max(0.01, round(0.9 * column.filled / column.rows, 2))},
            "severity": "warning",
            "meta": {"notes": f"guessed: {column.filled} of {column.rows} were filled"},
        }
        for column in found.columns
        if column.rows and 0 < column.filled < column.rows and not column.why_personal
    ]
    return json.dumps({"name": identifier, "expectations": expectations}, ensure_ascii=False, indent=2) + "\n"


def _flow(value: Any) -> str:
    """`value` as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=100_000, sort_keys=False)
    return text.strip().removesuffix("\n...").strip()
