"""What will break readers of a dataset, as its page and its feeds tell it before it comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from odpipeline import announcement, embargo
from odpipeline.announcement import Announcement
from odpipeline.declaration.town import Town
from odpipeline.journal import Journal
from odpipeline.quality.typography import english_moment, french_moment, typographic
from odpipeline.quality.wording import Language
from odpipeline.store import Release, Store, wording


@dataclass(frozen=True)
class Told:
    """An announcement that stands. `until` is None when a person has lifted what kept it back; `zone` is the town's."""

    announcement: Announcement
    until: datetime | None
    zone: ZoneInfo

    @property
    def mark(self) -> str:
        """What names it among the versions of its page: another day is another entry of the feeds."""
        return f"annonce-{self.until.astimezone(self.zone).date()}" if self.until else "annonce"

    def text(self, language: Language) -> str:
        """From when on what changes, and that the current version stays until then; one sentence each."""
        changes = wording.announced(self.announcement.changes, language)
        if language == "fr":
            when = f"À partir du {french_moment(self.until, self.zone)}" if self.until else "Dès la prochaine version"
            return typographic(f"{when} : {changes}. Jusque-là, la version actuelle reste servie.")
        when = f"From {english_moment(self.until, self.zone)} on" if self.until else "From the next version on"
        return f"{when}: {changes}. Until then, the current version stays served."


def ahead(release: Release, store: Store, town: Town, journal: Journal | None) -> Told | None:
    """What is announced over the current `release`; None when nothing is.

    Raises: StoreError, OdpError when the journal cannot be read.
    """
    dataset = next((one for one in town.datasets if one.id == release.dataset), None)
    if journal is None or dataset is None:
        return None
    told = announcement.ahead(dataset, release, store, journal)
    return Told(told, embargo.until(dataset, town, journal, told), ZoneInfo(town.timezone)) if told else None
