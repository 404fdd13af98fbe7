"""Our verdicts beside Validata's, cell by cell: `python -m benchmarks.agreement`.

ODP_SCHEMAS names a folder with Table Schemas, anywhere below it, and their authors' example files beside them.
Validata-table is no dependency of this project: ODP_PEERS names a Python that has it. For each schema, a file is
generated: for each field a row with its own example and one for each of the values in `SPELLINGS`, where the other
required fields hold their examples.
Both validate the same files; why only one of them refuses a cell or a row is told by `EXPLAINED`, or as unexplained.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from odpipeline.errors import OdpError
from odpipeline.validating import schema_at, validate

COMMON = ("", " ", "x", "é" * 300, "-1", "12,5")
SPELLINGS: dict[str, tuple[str, ...]] = {
    "integer": ("1", "1.0", "1.5", "1e3", "1 000", "0x1F", "1_000", "99999999999999999999", "NaN", "+1", "01"),
    "number": ("1.5", ".5", "1.", "1e5", "1 000", "1_000", "NaN", "INF", "99999999999999999999", "50%", "0x1F"),
    "boolean": ("true", "True", "TRUE", "1", "false", "0", "oui", "VRAI", "yes"),
    "date": ("2024-01-31", "31/12/2024", "2024-02-30", "2024-1-5", "20240131", "2024-01-31T00:00:00Z", "2024"),
    "datetime": ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00", "2024-01-31 10:00:00", "2024-01-31T10:00",
                 "2024-01-31T10:00:00+01:00", "2024-01-31"),
    "time": ("10:00:00", "10:00", "25:00:00", "10h00"),
    "year": ("2024", "24", "2024.0", "02024"),
    "geopoint": ("2.3,48.8", "2.3, 48.8", "48.8 2.3", "[2.3,48.8]", "200,10", "2,3"),
    "geojson": ('{"type":"Point","coordinates":[2,48]}', "{}", "[]", "Point(2 48)"),
    "array": ('["a"]', "[1", "a,b", "{}"),
    "duration": ("P1Y", "P", "PT1H30M", "1h"),
    "string": ("a@ville.example", "https://ville.example/a", "ville.example", "21440109300015", "214 401 093 00015",
               "21440109300016", "W123456789", "2024/2025", "2025/2024", "Mo-Fr 08:30-12:00", "Lu-Ve 8h",
               "Commande publique/Marchés publics", "non"),
}  # fmt: skip
"""Table Schema type → cells, right and wrong, that systems deliver."""
_PLAIN = {
    "integer": "1", "number": "1.5", "boolean": "true", "date": "2024-01-31", "datetime": "2024-01-31T10:00:00Z",
    "time": "10:00:00", "year": "2024", "geopoint": "2.3,48.8", "array": '["a"]', "duration": "P1Y",
    "geojson": '{"type":"Point","coordinates":[2,48]}',
}  # fmt: skip
"""A right cell for a field without an example."""
EXPLAINED = {
    " ": "a cell of blanks: missing for us, a text for Validata",
    "1 000": "thousands apart: French systems write them",
    "17 142.08": "thousands apart: French systems write them",
    "1.0": "a whole number with decimals of zero",
    "1_000": "Python's own spelling of numbers, which no other tool reads",
    "INF": "no finite number: nothing that is published may hold one",
    "NaN": "no finite number: nothing that is published may hold one",
    "99999999999999999999": "a whole number beyond 64 bits, which no file of ours can hold",
    "2024-1-5": "a date that is not ISO 8601",
    "2024-01-31T00:00:00Z": "a date that is delivered as its midnight",
    "2024-01-31T10:00": "a moment without seconds, as ISO 8601 allows",
    "214 401 093 00015": "a SIRET with blanks: nothing that is published may hold one",
}
"""Spelling → why only one of both refuses it."""
ITEMS = "the items of an array (arrayItem) are not checked"
SAME_ROW = "a rule over several columns, where one of them is read differently"

_ACROSS = ("one-of-required", "cohesive-columns-value", "compare-columns-value", "sum-columns-value")
_REPEATED = {"primary-key": "repeated", "unique-error": "repeated"}
"""What both say of a key that stands twice; Validata says it twice where the field is unique too."""

_PEER = """
import json, sys, time
from validata_core import resource_service, validation_service
for line in sys.stdin:
    schema, file = json.loads(line)
    started = time.perf_counter()
    try:
        resource = resource_service.from_file_content(file, open(file, "rb").read())
        report = validation_service.validate_resource(resource, json.load(open(schema)), True).to_dict()
    except Exception as error:
        report = {"valid": None, "errors": []}
        print("Validata fails on", schema.split("/")[-1], type(error).__name__, file=sys.stderr)
    told = [[e["type"], e.get("rowNumber"), e.get("fieldName")] for e in report["errors"]]
    rows = report.get("stats", {}).get("rows_processed", 0)
    print(json.dumps([report["valid"], told, rows, time.perf_counter() - started]), flush=True)
