"""One dataset from its source to its release: read this first.

`publication` is the whole way, top to bottom, as a generator that knows neither Dagster nor the command line: it
yields what each stage has put on disk. `recorded` is the same with a line in the journal at the end; `odp run` prints
what it yields, the Dagster assets turn it into events. The rule that stops publication is `gate.judge`.
"""

from __future__ import annotations

import fcntl
import os
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from odpipeline import conform, gate, lineage, privacy, quality, sources
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.duck import DuckSettings
from odpipeline.errors import OdpError, SourceError, located
from odpipeline.journal import Journal, RunRecord
from odpipeline.landing import Capture, Landing
from odpipeline.monitoring.freshness import newest_event
from odpipeline.privacy import Anonymised
from odpipeline.quality import QualityReport
from odpipeline.store import Release, Staged, StagedFacts, Store, stage
from odpipeline.verdict import Verdict

Stage = Capture | Conformed | QualityReport | Anonymised | Staged | Verdict | Release
"""What a stage has put on disk: paths, hashes and counts; never rows."""


_KEPT = (".lock", "conformed.parquet", "quarantine.parquet")
"""The files of a work folder that stay until the next run."""


@dataclass(frozen=True)
class Zones:
    """Where a town keeps its things: captures, releases, records, and the work folder of the private zone."""

    landing: Landing
    store: Store
    journal: Journal
    work: Path
    duck: DuckSettings

    @classmethod
    def of(cls, town: Town) -> Zones:
        """The zones that `town` declares; folders are made when missing, the private ones for their owner only."""
        private = town.private_path
        for folder in (private, private / "work", private / "spill"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        duck = DuckSettings(town.memory_limit, town.threads, private / "spill")
        return cls(Landing(private), Store(town.store_path), Journal.at(private), private / "work", duck)


def publication(dataset: Dataset, town: Town, zones: Zones) -> Generator[Stage]:
    """One dataset from its source to its release. Each stage is yielded once it is on disk.

    Ends early when nothing changed or something refused, and then the public release is as before.
    Abandoning it half-way is safe: only the last step touches the public zone, behind the gate.
    Raises: OdpError, naming the dataset.
    """
    with located(dataset.id), _workplace(zones.work, dataset) as folder:
        current = zones.store.current(dataset.id)
        since = zones.landing.validators(dataset.id)
        delivered = sources.extract(dataset, town, folder, since, partial(zones.landing.earlier, dataset.id, folder))
        yield (capture := zones.landing.capture(dataset, delivered))
        zones.landing.prune(dataset, keep=(capture.sha256, current.capture_sha256 if current else ""))

        if current and current.made_from(capture.sha256, dataset.code_version):
            yield zones.store.confirm(current)  # only `checked_at` moves
            return

        if capture.unchanged:
            zones.landing.get(dataset.id, capture.sha256)  # hashed anew: it lay on the disk since another night
        yield (rows := conform.conform(capture, dataset, folder, zones.duck))
        yield (before := quality.check(rows.parquet, quality.suite_for(dataset), zones.duck))
        if before.blocks or any(finding.blocks for finding in rows.findings):
            yield gate.refuse(dataset, (*rows.findings, *before.findings))
            return

        salt = f"{capture.sha256}{dataset.code_version}"
        yield (anonymous := privacy.anonymise(rows.parquet, dataset, folder, zones.duck, salt=salt))
        facts = _facts(dataset, capture, rows, before, anonymous, zones.duck)
        yield (staged := stage(anonymous.parquet, dataset, town, folder, zones.duck, facts=facts))

        after = quality.check(staged.parquet, quality.output_suite(dataset), zones.duck)
        measured = privacy.measure(staged.parquet, staged.csv, dataset, zones.duck)
        findings = (*rows.findings, *before.findings, *anonymous.findings, *after.findings, *measured)
        accepted = zones.journal.accepted(dataset.id)
        yield (verdict := gate.judge(dataset, staged, current, findings, accepted=accepted))
        if verdict.accepted:
            yield zones.store.publish(staged, verdict, over=current)


def recorded(dataset: Dataset, town: Town, zones: Zones) -> Generator[Stage]:
    """`publication`, and one line in the journal however it ended; nothing is recorded when it is abandoned."""
    record, started = RunRecord(dataset.id, "failed", code_version=dataset.code_version), time.perf_counter()
    before = None
    try:
        before = zones.store.current(dataset.id)
        for reached in publication(dataset, town, zones):
            record = _noted(record, reached, before)
            yield reached
    except GeneratorExit:
        raise
    except OdpError as error:
        if isinstance(error, SourceError):
            error.meanwhile = _meanwhile(dataset, town, zones.journal.failing_since(dataset.id), before)
        record = replace(record, outcome="failed", reasons=(str(error),))
        _write(zones.journal, record, started)
        raise
    except Exception as error:  # noqa: BLE001  # the edge: whatever it was, no cell may reach a log
        fault = _unexpected(dataset, zones.work.parent / "faults", error)
        _write(zones.journal, replace(record, outcome="failed", reasons=(str(fault),)), started)
        raise fault from None
    else:
        _write(zones.journal, record, started)


def _meanwhile(dataset: Dataset, town: Town, failing_since: datetime | None, current: Release | None) -> str:
    """Which system it is that fails, since when, and what is still served; dates in the town's time zone."""
    zone = ZoneInfo(town.timezone)
    system = town.systems.get(dataset.source.system or "")
    told = [f"“{system.title}”"] if system else []
    told.append(f"failing since {(failing_since or datetime.now(UTC)).astimezone(zone).date()}")
    if current:
        told.append(f"version {current.version} of {current.published_at.astimezone(zone).date()} is still served")
    else:
        told.append("nothing was published yet")
    return ", ".join(told)


def _unexpected(dataset: Dataset, folder: Path, error: Exception) -> OdpError:
    """A bug, or something that nobody foresaw: its traceback may quote cells and stays in the private zone."""
    folder.mkdir(exist_ok=True, mode=0o700)
    file = folder / f"{dataset.id}-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as text:
        text.write("".join(traceback.format_exception(error)))
    told = OdpError(
        f"stopped by an unexpected {type(error).__name__}",
        mend=f"its traceback is in the private zone, faults/{file.name}: report it, without the cells",
    )
    told.dataset = dataset.id
    return told


def _noted(record: RunRecord, reached: Stage, before: Release | None) -> RunRecord:
    """The record after one more stage."""
    match reached:
        case Capture():
            return replace(record, capture_sha256=reached.sha256)
        case Conformed():
            return replace(record, rows_in=reached.rows_in, quarantined=reached.quarantined)
        case Verdict():
            outcome = "published" if reached.accepted else "refused"
            return replace(record, outcome=outcome, reasons=reached.reasons or reached.warnings,
                           content_hash=reached.content_hash or None)  # fmt: skip
        case Release():
            unchanged = before is not None and before.version == reached.version
            outcome = "unchanged" if unchanged else "published"
            return replace(record, outcome=outcome, version=reached.version, published=reached.rows,
                           content_hash=reached.content_hash)  # fmt: skip
        case _:
            return record


def _write(journal: Journal, record: RunRecord, started: float) -> None:
    journal.record(replace(record, seconds=round(time.perf_counter() - started, 3)))


def _facts(
    dataset: Dataset,
    capture: Capture,
    rows: Conformed,
    before: QualityReport,
    anonymous: Anonymised,
    duck: DuckSettings,
) -> StagedFacts:
    """What the release says of itself; counts and rules, never values."""
    return StagedFacts(
        capture_sha256=capture.sha256,
        code_version=dataset.code_version,
        data_date=newest_event(anonymous.parquet, dataset, duck),
        quality=before.summary(),
        privacy=privacy.summary(dataset, anonymous.findings),
        lineage={column.column: vars(column) for column in lineage.of(dataset)},
        rows_in=rows.rows_in,
        quarantined=rows.quarantined,
        why="new delivery",
    )


@contextmanager
def _workplace(work: Path, dataset: Dataset) -> Iterator[Path]:
    """The private work folder of `dataset`, for one run at a time.

    Conformed rows, quarantine and the staged release stay until the next run, to be looked at; every other copy of the
    delivery goes when the run ends, whatever its end, so that the captures' retention is that of the delivered bytes.
    Raises: OdpError when another run holds it.
    """
    folder = work / dataset.id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OdpError("another run of this dataset is under way", mend="wait until it has ended") from None
        try:
            yield folder
        finally:
            for copy in folder.iterdir():
                if copy.is_file() and copy.name not in _KEPT:
                    copy.unlink()
