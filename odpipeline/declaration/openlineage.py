"""Where events of lineage go: the words of `openlineage` in `town.yaml`."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from odpipeline.declaration.words import Closed, EnvName


class OpenLineage(Closed):
    """Tells a lineage service (Marquez, DataHub, OpenMetadata…) of each run, in the words of OpenLineage."""

    file: str | None = None
    """A file in the private zone, to which each event is added as a line of JSON: `lineage.jsonl`."""
    url: str | None = None
    """Or the address of the service, `https://…`; it gets `POST api/v1/lineage`."""
    token: EnvName | None = None
    """The environment variable with the service's key."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("name exactly one of `file` and `url`")
        if self.file is not None and ("/" in self.file or self.file.startswith(".")):
            raise ValueError("`file` is a name in the private zone, without a folder: `lineage.jsonl`")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise ValueError("`url` is the address of the service: `https://…`")
        if self.token and (self.url is None or not self.url.startswith("https://")):
            raise ValueError("a key would be sent in clear; give the address as https://…")
        return self
