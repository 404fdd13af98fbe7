"""A Table Schema file (specs.frictionlessdata.io/table-schema) → the keys of a declaration that it stands for.

Only the words we act on are kept: national schemas carry many more (`example`, `comment`, `rdfType`). What they write
in JavaScript's or Python's regular expressions is put into RE2's spelling where that changes nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odpipeline.declaration.dataset import Constraints, TableField
from odpipeline.declaration.positions import Place, parse
from odpipeline.errors import Fault

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_FIELD_WORDS = tuple(word for word in TableField.model_fields if word not in ("source", "constraints"))
_CONSTRAINT_WORDS = tuple(Constraints.model_fields)
_SPELLED = {"missing_values": "missingValues", "key": "primaryKey", "foreign_keys": "foreignKeys"}


@dataclass(frozen=True)
class TableSchema:
    """What a schema file says in a declaration's words: `data` holds `fields`, and what else there is."""

    file: str
    data: dict[str, Any]
    content: bytes

    def line(self, place: Place) -> int:
        """The line of the schema file where `place` of the declaration is said; 0 if it cannot be told.

        Reads the file again as YAML, of which JSON is a subset: only a fault needs it.
        """
        lines = parse(self.content).lines
        spelled: Place = (_SPELLED.get(str(place[0]), place[0]), *place[1:]) if place else ()
        return next((lines[spelled[:end]] for end in range(len(spelled), 0, -1) if spelled[:end] in lines), 0)


def load(root: Path, relative: str) -> TableSchema | Fault:
    """Read the schema file at `relative` below `root`. Returns a fault, never raises, when it is broken."""
    return read(relative, (root / relative).read_bytes())


def read(relative: str, content: bytes) -> TableSchema | Fault:
    """What `content` says, a schema that messages call `relative`. Returns a fault, never raises, when it is broken."""
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return Fault(relative, error.lineno, f"the schema is not JSON ({error.msg}); mend it or download it again")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Fault(relative, line, "the schema is not UTF-8; save it in UTF-8")
    except RecursionError:
        return Fault(relative, 0, "the schema is nested too deeply; a Table Schema has few levels")
    fields = document.get("fields") if isinstance(document, dict) else None
    if not isinstance(fields, list) or not fields or not all(isinstance(field, dict) for field in fields):
        return Fault(relative, 0, 'not a Table Schema; it must hold a list of "fields", each with its "name"')
    data: dict[str, Any] = {"fields": [_field(field) for field in fields]}
    if "missingValues" in document:
        data["missing_values"] = document["missingValues"]
    if "custom_checks" in document:
        data["custom_checks"] = document["custom_checks"]
    if "foreignKeys" in document:
        data["foreign_keys"] = _foreign_keys(document["foreignKeys"])
    if "primaryKey" in document:
        key = document["primaryKey"]
        data["key"] = [key] if isinstance(key, str) else key
    return TableSchema(relative, data, content)


def _field(said: dict[str, Any]) -> dict[str, Any]:
    kept = {word: said[word] for word in _FIELD_WORDS if said.get(word) is not None}
    constraints = said.get("constraints")
    if isinstance(constraints, dict):
        known = {word: constraints[word] for word in _CONSTRAINT_WORDS if constraints.get(word) is not None}
        kept["constraints"] = {word: _constraint(word, value, kept.get("type")) for word, value in known.items()}
    elif constraints:
        kept["constraints"] = constraints  # a fault, which the model words
    return kept


def _foreign_keys(said: Any) -> Any:
    """Table Schema's `{fields, reference: {resource, fields}}` in our words; what has another form is a fault later."""
    if not isinstance(said, list):
        return said
    return [_foreign_key(one) if isinstance(one, dict) else one for one in said]


def _foreign_key(said: dict[str, Any]) -> dict[str, Any]:
    reference = said.get("reference")
    there = reference if isinstance(reference, dict) else {}
    columns = {"fields": said.get("fields"), "references": there.get("fields")}
    listed = {word: [value] if isinstance(value, str) else value for word, value in columns.items()}
    return {"dataset": there.get("resource", ""), **{word: value for word, value in listed.items() if value}}


def _constraint(word: str, value: Any, kind: Any) -> Any:
    """`value` as a declaration writes it: numbers may stand as text in JSON, and RE2 has spellings of its own."""
    if word == "pattern" and isinstance(value, str):
        return as_re2(value)
    if word in ("minimum", "maximum") and kind in ("integer", "number", "year") and isinstance(value, str):
        return _number(value)
    return value


def _number(text: str) -> int | float | str:
    for reads in (int, float):
        try:
            return reads(text)
        except ValueError:
            continue
    return text


def as_re2(pattern: str) -> str:
    """`pattern` with `\\u00C0` and needlessly escaped letters beyond ASCII in RE2's spelling; same meaning."""

    def respelled(match: re.Match[str]) -> str:
        escaped = match[1]
        if len(escaped) == 5:
            return f"\\x{{{escaped[1:]}}}"
        return match[0] if escaped.isascii() else escaped

    return _ESCAPE.sub(respelled, pattern)
