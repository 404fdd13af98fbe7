"""A store that is only seen over HTTP, by anybody: what is public of it, bounded, and from its own host only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from odpipeline.errors import StoreError
from odpipeline.store import layout

_SECONDS = 30
"""How long a connection, or a pause in an answer, may take."""
_WHOLE = 3600
"""How long one file may take."""
_MOST = 64_000_000
"""The most bytes of what is read whole: pointers, manifests, signatures, the catalogue."""
_CHUNK = 1 << 18
_GONE = (404, 410)


class Published:
    """A `Reader` of the store at `address`; redirects are not followed."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise StoreError(f"{address!r} is no address of a store", mend="give it as https://donnees.ville.example")
        self._address = address.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor credentials of this machine
        self._session.headers["Accept-Encoding"] = "identity"

    def datasets(self) -> list[str]:
        """The identifiers that the catalogue names.

        Raises: StoreError when there is no catalogue, or it cannot be read.
        """
        try:
            nodes = json.loads(self.read(layout.CATALOGUE) or b"")["@graph"]
            found = [node["dct:identifier"] for node in nodes if node.get("@type") == "dcat:Dataset"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise StoreError("there is no catalogue that can be read", where=f"{self._address}/{layout.CATALOGUE}",
                             mend="look at the address") from None  # fmt: skip
        return sorted(name for name in found if isinstance(name, str) and layout.is_dataset(name))

    def read(self, key: str) -> bytes | None:
        """See `Reader.read`."""
        if (chunks := self.chunks(key)) is None:
            return None
        content = bytearray()
        for chunk in chunks:
            content += chunk
            if len(content) > _MOST:
                raise StoreError(f"it has more than {_MOST} bytes", where=key, mend="ask the town what is wrong")
        return bytes(content)

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """See `Reader.chunks`.

        Raises: StoreError when the server does not answer, or not with the file.
        """
        try:
            answer = self._session.get(
                f"{self._address}/{quote(key)}", stream=True, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise _unanswered(key, type(error).__name__) from None
        if answer.status_code in _GONE:
            answer.close()
            return None
        if answer.status_code != 200 or answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.close()
            raise _unanswered(key, f"status {answer.status_code}, or compressed against our wish")
        return _pieces(answer, key)

    def place(self, key: str) -> Path:
        """See `Reader.place`: the key; nothing of it is on this machine."""
        return Path(key)


def _pieces(answer: requests.Response, key: str) -> Iterator[bytes]:
    until = time.monotonic() + _WHOLE
    with answer:
        try:
            for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                yield chunk
                if time.monotonic() > until:
                    raise _unanswered(key, f"not whole after {_WHOLE} s")
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _unanswered(key, type(error).__name__) from None


def _unanswered(key: str, why: str) -> StoreError:
    return StoreError(f"the server did not answer as it should ({why})", where=key, mend="try again later")
