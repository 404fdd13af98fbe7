"""Signatures over manifests and proofs: Ed25519 (RFC 8032), detached, beside the bytes that they sign.

`release.json.sig` signs the exact bytes of `release.json`, which holds the SHA-256 of every file: who trusts the key
trusts the release. The public keys stand in the store as `keys/<key>.pem`; a key that is changed stays there, so that
what it signed can be checked for ever. A key's name is the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from odpipeline.errors import OdpError, SecretMissing, StoreError

_BYTES = 32


class Signer:
    """Signs with the key of the environment variable `variable`, which is read when it is first needed."""

    def __init__(self, variable: str) -> None:
        self.variable = variable

    @property
    def key(self) -> str:
        """The name of the key.

        Raises: SecretMissing, OdpError.
        """
        return name(self._private.public_key())

    @property
    def public(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo, RFC 8410)."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, content: bytes) -> bytes:
        """The signature of `content` as the JSON document that stands beside it.

        Raises: SecretMissing, OdpError.
        """
        document = {
            "algorithm": "Ed25519",
            "key": self.key,
            "sha256": hashlib.sha256(content).hexdigest(),
            "signature": base64.b64encode(self._private.sign(content)).decode(),
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        said = os.environ.get(self.variable)
        if not said:
            raise SecretMissing(self.variable, needed_for="the signature of releases", where="town.yaml, signing_key")
        try:
            seed = base64.b64decode(said, validate=True)
        except ValueError:
            seed = b""
        if len(seed) != _BYTES:
            raise OdpError(
                f"{self.variable} holds no Ed25519 key: 32 bytes in Base64",
                where="town.yaml, signing_key",
                mend="make one with `odp signing-key`",
            )
        return Ed25519PrivateKey.from_private_bytes(seed)


def made() -> str:
    """A new private key, as the environment variable holds it: 32 random bytes in Base64."""
    raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes(*raw)).decode()


def public_of(secret: str) -> bytes:
    """The public half of a private key as `made` gives it, as PEM."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret)).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def name(key: Ed25519PublicKey) -> str:
    """What a public key is called."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def public_key(pem: bytes) -> Ed25519PublicKey:
    """The key in `pem`.

    Raises: StoreError when it is no Ed25519 public key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise StoreError("this is no public key of Ed25519 (PEM)", mend="take the one that the town publishes")
    return key


def signed_by(document: bytes) -> str:
    """The name of the key that a signature says it is of; "" when it cannot be read."""
    try:
        return str(json.loads(document)["key"])
    except (ValueError, KeyError, TypeError):
        return ""


def holds(document: bytes, content: bytes, key: Ed25519PublicKey) -> bool:
    """Whether the signature `document` is one of exactly `content` by `key`."""
    try:
        said = json.loads(document)
        if said["algorithm"] != "Ed25519" or said["key"] != name(key):
            return False
        key.verify(base64.b64decode(said["signature"], validate=True), content)
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True
