"""One thing that is wrong now, and its kind: what incidents are made of.

A problem is looked for anew at each round, from journal, store and machine; nothing has to be remembered for it to be
found again after a crash. It is about a dataset, a system, a channel or the machine, and has exactly one cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from odpipeline.verdict import Severity

MACHINE = "machine"
"""The subject of what lies with us: store, secrets, disk, daemon; one problem for each cause, whatever suffers."""


class Cause(StrEnum):
    """What kind of thing is wrong."""

    REFUSED = "refused"
    QUARANTINE = "quarantine"
    SCHEMA = "schema"
    PRIVACY = "privacy"
    APPROVAL = "approval"
    DOWN = "down"
    SOURCE = "source"
    UNREADABLE = "unreadable"
    SECRET = "secret"  # noqa: S105 - a cause
    FAILED = "failed"
    DIED = "died"
    STALE = "stale"
    UNCHECKED = "unchecked"
    SLOW = "slow"
    STORE = "store"
    CERTIFICATE = "certificate"
    EXPIRY = "expiry"
    DISK = "disk"
    CHANNEL = "channel"


@dataclass(frozen=True)
class Kind:
    """What a cause is called, how much it weighs, what an engineer does; whether the data's owner is told."""

    title: str
    severity: Severity
    todo: str
    for_owners: bool = False


KINDS: Mapping[Cause, Kind] = {
    Cause.REFUSED: Kind(
        "refused", Severity.CRITICAL,
        "see the reasons: odp report {id} --json; if the content is right: odp accept {id} <hash> --because …", True,
    ),
    Cause.QUARANTINE: Kind(
        "too many rows set aside", Severity.CRITICAL, "see which rows and rules: odp quarantine {id}", True
    ),
    Cause.SCHEMA: Kind(
        "the delivered columns changed", Severity.CRITICAL,
        "compare the delivery with the declaration: odp report {id} --json; then change the one that is wrong", True,
    ),
    Cause.PRIVACY: Kind(
        "the privacy gate refused", Severity.CRITICAL,
        "read what could single out a person: odp privacy {id}; the released version stays served", False,
    ),
    Cause.APPROVAL: Kind("waits for an approval", Severity.WARNING, "look at it and decide: odp approvals", True),
    Cause.DOWN: Kind(
        "does not answer", Severity.CRITICAL, "ask who runs it; then try: odp run {id}", True
    ),
    Cause.SOURCE: Kind(
        "the source does not deliver what is declared", Severity.CRITICAL, "try it by hand: odp run {id}", True
    ),
    Cause.UNREADABLE: Kind(
        "the delivery cannot be read", Severity.CRITICAL, "look at the capture: odp captures {id}", True
    ),
    Cause.SECRET: Kind("a secret is missing", Severity.CRITICAL, "set the variable where the service runs: odp doctor"),
    Cause.FAILED: Kind("failed", Severity.CRITICAL, "run it by hand and read the error: odp run {id}"),
    Cause.DIED: Kind(
        "its process died", Severity.CRITICAL, "look at the run's logs, and at the machine's memory (dmesg, odp doctor)"
    ),
    Cause.STALE: Kind(
        "the data is older than promised", Severity.WARNING, "ask the owner whether the system still delivers", True
    ),
    Cause.UNCHECKED: Kind(
        "was not run for too long", Severity.WARNING, "see whether schedules and daemon are alive: odp doctor"
    ),
    Cause.SLOW: Kind(
        "takes much longer than usual", Severity.WARNING, "compare its stages in Dagster with those of earlier runs"
    ),
    Cause.STORE: Kind(
        "the store is not as it was published", Severity.CRITICAL, "see every flaw and its repair: odp verify {id}"
    ),
    Cause.CERTIFICATE: Kind(
        "its certificate is about to expire", Severity.WARNING, "tell who runs the system; odp will refuse to connect",
        True,
    ),
    Cause.EXPIRY: Kind(
        "its key is about to expire", Severity.WARNING, "ask for a new one and set it in the environment", True
    ),
    Cause.DISK: Kind("the disk is nearly full", Severity.CRITICAL, "make room: odp captures --sweep, odp storage"),
    Cause.CHANNEL: Kind(
        "messages cannot be delivered", Severity.CRITICAL, "try it: odp alert test; then mend its address"
    ),
}  # fmt: skip
"""Cause → what it means."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong now.

    `subject`: `dataset:parkings`, `system:finances`, `channel:mail`, `machine`. `what`: one sentence for engineers,
    with no value of a cell. `datasets`: those that suffer. `since`: when it was first so, as far as is known (UTC).
    `times`: how often on end. `run`: the Dagster run that met it last. `follows`: it is the consequence of another
    problem, which is told instead, or has not lasted long enough to be told.
    """

    subject: str
    cause: Cause
    what: str
    since: datetime
    datasets: tuple[str, ...] = ()
    times: int = 1
    run: str | None = None
    follows: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same problem at the next round."""
        return self.subject, str(self.cause)

    @property
    def severity(self) -> Severity:
        """How much it weighs."""
        return KINDS[self.cause].severity

    @property
    def name(self) -> str:
        """The subject without its kind: `parkings`; of what lies with us and holds up one dataset, that one."""
        if self.subject == MACHINE and len(self.datasets) == 1:
            return self.datasets[0]
        return self.subject.rpartition(":")[2]


__all__ = ["KINDS", "MACHINE", "Cause", "Kind", "Problem"]
