"""The interface of a store's backend, and its promises; one conformance suite holds every backend to them.

A key is a relative path with slashes. No method retries; each may be called by several processes at once. Whatever a
method has written is lasting (survives a power cut) when it returns. A method that raises one of the errors below has
changed nothing that a reader can see; after any other `StoreError` the caller must look again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from odpipeline.errors import StoreError


class AlreadyThere(StoreError):
    """`create` found its key taken."""


class Altered(StoreError):
    """The bytes given to `create` do not have the SHA-256 that they should have."""


class Changed(StoreError):
    """`swap` found other bytes than it expected."""


class DiskFull(StoreError):
    """There is no room for what should be written."""


class Reader(Protocol):
    """What a store must be able to do to be read: a `Backend`, or the same seen over HTTP."""

    def read(self, key: str) -> bytes | None:
        """The whole content, or None when the key does not exist: never a part, never a mixture of two contents."""

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """The content in pieces, for what does not fit into memory; None when the key does not exist."""

    def place(self, key: str) -> Path:
        """Where a person finds the key on this machine."""


class Backend(Reader, Protocol):
    """Where a store's bytes lie."""

    def ready(self) -> None:
        """Do nothing when the store can be reached and written.

        Raises: StoreError, SecretMissing.
        """

    def names(self, folder: str) -> list[str]:
        """The names directly below `folder`, sorted, without hidden ones; none when it does not exist."""

    def create(self, key: str, content: Path | bytes, sha256: str, like: str | None = None) -> None:
        """Write a content that will never change again, from a file or from memory.

        `like` is an object that holds the same bytes already: the backend may share them instead of writing them again.

        The key appears whole or not at all, and only if it did not exist and the bytes have this SHA-256; of several
        writers exactly one succeeds.
        Raises: AlreadyThere, Altered, DiskFull.
        """

    def swap(self, key: str, content: bytes, expected: bytes | None) -> None:
        """Replace `expected` (None: no such key) by `content` in one instant; of several writers exactly one succeeds.

        Raises: Changed, DiskFull.
        """

    def put(self, key: str, content: Path | bytes) -> None:
        """Replace the whole content in one instant; the last writer wins.

        Raises: DiskFull.
        """

    def alias(self, key: str, target: str) -> None:
        """Let `key` stand for the folder `target` beside or below it, in one instant for all files of the folder."""

    def aliased(self, key: str) -> str | None:
        """What `key` stands for, or None."""

    def discard(self, keys: Iterable[str]) -> None:
        """Remove objects that this process created and nobody could have been told of; missing ones are skipped.

        Their folder stays when the backend has folders: its number must not be used again.
        """

    def purge(self, key: str) -> None:
        """Remove the object `key`, or everything below the folder `key`, for good: every copy and version of it.

        Folders of versions stay when the backend has folders, so that no number is used again.
        """

    def forget_former(self, key: str) -> None:
        """Remove what the object `key`, or any below the folder `key`, was before it was replaced or removed.

        What is there now stays. Nothing to do for a backend that keeps no former contents.
        Raises: StoreError.
        """

    def forget_dead(self, folder: str, before: datetime | None = None) -> None:
        """Remove what writers that died left unfinished below `folder`, which no reader sees.

        Only what was last written `before`; without it all, once it is sure that nobody is writing it any more.
        Raises: StoreError, also when somebody goes on writing.
        """

    def written_at(self, key: str) -> datetime | None:
        """When the object `key` was last written, in UTC; None when it does not exist."""
