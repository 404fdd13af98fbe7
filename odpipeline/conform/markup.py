"""XML read as a stream: one record element at a time, without DTD, entities or network, in flat memory.

A document type is refused, so that no entity can be declared: neither the billion laughs nor a file of ours
(OWASP, XML External Entity Prevention). libxml2's own bounds on depth and text hold beside ours.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator
from pathlib import Path

from lxml import etree

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import ConformError

_PROLOG_BYTES = 1 << 16
_DEEPEST = 100


def local(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def records(
    path: Path, wanted: Collection[tuple[str, ...]], dataset: Dataset
) -> Iterator[tuple[etree._Element, tuple[str, ...]]]:
    """Each element whose path ends as one of `wanted`, whole, with its path; it is freed when the next is asked for.

    Paths are local names from the root.
    Raises: ConformError when it is no XML, has a document type, or is nested too deep.
    """
    _refuse_doctype(path, dataset)
    last = {steps[-1] for steps in wanted}
    trail: list[str] = []
    inside = 0

    def ends(trail: list[str]) -> bool:
        return trail[-1] in last and any(tuple(trail[-len(steps) :]) == steps for steps in wanted)

    try:
        with path.open("rb") as file:
            context = etree.iterparse(
                file, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False,
                huge_tree=False, remove_comments=True, remove_pis=True,
            )  # fmt: skip
            for event, element in context:
                if event == "start":
                    if not trail and element.getroottree().docinfo.internalDTD is not None:
                        raise _doctype(dataset)  # a comment or an instruction before it hid it from the first look
                    trail.append(str(element.tag).rpartition("}")[2])
                    if len(trail) > _DEEPEST:
                        raise ConformError(
                            f"the XML is nested deeper than {_DEEPEST} levels",
                            where=dataset.place("source"),
                            mend="ask the source what it delivers",
                        )
                    inside += ends(trail)
                    continue
                found = ends(trail)
                if found:
                    inside -= 1
                if found and not inside:
                    yield element, tuple(trail)
                if not inside:
                    _free(element)
                trail.pop()
    except etree.XMLSyntaxError as error:
        raise ConformError(
            f"the delivery is no well-formed XML, line {error.lineno or 1}",
            where=dataset.place("source"),
            mend="ask for it again; if it stays, have the source mend it",
        ) from None


def _free(element: etree._Element) -> None:
    """Forget what was read: the element's content, and the siblings before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refuse_doctype(path: Path, dataset: Dataset) -> None:
    with path.open("rb") as stream:
        start = stream.read(_PROLOG_BYTES)
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = start.decode("utf-16" if wide else "latin-1", "replace")
    root = next((place for place in range(len(text) - 1) if text[place] == "<" and text[place + 1].isalpha()), None)
    if "<!DOCTYPE" in text[:root].upper():
        raise _doctype(dataset)
    if root is None:
        raise ConformError(
            "the delivery has no XML element in its first 64 KiB",
            where=dataset.place("source"),
            mend="ask the source what it delivers",
        )


def _doctype(dataset: Dataset) -> ConformError:
    return ConformError(
        "the XML has a document type (DTD), which can hide files and bombs",
        where=dataset.place("source"),
        mend="have it delivered without DOCTYPE",
    )
