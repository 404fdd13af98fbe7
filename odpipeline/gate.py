"""This is the rule that stops publication: the one place that says publish or refuse, and nothing else decides.

A verdict is about exactly one content. It says yes only if something was staged, something was checked, and no
critical finding failed; a check that could not run never comes this far, because it raises. The gate adds what only
it can know: how the staged content compares with what the public sees now (the shrink guard). A person can accept
what comes of comparing, and only that, for one content hash. Where a declaration asks for an approval, everything
else must hold first, and then the release waits for a yes to exactly these bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from odpipeline.announcement import Announcement, breaking, listed
from odpipeline.declaration.approval import approval
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.words import spell_duration
from odpipeline.store import Release, Staged
from odpipeline.verdict import ACCEPTED, APPROVAL, Finding, Severity, Verdict

VANISHED, BREAKS = "vanished_columns", "breaking_schema"
"""The rules about what readers stumble over."""
SHORTEST_ACCEPTANCE = 12
"""The least number of leading hexadecimal digits of a content hash that an acceptance must name."""


def judge(
    dataset: Dataset,
    staged: Staged | None,
    current: Release | None,
    findings: Iterable[Finding],
    compared: Iterable[Finding] = (),
    *,
    accepted: Collection[str] = (),
    approved: Collection[str] = (),
    embargo: datetime | None = None,
    announced: Announcement | None = None,
) -> Verdict:
    """All findings about `staged`, and the gate's own, as a verdict for exactly these bytes.

    `current` is the release that the public sees, `compared` what was found in comparing with it. `accepted` are the
    content hashes (whole, or 12 digits and more) whose emptied, shrunken, narrowed or otherwise unusual content a
    person accepted; `approved` those that somebody in the role that `approval` names has said yes to; before
    `embargo` (with a time zone) nothing new is published. `announced` tells of everything in `staged` that breaks
    readers; where the declaration asks for a notice, that is accepted by announcing it and by nothing else.
    """
    found = tuple(findings)
    if staged is None:
        return refuse(dataset, found)
    unusual = (*compared, *_shrink_guard(dataset, staged, current), *_undone(staged, current))
    guarded = tuple(_accepted(finding, dataset, staged, accepted, announced) for finding in unusual)
    awaited = _approval(dataset, staged, current, approved)
    kept_back = _embargo(staged, current, embargo)
    return Verdict(dataset.id, staged.content_hash, (*found, *guarded, *awaited, *kept_back, _checked(found)))


def approve(verdict: Verdict, role: str, embargo: datetime | None = None) -> Verdict:
    """`verdict`, which was held, after somebody in `role` has said yes to its content; of any other, itself.

    It stays held before `embargo`.
    """
    if not verdict.held:
        return verdict
    yes = Finding(APPROVAL, "approved", passed=True, message=f"approved in the role {role} for exactly this content")
    others = (finding for finding in verdict.findings if finding.group != APPROVAL)
    return replace(verdict, findings=(*others, yes, *_kept_back(embargo)))


def refuse(dataset: Dataset, findings: Iterable[Finding]) -> Verdict:
    """The verdict when nothing came to be staged; it is never accepted, whatever `findings` say."""
    found = tuple(findings)
    blocking = sum(finding.blocks for finding in found)
    message = f"nothing was staged: {blocking} of {len(found)} findings forbid it"
    severity = Severity.INFO if blocking else Severity.CRITICAL
    gate = Finding("gate", "staged", passed=False, message=message, severity=severity)
    return Verdict(dataset.id, "", (*found, gate))


def _checked(found: tuple[Finding, ...]) -> Finding:
    if not found:
        message = "nothing was checked; a release without any check is not published: look at the dataset's schema"
        return Finding("gate", "checked", passed=False, message=message)
    counts = {"findings": len(found), "failed": sum(not finding.passed for finding in found)}
    return Finding("gate", "checked", passed=True, message=f"{len(found)} findings were judged", counts=counts)


def _approval(
    dataset: Dataset, staged: Staged, current: Release | None, approved: Collection[str]
) -> Iterator[Finding]:
    """New content of a dataset with `approval` waits for a person; what is public already was approved before."""
    if (needed := approval(dataset.approval)) is None:
        return
    named = staged.content_hash[:SHORTEST_ACCEPTANCE]
    if current is not None and current.content_hash == staged.content_hash:
        yield Finding(APPROVAL, "approved", passed=True, message="the public sees exactly this content already")
    elif staged.content_hash in approved:
        message = f"approved in the role {needed.role} for exactly this content ({named})"
        yield Finding(APPROVAL, "approved", passed=True, message=message)
    else:
        remedy = f"odp approve {staged.dataset} {named} --as … --because …"
        message = f"the release waits for the approval of somebody in the role {needed.role}: {remedy}"
        yield Finding(APPROVAL, "approved", passed=False, message=message)


def _embargo(staged: Staged, current: Release | None, embargo: datetime | None) -> Iterator[Finding]:
    """New content waits until its moment has come; what is public already is not taken back."""
    if current is None or current.content_hash != staged.content_hash:
        yield from _kept_back(embargo)


def _kept_back(embargo: datetime | None) -> Iterator[Finding]:
    if embargo is None:
        return
    passed = datetime.now(UTC) >= embargo
    when = f"{embargo:%Y-%m-%d %H:%M} UTC"
    message = f"the embargo ended at {when}" if passed else f"the release is under embargo until {when}"
    yield Finding(APPROVAL, "embargo", passed, message)


def _shrink_guard(dataset: Dataset, staged: Staged, current: Release | None) -> Iterator[Finding]:
    """An emptied, shrunken or narrowed content is most often an accident at the source."""
    yield _rows(dataset, staged, current)
    if current is not None:
        yield _columns(staged, current)
        yield _schema(staged, current)


def _undone(staged: Staged, current: Release | None) -> Iterator[Finding]:
    """What was rolled back comes again from its source the next night; the public sees it when it is accepted."""
    if current is not None and current.undone:
        again = staged.content_hash in current.undone
        message = "this content was rolled back" if again else "no content that was rolled back comes again"
        yield Finding("gate", "rolled_back", not again, message)


def _columns(staged: Staged, current: Release) -> Finding:
    vanished = [column for column in current.columns if column not in staged.columns]
    message = f"every column of version {current.version} is there"
    if vanished:
        message = f"columns of version {current.version} have vanished: {', '.join(vanished)}"
    return Finding("shrink", VANISHED, not vanished, message, counts={"vanished_columns": len(vanished)})


def _schema(staged: Staged, current: Release) -> Finding:
    """Another key, or another type of a column, breaks what others have built on the files; so does a lost column."""
    broken = breaking(staged, current)
    told = [
        f"{change.column or 'the key'} ({change.before or 'none'} → {change.after or 'none'})"
        for change in broken
        if change.what != "column removed"  # which has a finding of its own
    ]
    message = f"whoever reads version {current.version} can read this"
    if told:
        message = f"whoever reads version {current.version} stumbles over {', '.join(told)}"
    declared = {"changes": listed(broken)} if broken else {}
    return Finding("shrink", BREAKS, not told, message, counts={"changed_columns": len(told)}, declared=declared)


def _rows(dataset: Dataset, staged: Staged, current: Release | None) -> Finding:
    before = current.rows if current else 0
    lost = max(0, before - staged.rows)
    counts = {"rows": staged.rows, "rows_before": before, "lost_rows": lost}
    if staged.rows == 0:
        return Finding("shrink", "rows", passed=False, message="the release would be empty", counts=counts)
    if current is None:
        return Finding("shrink", "rows", passed=True, message=f"first release, {staged.rows} rows", counts=counts)
    share = lost / before if before else 0.0
    passed = share <= dataset.shrink
    message = f"{staged.rows} rows, {before} in version {current.version}"
    if not passed:
        message = (
            f"{lost} of {before} rows of version {current.version} are lost ({share:.1%}, limit {dataset.shrink:.1%})"
        )
    return Finding("shrink", "rows", passed, message, counts=counts)


def _accepted(
    finding: Finding, dataset: Dataset, staged: Staged, accepted: Collection[str], announced: Announcement | None
) -> Finding:
    """`finding` as passed if a person accepted this content, or announced what breaks readers in it; else with the way.

    Where the declaration asks for a notice, what breaks readers passes when it is announced, and by nothing else.
    """
    if not finding.blocks:
        return finding
    named = staged.content_hash[:SHORTEST_ACCEPTANCE]
    remedy = f"if this is right, accept it: odp accept {staged.dataset} {named} --because …"
    if announced and _announces(announced, finding):
        message = f"{finding.message}; accepted by a person and announced on {announced.at:%Y-%m-%d}"
    elif dataset.notice and finding.rule in (VANISHED, BREAKS):
        told = f"it is then announced, and comes {spell_duration(dataset.notice)} later at the earliest"
        return replace(finding, message=f"{finding.message}; {remedy}; {told}")
    elif any(len(a) >= SHORTEST_ACCEPTANCE and staged.content_hash.startswith(a) for a in accepted):
        message = f"{finding.message}; accepted by a person for exactly this content ({named})"
    else:
        return replace(finding, message=f"{finding.message}; {remedy}")
    return replace(finding, passed=True, message=message, counts={**finding.counts, ACCEPTED: 1})


def _announces(announced: Announcement, finding: Finding) -> bool:
    """Whether `finding` says nothing but what is announced."""
    if (finding.group, finding.rule) == ("over_time", "types"):
        told = sum(change.what == "type" for change in announced.changes)
        return finding.counts["changed_columns"] <= told
    return finding.rule in (VANISHED, BREAKS)
