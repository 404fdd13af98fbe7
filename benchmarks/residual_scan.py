"""How well and how fast identifiers of persons are found: `python -m benchmarks.residual_scan`.

Precision and recall of each detector on the generated corpus of `benchmarks.identifiers`, as the table that stands in
`docs/explanation/residual-scan.md` (`--write` puts it there); then cells a second on a million rows of ten columns, in
which one cell of a thousand holds something, against the same detectors in plain Python, cell by cell, and against
presidio, if the Python that ODP_PEERS names has it: its patterns only, without a model of language, which is faster.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.identifiers import CHECKED, POSITIVE, corpus
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal
from odpipeline.privacy import scan
from odpipeline.privacy.scan.detectors import DETECTORS
from odpipeline.privacy.scan.scanning import candidates

ROWS = 1_000_000
PYTHON_CELLS = 200_000
PRESIDIO_CELLS = 2_000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "residual-scan.md"
_MARKS = ("<!-- measured -->\n", "<!-- end -->\n")

_PRESIDIO = """
import sys, time
import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
class Blank(SpacyNlpEngine):
    def load(self):
        self.nlp = {"en": spacy.blank("en")}
blank = Blank(models=[{"lang_code": "en", "model_name": "blank"}])
blank.load()
cells = open(sys.argv[1], encoding="utf-8").read().splitlines()
engine = AnalyzerEngine(nlp_engine=blank, supported_languages=["en"])
engine.analyze("x", language="en")
started = time.process_time()
for cell in cells:
    engine.analyze(cell, language="en")
print(len(cells) / (time.process_time() - started))
"""


@dataclass(frozen=True)
class Score:
    """How many texts hold the identifier, how many were told to, and how many of those do."""

    held: int
    told: int
    right: int

    @property
    def recall(self) -> float:
        """The share of what is there that is told."""
        return self.right / self.held if self.held else 1.0

    @property
    def precision(self) -> float:
        """The share of what is told that is there."""
        return self.right / self.told if self.told else 1.0


def scores(seed: int, each: int) -> dict[str, Score]:
    """Identifier → its detector's score on the corpus; what chance explains in a whole column is not left out."""
    texts = corpus(seed, each)
    with connect() as connection:
        connection.execute("CREATE TABLE corpus (cell VARCHAR)")
        connection.executemany("INSERT INTO corpus VALUES (?)", [[text] for text, _ in texts])
        told = {detector.name: candidates(connection, "corpus", detector) for detector in DETECTORS}
    found = {}
    for name in POSITIVE:
        held = [text for text, label in texts if label == name]
        found[name] = Score(len(held), len(told[name]), sum(text in told[name] for text in held))
    return found


def table(found: dict[str, Score]) -> str:
    """The scores as Markdown."""
    lines = ["| identifier | recall | precision | |", "|---|---|---|---|"]
    for name, one in found.items():
        kind = "check digits" if name in CHECKED else "form" if name != "name" else "list of first names"
        lines.append(f"| `{name}` | {one.recall:.3f} | {one.precision:.3f} | {kind} |")
    return "\n".join(lines) + "\n"


def speed(work: Path) -> None:
    """Cells a second of one core."""
    parquet, csv = work / "rows.parquet", work / "rows.csv"
    with connect(DuckSettings(threads=1)) as connection:
        connection.execute(
            f"""COPY (SELECT 'A' || i AS c0, 'capteur-' || (i % 500) AS c1, 'quartier ' || (i % 12) AS c2,
            CASE WHEN i % 1000 = 7 THEN 'appeler le 06 12 34 56 78' ELSE 'rien à signaler' END AS c3,
            'C' || lpad(CAST(i % 99999 AS VARCHAR), 5, '0') AS c4, i AS c5, hash(i) % 5000 AS c6,
            round((hash(i) % 100000) / 100.0, 2) AS c7, 'Place de la mairie' AS c8, 'lot ' || i || ' bis' AS c9
            FROM range({ROWS}) t(i)) TO {literal(parquet)} (FORMAT parquet)"""
        )
        connection.execute(f"COPY (FROM read_parquet({literal(parquet)})) TO {literal(csv)} (HEADER)")
        some = connection.execute(f"SELECT c3, c4, c9 FROM read_parquet({literal(parquet)})").fetchmany(
            PYTHON_CELLS // 3
        )
    dataset = Dataset.model_validate(
        {"title": "t", "description": "d", "owner": "a@b.example", "source": {"folder": "f"}, "personal_data": "none",
         "fields": [{"name": f"c{n}"} for n in range(10)]}
    )  # fmt: skip
    started = time.process_time()
    scan(parquet, csv, dataset, DuckSettings(memory_limit="2GB", threads=1))
    ours = 2 * 10 * ROWS / (time.process_time() - started)
    print(f"ours: {ours:,.0f} cells a second, both files read")
    cells = [str(cell) for row in some for cell in row]
    plain = [re.compile(_python(detector.pattern)) for detector in DETECTORS]
    started = time.process_time()
    for cell in cells:
        for pattern, detector in zip(plain, DETECTORS, strict=True):
            for match in pattern.finditer(cell):
                detector.valid(match[1])
    rate = len(cells) / (time.process_time() - started)
    print(f"plain Python: {rate:,.0f} cells a second ({ours / rate:.0f} times slower)")
    if not (python := os.environ.get("ODP_PEERS")):
        print("presidio is left out: ODP_PEERS names no Python that has it")
        return
    (work / "cells.txt").write_text("\n".join(cells[:PRESIDIO_CELLS]), encoding="utf-8")
    ran = subprocess.run(
        [python, "-c", _PRESIDIO, str(work / "cells.txt")], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        print("presidio is left out: " + (ran.stderr.strip().splitlines() or ["it failed"])[-1][:100])
    else:
        rate = float(ran.stdout)
        print(f"presidio: {rate:,.0f} cells a second ({ours / rate:,.0f} times slower)")


def _python(pattern: str) -> str:
    """RE2's classes of letters in the spelling of Python's own expressions."""
    classes = {r"\p{Lu}": "A-ZÀ-ÖØ-Þ", r"\p{L}": "A-Za-zÀ-ÿ", r"\p{N}": "0-9", r"\P{N}": "^0-9"}
    spelled, inside, at = "", False, 0
    while at < len(pattern):
        name = next((one for one in classes if pattern.startswith(one, at)), "")
        if name:
            spelled += classes[name] if inside else f"[{classes[name]}]"
            at += len(name)
            continue
        inside = (inside or pattern[at] == "[") and pattern[at] != "]"
        spelled += pattern[at]
        at += 1
    return spelled


def main() -> None:
    """Measure, and tell."""
    told = table(scores(1, 1000))
    print(told)
    if "--write" in sys.argv:
        before, rest = PAGE.read_text(encoding="utf-8").split(_MARKS[0])
        PAGE.write_text(before + _MARKS[0] + told + _MARKS[1] + rest.split(_MARKS[1])[1], encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        speed(Path(folder))


if __name__ == "__main__":
    main()
