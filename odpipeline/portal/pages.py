"""The pages that citizens read, made from the store: an index and one page for each dataset, in French.

Plain files with relative links: they work from a disk, from any web server, and from `odp serve`. No script, nothing
fetched from elsewhere; every text is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from odpipeline.catalogue.vocabulary import FREQUENCIES, THEMES, frequency
from odpipeline.declaration.town import Town
from odpipeline.store import Store, layout
from odpipeline.store.package import LICENCES

SHOWN_VERSIONS = 20
"""How many versions the page of a dataset lists; the changelog has them all."""

_MONTHS = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
           "novembre", "décembre")  # fmt: skip
_NARROW = "\u202f"
"""Between thousands, and before units (Lexique des règles typographiques en usage à l’Imprimerie nationale)."""


def build(store: Store, town: Town) -> Path:
    """Write `index.html`, `dataset/<id>.html` and `style.css`; where the index is now.

    The index comes last: what it links to is there. Pages that have not changed are left alone.
    Raises: StoreError when a release cannot be read, and then the index stays as it was.
    """
    pages = _environment(town)
    releases = [release for dataset in store.datasets() if (release := store.current(dataset)) is not None]
    releases.sort(key=lambda release: release.about["title"].casefold())
    store.write("style.css", _style())
    for release in releases:
        versions = store.versions(release.dataset, SHOWN_VERSIONS)
        page = pages.get_template("dataset.html").render(release=release, versions=versions)
        store.write(f"dataset/{release.dataset}.html", page.encode())
    return store.write(layout.INDEX, pages.get_template("index.html").render(releases=releases).encode())


def french_date(moment: date | datetime | None, zone: ZoneInfo) -> str:
    """`29 mars 2026`, in `zone` when a time is given; a dash when unknown."""
    if moment is None:
        return "–"
    day = moment.astimezone(zone) if isinstance(moment, datetime) else moment
    return f"{'1er' if day.day == 1 else day.day} {_MONTHS[day.month - 1]} {day.year}"


def french_number(number: int) -> str:
    """`1 234 567`, with narrow no-break blanks."""
    return f"{number:,}".replace(",", _NARROW)


def french_size(size_bytes: int) -> str:
    """`1,2 Mo`: decimal units, one decimal below ten."""
    size, unit = float(size_bytes), "o"
    for unit in ("o", "ko", "Mo", "Go"):
        if size < 1000 or unit == "Go":
            break
        size /= 1000
    text = f"{size:.1f}".replace(".", ",") if size < 10 and unit != "o" else f"{size:.0f}"
    return f"{text}{_NARROW}{unit}"


def _environment(town: Town) -> Environment:
    zone = ZoneInfo(town.timezone)
    environment = Environment(
        loader=PackageLoader("odpipeline.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "day": lambda moment: french_date(moment, zone),
        "number": french_number,
        "size": french_size,
        "licence": lambda name: LICENCES.get(name, (name, None))[0],
        "licence_address": lambda name: LICENCES.get(name, (name, None))[1],
        "theme": lambda code: THEMES.get(code, code),
        "frequency": lambda schedule: FREQUENCIES[frequency(schedule)],
        "constraints": _constraints,
    }
    environment.filters.update(filters)
    environment.globals |= {"town": town, "homepage": _link(town.publisher.homepage)}
    return environment


def _link(address: str) -> str | None:
    """`address` if a browser may follow it: escaping does not make `javascript:` harmless."""
    return address if urlsplit(address).scheme in ("http", "https") else None


def _constraints(column: Mapping[str, Any]) -> str:
    """The constraints of a field that can be said in a few words."""
    stated = column.get("constraints", {})
    words = {"required": "obligatoire", "unique": "unique"}
    said = [word for name, word in words.items() if stated.get(name)]
    said += [f"{sign}{_NARROW}{stated[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in stated]
    return ", ".join(said)


def _style() -> bytes:
    return (Path(__file__).parent / "templates" / "style.css").read_bytes()
