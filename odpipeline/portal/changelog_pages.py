"""What changed, version by version, and what is announced.

A page in French and English, an Atom feed (RFC 4287) and a JSON Feed (1.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from jinja2 import Environment

from odpipeline.declaration.town import Town
from odpipeline.portal.announcements import Told
from odpipeline.quality.wording import Language
from odpipeline.store import Release, Store, layout, wording

SHOWN = 50
"""How many versions the page and the feeds list."""
_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True)
class Entry:
    """One version, or what is announced, in a feed: `mark` names it on its page, `at` is when it was told (UTC)."""

    page: str
    mark: str
    title: str
    text: str
    at: datetime

    @property
    def identifier(self) -> str:
        """The same for ever, and for this entry only."""
        return f"{self.page}#{self.mark}"


def write(
    store: Store, engines: Mapping[Language, Environment], releases: Sequence[Release], town: Town,
    announced: Mapping[str, Told],
) -> None:  # fmt: skip
    """Write the page and the feeds of each of the current `releases`, and the feeds of the whole town.

    `announced` holds what is announced, by dataset.
    Raises: StoreError.
    """
    everything: list[Entry] = []
    for release in releases:
        versions, told = store.versions(release.dataset, SHOWN), announced.get(release.dataset)
        for language, engine in engines.items():
            page = engine.get_template("changes.html").render(
                release=release, versions=versions, told=wording.told, why=wording.why, announced=told,
                alternate=_short(release.dataset, "en" if language == "fr" else "fr"),
            )  # fmt: skip
            store.write(layout.changes_page(release.dataset, language), page.encode())
        entries = [*([_warning(release, told, town)] if told else []), *(_entry(one, town) for one in versions)]
        everything += entries
        _feeds(store, release.dataset, release.about["title"], entries, town)
    everything.sort(key=lambda entry: entry.at, reverse=True)
    _feeds(store, None, f"Données ouvertes – {town.publisher.name}", everything[:SHOWN], town)


def _short(dataset: str, language: Language) -> str:
    return layout.changes_page(dataset, language).rpartition("/")[2]


def _page(release: Release, town: Town) -> str:
    return f"{_base(town)}/{layout.changes_page(release.dataset, 'fr')}"


def _entry(release: Release, town: Town) -> Entry:
    told = wording.told(release.changes, "fr") or "première version"
    text = f"{told} ({wording.why(release.why, 'fr')})"
    title = f"{release.about['title']}\u00a0: version {release.version}"
    return Entry(_page(release, town), f"v{release.version}", title, text, release.published_at)


def _warning(release: Release, told: Told, town: Town) -> Entry:
    title = f"{release.about['title']}\u00a0: changement annoncé"
    return Entry(_page(release, town), told.mark, title, told.text("fr"), told.announcement.at)


def _feeds(store: Store, name: str | None, title: str, entries: Sequence[Entry], town: Town) -> None:
    store.write(layout.feed(name, "atom"), _atom(name, title, entries, town))
    store.write(layout.feed(name, "json"), _json_feed(name, title, entries, town))


def _atom(name: str | None, title: str, entries: Sequence[Entry], town: Town) -> bytes:
    feed = ET.Element("feed", xmlns=_ATOM)
    address = f"{_base(town)}/{layout.feed(name, 'atom')}"
    updated = max((entry.at for entry in entries), default=None)
    for tag, text in (("title", title), ("id", address), ("updated", _stamp(updated))):
        ET.SubElement(feed, tag).text = text
    ET.SubElement(feed, "link", rel="self", href=address)
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = town.publisher.name
    for entry in entries:
        item = ET.SubElement(feed, "entry")
        told = {"title": entry.title, "id": entry.identifier, "updated": _stamp(entry.at),
                "summary": entry.text}  # fmt: skip
        for tag, text in told.items():
            ET.SubElement(item, tag).text = _clean(text)
        ET.SubElement(item, "link", href=entry.identifier)
    content: bytes = ET.tostring(feed, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"


def _json_feed(name: str | None, title: str, entries: Sequence[Entry], town: Town) -> bytes:
    items: list[dict[str, Any]] = [
        {
            "id": entry.identifier,
            "url": entry.identifier,
            "title": entry.title,
            "content_text": entry.text,
            "date_published": _stamp(entry.at),
        }
        for entry in entries
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "home_page_url": f"{_base(town)}/",
        "feed_url": f"{_base(town)}/{layout.feed(name, 'json')}",
        "language": "fr",
        "authors": [{"name": town.publisher.name}],
        "items": items,
    }
    return json.dumps(feed, ensure_ascii=False, indent=2).encode() + b"\n"


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else "1970-01-01T00:00:00Z"


def _clean(text: str) -> str:
    """`text` without what XML 1.0 does not allow."""
    return "".join(sign for sign in text if sign in "\t\n\r" or " " <= sign <= "\ud7ff" or "\ue000" <= sign <= "\ufffd"
                   or sign > "\uffff")  # fmt: skip


def _base(town: Town) -> str:
    return town.publisher.homepage.rstrip("/")
