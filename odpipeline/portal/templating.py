"""The template engine of the pages: everything is escaped, and whatever a template names must be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from odpipeline.catalogue.dcat import called
from odpipeline.catalogue.vocabulary import FREQUENCIES, THEMES, frequency
from odpipeline.declaration.town import Town
from odpipeline.quality.typography import (
    NARROW,
    english_date,
    english_moment,
    english_number,
    english_share,
    french_date,
    french_moment,
    french_number,
    french_share,
    french_size,
    typographic,
)
from odpipeline.quality.wording import Language
from odpipeline.store.package import LICENCES


class _Compiled(BytecodeCache):
    """The templates as this process compiled them, for the engines to come: pages are built after each run."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is known; whether it is of the same source, the engine looks at itself."""
        if (known := self._known.get(bucket.key)) is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._known[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def environment(town: Town, language: Language = "fr", *, standing_alone: bool = False) -> Environment:
    """The engine for pages in `language`; those that stand alone carry their style in themselves."""
    zone, french = ZoneInfo(town.timezone), language == "fr"
    engine = Environment(
        loader=PackageLoader("odpipeline.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    filters: dict[str, Callable[..., Any]] = {
        "day": lambda moment: french_date(moment, zone) if french else english_date(moment, zone),
        "moment": lambda moment: french_moment(moment, zone) if french else english_moment(moment, zone),
        "number": french_number if french else english_number,
        "share": french_share if french else english_share,
        "size": french_size,
        "licence": lambda name: LICENCES.get(name, (name, None))[0],
        "licence_address": lambda name: LICENCES.get(name, (name, None))[1],
        "theme": lambda code: THEMES.get(code, code),
        "frequency": lambda schedule: FREQUENCIES[frequency(schedule)],
        "constraints": _constraints,
        "called": called,
        "french": typographic,
    }
    engine.filters.update(filters)
    engine.globals |= {
        "town": town,
        "homepage": _link(town.publisher.homepage),
        "language": language,
        "style": style().decode() if standing_alone else None,
        "t": lambda in_french, in_english: typographic(in_french) if french else in_english,
    }
    return engine


def style() -> bytes:
    """The style sheet of every page."""
    return (Path(__file__).parent / "templates" / "style.css").read_bytes()


def _link(address: str) -> str | None:
    """`address` if a browser may follow it: escaping does not make `javascript:` harmless."""
    return address if urlsplit(address).scheme in ("http", "https") else None


def _constraints(column: Mapping[str, Any]) -> str:
    """The constraints of a field that can be said in a few words."""
    stated = column.get("constraints", {})
    words = {"required": "obligatoire", "unique": "unique"}
    said = [word for name, word in words.items() if stated.get(name)]
    said += [f"{sign}{NARROW}{stated[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in stated]
    return ", ".join(said)
