"""How a dataset's source is declared: one model per kind of municipal system.

A new kind is one model here, one module in `odpipeline/sources/`, and one line in the table of its `__init__`; a test
holds the three together.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Field, Tag

from odpipeline.declaration.words import Closed, Duration, EnvName


class Pages(Closed):
    """How a paginated JSON answer goes on."""

    next: str
    """The key, dotted if nested, that holds the address of the next page; absent or null on the last page."""
    most: int = Field(default=10_000, ge=1)
    """The most pages that are read before the source is taken for an endless one."""


class _Source(Closed):
    """What every kind of source says."""

    kind: ClassVar[str]
    reads: ClassVar[str | None] = None
    """The reader of `conform` that the kind always needs; None when the delivery itself tells."""

    system: str | None = None
    """The municipal system of `town.yaml` that delivers; an address or a folder is then relative to it."""
    timeout: Duration = Field(default="60 s", validate_default=True)
    """How long the system may stay silent."""
    max_bytes: int = Field(default=20_000_000_000, ge=1)
    """The largest delivery that is taken, in bytes."""


class HttpSource(_Source):
    """One file, or the pages of one JSON answer, over HTTP."""

    kind: ClassVar[str] = "http"

    http: str
    """The address: `https://…`, or a path such as `/v1/parkings` below the system's address."""
    token: EnvName | None = None
    """The environment variable with the bearer token; by default that of the system."""
    pages: Pages | None = None
    """For a paginated JSON answer: how to find the next page."""
    internal: bool = False
    """Allows loopback, link-local and private addresses; by default as the system says."""


class SqlSource(_Source):
    """The rows of one query, read in a read-only session; the system's address is an SQLAlchemy URL."""

    kind: ClassVar[str] = "sql"

    sql: str
    """A SELECT statement."""


class FolderSource(_Source):
    """The newest file of a drop folder."""

    kind: ClassVar[str] = "folder"

    folder: str
    """A path with a pattern, such as `energie/releves_*.csv`, below the system's folder or the town's."""
    settled: Duration = Field(default="0 s", validate_default=True)
    """How long a file must have been left alone before it is taken as complete."""


MODELS: tuple[type[_Source], ...] = (HttpSource, SqlSource, FolderSource)
"""Every kind of source, in the order of the documentation."""

KINDS: dict[str, type[_Source]] = {model.kind: model for model in MODELS}


def _kind_of(value: Any) -> str | None:
    """The tag of the union member: the class name, as pydantic names members of its own unions."""
    if isinstance(value, _Source):
        return type(value).__name__
    found = [kind for kind in KINDS if kind in value] if isinstance(value, dict) else []
    return KINDS[found[0]].__name__ if len(found) == 1 else None


Source = Annotated[
    Annotated[HttpSource, Tag("HttpSource")]
    | Annotated[SqlSource, Tag("SqlSource")]
    | Annotated[FolderSource, Tag("FolderSource")],
    Discriminator(
        _kind_of,
        custom_error_type="source_kind",
        custom_error_message=f"a source names exactly one kind as a key: {', '.join(KINDS)}",
    ),
]
"""One of the kinds; the kind's own name is the key that tells which."""
