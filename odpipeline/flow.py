"""One dataset from its source to its release: read this first.

`publication` is the whole way, top to bottom, as a generator that knows neither Dagster nor the command line: it
yields what each stage has put on disk. `recorded` is the same with a line in the journal at the end; `odp run` prints
what it yields, the Dagster assets turn it into events. The rule that stops publication is `gate.judge`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from odpipeline import announcement, approving, conform, embargo, gate, lineage, privacy, quality, sources, unpublished
from odpipeline.approving import Waiting
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.declaration.town import Town
from odpipeline.duck import DuckSettings
from odpipeline.errors import OdpError, SourceError, located
from odpipeline.freshness import Newest, ahead, dated, freshness, missing_periods, newest_event
from odpipeline.journal import Journal, RunRecord
from odpipeline.landing import Capture, Landing, Seal
from odpipeline.landing.erasures import Erasures
from odpipeline.landing.tracebacks import foreseen, forget_tracebacks
from odpipeline.landing.turns import turn_of
from odpipeline.landing.workplace import keep_failed, set_aside, workplace
from odpipeline.lineage_events import LineageEvents
from odpipeline.privacy import Anonymised
from odpipeline.progress import Progress
from odpipeline.quality import QualityReport
from odpipeline.sources.periodical import Asked
from odpipeline.store import Release, Staged, StagedFacts, Store, diffing, stage
from odpipeline.store.choosing import opened
from odpipeline.verdict import Finding, Verdict

Stage = Capture | Conformed | QualityReport | Anonymised | Staged | Verdict | Release
"""What a stage has put on disk: paths, hashes and counts; never rows."""


@dataclass(frozen=True)
class Zones:
    """Where a town keeps its things: captures, releases, records, what waits for a yes, work folders and tracebacks.

    `seal` closes what stays in the private zone; None when the town names no key. `patience_seconds`: how long another
    run of the same dataset is waited for.
    """

    landing: Landing
    store: Store
    journal: Journal
    work: Path
    faults: Path
    duck: DuckSettings
    waiting: Waiting
    seal: Seal | None = None
    patience_seconds: float = 0

    @property
    def erasures(self) -> Erasures:
        """What was erased and must not come back."""
        return Erasures(self.faults.with_name("erasures"), self.seal)

    @classmethod
    def of(cls, town: Town) -> Zones:
        """The zones that `town` declares; folders are made when missing, the private ones for their owner only."""
        private = town.private_path
        for folder in (private, private / "work", private / "spill"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        duck = DuckSettings(town.memory_limit, town.threads, private / "spill")
        seal = Seal.of(town)
        return cls(
            Landing(private, seal), opened(town), Journal.of(town), private / "work", private / "faults",
            duck, Waiting(private / "held", seal), seal,
        )  # fmt: skip


def publication(
    dataset: Dataset,
    town: Town,
    zones: Zones,
    replay: Capture | None = None,
    periods: Collection[str] | None = None,
) -> Generator[Stage]:
    """One dataset from its source to its release. Each stage is yielded once it is on disk.

    With `replay`, from that capture instead of the source; with `periods`, after asking for these periods of it.
    Ends early when nothing changed or something refused, and then the public release is as before. Abandoning it
    half-way is safe: only the last step touches the public zone, behind the gate.
    Raises: OdpError, naming the dataset; whatever else happens becomes one.
    """
    place = workplace(zones.work, dataset.id, zones.seal, zones.patience_seconds)
    with foreseen(dataset, zones.faults, zones.seal), place as folder:
        duck = replace(zones.duck, spill=folder / "spill")
        zones.store.ready()
        zones.store.standing(dataset.id)
        current = zones.store.current(dataset.id)
        yield (capture := replay or _captured(dataset, town, zones, folder, periods))
        if not replay:
            zones.landing.prune(dataset, keep={capture.sha256, *(current.captures if current else ())})
            forget_tracebacks(dataset, zones.faults)
            if current and current.made_from(capture.sha256, dataset.code_version):
                zones.waiting.drop(dataset.id)  # the source says again what is public
                yield zones.store.confirm(current)  # only `checked_at` moves
                return

        rows, before = _read(capture, dataset, zones, folder, duck)
        if rows.empty and not replay:
            capture = zones.landing.without_rows(capture, rows.empty, dataset)
        yield rows
        yield before
        if before.blocks or any(finding.blocks for finding in rows.findings):
            yield gate.refuse(dataset, (*rows.findings, *before.findings))
            return

        beside = _public_beside(dataset, town, zones, folder)
        yield (anonymous := _anonymised(dataset, zones, rows, capture, current, beside[0], folder, duck))
        why = "replay of an earlier capture" if replay else "new delivery"
        newest = newest_event(anonymous.parquet, dataset, duck, datetime.now(UTC))
        facts = _facts(dataset, capture, rows, anonymous, newest, why)
        staged = stage(anonymous.parquet, dataset, town, folder, duck, facts=facts)
        yield (staged := _since(current, staged, dataset, zones, folder, duck))

        after = quality.check(staged.parquet, quality.output_suite(dataset), duck)
        measured = _measured(dataset, town, anonymous, staged, beside, duck)
        aged = _aged(dataset, capture, facts, newest)
        findings = (*rows.findings, *before.findings, *anonymous.findings, *after.findings, *measured, *aged)
        compared = _compared(dataset, zones, staged, current, folder, duck)
        verdict = _judged(dataset, town, zones, staged, current, findings, compared)
        if verdict.held and dataset.approval:
            zones.waiting.hold(dataset, staged, verdict, current)
        yield verdict
        if verdict.accepted:
            release = zones.store.publish(staged, verdict, over=current)
            zones.waiting.drop(dataset.id)
            yield release


def _read(
    capture: Capture, dataset: Dataset, zones: Zones, folder: Path, duck: DuckSettings
) -> tuple[Conformed, QualityReport]:
    """The rows of `capture` that could be read and kept, and what was found in them."""
    rows = conform.conform(zones.landing.open(capture, folder), dataset, folder, duck)
    rows, before = quality.checked(rows, dataset, quality.suite_for(dataset), folder, duck)
    return replace(rows, quarantine=_set_aside(capture, rows, folder, zones)), before


def _since(
    current: Release | None, staged: Staged, dataset: Dataset, zones: Zones, folder: Path, duck: DuckSettings
) -> Staged:
    """`staged` with what changes by it, for the public; of persons only how much."""
    if current is None:
        return staged
    persons, public = dataset.personal_data is PersonalData.PRESENT, zones.store.parquet(current, folder / "public")
    return diffing.noted(staged, current, public, duck, of_persons=persons)


def _anonymised(
    dataset: Dataset,
    zones: Zones,
    rows: Conformed,
    capture: Capture,
    current: Release | None,
    versions: dict[str, Path],
    folder: Path,
    duck: DuckSettings,
) -> Anonymised:
    """The rows after their techniques; classes that moved by too little stay as they are public, where they may."""
    salt = f"{capture.sha256}{dataset.code_version}"
    last = current.privacy if current else None
    anonymous = privacy.anonymise(rows.parquet, dataset, folder, duck, salt=salt, last=last)
    asked = any(not act.details.get("only_published") for act in zones.journal.acts(dataset.id, "erasure"))
    if erasures := zones.erasures.of(dataset.id, asked=asked):
        anonymous = privacy.erased(anonymous, erasures, dataset, duck)
    if current is None:
        return anonymous
    return privacy.waited(anonymous, zones.store.parquet(current, folder / "public"), versions, dataset, duck)


def _compared(
    dataset: Dataset, zones: Zones, staged: Staged, current: Release | None, folder: Path, duck: DuckSettings
) -> tuple[Finding, ...]:
    """What the staged rows say beside what is published already: versions of the dataset, others that it refers to."""
    published = zones.store.parquet(current, folder / "public") if current else None
    found = quality.over_time(staged.parquet, published, dataset, duck, _versions(dataset, zones, folder))
    return found + quality.foreign_keys(staged.parquet, _referred(dataset, zones, folder), dataset, duck)


def _judged(
    dataset: Dataset,
    town: Town,
    zones: Zones,
    staged: Staged,
    current: Release | None,
    findings: tuple[Finding, ...],
    compared: tuple[Finding, ...],
) -> Verdict:
    """The gate's verdict, with what persons have accepted, approved, announced or kept back."""
    said = {"accepted": zones.journal.accepted(dataset.id), "approved": zones.journal.approved(dataset.id)}
    told = announcement.covering(staged, current, zones.store, zones.journal)
    kept_back = embargo.until(dataset, town, zones.journal, told)
    return gate.judge(dataset, staged, current, findings, compared, **said, embargo=kept_back, announced=told)


