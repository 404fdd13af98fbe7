"""Is everything there that a night needs? One line for each thing, with how to mend it; nothing is changed.

The parts look at the machine, the declarations and the zones; what only Dagster knows is looked at by
`orchestration.health`. A value of the environment is never shown, only whether it is set.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from zoneinfo import ZoneInfo

import duckdb

from odpipeline import duck, flow, quality
from odpipeline.declaration.town import Town
from odpipeline.declaration.words import FromEnvironment
from odpipeline.errors import OdpError
from odpipeline.freshness import spoken
from odpipeline.journal import Journal
from odpipeline.monitoring.machine import ROOM_FAULT, ROOM_WARNING, room
from odpipeline.monitoring.records import Records
from odpipeline.monitoring.rounds import ROUND
from odpipeline.operating import secrets

_AHEAD, _LOOKED_BACK = timedelta(minutes=5), timedelta(days=3650)
_UNSYNCHRONISED = 5
"""What ntp_adjtime(3) returns when no time service keeps the clock (TIME_ERROR)."""
_SILENT = timedelta(minutes=15)
"""How long the watch may be silent before that is a fault."""
_PACKAGES = ("dagster", "dagster-webserver", "great-expectations", "duckdb")


class State(StrEnum):
    """How a thing stands: a warning needs a person one of these days, a fault before the next night."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: its `subject`, how it stands, `what` was seen, how to `mend` it ('' when ok)."""

    subject: str
    state: State
    what: str
    mend: str = ""


def look(town: Town) -> Iterator[Line]:
    """Everything about `town` but Dagster, each part on its own: one that cannot be looked at is a fault."""
    yield from versions()
    parts = {"declarations": declarations, "disk": disk, "clock": clock, "secrets": variables, "store": store,
             "private zone": private, "journal": journal, "alerts": alerts, "production": production}  # fmt: skip
    for subject, part in parts.items():
        try:
            yield from part(town)
        except OdpError as error:
            yield Line(subject, State.FAULT, f"{error.where}: {error.what}" if error.where else error.what, error.mend)
        except OSError as error:
            mend = "look at the disk, and at the owner and rights of the town's folders"
            yield Line(subject, State.FAULT, f"it cannot be looked at ({error.strerror})", mend)


def versions() -> Iterator[Line]:
    """The interpreter, the pinned libraries, and DuckDB's extensions, which must be of its version."""
    yield Line("python", State.OK, platform.python_version())
    for name in _PACKAGES:
        try:
            yield Line(name, State.OK, version(name))
        except PackageNotFoundError:
            yield Line(name, State.FAULT, "it is not installed", "install the package again from requirements.lock")
    for name, load in {"spatial": duck.spatial, "excel": duck.workbooks}.items():
        try:
            with duck.connect() as connection:
                load(connection)
        except (duckdb.Error, ModuleNotFoundError):
            mend = f"install duckdb-extension-{name}=={duckdb.__version__}, of the same version as duckdb"
            yield Line(f"duckdb {name}", State.FAULT, "the extension does not load", mend)
        else:
            yield Line(f"duckdb {name}", State.OK, f"loads from its wheel, {duckdb.__version__}")


def declarations(town: Town) -> Iterator[Line]:
    """The suites; the declarations themselves have been read, or there would be no `town`."""
    faults = [fault for dataset in town.datasets for fault in quality.suite_faults(dataset)]
    for fault in faults:
        yield Line("declarations", State.FAULT, str(fault), "see: odp check")
    if not faults:
        yield Line("declarations", State.OK, f"{len(town.datasets)} datasets and their suites can be read")


def disk(town: Town) -> Iterator[Line]:
    """The free room where the store, the private zone and Dagster's state lie."""
    for name, free in room(town).items():
        state = State.FAULT if free < ROOM_FAULT else State.WARNING if free < ROOM_WARNING else State.OK
        mend = "" if state is State.OK else "make room: `odp captures --sweep`, or move the folder to a larger disk"
        yield Line(f"disk: {name}", state, f"{free / (1 << 30):,.1f} GiB free", mend)


def clock(town: Town) -> Iterator[Line]:
    """The time zone data, the time service, and the clock against the newest entry of the journal."""
    now = datetime.now(UTC)
    yield Line("time zone", State.OK, f"{town.timezone}: it is {now.astimezone(ZoneInfo(town.timezone)):%H:%M}")
    if _synchronised():
        yield Line("time service", State.OK, "the kernel says that the clock is kept")
    else:
        mend = "start a time service: systemctl enable --now systemd-timesyncd (on the host, for a container)"
        yield Line("time service", State.WARNING, "no time service keeps the clock", mend)
    ended = [run.ended_at for run in _journal(town).since(now - _LOOKED_BACK) if run.ended_at]
    newest = max(ended, default=None)
    if newest and newest > now + _AHEAD:
        what = f"it is behind the journal, whose newest run ended at {newest:%Y-%m-%d %H:%M} UTC"
        yield Line("clock", State.FAULT, what, "set the clock; ages and promises are wrong until then")
    else:
        yield Line("clock", State.OK, f"{now:%Y-%m-%d %H:%M} UTC, after the newest run" if newest else "no run yet")


