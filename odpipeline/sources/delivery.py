"""What a source hands over, and the bounded private file that it is written to.

No source trusts what it is sent: the number of bytes and the time are limited while they come in, not afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import System
from odpipeline.declaration.words import spell_duration
from odpipeline.errors import NotDelivered, SourceError, SourceUnavailable


@dataclass(frozen=True)
class Validators:
    """What the last capture remembers, to ask only for something newer.

    `sha256` is that of its bytes; `asked` is the fingerprint of the address that gave `etag` and `last_modified`,
    which mean nothing at another address. `periods`: what it remembers of each period that it holds, by its name.
    """

    etag: str | None
    last_modified: str | None
    sha256: str
    asked: str = ""
    periods: Mapping[str, PeriodMark] = field(default_factory=dict)


@dataclass(frozen=True)
class PeriodMark(Validators):
    """What is remembered of one period.

    `at`: when the system last had it (ISO 8601, UTC). `settled`: it need not be asked for again. `empty`: it has no
    rows. `former`: it answers a question that is not asked any more, and the system has no answer to today's.
    """

    at: str = ""
    settled: bool = True
    empty: bool = False
    former: bool = False

    @property
    def there(self) -> bool:
        """Whether it was delivered, as far as its rows tell."""
        return not (self.empty or self.former)


@dataclass(frozen=True)
class Delivery:
    """One delivered file: `path` below the work folder, the bytes as they came.

    `dated`: when the source says that its content was last changed, where `last_modified` does not say it.
    `name` is the source's own name for it, for format detection only: it may hold personal data, so it is never
    shown or used as a path. `media_type` comes without parameters. `asked`, `periods`: see `Validators`.
    """

    path: Path
    name: str
    media_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    asked: str = ""
    dated: datetime | None = None
    periods: Mapping[str, PeriodMark] = field(default_factory=dict)

    @property
    def changed_at(self) -> datetime | None:
        """When the source says that its content was last changed, in UTC; None when it does not, or not readably."""
        return self.dated or _moment(self.last_modified or "")


def _moment(text: str) -> datetime | None:
    """An HTTP date (RFC 9110, section 5.6.7) or one of ISO 8601; without a zone it is taken as UTC."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return None


@dataclass(frozen=True)
class Unchanged:
    """The system says that nothing changed since the validators: `304 by ETag`. `periods`: see `Validators`."""

    reason: str
    periods: Mapping[str, PeriodMark] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What every kind of source is given beside its own declaration.

    `system` of `town.yaml`, the `dataset` it is for, the town's `root`, the work `folder`, the validators of the last
    capture, `earlier`, which gives the last capture's bytes in the clear (None when there is none), and `declared`,
    the `file:line` where the source is declared, for remedies.
    """

    system: System | None
    dataset: Dataset
    root: Path
    folder: Path
    since: Validators | None
    earlier: Callable[[], Path | None]
    declared: str

    @property
    def path(self) -> Path:
        """Where the delivery goes: a fixed name, since the source's own may hold personal data."""
        return self.folder / "delivery"


class _Limits(Protocol):
    """What every declared source says of the most that is taken."""

    @property
    def max_bytes(self) -> int: ...

    @property
    def deadline(self) -> timedelta: ...


class Intake:
    """A file that refuses more bytes than the source's `max_bytes`, or bytes after its `deadline`."""

    def __init__(self, file: BinaryIO, source: _Limits, *, where: str, declared: str) -> None:
        self._file, self._where, self._declared = file, where, declared
        self._max_bytes, self._longest = source.max_bytes, source.deadline
        self._deadline = time.monotonic() + source.deadline.total_seconds()
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Add `chunk`.

        Raises: SourceError when the delivery gets too large, SourceUnavailable when it takes too long.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > self._max_bytes:
            raise SourceError(
                f"the delivery is larger than the {self._max_bytes:,} bytes that are taken",
                where=self._where,
                mend=f"raise `max_bytes` in {self._declared} if that is what the system should deliver",
            )
        if time.monotonic() > self._deadline:
            raise SourceUnavailable(
                f"the delivery was not complete after {spell_duration(self._longest)}",
                where=self._where,
                mend=f"raise `deadline` in {self._declared}, or have the system deliver faster",
            )
        self._file.write(chunk)


@contextmanager
def intake(source: _Limits, order: Order, *, where: str) -> Iterator[Intake]:
    """The order's file, open for one delivery; readable by its owner only; one that stayed empty is an error.

    Raises: SourceError when the block ends and nothing was written.
    """
    with os.fdopen(os.open(order.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        arriving = Intake(file, source, where=where, declared=order.declared)
        yield arriving
    if not arriving.size_bytes:
        raise NotDelivered(
            "the delivery is empty (0 bytes)",
            where=where,
            mend="ask the system's owner why it delivers nothing; a table without rows still has its column names",
        )
