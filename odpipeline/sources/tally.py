"""Whether as many records came as the service said that there are."""

from __future__ import annotations

from odpipeline.errors import SourceUnavailable
from odpipeline.sources import guard


def check(told: int | None, read: int, what: str, url: str) -> None:
    """Let through what is whole; nothing is known of a service that does not count (`told` is None).

    Raises: SourceUnavailable.
    """
    if told is not None and told != read:
        raise SourceUnavailable(
            f"the service told of {told:,} {what}, and {read:,} came",
            where=guard.shown(url),
            mend="fetch them at a quieter hour; if it goes on, ask the service's owner how it pages",
        )
