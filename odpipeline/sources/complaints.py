"""What an open-data platform says of a question that it refuses, short enough for a message.

It is about the query, which is public in the declaration; addresses in it lose their own queries.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lxml import etree

from odpipeline.sources.guard import shown

_LONGEST = 200
_ADDRESS = re.compile(r"https?://\S+")
_REPORT = re.compile(rb"<(?:\w+:)?(?:ServiceExceptionReport|ExceptionReport)\b")
_CODES = ("error_code", "__type", "code", "title")
"""Of Opendatasoft, CKAN, OGC API Features and SensorThings, RFC 9457 as NGSI-LD uses it."""
_TEXTS = ("message", "description", "detail")


def said(body: bytes) -> str:
    """The platform's own words in an answer that is an error; empty when it is none of the known shapes."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _exception_report(body)
    if not isinstance(document, dict):
        return ""
    if isinstance(nested := document.get("error"), dict):
        document = nested
    code, text = (next((document[key] for key in keys if key in document), None) for keys in (_CODES, _TEXTS))
    return _told(code, text)


def _exception_report(body: bytes) -> str:
    """Code and text of the first exception of an OWS ExceptionReport or a ServiceExceptionReport; else empty."""
    if not _REPORT.search(body[:1000]):
        return ""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return ""
    found = next(root.iter("{*}Exception", "{*}ServiceException"), None)
    if found is None:
        return ""
    return _told(found.get("exceptionCode") or found.get("code"), "".join(found.itertext()))


def _told(code: Any, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        return ""
    code = f"{code}: " if isinstance(code, str | int) and code != "" else ""
    words = _ADDRESS.sub(lambda found: shown(found[0]), " ".join(f"{code}{text}".split()))
    words = "".join(letter for letter in words if letter.isprintable())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