def variables(town: Town) -> Iterator[Line]:
    """Every environment variable that the declarations name: set or not, never what it holds."""
    for name, places in secrets.named(town).items():
        if os.environ.get(name, "").strip():
            yield Line(f"${name}", State.OK, "set")
        else:
            what = f"not set; needed by: {', '.join(places[:3])}{' and others' if places[3:] else ''}"
            mend = "set it in the environment of the service, never in a file of git"
            yield Line(f"${name}", State.FAULT, what, mend)


def store(town: Town) -> Iterator[Line]:
    """Whether the store can be written, and every pointer read."""
    opened = flow.Zones.of(town).store
    key = ".doctor"
    opened.backend.put(key, b"")
    opened.backend.discard([key])
    yield Line("store", State.OK, "it can be written")
    published = [dataset.id for dataset in town.datasets if opened.current(dataset.id)]
    yield Line("published", State.OK, f"{len(published)} of {len(town.datasets)} datasets have a whole current version")
    opened.ready()


def private(town: Town) -> Iterator[Line]:
    """Whether nobody but the pipeline's own account may look into the private zone."""
    folder = town.private_path
    for each in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        seen = each.stat()
        mode, name = stat.S_IMODE(seen.st_mode), each.relative_to(town.root) if each.is_relative_to(town.root) else each
        if seen.st_uid != os.getuid():
            yield Line(
                "private zone", State.FAULT, f"{name} belongs to another account", f"chown -R it to {os.getuid()}"
            )
        if mode & 0o077:
            what = f"{name} has the rights {mode:04o}: others than its owner may look into it"
            yield Line("private zone", State.FAULT, what, f"chmod 700 {name}")
    zones = flow.Zones.of(town)
    if zones.seal is None:
        mend = "make a key with `odp key`, and name its variable in private_key of town.yaml"
        yield Line("private zone", State.WARNING, "what it keeps is not encrypted", mend)
    else:
        zones.seal.ready()
        yield Line("private zone", State.OK, "sealed, and the key can be used")


def journal(town: Town) -> Iterator[Line]:
    """Whether the journal can be read and is whole."""
    wrong = _journal(town).damage()
    if wrong:
        mend = "stop the services and restore the journal: docs/how-to/backup-and-restore.md"
        yield Line("journal", State.FAULT, f"it is damaged: {wrong}", mend)
    else:
        yield Line("journal", State.OK, "it can be read and is whole")


def alerts(town: Town) -> Iterator[Line]:
    """Whether somebody would be told, whether the watch is kept, and what could not be said."""
    if town.alerts.mail or town.alerts.channels:
        names = [*(["mail"] if town.alerts.mail else []), *town.alerts.channels]
        yield Line("alerts", State.OK, f"told by: {', '.join(names)} (try them: odp alert test)")
    else:
        state = State.FAULT if town.production else State.WARNING
        yield Line(
            "alerts", state, "nobody is told of incidents", "declare alerts.mail or alerts.channels in town.yaml"
        )
    records, now = Records(_journal(town)), datetime.now(UTC)
    last = records.marked(ROUND)
    if last is None or now - last > _SILENT:
        what = "no round of the watch was ever made" if last is None else f"the last round was {spoken(now - last)} ago"
        mend = "start the daemon and its sensor `watch`, or run `odp watch` by a timer"
        yield Line("watch", State.FAULT if town.production else State.WARNING, what, mend)
    else:
        yield Line("watch", State.OK, f"the last round was {spoken(now - last)} ago")
    stuck = [message for message in records.waiting() if message.attempts > 1]
    if stuck:
        ways = ", ".join(sorted({message.destination for message in stuck}))
        yield Line("messages", State.FAULT, f"{len(stuck)} are not taken by: {ways}", "try them: odp alert test")
    opened = records.open()
    told = Line("incidents", State.WARNING, f"{len(opened)} are open", "see them: odp incidents")
    yield told if opened else Line("incidents", State.OK, "none is open")


def production(town: Town) -> Iterator[Line]:
    """Whether the town says that it is in service, and secrets that travel in clear, whatever it says."""
    if town.production:
        yield Line("production", State.OK, "insecure settings are refused")
    else:
        mend = "set `production: true` in town.yaml"
        yield Line("production", State.WARNING, "insecure settings are let through", mend)
    if systems := _clear_secrets(town):
        state = State.FAULT if town.production else State.WARNING
        mend = "give their addresses as https://…"
        yield Line("secrets in clear", state, f"sent over http:// to: {', '.join(systems)}", mend)


def _clear_secrets(town: Town) -> list[str]:
    """The systems that are sent a secret over HTTP without encryption, wherever their address stands."""
    found = []
    for name, system in town.systems.items():
        address = os.environ.get(system.url.env) if isinstance(system.url, FromEnvironment) else system.url
        if system.auth and (address or "").lower().startswith("http://"):
            found.append(name)
    return found


def _journal(town: Town) -> Journal:
    return Journal.of(town)


def _synchronised() -> bool:
    """What the kernel says of its clock; it needs no right and no program. True where it cannot be asked."""
    asked = ctypes.create_string_buffer(512)  # struct timex, all zero: nothing is set
    try:
        return int(ctypes.CDLL(None).ntp_adjtime(asked)) != _UNSYNCHRONISED
    except (AttributeError, OSError):
        return True
