"""The pages that citizens read, made from the store: an index and one page for each dataset, in French.

Plain files with relative links: they work from a disk, from any web server, and from `odp serve`. No script, nothing
fetched from elsewhere; every text is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from odpipeline.declaration.town import Town
from odpipeline.journal import Journal
from odpipeline.portal import announcements, changelog_pages, privacy_pages, quality_pages
from odpipeline.portal.templating import environment, style
from odpipeline.quality.promised import Promised, promised
from odpipeline.quality.wording import LANGUAGES
from odpipeline.store import Release, Store, layout

SHOWN_VERSIONS = 20
"""How many versions the page of a dataset lists; the changelog has them all."""


def build(store: Store, town: Town, journal: Journal | None = None) -> Path:
    """Write the index, the style, the feeds, and of each dataset the pages below `dataset/`, `quality/`, `privacy/` and
    `changes/`; where the index is.

    The index comes last: what it links to is there. Pages that have not changed are left alone. From `journal` comes
    what was refused since and what is announced; without it nothing is said of that.
    Raises: StoreError when a release cannot be read, and then the index stays as it was.
    """
    engines = {language: environment(town, language) for language in LANGUAGES}
    pages = engines["fr"]
    releases = [release for dataset in store.datasets() if (release := store.current(dataset)) is not None]
    releases.sort(key=lambda release: release.about["title"].casefold())
    store.write("style.css", style())
    promises = _promises(releases, town)
    found = {release.dataset: announcements.ahead(release, store, town, journal) for release in releases}
    announced = {name: told for name, told in found.items() if told}
    for release in releases:
        versions = store.versions(release.dataset, SHOWN_VERSIONS)
        refused = quality_pages.write(store, engines, release, journal)
        persons = privacy_pages.write(store, engines, release)
        page = pages.get_template("dataset.html").render(
            release=release,
            versions=versions,
            refused=refused,
            persons=persons,
            promise=promises.get(release.dataset),
            announced=announced.get(release.dataset),
            made_at=datetime.now(UTC),
        )
        store.write(f"dataset/{release.dataset}.html", page.encode())
    changelog_pages.write(store, engines, releases, town, announced)
    return store.write(
        layout.INDEX, pages.get_template("index.html").render(releases=releases, promises=promises).encode()
    )


def _promises(releases: Iterable[Release], town: Town) -> dict[str, Promised]:
    """What is promised of each dataset that promises something, and whether it is kept now."""
    declared, now = {dataset.id: dataset for dataset in town.datasets}, datetime.now(UTC)
    known = [(release, declared[release.dataset]) for release in releases if release.dataset in declared]
    found = {release.dataset: promised(dataset, release.data_date, now, "fr") for release, dataset in known}
    return {name: promise for name, promise in found.items() if promise}
