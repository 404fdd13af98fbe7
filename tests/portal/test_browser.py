"""What a citizen sees: the pages in a real browser, without a complaint of its console."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from odpipeline import catalogue, flow, portal
from odpipeline.declaration import read_town
from tests.towns import write_town

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine: apt-get install chromium")
def test_the_index_leads_to_the_dataset_its_files_and_its_quality(tmp_path: Path):
    town = read_town(write_town(tmp_path, "piscines"))
    zones = flow.Zones.of(town)
    with contextlib.closing(flow.recorded(town.dataset("piscines"), town, zones)) as stages:
        list(stages)
    catalogue.build(zones.store, town)
    index = portal.build(zones.store, town)
    complaints: list[str] = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(index.as_uri())
        assert page.locator("html").get_attribute("lang") == "fr"
        page.get_by_role("link", name="Fréquentation des piscines").click()
        assert page.locator("h1").inner_text() == "Fréquentation des piscines"
        target = page.get_by_role("link", name="CSV").first.get_attribute("href")
        page.get_by_role("link", name="rapport de qualité").click()
        assert page.locator("h1").inner_text() == "Qualité\u00a0: Fréquentation des piscines"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.emulate_media(media="print")
        assert page.get_by_role("link", name="This page in English").is_hidden()
        page.emulate_media(media="screen")
        page.get_by_role("link", name="This page in English").click()
        assert page.locator("html").get_attribute("lang") == "en"
        browser.close()
    assert complaints == []
    assert target is not None
    assert target.endswith("piscines.csv")
