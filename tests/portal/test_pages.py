from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag
from zoneinfo import ZoneInfo

import pytest

from odpipeline import portal
from odpipeline.errors import StoreError
from odpipeline.quality.typography import french_date, french_number, french_size
from odpipeline.store import Store
from tests.store.making import FIELDS, a_dataset, a_town, published

PARIS = ZoneInfo("Europe/Paris")


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name in ("href", "src")]


def pages(store: Store) -> list[Path]:
    return [store.root / "index.html", *sorted((store.root / "dataset").glob("*.html"))]


def test_the_index_lists_every_current_release(store):
    page = Page(store.root / "index.html")
    for said in ("2 jeux de données publiés", "Disponibilité des parkings", "Budget <primitif> & annexes",
                 "29 mars 2026", "1\u202f200", "Licence Ouverte / Open Licence 2.0", "Open Data Commons"):  # fmt: skip
        assert said in page.text
    assert "datasets/parkings/latest/parkings.csv" in page.links()
    assert "datasets/parkings/latest/release.json" in page.links()
    assert "datasets/parkings/changelog.jsonl" in page.links()


def test_the_index_offers_the_whole_table_once_in_each_format_and_french_blanks(tmp_path):
    store = Store(tmp_path / "public")
    dataset = a_dataset(formats={"gzip": True, "partition_by": "places"}, description="Places libres : en direct.")
    published(store, tmp_path, dataset=dataset)
    portal.build(store, a_town(tmp_path))
    page = Page(store.root / "index.html")
    offered = [link for link in page.links() if "/latest/" in link and not link.endswith(".json")]
    assert [link.partition("latest/parkings.")[2] for link in offered] == ["csv", "parquet", "csv.gz"]
    assert "CSV, gzip" in page.text
    assert "Places libres\u00a0: en direct." in page.text


def test_the_page_of_a_dataset_has_schema_and_versions(store):
    page = Page(store.root / "dataset/parkings.html")
    for said in ("Nom du parking. Le nom affiché à l’entrée.", "obligatoire", "≥\u202f0", "datetime", "quotidienne",
                 "Transports", "stationnement@ville.example", "Toutes les versions"):  # fmt: skip
        assert said in page.text
    assert "../datasets/parkings/versions/1/parkings.csv" in page.links()
    assert "../datasets/parkings/versions/2/parkings.csv" in page.links()


def test_every_link_of_the_site_leads_to_a_file_from_a_disk(store):
    for path in pages(store):
        for link in Page(path).links():
            if not link.startswith(("https://", "mailto:", "#")):
                assert (path.parent / urldefrag(link).url).is_file(), link


def test_pages_are_closed_to_scripts_and_strangers(store):
    for path in pages(store):
        page = Page(path)
        assert {"script", "style", "iframe", "img", "form"}.isdisjoint(page.tags)
        assert not [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]
        policy = next(v for tag, name, v in page.attributes if tag == "meta" and name == "content" and "-src" in v)
        assert policy.startswith("default-src 'none'; style-src 'self'")


def test_pages_are_accessible(store):
    for path in pages(store):
        page = Page(path)
        assert ("html", "lang", "fr") in page.attributes
        assert page.tags.count("h1") == 1
        assert page.tags.count("table") == page.tags.count("caption") > 0
        assert all(scope in ("col", "row") for tag, name, scope in page.attributes if tag == "th" and name == "scope")
        assert page.tags.count("th") == sum(tag == "th" and name == "scope" for tag, name, _ in page.attributes)


HOSTILE = '"><script>alert(1)</script>'


def test_whatever_a_declaration_says_is_text(tmp_path):
    store = Store(tmp_path / "public")
    fields = [*FIELDS[:2], {"name": 'places"><script>', "title": HOSTILE}, *FIELDS[3:]]
    select = """SELECT i AS id, 'a' AS nom, i AS "places""><script>", TIMESTAMP '2026-01-01' AS releve_le
        FROM range(3) t(i)"""
    hostile = a_dataset(title=HOSTILE, description=HOSTILE, keywords=[HOSTILE], licence=HOSTILE, fields=fields)
    published(store, tmp_path, select, dataset=hostile)
    town = a_town(tmp_path)
    object.__setattr__(
        town, "publisher", town.publisher.model_copy(update={"name": HOSTILE, "homepage": "javascript:1"})
    )
    portal.build(store, town)
    for path in pages(store):
        page = Page(path)
        assert "script" not in page.tags
        assert HOSTILE in page.text
        assert not any(link.startswith("javascript:") for link in page.links())


def test_an_empty_store_has_an_index(tmp_path):
    written = portal.build(Store(tmp_path / "public"), a_town(tmp_path))
    assert "Aucun jeu de données n’est encore publié." in written.read_text()


def test_pages_that_have_not_changed_are_left_alone(store, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in pages(store)}
    portal.build(store, a_town(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in pages(store)} == before


def test_a_broken_release_leaves_the_index_as_it_was(store, tmp_path):
    before = (store.root / "index.html").read_bytes()
    (store.root / "datasets/parkings/current.json").write_text("{")
    with pytest.raises(StoreError):
        portal.build(store, a_town(tmp_path))
    assert (store.root / "index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (None, "–"),
        (date(2026, 8, 1), "1er août 2026"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "1er janvier 2027"),
    ],
)
def test_dates_are_french_and_in_the_towns_time_zone(moment, said):
    assert french_date(moment, PARIS) == said


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 o"), (999, "999 o"), (1234, "1,2 ko"), (45_600, "46 ko"), (1_500_000, "1,5 Mo"), (10**13, "10000 Go")],
)
def test_sizes_are_french(size_bytes, said):
    assert french_size(size_bytes) == said.replace(" ", "\u202f")
    assert french_number(1234567) == "1\u202f234\u202f567"
