"""Who must say yes before the public sees a new content, and who may say it: models and rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from odpipeline.declaration.positions import Place
from odpipeline.declaration.wording import unknown
from odpipeline.declaration.words import Closed, Duration, Mail


class Person(Closed):
    """Somebody who may act in a role of the town."""

    mail: Mail
    """The person's mail address: the name under which a decision is recorded."""
    account: str | None = None
    """The person's account on the machine; when it is said, no other account can decide in this name."""


class Approval(Closed):
    """Each new content waits in the private zone until somebody in a role has said yes to exactly its bytes."""

    role: str
    """`dpo`, or a role of town.yaml."""
    expires: Duration = timedelta(days=30)
    """How long a release may wait, and how long a yes counts."""


def approval(said: str | Approval | None) -> Approval | None:
    """The long form of what a declaration says: `approval: dpo`."""
    return Approval(role=said) if isinstance(said, str) else said


def people(role: str, roles: Mapping[str, tuple[str | Person, ...]], dpo: str) -> tuple[Person, ...]:
    """Who may act in `role`, () if nobody; unless `roles` says otherwise, the `dpo` is in the role of that name."""
    said = roles.get(role, (dpo,) if role == "dpo" else ())
    return tuple(Person(mail=one) if isinstance(one, str) else one for one in said)


def faults(
    said: str | Approval | None, author: str | None, roles: Mapping[str, tuple[str | Person, ...]], dpo: str
) -> Iterator[tuple[Place, str]]:
    """What is wrong with a dataset's `approval`, as (place, what)."""
    if (needed := approval(said)) is None:
        return
    where: Place = ("approval",) if isinstance(said, str) else ("approval", "role")
    able = people(needed.role, roles, dpo)
    if needed.role not in ("dpo", *roles):
        yield where, unknown("role", needed.role, ["dpo", *roles], inside="approval") + "; roles stand in town.yaml"
    elif not able:
        yield where, f"approval: nobody is in the role {needed.role!r}; name one in town.yaml, under roles"
    if author is None:
        what = "who writes a declaration cannot approve what comes of it: say who that is in `author` (a mail address)"
        yield where, f"approval: {what}"
    elif able and all(one.mail.casefold() == author.casefold() for one in able):
        yield where, f"approval: the author is the only one in the role {needed.role!r}; name somebody else"
