"""Looks through every column of the written files for what identifies a person, and tells columns and counts.

DuckDB finds the candidates over all cells; the distinct ones are judged here, in batches, and forgotten: what leaves
this module is a name of a column, a name of an identifier, and numbers. A scan that could not run is a refusal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from odpipeline.conform.columns import folded
from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy.scan.detectors import DETECTORS, MOBILE, Detector, is_first_name
from odpipeline.verdict import Finding, Severity

_NUMBERS = ("nir", "nif", "card", "rpps", "siret")
"""What a column of numbers can hold, mobile telephones aside; the least of them has nine digits."""
_NUMERIC = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT")
_TEXT = "VARCHAR"
_WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
_ODD = (
    "\u00a0\u202f\u2002\u2003\u2007\u2008\u2009\u2010\u2011\u2012\u2013\u2014\u2212٠١٢٣٤٥٦٧٨٩"
    + _WIDE + "\u00ad\u200b\u200c\u200d\u2060\ufeff"
)  # fmt: skip
_USUAL = "       ------0123456789" + "".join(chr(ord(sign) - 0xFEE0) for sign in _WIDE)
"""Blanks, dashes, digits and letters that look like the usual ones; the last of `_ODD` stand for nothing."""
_SOME_ODD = "[" + "".join(f"\\x{{{ord(sign):x}}}" for sign in _ODD) + "]"
_WORTH = (
    r"(?:\d[^0-9\n]{0,3}){8}|@|\p{L}[.]? \p{Lu}|\d[., ]{0,2}\p{L}{1,8}[., ]{1,2}\p{L}|\d{1,3}[.]\d{1,3}[.]\d|"
    r"[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}|\d{2}[ -][A-Z]{2,3}[ -]\d|[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-|"
    "[0-9A-Fa-f]{1,2}:[0-9A-Fa-f]{1,2}[0-9A-Fa-f:]|(?i:n[ée]e?s?[ :]|naiss|passe|identit|cni|s[ée]jour|permis)"
)
"""What a cell must have to be looked at more closely: most have nothing of it, and one pass over all tells."""
_OFTEN = 20
"""How often each text of a column stands on average from where on the different ones are looked at once."""
_MADE_OF_NAMES = 0.5
"""From which share of its cells on a column is one of first names."""
_MOST = 10_000
"""Candidates that are judged at a time."""
_WHOLE_COLUMN = 0.2
"""From which share of the filled cells on a column is made of an identifier."""
_FAMILY_NAME = re.compile(r"(^|_)(nom|noms|nomfamille|patronyme|lastname|surname)(_|$)")
"""Columns of family names, by their names: beside one of them, a column of first names is a list of persons."""


@dataclass(frozen=True)
class _Hits:
    """How many `cells` of a column hold the identifier, of how many that are filled."""

    detector: Detector
    column: str
    cells: int
    filled: int


def scan(parquet: Path, csv: Path, dataset: Dataset, duck: DuckSettings) -> tuple[Finding, ...]:
    """A finding for each identifier in a column that is not allowed to hold it, and one on the whole.

    Both written files are read, each column as text. Raises: PrivacyError when they could not be looked through.
    """
    files = {
        "Parquet": f"read_parquet({literal(parquet)})",
        "CSV": f"read_csv({literal(csv)}, header=true, all_varchar=true, delim=',', quote='\"', escape='\"')",
    }
    try:
        with connect(duck) as connection:
            types = _types(connection, files["Parquet"])
            filled, few = _filled(connection, files["Parquet"], types)
            hits: dict[tuple[str, str], _Hits] = {}
            read: dict[str, int] = {}
            for relation in files.values():
                sums = _sums(connection, relation, types)
                new = {name: kind for name, kind in types.items() if read.get(name) != sums[name]}
                read |= sums
                found_here = [
                    *_looked_through(connection, relation, new, filled, few, dataset),
                    *_first_names(connection, relation, new, filled, dataset),
                ]
                for found in found_here:
                    known = hits.get((found.column, found.detector.name))
                    if known is None or known.cells < found.cells:
                        hits[found.column, found.detector.name] = found
    except Exception as error:  # noqa: BLE001 - a scan that did not end is a refusal
        raise PrivacyError(
            f"the written files could not be looked through for identifiers of persons ({type(error).__name__})",
            where=dataset.place("privacy"),
            mend="nothing is published until they can be; run again, and report it if it stays",
        ) from None
    return tuple(_findings(dataset, hits, sum(filled.values()) * len(files)))


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns that can hold a number of a person: dates, times and truth values cannot."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {str(name): str(kind) for name, kind, *_ in described if kind == _TEXT or kind in _NUMERIC}


def _filled(
    connection: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str]
) -> tuple[dict[str, int], frozenset[str]]:
    """How many cells of each column hold something, and the columns of text that hold the same again and again."""
    if not types:
        return {}, frozenset()
    texts = [name for name, kind in types.items() if kind == _TEXT]
    counted = [f"count({quote(name)})" for name in types]
    counted += [f"approx_count_distinct({quote(name)})" for name in texts]
    found = connection.execute(f"SELECT {', '.join(counted)} FROM {relation}").fetchone() or ()
    numbers = [int(one) for one in found]
    filled = dict(zip(types, numbers, strict=False))
    distinct = dict(zip(texts, numbers[len(types) :], strict=True))
    return filled, frozenset(name for name in texts if distinct[name] * _OFTEN < filled[name])


def _sums(connection: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str]) -> dict[str, int]:
    """A sum of hashes over the cells of each column: where it is that of the other file, both hold the same cells."""
    if not types:
        return {}
    cells = (quote(name) if kind == _TEXT else f"TRY_CAST({quote(name)} AS DOUBLE)" for name, kind in types.items())
    found = connection.execute(f"SELECT {', '.join(f'sum(hash({cell}))' for cell in cells)} FROM {relation}").fetchone()
    return dict(zip(types, (int(one or 0) for one in found or ()), strict=True))


def _looked_through(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    types: Mapping[str, str],
    filled: Mapping[str, int],
    few: Collection[str],
    dataset: Dataset,
) -> Iterator[_Hits]:
    """What the columns of one file hold: from one pass over its rows, or of `few` over their different texts."""
    places = {name: place for place, name in enumerate(name for name in types if name not in few)}
    if places:
        chosen = ", ".join(f"{_worth(name, types[name])} AS c{place}" for name, place in places.items())
        some = " OR ".join(f"c{place} IS NOT NULL" for place in places.values())
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE rows_looked AS FROM (SELECT {chosen} FROM {relation}) WHERE {some}"
        )
    about_persons = dataset.personal_data is PersonalData.PRESENT
    for column, kind in types.items():
        rows = f"SELECT c{places.get(column)} AS cell, 1 AS n FROM rows_looked"
        if column in few:
            different = f"SELECT {quote(column)}, count(*) AS n FROM {relation} GROUP BY 1"
            rows = f"SELECT {_worth(column, kind)} AS cell, n FROM ({different})"
        found = connection.execute(
            f"CREATE OR REPLACE TEMP TABLE looked AS SELECT nfc_normalize(cell) AS cell, sum(n) AS n FROM ({rows}) "
            "WHERE cell IS NOT NULL GROUP BY 1"
        ).fetchone()
        if not found or not found[0]:
            continue
        asked = [
            detector
            for detector in (DETECTORS if kind == _TEXT else (*DETECTORS, MOBILE))
            if (about_persons or not detector.persons)
            and (kind == _TEXT or detector.name in _NUMBERS or detector is MOBILE)
        ]
        for detector in _hinted(connection, asked):
            if cells := _judged(connection, detector):
                yield _Hits(detector, column, cells, filled[column])


def _hinted(connection: duckdb.DuckDBPyConnection, asked: Sequence[Detector]) -> list[Detector]:
    """Those whose hint, or else pattern, some cell of the table `looked` has: mostly few, and one query tells."""
    if not asked:
        return []
    some = ", ".join(f"bool_or(regexp_matches(cell, {literal(one.hint or one.pattern)}))" for one in asked)
    told = connection.execute(f"SELECT {some} FROM looked").fetchone() or ()
    return [detector for detector, any_cell in zip(asked, told, strict=True) if any_cell]


def _first_names(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    types: Mapping[str, str],
    filled: Mapping[str, int],
    dataset: Dataset,
) -> Iterator[_Hits]:
    """A name split over two columns: one made of first names, in a dataset about persons or beside family names."""
    about_persons = dataset.personal_data is PersonalData.PRESENT
    if not about_persons and not any(_FAMILY_NAME.search(folded(name, dataset)) for name in types):
        return
    [detector] = [one for one in DETECTORS if one.name == "name"]
    for column in (name for name, kind in types.items() if kind == _TEXT):
        different = f"SELECT {quote(column)} AS cell, count(*) AS n FROM {relation} GROUP BY 1"
        answer = connection.execute(
            f"SELECT cell, n FROM ({different}) WHERE length(cell) < 40 AND NOT regexp_matches(cell, '[0-9]')"
        )
        cells = 0
        while batch := answer.fetchmany(_MOST):
            cells += sum(int(n) for text, n in batch if is_first_name(text))
        if cells > 1 and cells >= _MADE_OF_NAMES * filled[column]:
            yield _Hits(detector, column, cells, filled[column])


def _as_usual(cell: str) -> str:
    """SQL: the text with usual signs; as many bytes as letters are ASCII alone, and stay as they are.

    So do texts without any odd sign: to find that out takes a twelfth of the time of `translate`.
    """
    usual = f"translate({cell}, {literal(_ODD)}, {literal(_USUAL)})"
    plain = f"strlen({cell}) = length({cell}) OR NOT regexp_matches({cell}, {literal(_SOME_ODD)})"
    return f"(CASE WHEN {plain} THEN {cell} ELSE {usual} END)"


def _worth(column: str, kind: str) -> str:
    """SQL: the cell as text if it is worth a closer look, else NULL."""
    cell = quote(column)
    if kind != _TEXT:
        number = f"TRY_CAST({cell} AS DOUBLE)"
        return f"CASE WHEN abs({number}) >= 1e8 THEN regexp_replace(CAST({cell} AS VARCHAR), '[.]0$', '') END"
    usual = _as_usual(cell)
    return f"CASE WHEN regexp_matches({usual}, {literal(_WORTH)}) THEN {usual} END"


def _judged(connection: duckdb.DuckDBPyConnection, detector: Detector) -> int:
    """How many cells of the table `looked` hold what `detector` looks for; 0 when chance explains them."""
    pattern = literal(detector.pattern)
    answer = connection.execute(
        f"SELECT candidate, sum(n) FROM (SELECT unnest(list_distinct(regexp_extract_all(cell, {pattern}, 1))) AS "
        f"candidate, n FROM looked WHERE regexp_matches(cell, {pattern})) GROUP BY candidate"
    )
    candidates = right = cells = 0
    while batch := answer.fetchmany(_MOST):
        candidates += len(batch)
        valid = [int(n) for candidate, n in batch if detector.valid(candidate)]
        right, cells = right + len(valid), cells + sum(valid)
    return 0 if _by_chance(detector.chance, candidates, right) else cells


def candidates(connection: duckdb.DuckDBPyConnection, relation: str, detector: Detector) -> set[str]:
    """The texts in the column `cell` of `relation` that hold what `detector` looks for: to measure it by."""
    usual = _as_usual("cell")
    found = connection.execute(
        f"SELECT cell, regexp_extract_all({usual}, {literal(detector.pattern)}, 1) FROM {relation} "
        f"WHERE regexp_matches({usual}, {literal(_WORTH)}) AND regexp_matches({usual}, {literal(detector.pattern)})"
    ).fetchall()
    return {str(cell) for cell, texts in found if any(map(detector.valid, texts))}


def _by_chance(chance: float, candidates: int, right: int) -> bool:
    """Whether so many of the candidates pass the check digit by accident (four standard deviations of a binomial)."""
    if candidates * chance < 1:  # then chance would hardly have made one
        return False
    return right <= candidates * chance + 4 * math.sqrt(candidates * chance * (1 - chance))


def _findings(dataset: Dataset, hits: dict[tuple[str, str], _Hits], cells: int) -> Iterator[Finding]:
    allowed = {(column, one.identifier) for column, said in dataset.privacy.allowed.items() for one in said}
    about_persons = dataset.personal_data is PersonalData.PRESENT
    refused = 0
    for (column, name), found in hits.items():
        if (column, name) in allowed:
            continue
        whole = found.cells >= _WHOLE_COLUMN * found.filled and found.cells > 1
        severe = found.detector.sure or whole or about_persons
        severe = severe and name != "siret"  # nobody can tell from the number whether the enterprise is one person
        refused += severe
        remedy = f"privacy: {{allowed: {{{column}: [{{identifier: {name}, because: …}}]}}}}"
        message = (
            f"{column}: {found.cells:,} of {found.filled:,} cells hold what looks like {_WORDS[name]}; drop or mask "
            f"them, or, if they may be published, say why: {remedy} at {dataset.place('privacy')}"
        )
        counts = {"cells": found.cells, "filled": found.filled}
        severity = Severity.CRITICAL if severe else Severity.WARNING
        yield Finding("privacy", f"identifier_{name}", False, message, severity, column, counts)
    looked = sum(not (one.persons and not about_persons) for one in DETECTORS)
    message = f"{cells:,} cells were looked through for {looked} kinds of identifiers of persons"
    message += f": {refused} columns hold some" if refused else ": none that was not allowed"
    counts = {"cells": cells, "detectors": looked, "columns": refused}
    yield Finding("privacy", "identifiers", not refused, message, counts=counts)


_WORDS = {
    "nir": "social security numbers (NIR)", "nif": "tax numbers (NIF, SPI)", "iban": "bank accounts (IBAN)",
    "rib": "bank accounts (RIB)", "card": "bank cards", "rpps": "numbers of health professionals (RPPS)",
    "siret": "SIRET numbers, which are personal where the enterprise is one person", "email": "mail addresses",
    "phone": "telephone numbers", "address": "postal addresses", "plate": "vehicle registration plates",
    "identity_document": "numbers of passports or identity cards", "driving_licence": "numbers of driving licences",
    "birth_date": "dates of birth", "ine": "pupils' numbers (INE)", "coordinates": "coordinates as precise as a house",
    "ip_address": "IP addresses", "mac_address": "MAC addresses", "name": "first and last names",
}  # fmt: skip
