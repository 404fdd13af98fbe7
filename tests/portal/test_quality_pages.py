"""The page about a release's quality: what a citizen reads, in two languages, from a disk and on paper."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odpipeline import catalogue, portal
from odpipeline.journal import Journal, RunRecord
from odpipeline.portal.quality_pages import MOST_ROWS
from odpipeline.quality import run_report, run_reports
from odpipeline.store import Store
from odpipeline.verdict import Finding, Severity, Verdict
from tests.portal.test_pages import Page
from tests.store.making import a_staged, a_town, parkings


def findings(wrong: int = 0) -> tuple[Finding, ...]:
    counts = {"element_count": 20, "unexpected_count": wrong, "missing_count": 0}
    return (
        Finding("quality", "expect_column_values_to_be_between", not wrong, "secret words", Severity.WARNING, "places",
                counts, {"min_value": 0}),
        Finding("quality", "expect_column_values_to_not_be_null", True, "", column="id", counts=counts | {
            "unexpected_count": 0}),
        Finding("privacy", "published_columns_csv", True, ""),
    )  # fmt: skip


def publish(store: Store, folder: Path, wrong: int, places: int) -> None:
    staged = a_staged(folder, parkings(places=places))
    store.publish(staged, Verdict(staged.dataset, staged.content_hash, findings(wrong)))


@pytest.fixture
def town(tmp_path):
    return a_town(tmp_path)


@pytest.fixture
def store(tmp_path, town):
    """Three versions, the last one with wrong values; the pages are rebuilt after each."""
    store = Store(tmp_path / "public")
    for places, wrong in ((10, 0), (20, 2), (30, 5)):
        publish(store, tmp_path, wrong, places)
        portal.build(store, town)
    catalogue.build(store, town)
    return store


def page(store: Store, name: str) -> Page:
    return Page(store.root / "quality/parkings" / name)


def plain(text: str) -> str:
    return " ".join(text.split())


def test_the_page_tells_score_checks_and_history(store):
    read = page(store, "3.html")
    said = plain(read.text)
    for part in (
        "86 sur 100", "Colonne « places »", "valeurs d’au moins 0",
        "✗ non respecté : 5 valeurs sur 20 sont inférieures au minimum (0)", "1 non respecté",
        "avertissement : n’empêche pas la publication", "1 : 0, 2 : 2 (non respecté), 3 : 5 (non respecté)",
        "Vous voyez la version la plus récente", "Complétude", "non mesuré",
    ):  # fmt: skip
        assert part in said, part
    assert read.tags.count("svg") == 2  # the score and the one check that moved
    assert "secret words" not in said


def test_the_same_page_is_there_in_english(store):
    read = page(store, "3.en.html")
    for part in ("86 out of 100", "Column “places”", "does not hold: 5 of 20 values are below the minimum",
                 "1: 0, 2: 2 (does not hold), 3: 5 (does not hold)"):  # fmt: skip
        assert part in plain(read.text), part
    assert ("html", "lang", "en") in read.attributes
    assert "3.html" in read.links()
    assert "3.en.html" in page(store, "3.html").links()


def test_a_page_of_an_older_version_shows_the_history_up_to_it_and_the_way_to_the_newer_one(store):
    read = page(store, "2.html")
    assert "2 : 2 (non respecté)" in plain(read.text)
    assert "3 : 5" not in plain(read.text)
    assert "Une version plus récente est publiée." in plain(read.text)
    assert "3.html" in read.links()


def test_the_page_of_the_dataset_leads_to_it(store):
    read = Page(store.root / "dataset/parkings.html")
    assert "86 sur 100, 1 contrôle non respecté" in plain(read.text)
    assert "../quality/parkings/3.html" in read.links()


def test_every_link_leads_to_a_file_and_nothing_comes_from_elsewhere(store):
    for file in sorted((store.root / "quality").rglob("*.html")):
        read = Page(file)
        assert {"script", "style", "iframe", "img", "form", "object"}.isdisjoint(read.tags)
        for link in read.links():
            if not link.startswith(("https://donnees.ville.example", "mailto:", "#")):
                assert (file.parent / link).is_file(), link


def test_pages_are_accessible(store):
    for file in sorted((store.root / "quality").rglob("*.html")):
        read = Page(file)
        assert read.tags.count("h1") == 1
        assert read.tags.count("table") == read.tags.count("caption") > 0
        assert read.tags.count("th") == sum(tag == "th" and name == "scope" for tag, name, _ in read.attributes)
        assert read.tags.count("svg") == sum(tag == "svg" and name == "role" for tag, name, _ in read.attributes)
        levels = [int(tag[1]) for tag in read.tags if tag in {"h1", "h2", "h3"}]
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))


def test_building_again_changes_no_page(store, town):
    before = {file: file.stat().st_mtime_ns for file in store.root.rglob("*.html")}
    portal.build(store, town)
    assert {file: file.stat().st_mtime_ns for file in store.root.rglob("*.html")} == before


def refused(store: Store, folder: Path, *found: Finding) -> Journal:
    journal = Journal.at(folder / "private")
    published_at = store.current("parkings").published_at
    journal.record(RunRecord("parkings", "refused", ended_at=published_at - timedelta(days=1)))
    for day in (1, 2):
        run = RunRecord("parkings", "refused", ended_at=published_at + timedelta(days=day))
        journal.record(run, run_report(found, run, journal).as_json())
    return journal


def test_what_was_refused_since_is_said_without_counts(store, town, tmp_path):
    counts = {"element_count": 77, "unexpected_count": 66}
    blocking = [
        Finding("quality", "expect_column_values_to_be_between", False, "", column="places", counts=counts),
        Finding("quality", "expect_column_values_to_be_unique", False, "", column="secret", counts=counts),
    ]  # fmt: skip
    portal.build(store, town, refused(store, tmp_path, *blocking))
    said = plain(page(store, "3.html").text)
    assert "2 livraisons plus récentes ont été contrôlées et refusées" in said
    assert "Vous voyez la dernière version valable, la 3." in said
    assert "Colonne « places » : valeurs dans leurs bornes" in said
    assert "66" not in said
    assert "secret" not in said
    assert "2 livraisons plus récentes ont été refusées" in plain(Page(store.root / "dataset/parkings.html").text)
    assert "refusées" not in plain(page(store, "2.html").text)


def test_a_dataset_that_was_never_published_has_no_page(town, tmp_path):
    store = Store(tmp_path / "public")
    portal.build(store, town, Journal.at(tmp_path / "private"))
    assert not (store.root / "quality").exists()


def test_a_table_of_thousands_of_columns_has_a_page_that_can_be_read(town, tmp_path):
    store, staged = Store(tmp_path / "public"), a_staged(tmp_path)
    many = [Finding("quality", f"expect_{number}", number != 999, "", Severity.WARNING) for number in range(1000)]
    store.publish(staged, Verdict(staged.dataset, staged.content_hash, tuple(many)))
    portal.build(store, town)
    read = page(store, "1.html")
    assert read.tags.count("tr") < MOST_ROWS + 20
    assert "1 non respecté" in plain(read.text)
    assert "« 999 »" in plain(read.text)
    assert "qui ne sont pas montrés ici : 800" in plain(read.text)


def test_hostile_names_are_text(town, tmp_path):
    store, hostile = Store(tmp_path / "public"), '"><script>alert(1)</script>'
    staged = a_staged(tmp_path)
    odd = Finding("quality", hostile, False, "", Severity.WARNING, "places", {"unexpected_count": 1})
    store.publish(staged, Verdict(staged.dataset, staged.content_hash, (*findings(), odd)))
    portal.build(store, town)
    assert "script" not in page(store, "1.html").tags
    assert hostile in page(store, "1.html").text


def test_the_page_of_a_run_stands_alone_and_says_what_to_do(store, town, tmp_path):
    journal = refused(store, tmp_path, findings(3)[0])
    run = RunRecord("parkings", "refused", ended_at=datetime(2026, 12, 1, tzinfo=UTC))
    critical = Finding("quality", "expect_column_values_to_be_unique", False, "", column="secret")
    report = run_report((findings(4)[0], critical), run, journal)
    written = portal.run_page(
        report, run_reports(journal, "parkings"), "Parkings", town, store.current("parkings"), "fr"
    )
    (tmp_path / "run.html").write_text(written)
    read = Page(tmp_path / "run.html")
    said = plain(read.text)
    for part in ("Rien de cette livraison n’est publié", "Colonne « secret »", "À faire", "La version 3",
                 "3 (non respecté)", "4 (non respecté)"):  # fmt: skip
        assert part in said, part
    assert [
        link for link in read.links() if not link.startswith(("https://donnees.ville.example", "mailto:", "#"))
    ] == []
