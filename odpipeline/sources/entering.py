"""What lets us in over HTTP: bearer token, user and password, a header, OAuth 2.0 client credentials."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field

import requests

from odpipeline.declaration.access import Auth, ClientCredentials
from odpipeline.errors import SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import guard

_LARGEST_TOKEN = 64_000


@dataclass
class Entry:
    """The headers that let us in. A token is asked for until `deadline`; `where` is for messages."""

    auth: Auth | None
    internal: bool
    deadline: float
    where: str
    _token: str | None = field(default=None, repr=False)

    @property
    def renews(self) -> bool:
        """True when what lets us in can be asked for anew."""
        return self.auth is not None and self.auth.oauth2 is not None

    @property
    def told(self) -> str:
        """What a person checks when the system does not let us in."""
        if self.auth is None:
            return "`auth` (none is declared)"
        names = {
            "bearer": self.auth.bearer,
            "basic": self.auth.basic and f"{self.auth.basic.user} and {self.auth.basic.password}",
            "header": self.auth.header and self.auth.header.value,
            "oauth2": self.auth.oauth2 and f"{self.auth.oauth2.client_id} and {self.auth.oauth2.client_secret}",
        }
        return f"what {names.get(self.auth.way)} holds, for `auth`"

    def headers(self, *, renew: bool = False) -> dict[str, str]:
        """The headers of one request; with `renew`, a token of ours is asked for anew.

        Raises: SecretMissing, SourceError, SourceUnavailable.
        """
        match self.auth:
            case None:
                return {}
            case Auth(bearer=str(name)):
                return {"Authorization": f"Bearer {self._secret(name)}"}
            case Auth(basic=basic) if basic:
                return self._basic(basic.user, basic.password)
            case Auth(header=header) if header:
                return {header.name: self._secret(header.value)}
            case Auth(oauth2=credentials) if credentials:
                if renew or self._token is None:
                    self._token = self._granted(credentials)
                return {"Authorization": f"Bearer {self._token}"}
            case _:
                raise SourceError(
                    f"`auth: {{{self.auth.way}: …}}` is no way in over HTTP",
                    where=self.where,
                    mend="name one of bearer, basic, header, oauth2",
                )

    def _basic(self, user: str, password: str) -> dict[str, str]:
        pair = f"{self._read(user)}:{self._read(password)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _read(self, variable: str) -> str:
        if not (value := os.environ.get(variable, "").strip()):
            raise SecretMissing(variable, needed_for="the way into the source", where=self.where)
        return value

    def _secret(self, variable: str) -> str:
        if not ((value := self._read(variable)).isascii() and value.isprintable()):
            raise SourceError(
                f"what {variable} holds has characters that HTTP does not allow",
                where=self.where,
                mend=f"set {variable} anew, without line breaks or accents",
            )
        return value

    def _granted(self, credentials: ClientCredentials) -> str:
        """A token from the declared address and no other, whatever it redirects to: the secret goes there only."""
        origin = guard.Origin.of(credentials.token_url)
        asked = {"grant_type": "client_credentials"} | ({"scope": credentials.scope} if credentials.scope else {})
        who = self._basic(credentials.client_id, credentials.client_secret)
        where = guard.shown(credentials.token_url)
        try:
            with (
                guard.session(origin, internal=self.internal, deadline=self.deadline) as session,
                session.post(
                    credentials.token_url, data=asked, headers=who, timeout=(10, 60), allow_redirects=False, stream=True
                ) as answer,
            ):
                status, body = answer.status_code, b""
                for chunk in answer.iter_content(_LARGEST_TOKEN):
                    if len(body := body + chunk) > _LARGEST_TOKEN:
                        break
        except requests.RequestException as error:
            raise SourceUnavailable(
                f"no token can be had ({type(error).__name__})", where=where, mend="wait for the next run"
            ) from None
        if status == 429 or status >= 500:
            raise SourceUnavailable(
                f"the system can give no token now (HTTP {status})", where=where, mend="wait for the next run"
            )
        token = _token_of(body) if status == 200 else None
        if token is None:
            raise SourceError(
                f"the system gives no token (HTTP {status})",
                where=where,
                mend=f"check {credentials.client_id}, {credentials.client_secret} and the scope",
            )
        return token


def _token_of(body: bytes) -> str | None:
    """The token of a grant (RFC 6749, section 5.1), if it is one that a header can hold."""
    try:
        token = json.loads(body).get("access_token")
    except (ValueError, AttributeError, RecursionError):
        return None
    return token if isinstance(token, str) and token.isascii() and token.isprintable() and token else None
