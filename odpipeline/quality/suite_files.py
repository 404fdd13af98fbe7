"""Reads a suite of Great Expectations' own JSON with the line where each expectation begins.

The standard library's parser keeps no positions: the file is parsed whole first, so that every fault of JSON is found,
and its list of expectations is then walked item by item.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLANK = re.compile(r"[ \t\r\n]*")


class SuiteFileFault(Exception):
    """The file cannot be read as a suite: `line` from 1 (0: the file as a whole) and what is wrong."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


@dataclass(frozen=True)
class Entry:
    """One item of the list `expectations`, and the line where it begins, from 1."""

    value: Any
    line: int


@dataclass(frozen=True)
class SuiteFile:
    """The keys of the file but `expectations`, and the expectations."""

    head: dict[str, Any]
    entries: tuple[Entry, ...]


def read(file: Path) -> SuiteFile:
    """The suite in `file`.

    Raises: SuiteFileFault when it is no JSON object with a list `expectations`.
    """
    try:
        text = file.read_text("utf-8-sig")
        whole = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SuiteFileFault(error.lineno, f"the suite is not JSON ({error.msg}); mend it") from None
    except OSError as error:
        raise SuiteFileFault(0, f"the suite cannot be read ({type(error).__name__}); save it there") from None
    except UnicodeDecodeError:
        raise SuiteFileFault(0, "the suite cannot be read; save it as JSON in UTF-8") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("expectations"), list):
        raise SuiteFileFault(1, 'the suite must hold a list "expectations"; write {"name": …, "expectations": […]}')
    head = {key: value for key, value in whole.items() if key != "expectations"}
    return SuiteFile(head, tuple(_entries(text)))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise SuiteFileFault(0, f"the key {twice!r} stands twice in one object; keep one")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise SuiteFileFault(0, f"{name} is no JSON value; leave the argument out")


def _entries(text: str) -> list[Entry]:
    decoder, found = json.JSONDecoder(), []
    at = _list_start(text, decoder)
    while text[at := _skip(text, at)] != "]":
        value, end = decoder.raw_decode(text, at)
        found.append(Entry(value, text.count("\n", 0, at) + 1))
        at = _skip(text, end)
        at += text[at] == ","
    return found


def _list_start(text: str, decoder: json.JSONDecoder) -> int:
    """The position after the bracket that opens the list `expectations` of a text that is known to be right."""
    at = _skip(text, 0) + 1
    while True:
        key, end = decoder.raw_decode(text, _skip(text, at))
        at = _skip(text, _skip(text, end) + 1)
        if key == "expectations":
            return at + 1
        _, end = decoder.raw_decode(text, at)
        at = _skip(text, end) + 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