def _aged(dataset: Dataset, capture: Capture, facts: StagedFacts, newest: Newest) -> tuple[Finding, ...]:
    """What is late, dated in the future, or missing of what was promised."""
    now = datetime.now(UTC)
    ages = freshness(dataset, checked_at=None, data_date=facts.data_date, now=now)
    late = tuple(finding for finding in ages.findings if finding.rule == "data_age")
    return late + ahead(dataset, newest) + missing_periods(dataset, capture.there, now)


def _measured(
    dataset: Dataset,
    town: Town,
    anonymous: Anonymised,
    staged: Staged,
    beside: tuple[dict[str, Path], dict[str, Path]],
    duck: DuckSettings,
) -> tuple[Finding, ...]:
    """What is true of the staged files about persons; a question that takes longer than `gate_time` is a refusal."""
    gone = anonymous.suppressed + anonymous.small_cells
    share = gone / ((gone + anonymous.rows) or 1)
    primary = anonymous.parquet.with_name(privacy.PRIMARY)
    asked = replace(duck, patience=town.gate_time.total_seconds())
    measured = privacy.measure(staged.parquet, staged.csv, dataset, asked, share, primary)
    measured += privacy.differencing(staged.parquet, *beside, dataset, asked)
    return measured + privacy.scan(staged.parquet, staged.csv, dataset, asked)


