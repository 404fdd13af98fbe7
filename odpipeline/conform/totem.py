"""TOTEM: the budget document of the DGFiP (`DocumentBudgetaire`) → SCDL budget lines, one for each `LigneBudget`.

The document may be gzipped, and base64 in its own file or in an envelope, as acts are transmitted. The codes are those
of its schema; the labels of chapters and accounts are in the chart of accounts of each year, which the document does
not hold: a dataset that wants them looks them up in a reference of the town. The section of a chapter is that of the
charts of accounts M14, M4 and M57, in which the chapter's first digits tell it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
from lxml import etree

from odpipeline.conform import markup
from odpipeline.conform.containers import unpacked
from odpipeline.conform.delivered import Delivered
from odpipeline.conform.streamed import streamed
from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import ConformError

COLUMNS = (
    "BGT_NATDEC", "BGT_ANNEE", "BGT_SIRET", "BGT_NOM", "BGT_CONTNAT", "BGT_NATURE", "BGT_FONCTION", "BGT_OPERATION",
    "BGT_SECTION", "BGT_OPBUDG", "BGT_CODRD", "BGT_MTREAL", "BGT_MTBUDGPREC", "BGT_MTRARPREC", "BGT_MTPROPNOUV",
    "BGT_MTPREV", "BGT_CREDOUV", "BGT_MTRAR3112", "BGT_ARTSPE",
)  # fmt: skip
"""The columns of the SCDL schema for budgets, but for the labels."""

_STAGES = {
    "01": "Budget primitif", "02": "Décision modificative", "03": "Budget supplémentaire",
    "09": "Compte administratif", "10": "Compte administratif",
}  # fmt: skip
"""NatDec → the SCDL's word; the single account (CFU, 10) takes the place of the administrative account."""
_KINDS, _SIDES = {"0": "réel", "1": "ordre"}, {"D": "dépense", "R": "recette"}
_SPECIAL = {"false": "non spécialisé", "true": "spécialisé"}
_AMOUNTS = ("MtReal", "MtBudgPrec", "MtRARPrec", "MtPropNouv", "MtPrev", "CredOuv", "MtRAR3112")
_INVESTMENT = re.compile(r"001|010|018|02[014]|04[01]|1\d*|2\d*|3\d*")
_RUNNING = re.compile(r"002|01[1-7]|02[23]|04[23]|6\d*|7\d*")
_ENCODED = re.compile(rb"(?:H4sI|PD94bWwg|PERvY3VtZW50)[A-Za-z0-9+/]")
"""Base64 of a gzip's start, of `<?xml `, and of `<Document`."""
_HEADERS = (("EnTeteDocBudgetaire",), ("EnTeteBudget",), ("BlocBudget",))
_CHUNK = 1 << 18


def read(_connection: duckdb.DuckDBPyConnection, path: Path, dataset: Dataset, folder: Path) -> Delivered:
    """The budget lines as text columns, called as in the SCDL schema.

    Raises: ConformError when it is no budget document, or its header lacks what every line needs.
    """
    try:
        document = _decoded(path, folder)
    except binascii.Error:
        raise ConformError(
            "the base64 of the budget document is broken",
            where=dataset.place("source"),
            mend="ask for it again, as TotEM wrote it",
        ) from None
    [document] = unpacked(document, dataset, folder) if document != path else [document]
    relation, count = streamed(_lines(document, dataset), COLUMNS, folder)
    if not count:
        raise ConformError(
            "the delivery is no budget document, or has no budget line",
            where=dataset.place("source"),
            mend="deliver the XML of TotEM (DocumentBudgetaire), as it is sent to the prefecture",
        )
    return Delivered(relation, {name: f"c{place}" for place, name in enumerate(COLUMNS)})


def _lines(document: Path, dataset: Dataset) -> Iterator[list[str | None]]:
    """One row for each line of a budget, but for the sums that the software added (`calculated`) and annexes' lines.

    What all lines share stands before them. A CFU holds the budget document beside the accountant's.
    """
    header: dict[str, str] = {}
    for element, trail in markup.records(document, (*_HEADERS, ("Budget", "LigneBudget")), dataset):
        if "DocumentBudgetaire" not in trail or element.get("calculated") == "true":
            continue
        if trail[-1] == "LigneBudget":
            yield [*_shared(header, dataset), *_line(element)]
        else:
            header |= {markup.local(child): child.get("V") or "" for child in element}


def _shared(header: dict[str, str], dataset: Dataset) -> list[str | None]:
    """Stage, year, SIRET and name."""
    if missing := [name for name in ("NatDec", "Exer", "IdEtab", "LibelleColl") if not header.get(name)]:
        raise ConformError(
            f"the budget document does not say {', '.join(missing)} before its lines",
            where=dataset.place("source"),
            mend="deliver the whole XML of TotEM",
        )
    if (stage := _STAGES.get(header["NatDec"])) is None:
        raise ConformError(
            f"the budget document is of a stage that is not known (NatDec {header['NatDec'][:9]!r})",
            where=dataset.place("source"),
            mend="the known ones are primary, amending and supplementary budgets, administrative account and CFU",
        )
    return [stage, header["Exer"], header["IdEtab"], header["LibelleColl"]]


def _line(line: etree._Element) -> list[str | None]:
    said = {markup.local(child): child.get("V") for child in line if isinstance(child.tag, str)}
    chapter = said.get("ContNat") or ""
    section = "investissement" if _INVESTMENT.fullmatch(chapter) else None
    section = "fonctionnement" if _RUNNING.fullmatch(chapter) else section
    return [
        chapter or None, said.get("Nature"), said.get("Fonction"), said.get("Operation"), section,
        _KINDS.get(said.get("OpBudg") or ""), _SIDES.get(said.get("CodRD") or ""),
        *(said.get(amount) for amount in _AMOUNTS), _SPECIAL.get(said.get("ArtSpe") or ""),
    ]  # fmt: skip


def _decoded(path: Path, folder: Path) -> Path:
    """`path`, or the document that it holds in base64, alone or within an envelope."""
    with path.open("rb") as stream:
        start = stream.read(_CHUNK)
        found = _ENCODED.search(start)
        if found is None or b"DocumentBudgetaire" in start[: found.start()]:
            return path
        stream.seek(found.start())
        target, rest = folder / "document", b""
        with target.open("wb") as document:
            while chunk := stream.read(_CHUNK):
                text, ended, _ = chunk.partition(b"<")
                text = rest + b"".join(text.split())
                whole = len(text) // 4 * 4
                document.write(base64.b64decode(text[:whole]))
                rest = text[whole:]
                if ended:
                    break
    return target
