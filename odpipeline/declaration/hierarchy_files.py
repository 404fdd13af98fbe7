"""Generalisation files as the declaration needs them: readable, as wide on every line, and nested.

One line a leaf, `leaf;level 1;level 2…`, UTF-8, no header (the form that ARX reads). Nested: whatever shares a value
on one level shares it on every coarser one; otherwise a coarser release could be finer than the one before.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from odpipeline.declaration.builtin_hierarchies import BUILTIN
from odpipeline.declaration.drafts import inside


class Hierarchies:
    """The hierarchies of a town: its files, each read once, and the built-in ones."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[int, str]] = {}

    def levels(self, relative: str) -> tuple[int, str]:
        """(number of levels above the leaf, what is wrong with the file or an empty text).

        The text begins with the file and, where there is one, the line; it never holds a value of the file.
        """
        if relative in BUILTIN:
            return len(BUILTIN[relative].levels), ""
        if relative not in self._known:
            self._known[relative] = self._read(relative)
        return self._known[relative]

    def _read(self, relative: str) -> tuple[int, str]:
        if not inside(self._root, relative):
            return 0, f"{relative} is outside the town; move the file into it, and write its path relative to town.yaml"
        try:
            with (self._root / relative).open(encoding="utf-8-sig", newline="") as file:
                return _nested(file, relative)
        except UnicodeDecodeError:
            return 0, f"{relative} is not UTF-8; save it in UTF-8"
        except csv.Error as error:
            return 0, f"{relative} cannot be read ({error}); part the values by semicolons and close the quotes"
        except OSError:
            remedy = "write it, or correct the path (relative to the town)"
            if not Path(relative).suffix:
                remedy += f"; without a file there are {', '.join(BUILTIN)}"
            return 0, f"there is no file {relative}; {remedy}"


def _nested(lines: Iterable[str], relative: str) -> tuple[int, str]:
    reader = csv.reader(lines, delimiter=";", strict=True)
    width = 0
    coarser: list[dict[str, tuple[str, int]]] = []
    for row in reader:
        place = f"{relative}:{reader.line_num}"
        if not width:
            width = len(row)
            coarser = [{} for _ in range(width - 1)]
        if width < 2:
            return 0, f"{place} has no level above the leaf; write `leaf;level 1;…` on each line"
        if len(row) != width:
            return 0, f"{place} has {len(row)} values and the first line has {width}; give every line as many"
        if row[0] in coarser[0]:
            return 0, f"{place} repeats the leaf of line {coarser[0][row[0]][1]}; give each leaf one line"
        for level, (value, above) in enumerate(pairwise(row)):
            first, line = coarser[level].setdefault(value, (above, reader.line_num))
            if first != above:
                return 0, (
                    f"{place} and line {line} share level {level} but not level {level + 1}; "
                    "a hierarchy must be nested: what shares a level shares every coarser one"
                )
    return (width - 1, "") if width else (0, f"{relative} is empty; write one line for each leaf")
