"""Secrets of the environment, the keys that are derived from them, and HMAC-SHA-256 (RFC 2104) written out in SQL.

The padded keys are session variables, so that no secret is ever part of a statement.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.errors import PrivacyError, SecretMissing

_BLOCK = 64
"""The block of SHA-256, in bytes."""
_SHORTEST = 32
"""The least length of a secret, in bytes: that of the hash (RFC 2104, section 3)."""
_FEWEST = 8
"""The least number of different bytes: 32 random hexadecimal digits have fewer once in 25 million times."""


def key(dataset: Dataset, column: str, variable: str, purpose: str, needed_for: str) -> bytes:
    """The key for one `purpose` of one column, derived from the secret in `variable`: no two uses share a key.

    `needed_for` stands in the message when the secret is missing: `the pseudonyms`.
    Raises: SecretMissing; PrivacyError when the secret is shorter than 32 bytes, repeats a shorter text, has hardly
    any different characters, or is also that of another variable of the dataset.
    """
    where = dataset.place("privacy", "columns", column)
    secret = os.environ.get(variable, "")
    if not secret:
        raise SecretMissing(variable, needed_for=f"{needed_for} of {column}", where=where)
    if why := _weak(secret.encode()):
        raise PrivacyError(
            f"the secret in {variable} {why}, so that what it hides could be found by trying",
            where=where,
            mend="make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    for other in sorted(_variables(dataset) - {variable}):
        if os.environ.get(other) == secret:
            raise PrivacyError(
                f"{variable} and {other} hold the same secret",
                where=where,
                mend="give each a secret of its own, so that one that leaks opens no other",
            )
    return hmac.digest(secret.encode(), f"{dataset.id}/{column}/{purpose}".encode(), "sha256")


def hmac_sql(connection: duckdb.DuckDBPyConnection, name: str, keyed: bytes, message: str) -> str:
    """SQL for the HMAC-SHA-256, 64 hexadecimal digits, of the BLOB expression `message` under `keyed`.

    `name` tells the variables of one use from those of another.
    """
    pads = (bytes(byte ^ pad for byte in keyed.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
    named = hashlib.sha256(name.encode()).hexdigest()[:16]
    inner, outer = (f"odp_{part}_{named}" for part in ("inner", "outer"))
    for variable, padded in zip((inner, outer), pads, strict=True):
        connection.execute(f"SET VARIABLE {variable} = ?::BLOB", [padded])
    return f"sha256(getvariable('{outer}') || unhex(sha256(getvariable('{inner}') || {message})))"


def _weak(secret: bytes) -> str:
    if len(secret) < _SHORTEST:
        return f"is shorter than {_SHORTEST} bytes"
    if any(secret[period:] == secret[:-period] for period in range(1, _SHORTEST)):
        return "repeats a shorter text"
    if len(set(secret)) < _FEWEST:
        return f"has fewer than {_FEWEST} different characters"
    return ""


def _variables(dataset: Dataset) -> set[str]:
    roles = dataset.privacy.columns.values()
    table = dataset.privacy.table
    drawn = {table.rounding_secret} if table and table.rounding_secret else set()
    return drawn | {role.secret for role in roles if not isinstance(role, str) and role.secret}