def recorded(
    dataset: Dataset,
    town: Town,
    zones: Zones,
    replay: Capture | None = None,
    periods: Collection[str] | None = None,
    *,
    run: str = "",
) -> Generator[Stage]:
    """`publication`, and one line in the journal however it ended; nothing is recorded when it is abandoned.

    `run` identifies in logs and journal who started it.
    """
    told, events = Progress(dataset.id, run), LineageEvents(dataset, town, run)
    events.started()
    record = RunRecord(dataset.id, "failed", code_version=dataset.code_version, run=run or None)
    started = time.perf_counter()
    before = verdict = None
    try:
        before = zones.store.current(dataset.id)
        for reached in publication(dataset, town, zones, replay, periods):
            record = _noted(record, reached, before, dataset)
            verdict = reached if isinstance(reached, Verdict) else verdict
            told.reached(reached)
            events.reached(reached)
            yield reached
    except GeneratorExit:  # whoever drives it wants no more: no end of the run, but one of its event
        events.abandoned()
        raise
    except OdpError as error:
        if isinstance(error, SourceError):
            error.meanwhile = _meanwhile(dataset, town, zones.journal.failing_since(dataset.id), before)
        record = replace(record, outcome="failed", reasons=(str(error),), error=type(error).__name__)
        record = _write(zones.journal, record, started, verdict)
        told.ended(record)
        events.ended(record)
        raise
    else:
        record = _write(zones.journal, record, started, verdict)
        told.ended(record)
        events.ended(record)


def approve(dataset: Dataset, town: Town, zones: Zones, content_hash: str, who: str, because: str) -> Release | None:
    """Publish the release that waits for exactly this yes; recorded in the journal before it is published.

    None when it is under embargo still: the first run after that publishes it.
    `who` is a mail address; a role of the town says whether that person may, and from which account.
    Raises: ApprovalRefused when the yes does not count; OdpError when the release cannot be read or published.
    """
    with foreseen(dataset, zones.faults, zones.seal), workplace(zones.work, dataset.id, zones.seal) as folder:
        started, current = time.perf_counter(), zones.store.current(dataset.id)
        held = approving.ready(zones.waiting.get(dataset.id), dataset, current, content_hash)
        staged = zones.waiting.open(held, folder / "held")
        yes = approving.signed(held, dataset, town, who, because)
        zones.journal.approve(yes)
        told = announcement.covering(staged, current, zones.store, zones.journal)
        verdict = gate.approve(held.verdict, held.role, embargo.until(dataset, town, zones.journal, told))
        if verdict.held:
            return None
        release = zones.store.publish(staged, verdict, over=current)
        zones.waiting.drop(dataset.id)
        record = RunRecord(
            dataset.id, "published", (f"approved in the role {held.role}",), rows_in=staged.facts.rows_in,
            quarantined=staged.facts.quarantined, published=release.rows, version=release.version,
            content_hash=release.content_hash, capture_sha256=staged.facts.capture_sha256,
            code_version=staged.facts.code_version,
        )  # fmt: skip
        _write(zones.journal, record, started, verdict)
        return release


