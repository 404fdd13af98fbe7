"""A finding in French or English: what it is about, what is asked, what was found, what can be done about it.

Total: a rule that nobody has found words for is told by its group and by its own name. Made of names and counts that
the finding holds, so that no value of a cell can be in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from odpipeline.quality import in_english, in_french
from odpipeline.quality.kinds import KINDS
from odpipeline.quality.phrases import Phrase, said
from odpipeline.quality.typography import (
    NO_BREAK,
    english_number,
    french_count,
    french_number,
    french_share,
    typographic,
)
from odpipeline.verdict import ACCEPTED, Finding

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")
COLON: dict[Language, str] = {"fr": f"{NO_BREAK}:", "en": ":"}
"""The colon with what stands before it."""

_OF_A_FILE = "published_columns|k_anonymity|small_cells|l_diversity|t_closeness|recoverable_cells|grid"
_MEASURED = re.compile(rf"({_OF_A_FILE})_(?:.+_)?(csv|parquet)")
_FILES = {"csv": "CSV", "parquet": "Parquet"}


def root(rule: str) -> str:
    """The rule without the file and the column that privacy rules carry at their end."""
    measured = _MEASURED.fullmatch(rule)
    return measured.group(1) if measured else rule


def subject(finding: Finding, language: Language) -> str:
    """What the finding is about: `Colonne « montant »`, `Ensemble du fichier`."""
    named = columns(finding)
    if not named and (measured := _MEASURED.fullmatch(finding.rule)):
        return f"Fichier {_FILES[measured[2]]}" if language == "fr" else f"The {_FILES[measured[2]]} file"
    if not named or "column_set" in finding.declared or finding.rule.startswith("expect_table_"):
        return "Ensemble du fichier" if language == "fr" else "The whole file"
    if language == "fr":
        told = " et ".join(f"« {name} »" for name in named)
        return typographic(f"{'Colonne' if len(named) == 1 else 'Colonnes'} {told}")
    return f"{'Column' if len(named) == 1 else 'Columns'} {' and '.join(f'“{name}”' for name in named)}"


def columns(finding: Finding) -> tuple[str, ...]:
    """Every column that the finding names."""
    declared = finding.declared
    listed = declared.get("column_list") or declared.get("column_set") or ()
    pair = [declared[name] for name in ("column_A", "column_B") if name in declared]
    return tuple(dict.fromkeys([*([finding.column] if finding.column else []), *pair, *listed]))


def asked(finding: Finding, language: Language) -> str:
    """What the rule asks for, without a verb: `valeurs uniques`."""
    told = said(_phrase(finding, language).asked, finding.declared)
    if language == "fr":
        return typographic(told or f"règle « {_name(finding)} »")
    return told or _name(finding)


def found(finding: Finding, language: Language) -> str:
    """What was found, as a sentence without its subject and its full stop."""
    phrase, counts = _phrase(finding, language), finding.counts
    if finding.passed and ACCEPTED not in counts:
        return "respecté" if language == "fr" else "holds"
    counted = _counted_in_french if language == "fr" else _counted_in_english
    told = said(phrase.told, counts) or counted(finding, phrase)
    if not told:
        groups = in_french.OF_GROUP if language == "fr" else in_english.OF_GROUP
        name = f"« {_name(finding)} »" if language == "fr" else f"“{_name(finding)}”"
        told = f"{groups.get(finding.group, groups['quality'])} ({name})"
    if finding.passed:
        told = f"accepté par exception : {told}" if language == "fr" else f"accepted as an exception: {told}"
    return typographic(told) if language == "fr" else told


def advice(finding: Finding) -> str:
    """What the data's owner can do about it, in French."""
    known = _phrase(finding, "fr").advice or in_french.ADVICE_OF_GROUP.get(finding.group, in_french.ADVICE)
    return typographic(known)


def _phrase(finding: Finding, language: Language) -> Phrase:
    rule = root(finding.rule)
    if language == "fr":
        return in_french.FRENCH_PHRASES.get(rule) or _explained(rule)
    return in_english.ENGLISH_PHRASES.get(rule) or in_english.ASKED.get(rule) or Phrase("")


def _explained(rule: str) -> Phrase:
    """For a kind that explains itself in French, and has no phrase."""
    explained = str(getattr(KINDS.get(rule), "explained", ""))
    return Phrase("", advice=explained)


def _counted_in_french(finding: Finding, phrase: Phrase) -> str:
    """`12 valeurs sur 3 410 sortent des bornes déclarées`."""
    wrong, of = _wrong(finding.counts), considered(finding.rule, finding.counts)
    if wrong is None:
        return ""
    counted = french_count(wrong, "ligne" if phrase.rows else "valeur")
    verb = said(phrase.one if wrong < 2 else phrase.many, finding.declared)
    verb = verb or ("n’est pas admise" if wrong < 2 else "ne sont pas admises")
    least = finding.declared.get("mostly", 1)
    tolerance = f" (au moins {french_share(least)} doivent être justes)" if least < 1 else ""
    return f"{counted} sur {french_number(of)} {verb}{tolerance}"


def _counted_in_english(finding: Finding, phrase: Phrase) -> str:
    """`12 of 3,410 values are outside the bounds`."""
    kind, wrong = KINDS.get(finding.rule), _wrong(finding.counts)
    failed = said(kind.failed, finding.declared) if kind else "do not hold"
    if wrong is None:
        return failed if kind and not kind.by_row else ""
    things = "" if failed.startswith("rows ") else "rows " if phrase.rows else "values "
    return f"{english_number(wrong)} of {english_number(considered(finding.rule, finding.counts))} {things}{failed}"


def _wrong(counts: Mapping[str, int | float]) -> int | None:
    return int(counts["unexpected_count"]) if "unexpected_count" in counts else None


def considered(rule: str, counts: Mapping[str, int | float]) -> int:
    """How many values were looked at: all of them when missing ones are the matter, else those that are there."""
    rows = int(counts.get("element_count", 0))
    return rows if rule.endswith("_be_null") else rows - int(counts.get("missing_count", 0))


def _name(finding: Finding) -> str:
    """The rule's own name as words."""
    name = root(finding.rule).removeprefix("expect_").removeprefix("column_").removeprefix("table_")
    return name.replace("_", " ")


def identity(finding: Finding) -> tuple[Any, ...]:
    """What makes a finding the same one from run to run, whatever its bounds have become in the meantime."""
    return finding.group, finding.rule, finding.column or "", columns(finding), tuple(sorted(finding.declared))


def identities(findings: Iterable[Finding]) -> list[tuple[Any, ...]]:
    """The identity of each finding, with a number for a rule that is asked twice of one column."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found = []
    for finding in findings:
        known = identity(finding)
        seen[known] += 1
        found.append((*known, seen[known]))
    return found
