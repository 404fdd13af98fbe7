"""The municipal systems of the sample town, as real servers on loopback: what `make nightly` reads from.

::

    stationnement   parking.py     HTTP API: pages, bearer token, ETag
    trafic          traffic.py     HTTP, one JSON document
    comptages       counts.py      HTTP, CSV, ETag
    etat-civil      births.py      HTTP, CSV, ETag; never changes
    finances        budget.py spending.py grants.py    a database (SQLite file, or PostgreSQL)
    action-sociale  social.py      a database of its own
    depot           energy.py attendance.py            a drop folder: cp1252 CSV, Excel

Night 2 brings new and late rows, corrections and a few unreadable cells (energy); budget and first names stay as they
are. On night 3 the parking feed is frozen, a column of the attendance workbook is gone, and the counting platform has
lost five counters of twelve; everything else is new. From night 4 on all is well again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from tests.simulators import (
    attendance,
    births,
    budget,
    counts,
    database,
    energy,
    grants,
    parking,
    social,
    spending,
    traffic,
)
from tests.simulators.night import PARIS, Night
from tests.simulators.web import CSV, JSON, Answer, fixed, serve

__all__ = ["systems"]


@contextmanager
def systems(
    night: int, folder: Path | None = None, *, now: datetime | None = None, postgres: bool = False
) -> Iterator[dict[str, str]]:
    """Run the systems as they are on `night` (from 1) and yield the environment that `town.yaml` needs.

    `folder` holds the drop folder and the databases, which are made anew; by default a temporary one. `now` (aware)
    freezes the clock, and then the same night gives the same bytes; by default the feeds follow the real clock.
    Nothing in the environment is a real secret.
    """
    frozen = now
    clock: Callable[[], datetime] = lambda: frozen or datetime.now(UTC)  # noqa: E731
    tonight = Night(night, clock())
    with ExitStack() as stack:
        base = (folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="odp-sample-")))).resolve()
        base.mkdir(parents=True, exist_ok=True)
        environment = _web_services(tonight, clock, stack)
        environment |= _databases(tonight, base, postgres, stack)
        environment["ODP_DEPOT"] = str(_drop_folder(tonight, base / "depot"))
        environment["ODP_SECRET_AIDES"] = _sample_secret("aides")
        yield environment


def _web_services(night: Night, clock: Callable[[], datetime], stack: ExitStack) -> dict[str, str]:
    token = f"jeton-exemple-{_sample_secret('stationnement')[:16]}"
    car_parks = {parking.PATH: lambda query: parking.page(night, clock(), query)}
    roads = {"/etat": lambda _: Answer(traffic.document(night, clock()), JSON)}
    return {
        "ODP_STATIONNEMENT_URL": stack.enter_context(serve(car_parks, token)),
        "ODP_STATIONNEMENT_TOKEN": token,
        "ODP_TRAFIC_URL": stack.enter_context(serve(roads)),
        "ODP_COMPTAGES_URL": stack.enter_context(serve({"/export/comptages.csv": fixed(counts.feed(night), CSV)})),
        "ODP_ETATCIVIL_URL": stack.enter_context(serve({"/prenoms.csv": fixed(births.first_names(), CSV)})),
    }


def _databases(night: Night, base: Path, postgres: bool, stack: ExitStack) -> dict[str, str]:
    finances = {"scdl_budget": budget.scdl(), "mandats": spending.orders(night), "subventions": grants.grants(night)}
    cases = {"dossiers": social.cases(night)}
    if postgres:
        urls = stack.enter_context(
            database.postgresql({"finances": finances, "action_sociale": cases}, base / "postgresql")
        )
        return {"ODP_FINANCES_URL": urls["finances"], "ODP_ACTION_SOCIALE_URL": urls["action_sociale"]}
    return {
        "ODP_FINANCES_URL": database.sqlite(finances, base / "finances.db"),
        "ODP_ACTION_SOCIALE_URL": database.sqlite(cases, base / "action_sociale.db"),
    }


def _drop_folder(night: Night, depot: Path) -> Path:
    """Each night's energy file beside those of the nights before; one attendance workbook, saved over."""
    shutil.rmtree(depot, ignore_errors=True)
    for past in night.earlier():
        _drop(depot / "energie" / f"releves_{past.last_day:%Y%m%d}.csv", energy.readings(past), past)
    _drop(depot / "equipements" / "frequentation.xlsx", attendance.workbook(night), night)
    return depot


def _drop(path: Path, content: bytes, night: Night) -> None:
    """Write the file as if it had been dropped at six in the evening of the night's last day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    dropped = datetime.combine(night.last_day, time(18), PARIS) + timedelta(minutes=night.number)
    os.utime(path, (dropped.timestamp(), dropped.timestamp()))


def _sample_secret(name: str) -> str:
    """64 hexadecimal digits that anyone can compute: for the sample town only, never for a real one."""
    return hashlib.sha256(f"odpipeline sample town, not a secret: {name}".encode()).hexdigest()