@dataclass(frozen=True)
class Comparison:
    """What a capture becomes today, beside what it became then. Nothing is published or recorded.

    `release` is the last version made from it, or None; `staged` is None when it was refused before it was staged.
    """

    capture: Capture
    release: Release | None
    staged: Staged | None
    verdict: Verdict

    @property
    def same_bytes(self) -> bool:
        """Whether every file of the release would be published again byte for byte."""
        return bool(self.release and self.staged and set(self.staged.files) <= set(self.release.files))


def compared(dataset: Dataset, town: Town, zones: Zones, capture: Capture) -> Comparison:
    """Take `capture` through the flow up to the gate's verdict, in a folder of its own: the last run's stays as it is.

    Raises: OdpError, naming the dataset.
    """
    releases = [made for made in zones.store.versions(dataset.id) if made.capture_sha256 == capture.sha256]
    latest = max(releases, key=lambda release: release.version, default=None)
    staged = None
    with located(dataset.id), workplace(zones.work, dataset.id, zones.seal) as folder:
        aside = replace(zones, work=folder / "replay", waiting=Waiting(folder / "waiting"))
        with closing(publication(dataset, town, aside, capture)) as stages:
            for reached in stages:
                staged = reached if isinstance(reached, Staged) else staged
                if isinstance(reached, Verdict):
                    return Comparison(capture, latest, staged, reached)
    raise AssertionError("the flow ended without a verdict")


def sweep(town: Town, zones: Zones) -> list[OdpError]:
    """Delete what is over its retention and what killed runs left, of every dataset, also of those no more declared.

    What a town no longer declares is kept as long as retention is when nothing is said. Gives back why a dataset could
    not be swept: a run of it is under way, or the disk refuses.
    Raises: SecretMissing when the key of the private zone is not set.
    """
    if zones.seal:
        zones.seal.ready()
    declared = {dataset.id: dataset for dataset in town.datasets}
    zones.waiting.sweep(declared)
    left = []
    for name in sorted({*zones.landing.datasets(), *(folder.name for folder in zones.work.iterdir())}):
        try:
            with located(name), workplace(zones.work, name, zones.seal) as folder:
                if dataset := declared.get(name):
                    current = zones.store.current(name)
                    # What the systems may have deleted of a periodical dataset is nowhere but in its last capture.
                    gone = dataset.periods is None or zones.store.withdrawn(name)
                    kept = {"" if gone else zones.landing.last(name), *(current.captures if current else ())}
                    zones.landing.prune(dataset, keep=kept)
                else:
                    zones.landing.prune_undeclared(name)
                    shutil.rmtree(folder)
        except OdpError as error:
            left.append(error)
    return left


def _captured(dataset: Dataset, town: Town, zones: Zones, folder: Path, periods: Collection[str] | None) -> Capture:
    """What the source delivers, in the private zone."""
    since, earlier = zones.landing.validators(dataset.id), partial(zones.landing.earlier, dataset.id, folder)
    asked = Asked(periods, unpublished.compared(dataset, zones.landing, zones.store, zones.journal))
    with turn_of(dataset, town):
        delivered = sources.extract(dataset, town, folder, since, earlier, asked)
    return zones.landing.capture(dataset, delivered)


def _versions(dataset: Dataset, zones: Zones, folder: Path) -> list[Path]:
    """The Parquet of every published version where a rule asks for them: each has a manifest to be read first."""
    if not dataset.quality.over_time.never_reused:
        return []
    return [zones.store.parquet(release, folder / "public") for release in zones.store.versions(dataset.id)]


