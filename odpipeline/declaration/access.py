"""How a municipal system lets us in: names of environment variables, never secrets."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from odpipeline.declaration.words import Closed, EnvName


class Basic(Closed):
    """A user and a password (RFC 7617)."""

    user: EnvName
    """The environment variable with the user's name."""
    password: EnvName
    """The environment variable with the password."""


class HeaderSecret(Closed):
    """A secret in a header of its own, such as `X-Api-Key`."""

    name: str = Field(pattern=r"^[A-Za-z0-9-]+$")
    """The header's name."""
    value: EnvName
    """The environment variable with the secret."""


class ClientCredentials(Closed):
    """A token that is asked for with the client's own credentials (OAuth 2.0, RFC 6749, section 4.4)."""

    token_url: str
    """The address that gives tokens: `https://…`, at the system's host or at another."""
    client_id: EnvName
    """The environment variable with the client's identifier."""
    client_secret: EnvName
    """The environment variable with the client's secret."""
    scope: str | None = None
    """The scope to ask for."""


class AccessKey(Closed):
    """A key of an S3 store."""

    id: EnvName
    """The environment variable with the access key's identifier."""
    secret: EnvName
    """The environment variable with its secret."""


class Auth(Closed):
    """How to be let in; exactly one of the ways, each from the environment."""

    bearer: EnvName | None = None
    """HTTP: the environment variable with the bearer token (RFC 6750)."""
    basic: Basic | None = None
    """HTTP: a user and a password."""
    header: HeaderSecret | None = None
    """HTTP: a header that holds a secret."""
    oauth2: ClientCredentials | None = None
    """HTTP: OAuth 2.0 client credentials; a token that expires is asked for anew, once."""
    password: EnvName | None = None
    """SFTP: the environment variable with the password."""
    key: EnvName | None = None
    """SFTP: the environment variable with the private key itself, in OpenSSH or PEM form."""
    access_key: AccessKey | None = None
    """S3: an access key."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"name exactly one way: {', '.join(type(self).model_fields)}")
        return self

    @property
    def way(self) -> str:
        """The one way that is named: `bearer`, `basic`…"""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)
