"""Pseudonymise: HMAC-SHA-256, of which the first 32 hexadecimal digits (128 bits) are published.

The release says of each stable column since when its pseudonyms come from one secret, with a fingerprint of the key: a
digest that tells that the key is the same and nothing about it. A secret that has changed stops the run unless the
declaration says so, because series would break in silence and citizens would take old persons for new ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import duckdb

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Pseudonymise, Technique
from odpipeline.duck import quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy.techniques import secrets


def pseudonymise(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, column: str, technique: Pseudonymise, salt: str
) -> str:
    """The expression that replaces `column`; missing values stay missing.

    `salt` names the release: with scope `release` the key is derived from it, so that two versions cannot be joined
    on their pseudonyms; with scope `stable` it is left out.
    Raises: SecretMissing, or PrivacyError when the secret is weak.
    """
    key = _key(dataset, column, technique, salt)
    digest = secrets.hmac_sql(connection, column, key, f"encode(CAST({quote(column)} AS VARCHAR))")
    return f"left({digest}, 32)"


def told(dataset: Dataset, last: Mapping[str, Any]) -> dict[str, Any]:
    """What the release says of each stable column; `last` is what the current release says of them.

    Raises: SecretMissing, or PrivacyError when a secret has changed and the declaration does not say since when.
    """
    said: dict[str, Any] = {}
    for column, role in dataset.privacy.columns.items():
        technique = role.pseudonymise if isinstance(role, Technique) else None
        if technique is None or technique.scope == "release":
            continue
        print_ = hashlib.sha256(b"fingerprint " + _key(dataset, column, technique, "")).hexdigest()[:16]
        before = last.get(column, {})
        if before.get("key", print_) != print_ and before.get("since") == technique.rotated:
            raise PrivacyError(
                f"the secret in {technique.secret} is not the one behind the pseudonyms of {column} in the current "
                "release",
                where=dataset.place("privacy", "columns", column),
                mend="set the secret of before, or say since when it is another with `rotated: 2026-01-31`",
            )
        said[column] = {"scope": "stable", "because": technique.because, "since": technique.rotated, "key": print_}
    return said


def _key(dataset: Dataset, column: str, technique: Pseudonymise, salt: str) -> bytes:
    purpose = salt if technique.scope == "release" else "stable"
    return secrets.key(dataset, column, technique.secret, purpose, "the pseudonyms")
