"""The errors that a person reads: one message, no traceback, a documented exit status.

::

    OdpError                  what, where, how to mend; exit status 1
    ├── DeclarationErrors     every fault found in the declarations, each with file:line
    ├── SourceError           a municipal system did not deliver what it should
    │   ├── SourceUnavailable … and may do so later: worth another try
    │   └── NotDelivered      … has no file there: of one period of many, that is no failure of the others
    ├── ConformError          the delivery cannot be read as the declared table
    ├── QualityError          a suite cannot be read, or a check could not run
    ├── PrivacyError          anonymisation could not be done or not be measured
    ├── SecretMissing         an environment variable that a declaration names is not set
    └── StoreError            the publication store could not be read or written
        └── PublicationRace   someone else published meanwhile

A refusal by the gate is no error: the flow ends with a verdict, and `odp run` has a status of its own for it.
No message may hold the value of a cell. Anything that is not an `OdpError` is a bug and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class OdpError(Exception):
    """One message for a person: what happened, where, how to mend it, what the public sees `meanwhile` if known."""

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.mend = what, where, mend
        self.dataset = ""
        self.meanwhile = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.dataset, self.where) if part)
        served = f" ({self.meanwhile})" if self.meanwhile else ""
        return (f"{place}: " if place else "") + self.what + (f"; {self.mend}" if self.mend else "") + served


@dataclass(frozen=True)
class Fault:
    """One fault of a declaration: `file` relative to the town, `line` from 1 (0: the file as a whole)."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


class DeclarationErrors(OdpError):
    """Every fault of the town's declarations at once, in the order of files and lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__("\n".join(map(str, self.faults)))


class SourceError(OdpError):
    """A municipal system did not deliver what its declaration says."""


class SourceUnavailable(SourceError):
    """A municipal system did not answer, or answered that it cannot now: worth another try."""


class NotDelivered(SourceError):
    """A municipal system has nothing at the address or under the pattern that was asked for."""


class ConformError(OdpError):
    """A delivery cannot be read as the declared table."""


class QualityError(OdpError):
    """A suite cannot be read, or an expectation could not be evaluated."""


class PrivacyError(OdpError):
    """Anonymisation could not be done, or a fact about it could not be measured."""


class ApprovalRefused(OdpError):
    """A yes to a release that waits would not count: another content, too late, or not this person's to say."""


class SecretMissing(OdpError):
    """An environment variable that a declaration names is not set."""

    def __init__(self, variable: str, *, needed_for: str, where: str = "") -> None:
        super().__init__(
            f"the environment variable {variable} is not set, and {needed_for} needs it",
            where=where,
            mend=f"set {variable} in the environment of the pipeline (never in a file of the repository)",
        )


class StoreError(OdpError):
    """The publication store could not be read or written."""


class PublicationRace(StoreError):
    """Another run published this dataset between our staging and our publication."""


@contextmanager
def located(dataset: str) -> Iterator[None]:
    """Name `dataset` in every `OdpError` that leaves the block, unless one is named already."""
    try:
        yield
    except OdpError as error:
        error.dataset = error.dataset or dataset
        raise
