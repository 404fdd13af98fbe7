"""YAML 1.2 with positions: plain data, the line of every key, and the faults that only the text shows.

libyaml scans (300 declarations in 0.1 s; ruamel.yaml's pure composer takes 2 s), and the values are resolved here by
the core schema of YAML 1.2 (section 10.3): `oui`, `no`, `on` and dates stay text. Stricter than YAML where leniency
hides mistakes: no key twice, no empty value, no tag, no number with a leading zero, no alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""The way to a value: keys, and indices of lists from 0."""

MAX_BYTES = 1_000_000
"""The largest declaration that is read."""

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBERS = re.compile(
    r"(?P<integer>[-+]?[0-9]+)|(?P<octal>0o[0-7]+)|(?P<hexadecimal>0x[0-9a-fA-F]+)"
    r"|(?P<number>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_LONGEST_NUMBER = 64
"""Longer digits are text: Python itself refuses to read thousands of them."""
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}

_REMEDIES = (
    ("while scanning an alias", "a value that begins with * must be in quotes, such as \"*/5 * * * *\""),
    ("while scanning an anchor", "a value that begins with & must be in quotes"),
    ("found undefined alias", "a value that begins with * must be in quotes"),
    ("found duplicate anchor", "anchors (&) are not used in declarations; write the value out"),
    ("mapping values are not allowed", "put a value that holds ': ' in quotes, or mend the indentation"),
    ("cannot start any token", "put a value that begins with @, `, or % in quotes"),
    ("flow node", "close the list with ], or the mapping with }"),
    ("flow sequence", "close the list with ]"),
    ("flow mapping", "close the mapping with }, and part its keys by commas"),
    ("quoted scalar", "close the quotes; in double quotes write a backslash twice, or use single quotes"),
    ("another document", "keep one document: remove the line ---"),
    ("control characters", "remove the control character"),
    ("block mapping", "mend the indentation, and quote a value that goes on after its closing quote"),
    ("nesting", "write it with fewer levels"),
)  # fmt: skip


@dataclass(frozen=True)
class Parsed:
    """What a text says: `data` (None when it cannot be read as a mapping), `lines` from 1, `faults` as (line, what)."""

    data: dict[str, Any] | None
    lines: dict[Place, int] = field(default_factory=dict)
    faults: tuple[tuple[int, str], ...] = ()


def parse(content: bytes) -> Parsed:
    """Read one YAML document. Never raises: an unreadable text is one fault with its line."""
    if len(content) > MAX_BYTES:
        return _unreadable(0, f"the file is larger than {MAX_BYTES:,} bytes; a declaration is a short text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _unreadable(line, "the text is not UTF-8; save the file in UTF-8")
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        return _unreadable(*_spoken(error, text))
    if root is None:
        return _unreadable(0, "the file is empty; write at least the mandatory keys")
    if not isinstance(root, yaml.MappingNode):
        return _unreadable(root.start_mark.line + 1, "expected keys and values at the top: `title: …`")
    return _Reader().document(root)


def _unreadable(line: int, what: str) -> Parsed:
    return Parsed(None, {}, ((line, what),))


def _spoken(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line and the words for what libyaml could not read."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context = getattr(error, "context", None) or ""
    problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    position = getattr(error, "position", None)
    line = mark.line if mark else text.count("\n", 0, position) if isinstance(position, int) else 0
    opened = getattr(error, "context_mark", None)
    if opened is not None and ("flow" in context or "quoted" in context):
        line = opened.line  # where it was opened helps more than where the file ends
    lines = text.split("\n")
    if line < len(lines) and re.match(r" *\t", lines[line]):
        return line + 1, "the YAML cannot be read: a tab cannot indent; use spaces"
    said = f"{context} {problem}"
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in said), "mend the indentation and the quotes")
    return line + 1, f"the YAML cannot be read ({problem}); {remedy}"


class _Reader:
    """Turns nodes into data, keeping lines and faults on the way."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.faults: list[tuple[int, str]] = []
        self.seen: set[int] = set()

    def document(self, root: yaml.MappingNode) -> Parsed:
        self.lines[()] = root.start_mark.line + 1
        data = self.mapping(root, ())
        return Parsed(data, self.lines, tuple(self.faults))

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        if node.tag not in _PLAIN_TAGS:
            self.faults.append((line, "tags (!) are not used in declarations; write the plain value"))
            return ""
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, place)
        if id(node) in self.seen:
            self.faults.append((line, "aliases (*) are not used in declarations; write the value out"))
            return {}
        self.seen.add(id(node))
        return self.mapping(node, place) if isinstance(node, yaml.MappingNode) else self.sequence(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, line, child in self.keys(node):
            here = (*place, key)
            if key in found:
                first = self.lines[here]
                self.faults.append((line, f"the key {key!r} stands twice (first on line {first}); keep one"))
                continue
            self.lines[here] = line
            found[key] = self.value(child, here)
        return found

    def keys(self, node: yaml.MappingNode) -> Iterator[tuple[str, int, yaml.Node]]:
        for key, child in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                yield key.value, line, child
            else:
                self.faults.append((line, "a key must be a plain word"))

    def sequence(self, node: yaml.Node, place: Place) -> list[Any]:
        items = []
        for index, child in enumerate(node.value):
            here = (*place, index)
            self.lines[here] = child.start_mark.line + 1
            items.append(self.value(child, here))
        return items

    def scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        if node.style is not None and node.style != "":
            return node.value
        value = resolve(node.value)
        line = node.start_mark.line + 1
        if value is None:
            name = next((part for part in reversed(place) if isinstance(part, str)), "")
            self.faults.append((self.lines.get(place, line), f"{name!r} has no value; give it one or remove it"))
            return ""
        if _LEADING_ZERO.fullmatch(node.value):
            self.faults.append((line, "a number does not begin with 0; put a code in quotes, such as '01'"))
            return node.value
        return value


def resolve(plain: str) -> Any:
    """The value of a plain (unquoted) scalar by the core schema of YAML 1.2: null, boolean, number or text."""
    if plain in _WORDS:
        return _WORDS[plain]
    match = _NUMBERS.fullmatch(plain) if len(plain) <= _LONGEST_NUMBER else None
    if match is None:
        return plain
    if match.lastgroup == "octal":
        return int(plain[2:], 8)
    if match.lastgroup == "hexadecimal":
        return int(plain[2:], 16)
    return int(plain) if match.lastgroup == "integer" else float(plain)
