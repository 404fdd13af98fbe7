"""Certificates of municipal systems, and keys, that are about to expire: told three weeks before."""

from __future__ import annotations

import base64
import binascii
import json
import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from odpipeline.declaration.town import System, Town
from odpipeline.errors import OdpError
from odpipeline.monitoring.problems import Cause
from odpipeline.sources import guard

NOTICE = timedelta(days=21)
"""How long before its end a certificate or a key is told."""
_PATIENCE_SECONDS = 5.0

Sign = tuple[str, Cause, str | None]
"""Subject, cause, and what is wrong; None when it is well, or cannot be told."""


def look(town: Town, now: datetime) -> list[Sign]:
    """A sign for each system's certificate and key. A system that does not answer says nothing here: its runs tell."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        certificates = list(pool.map(lambda system: _certificate(system, now), town.systems.values()))
    found: list[Sign] = []
    for (name, system), certificate in zip(town.systems.items(), certificates, strict=True):
        found.append((f"system:{name}", Cause.CERTIFICATE, certificate))
        ends = min(_ends(system, town), default=None)
        told = (
            f"its key ends on {ends.astimezone(ZoneInfo(town.timezone)):%Y-%m-%d}"
            if ends and ends - now < NOTICE
            else None
        )
        found.append((f"system:{name}", Cause.EXPIRY, told))
    return found


def _certificate(system: System, now: datetime) -> str | None:
    try:
        address = urlsplit(system.address())
        port = address.port or 443
    except (OdpError, ValueError):
        return None
    if address.scheme != "https" or not address.hostname:
        return None
    try:
        with _connected(address.hostname, port, system) as connection:
            context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
            with context.wrap_socket(connection, server_hostname=address.hostname) as secured:
                shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not accepted: {error.verify_message}"
    except (OdpError, OSError, UnicodeError):  # nor does one that may not be contacted
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return f"its certificate ends on {ends:%Y-%m-%d}" if ends - now < NOTICE else None


def _connected(host: str, port: int, system: System) -> socket.socket:
    """A connection as a source would make it: resolved once, and to no address that it might not use.

    Raises: SourceError, OSError, UnicodeError.
    """
    failure = OSError("no address")
    for found in guard.addresses(host, port, internal=system.internal, where=host):
        try:
            return socket.create_connection((found, port), _PATIENCE_SECONDS)
        except OSError as error:
            failure = error
    raise failure


def _ends(system: System, town: Town) -> Iterator[datetime]:
    """When what lets us in ends: as declared, and as a JSON web token says itself (RFC 7519, section 4.1.4)."""
    if system.expires:
        yield datetime.combine(system.expires, time(), ZoneInfo(town.timezone)).astimezone(UTC)
    token = os.environ.get(system.auth.bearer or "", "") if system.auth else ""
    parts = token.split(".")
    if len(parts) == 3:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            yield datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
            return


__all__ = ["NOTICE", "look"]
