"""Takes the pictures of the documentation: `python -m docs.screenshots [chromium]`.

Three nights of the sample town pass in a temporary folder; then Dagster's UI and the public pages are opened in a
headless browser. Minutes; needs chromium on the path, or named.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NIGHTS = (1, 2, 3)

OF_DAGSTER = {
    "dagster-lineage": ("/locations/town/asset-groups/mobilite/lineage", "text=published"),
    "dagster-dataset": ("/assets/parkings/published", "text=Column name"),
    "dagster-periods": ("/assets/mediatheques/published?view=partitions", "text=Missing (1)"),
    "dagster-refusal": ("/assets/comptages-mobilite/staged?view=checks&checkDetail=gate", "text=Latest execution"),
}
"""Picture → page of the UI, and what must be seen before it is taken."""


MONTHLY = """
title: Fréquentation des médiathèques
description: Entrées par jour, livrées chaque mois.
owner: lecture@aubrelle.example
source: {folder: "depot/entrees_{period:%Y%m}.csv"}
periods: {every: month, first: FIRST}
fields: [{name: jour, type: date}, {name: entrees, type: integer}]
key: [jour]
personal_data: none
"""


def main(chromium: str | None) -> None:
    """Write every picture below docs/images."""
    with tempfile.TemporaryDirectory() as made:
        town = Path(made) / "aubrelle"
        _nights(town)
        IMAGES.mkdir(exist_ok=True)
        with _ui(town) as address, sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 760})
            for name, (path, seen) in OF_DAGSTER.items():
                page.goto(address + path)
                page.wait_for_selector(seen)
                page.wait_for_timeout(3000)  # the graph finds its places
                _taken(page, name)
            page.goto((town / ".odp/public/index.html").as_uri())
            _taken(page, "portal")
            browser.close()


def _nights(town: Path) -> None:
    """The town's declarations in `town`, and what three nights make of them; a refusal is part of the third."""
    shutil.copytree(ROOT, town, ignore=_only_declared)
    _monthly(town)
    for night in NIGHTS:
        odp = [sys.executable, "-m", "odpipeline.cli", "run", "--night", "--town", str(town)]
        subprocess.run([sys.executable, "-m", "tests.simulators", "--night", str(night), "--", *odp], cwd=ROOT)


def _monthly(town: Path) -> None:
    """A dataset besides that is delivered by month, and the months before this one but for one."""
    months = [datetime.now(UTC).date().replace(day=1)]
    for _ in range(6):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    (town / "depot").mkdir()
    for month in months[1:3] + months[4:]:
        (town / f"depot/entrees_{month:%Y%m}.csv").write_text(f"jour,entrees\n{month},{400 + month.month}\n")
    (town / "assets/equipements/mediatheques.yaml").write_text(MONTHLY.replace("FIRST", f"{months[-1]:%Y-%m}"))


def _only_declared(folder: str, names: list[str]) -> set[str]:
    kept = {"town.yaml", "dagster.yaml", "workspace.yaml", "assets", "expectations", "hierarchies"}
    return set(names) - kept if Path(folder) == ROOT else set()


@contextmanager
def _ui(town: Path) -> Iterator[str]:
    """Dagster's webserver for `town`; its address."""
    port = free_port()
    environment = os.environ | {"DAGSTER_HOME": str(town), "ODP_TOWN": str(town), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    server = subprocess.Popen(command, cwd=town, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/server_info", server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise SystemExit("Dagster's webserver did not start")


def _taken(page: Page, name: str) -> None:
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    if file.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{file.name} has {file.stat().st_size} bytes, more than {MOST_BYTES}")
    print(file.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else shutil.which("chromium"))