"""


@dataclass(frozen=True)
class Found:
    """What one side says: valid or not, the cells (row, column) and the rows (row, rule) that it refuses."""

    valid: bool | None
    cells: frozenset[tuple[int, str]]
    rows: frozenset[tuple[int, str]]
    seconds: float
    looked_at: int

    def until(self, row: int) -> Found:
        """Without what is said of the rows after `row`: Frictionless stops at a thousand errors."""
        cells, rows = ({one for one in some if one[0] <= row} for some in (self.cells, self.rows))
        return replace(self, cells=frozenset(cells), rows=frozenset(rows))


def cases(folder: Path, work: Path) -> Iterator[tuple[Path, Path]]:
    """Each schema with the examples in its own folder, and with a file that is generated for it."""
    for file in sorted(folder.rglob("*.json")):
        try:
            schema = json.loads(file.read_text(encoding="utf-8-sig"))
        except ValueError:
            continue
        if isinstance(schema, dict) and isinstance(schema.get("fields"), list) and schema["fields"]:
            beside = [one for one in file.parent.rglob("*") if one.suffix in (".csv", ".xls", ".xlsx")]
            yield from ((file, one) for one in sorted(beside) if "registry" not in one.parts)
            yield file, generated(schema, work / f"{len(list(work.iterdir()))}.csv")


def generated(schema: dict[str, Any], target: Path) -> Path:
    """A row for each field and spelling, in which the other required fields hold their examples."""
    good = [_example(field) if _required(field) else "" for field in schema["fields"]]
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([field["name"] for field in schema["fields"]])
        writer.writerow(good)
        for place, field in enumerate(schema["fields"]):
            for cell in (*COMMON, *SPELLINGS.get(field.get("type", "string"), ())):
                writer.writerow([*good[:place], cell, *good[place + 1 :]])
            writer.writerow([*good[:place], _example(field), *good[place + 1 :]])
    return target


def _required(field: dict[str, Any]) -> bool:
    return bool(field.get("constraints", {}).get("required"))


def _example(field: dict[str, Any]) -> str:
    said = field.get("example", field.get("examples"))
    said = said[0] if isinstance(said, list) and said else said
    allowed = field.get("constraints", {}).get("enum") or field.get("enum")
    if said is None and allowed:
        said = allowed[0]
    if said is None and "%" in field.get("format", ""):
        said = datetime(2024, 1, 31, 10, tzinfo=UTC).strftime(field["format"])
    return str(_PLAIN.get(field.get("type", "string"), "texte") if said is None else said)


def ours(schema: Path, file: Path) -> Found | str:
    """What `odp validate` says, or why the schema cannot be checked."""
    started = time.perf_counter()
    try:
        found = validate(file, schema_at(str(schema), Path()))
    except OdpError as error:
        return str(error).splitlines()[0].split(": ", 1)[-1]
    told = [(one.code, row, column) for one in found.issues for row in one.rows for column in one.columns or ("",)]
    return _found(found.valid, told, time.perf_counter() - started, found.rows)


def _found(valid: bool | None, told: list[tuple[str, int, str]], seconds: float, looked_at: int) -> Found:
    in_rows = (*_ACROSS, *_REPEATED)
    cells = {(row, column.lower()) for code, row, column in told if column and code not in in_rows}
    return Found(
        valid,
        frozenset(cells),
        frozenset((row, _REPEATED.get(code, code)) for code, row, _ in told if code in in_rows),
        seconds,
        looked_at,
    )


def validata(asked: list[tuple[Path, Path]]) -> list[Found]:
    """What Validata says of every pair, from one process of its own."""
    lines = "".join(json.dumps([str(schema), str(file)]) + "\n" for schema, file in asked)
    ran = subprocess.run(
        [os.environ["ODP_PEERS"], "-c", _PEER], input=lines, stdout=subprocess.PIPE, text=True, check=True
    )
    found = []
    for line in ran.stdout.splitlines():
        valid, told, rows, seconds = json.loads(line)
        found.append(_found(valid, [(code, row, column or "") for code, row, column in told if row], seconds, rows))
    return found


def main() -> None:
    """Compare, and tell."""
    for name in ("ODP_SCHEMAS", "ODP_PEERS"):
        if name not in os.environ:
            sys.exit(f"{name} is not set; see the beginning of this file")
    with tempfile.TemporaryDirectory() as work:
        asked = list(cases(Path(os.environ["ODP_SCHEMAS"]), Path(work)))
        mine = [ours(schema, file) for schema, file in asked]
        told(asked, mine, validata(asked))


def told(asked: list[tuple[Path, Path]], mine: list[Found | str], theirs: list[Found]) -> None:
    """Print how far both agree, and what each alone refuses."""
    same = cells = agreed = compared = 0
    alone: Counter[tuple[str, str]] = Counter()
    refused: Counter[str] = Counter()
    seconds = [0.0, 0.0]
    for (schema, file), own, peer in zip(asked, mine, theirs, strict=True):
        if isinstance(own, str) or peer.valid is None:
            refused[own if isinstance(own, str) else "Validata fails on it"] += 1
            continue
        compared, a, b = compared + 1, own.until(peer.looked_at), peer.until(peer.looked_at)
        same += a.valid == b.valid
        if a.valid != b.valid:
            print(f"verdict of {schema.parent.name}/{file.name}: ours {a.valid}, Validata {b.valid}")
        seconds = [seconds[0] + a.seconds, seconds[1] + b.seconds]
        cells += len(a.cells | b.cells) + len(a.rows | b.rows)
        agreed += len(a.cells & b.cells) + len(a.rows & b.rows)
        for who, one, other in (("ours", a, b), ("validata", b, a)):
            for row, column in one.cells - other.cells:
                alone[who, _why(schema, file, row, column)] += 1
            for row, rule in one.rows - other.rows:
                alone[who, _why_of_row(schema, file, row, rule, other)] += 1
    print(f"{compared} files: the same verdict on {same}; {cells} refusals of cells or rows, {agreed} by both")
    print(f"ours {seconds[0]:.1f} s, Validata {seconds[1]:.1f} s")
    for why, times in refused.most_common():
        print(f"schema not checked ({times}): {why}")
    for (who, why), times in alone.most_common():
        print(f"only {who:8} {times:5}  {why}")


def _why(schema: Path, file: Path, row: int, column: str) -> str:
    """Why only one side refuses a cell; the cell itself where nobody knows, since it is one of `SPELLINGS`."""
    field, lines = _fields(schema).get(column, {}), _lines(file)
    header = [name.lower() for name in lines[0]] if lines else []
    cell = lines[row - 1][header.index(column)] if column in header and row <= len(lines) else ""
    if "arrayItem" in field:
        return ITEMS
    return EXPLAINED.get(cell) or f"UNEXPLAINED: {field.get('type')} {field.get('constraints')} {cell[:40]!r}"


def _why_of_row(schema: Path, file: Path, row: int, rule: str, other: Found) -> str:
    """Why only one side refuses a row for `rule`."""
    lines = _lines(file)
    if row <= len(lines) and set(lines[row - 1]) & set(EXPLAINED):
        return SAME_ROW
    keys = json.loads(schema.read_text(encoding="utf-8-sig")).get("primaryKey", [])
    named = {keys.lower()} if isinstance(keys, str) else {key.lower() for key in keys}
    if rule == "repeated" and named & {column for at, column in other.cells if at == row}:
        return "a key that is missing or unreadable: told of its cell, and by Validata of its row as well"
    return f"UNEXPLAINED: {rule} of {schema.parent.name}, row {row}"


@cache
def _fields(schema: Path) -> dict[str, dict[str, Any]]:
    return {field["name"].lower(): field for field in json.loads(schema.read_text(encoding="utf-8-sig"))["fields"]}


@cache
def _lines(file: Path) -> list[list[str]]:
    if file.suffix != ".csv":
        return []
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        return list(csv.reader(stream))


if __name__ == "__main__":
    main()
