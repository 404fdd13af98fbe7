"""Who may act on published data, and the journal's entry, which is written before anything is done."""

from __future__ import annotations

import getpass
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from odpipeline.declaration.approval import Person
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import ApprovalRefused, OdpError, PublicationRace
from odpipeline.flow import Zones
from odpipeline.journal import Act
from odpipeline.store import Release

ROLE = "publication"
"""The role of town.yaml whose people may act; without it, the data engineers' contact and the dpo may."""


def declared(town: Town, zones: Zones, dataset: str) -> Dataset:
    """The declaration of `dataset`, by which an act on it is judged.

    Raises: OdpError naming what can be done about one that is declared no more.
    """
    try:
        return town.dataset(dataset)
    except OdpError:
        if dataset in zones.store.datasets():
            raise OdpError(
                "it is in the publication store, but declared no more",
                where=dataset,
                mend=f"put its declaration back and run this again, or take it away whole: odp withdraw {dataset}",
            ) from None
        raise


def recorded(
    zones: Zones, town: Town, dataset: str, act: str, who: str, because: str, details: Mapping[str, Any]
) -> Act:
    """Write the act down; what was written.

    Raises: ApprovalRefused when it has no reason, or is not this person's to do.
    """
    if not because.strip():
        raise ApprovalRefused("an act needs its reason", mend="say it with --because")
    account = getpass.getuser()
    able = {one.mail.casefold(): one for one in town.people(ROLE) or (*map(_person, (town.contact, town.dpo)),)}
    if (person := able.get(who.casefold())) is None:
        named = ", ".join(one.mail for one in able.values())
        raise ApprovalRefused(f"{who} may not act on published data", mend=f"town.yaml names: {named}")
    if person.account and person.account != account:
        raise ApprovalRefused(f"{who} acts from another account of this machine", mend="sign in as that person")
    done = Act(dataset, act, person.mail, account, because.strip(), datetime.now(UTC), details)
    zones.journal.act(done)
    return done


def as_planned(dataset: str, versions: Sequence[Release], planned: Container[int]) -> None:
    """Do nothing when each of `versions`, as they are now, was there when the act was planned.

    Raises: PublicationRace.
    """
    if new := [release.version for release in versions if release.version not in planned]:
        raise PublicationRace(
            f"someone published version {new[0]} since this was planned; nothing was done",
            where=dataset, mend="run the same command again: it then counts that version as well",
        )  # fmt: skip


def _person(mail: str) -> Person:
    return Person(mail=mail)
