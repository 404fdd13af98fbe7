"""Files at rest, sealed with age (https://age-encryption.org/v1) when the town names a key.

The environment variable holds what `age-keygen` or `odp key` writes: one or more lines `AGE-SECRET-KEY-1…`. The first
identity seals, all of them open, so that a key is changed by putting the new one first. Files pass through in chunks:
sealing 300 MB takes a second and no memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import pyrage

from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, SecretMissing


class Broken(Exception):
    """A sealed file is not what was written."""


class Seal:
    """Seals files for the town and opens them again. The key is read from `variable` when it is first needed."""

    def __init__(self, variable: str) -> None:
        self.variable = variable

    @classmethod
    def of(cls, town: Town) -> Seal | None:
        """The seal that `town` declares; None when its private zone is kept in clear."""
        return cls(town.private_key) if town.private_key else None

    def ready(self) -> None:
        """Do nothing when the key can be used.

        Raises: SecretMissing when it is not set, OdpError when it is no age identity.
        """
        assert self._identities  # noqa: S101 - or it has raised

    def close(self, clear: Path, sealed: Path) -> None:
        """Write `clear`, sealed, to `sealed`, synced and for its owner only; `clear` stays.

        Raises: OSError.
        """
        with clear.open("rb") as content:
            self._close(content, sealed)

    def close_text(self, text: str, sealed: Path) -> None:
        """Write `text`, sealed, to `sealed`, as `close` does.

        Raises: OSError.
        """
        self._close(io.BytesIO(text.encode()), sealed)

    def open(self, sealed: Path, clear: Path) -> str:
        """Write what `sealed` holds to `clear`, for its owner only; the SHA-256 of the clear bytes.

        Raises: Broken, OSError; OdpError when it was sealed with a key that is not set. `clear` is then gone.
        """
        writing = _Hashed(clear)
        try:
            with sealed.open("rb") as content, writing.file:
                pyrage.decrypt_io(content, writing, self._identities)
        except (pyrage.DecryptError, OSError) as error:
            clear.unlink(missing_ok=True)
            if "No matching keys" in str(error):
                raise OdpError(
                    f"this was sealed with another key than that of {self.variable}",
                    where=_shown(sealed),
                    mend=f"add the earlier key to {self.variable} on a line of its own, or delete what it sealed",
                ) from None
            if isinstance(error, OSError) and error.errno:
                raise
            raise Broken from None
        return writing.sha256.hexdigest()

    @cached_property
    def _identities(self) -> list[pyrage.x25519.Identity]:
        said = os.environ.get(self.variable)
        if not said:
            raise SecretMissing(self.variable, needed_for="the private zone", where="town.yaml, private_key")
        lines = [line.strip() for line in said.splitlines()]
        try:
            found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        except pyrage.IdentityError:
            found = []
        if not found:
            raise OdpError(
                f"{self.variable} holds no age identity",
                where="town.yaml, private_key",
                mend="make one with `odp key` or age-keygen, and put its line AGE-SECRET-KEY-1… into the variable",
            )
        return found

    def _close(self, content: BinaryIO, sealed: Path) -> None:
        recipients = [self._identities[0].to_public()]
        with os.fdopen(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            try:
                pyrage.encrypt_io(content, file, recipients)
            except pyrage.EncryptError as error:  # nothing else fails here than reading and writing
                number = re.search(r"(?:os error|Errno) (\d+)", str(error))
                raise OSError(int(number[1]) if number else 0, "sealing failed") from None
            file.flush()
            os.fsync(file.fileno())


class _Hashed:
    """A new private file that hashes what is written to it."""

    def __init__(self, path: Path) -> None:
        self.file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self.sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        """Add `chunk`."""
        self.sha256.update(chunk)
        return self.file.write(chunk)

    def flush(self) -> None:
        """Hand everything to the system."""
        self.file.flush()


def new_key() -> str:
    """A new age identity in the form of `age-keygen`: its public key as a comment, then the secret line."""
    identity = pyrage.x25519.Identity.generate()
    return f"# public key: {identity.to_public()}\n{identity}\n"


def _shown(path: Path) -> str:
    """`path` below the private zone: datasets and hashes, never a name that was delivered."""
    return "/".join(path.parts[-3:])
