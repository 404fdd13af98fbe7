"""Named rules for kinds of data, `privacy.rules: social`, each with the text or the practice that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from odpipeline.declaration.words import Closed

ProfileName = Literal["social", "fiscal", "health", "enterprise", "first-names", "grants"]


class Profile(NamedTuple):
    """`k` for classes, `least` for published counts, and the source of both.

    `dominance` is the largest share of one holder in a sum of a table, `masked` that natural persons are masked. No
    reason allows fewer than `floor`; with `births`, a column of communes holds the town's own only.
    """

    source: str
    k: int | None = None
    least: int | None = None
    masked: bool = False
    dominance: float | None = None
    floor: int = 0
    births: bool = False


PROFILES: dict[ProfileName, Profile] = {
    "social": Profile("loi 51-711 du 7 juin 1951, article 6; INSEE, Filosofi: at least 11", 11, 11),
    "fiscal": Profile("loi 51-711 du 7 juin 1951, article 6; INSEE, Filosofi: at least 11", 11, 11),
    "health": Profile("code de la santé publique, L1461-2; usage of the SNDS: at least 11", 11, 11),
    "enterprise": Profile(
        "loi 51-711 du 7 juin 1951, article 6; INSEE: at least 3, at most 85 % in one", None, 3, dominance=0.85
    ),
    "first-names": Profile(
        "CRPA L312-1-2; usage of towns: at least 5 children of a name", None, 5, floor=3, births=True
    ),
    "grants": Profile("décret 2017-779 du 5 mai 2017; CRPA L312-1-2", masked=True),
}
"""Name → its rules."""


class Rules(Closed):
    """A profile from which this dataset departs, and why."""

    profile: ProfileName
    """`social`, `fiscal`, `health`, `enterprise`, `first-names` or `grants`."""
    because: str
    """Why it may be looser than the profile; it is published."""


def with_defaults(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a declaration says under `privacy`, with the k of its profile where quasi-identifiers stand without one."""
    rules = said.get("rules")
    name = rules.get("profile") if isinstance(rules, Mapping) else rules
    profile = PROFILES.get(name) if isinstance(name, str) else None  # type: ignore[call-overload]
    if profile and profile.k and said.get("quasi_identifiers") and "k" not in said:
        return {**said, "k": profile.k}
    return dict(said)
