"""Where the publication store is when it is no folder: a bucket of an S3-compatible server."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from odpipeline.declaration.access import AccessKey
from odpipeline.declaration.words import Closed


class BucketStore(Closed):
    """A bucket with conditional writes (`If-Match`, `If-None-Match`), which the store needs."""

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """Its name; it exists already."""
    endpoint: str
    """The address of the server, `https://…`."""
    region: str = "us-east-1"
    """The region; many servers of one's own take any."""
    prefix: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*)?$")
    """The folder in the bucket that holds the store; by default the bucket itself."""
    access_key: AccessKey
    """The environment variables of the access key."""
    internal: bool = False
    """Allows an address without TLS, on the town's own network."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/") or parts.username:
            raise ValueError("the endpoint is the server's address alone: https://s3.ville.example")
        if parts.scheme == "http" and not self.internal:
            raise ValueError("an endpoint without TLS is allowed on the town's own network only: internal: true")
        return self