def _public_beside(dataset: Dataset, town: Town, zones: Zones, folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """What is public and could be subtracted from a new release: its own versions, and datasets on the same persons.

    Two datasets are taken to be about the same persons when both have a quasi-identifier of one name, unless both name
    their population and the names differ.
    """
    if not privacy.compares(dataset):
        return {}, {}
    versions = {
        f"version {release.version}": zones.store.parquet(release, folder / "public")
        for release in zones.store.versions(dataset.id)
    }
    others = {}
    for other in town.datasets:
        apart = dataset.privacy.population and other.privacy.population
        shared = set(dataset.privacy.quasi_identifiers) & set(other.privacy.quasi_identifiers)
        if other.id == dataset.id or not shared or (apart and apart != dataset.privacy.population):
            continue
        if current := zones.store.current(other.id):
            others[f"the dataset {other.id}"] = zones.store.parquet(current, folder / "public")
    return versions, others


def _referred(dataset: Dataset, zones: Zones, folder: Path) -> dict[str, Path | None]:
    """Each dataset that foreign keys refer to, with the Parquet of its current release."""
    names = {key.dataset for key in dataset.foreign_keys if key.dataset}
    return {
        name: zones.store.parquet(current, folder / "public") if (current := zones.store.current(name)) else None
        for name in names
    }


def _set_aside(capture: Capture, rows: Conformed, folder: Path, zones: Zones) -> Path:
    """The quarantine as it stays until the next run, with its counts beside it."""
    said = {
        "capture": capture.sha256,
        "rows_in": rows.rows_in,
        "quarantined": rows.quarantined,
        "cells": [vars(reason) for reason in rows.reasons],
    }
    keep_failed(folder, zones.seal)
    return set_aside(folder, rows.quarantine, said, zones.seal)


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


def _noted(record: RunRecord, reached: Stage, before: Release | None, dataset: Dataset) -> RunRecord:
    """The record after one more stage."""
    match reached:
        case Capture():
            missing = missing_periods(dataset, reached.there, datetime.now(UTC))
            reasons = tuple(finding.message for finding in missing if not finding.passed)
            return replace(record, capture_sha256=reached.sha256, reasons=reasons)
        case Conformed():
            return replace(record, rows_in=reached.rows_in, quarantined=reached.quarantined)
        case Verdict():
            outcome = "published" if reached.accepted else "held" if reached.held else "refused"
            return replace(record, outcome=outcome, reasons=reached.reasons or reached.warnings,
                           content_hash=reached.content_hash or None)  # fmt: skip
        case Release():
            unchanged = before is not None and before.version == reached.version
            outcome = "unchanged" if unchanged else "published"
            return replace(record, outcome=outcome, version=reached.version, published=reached.rows,
                           content_hash=reached.content_hash)  # fmt: skip
        case _:
            return record


def _write(journal: Journal, record: RunRecord, started: float, verdict: Verdict | None) -> RunRecord:
    now = datetime.now(UTC)
    record = replace(record, seconds=round(time.perf_counter() - started, 3), ended_at=now)
    journal.record(record, quality.run_report(verdict.findings, record, journal).as_json() if verdict else None)
    return record


def _facts(
    dataset: Dataset,
    capture: Capture,
    rows: Conformed,
    anonymous: Anonymised,
    newest: Newest,
    why: str,
) -> StagedFacts:
    """What the release says of itself; counts and rules, never values."""
    return StagedFacts(
        capture_sha256=capture.sha256,
        code_version=dataset.code_version,
        data_date=dated(dataset, capture.dated, capture.there, newest),
        privacy=privacy.summary(dataset, anonymous.findings)
        | ({"generalisation": anonymous.choice.summary()} if anonymous.choice else {})
        | ({"pseudonyms": dict(anonymous.pseudonyms)} if anonymous.pseudonyms else {}),
        lineage={column.column: vars(column) for column in lineage.of(dataset)},
        rows_in=rows.rows_in,
        quarantined=rows.quarantined,
        why=why,
    )
