"""Who is told what, how, and when nobody is: the words of `alerts` in `town.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from odpipeline.declaration.positions import Place
from odpipeline.declaration.words import MAIL_PATTERN, Closed, Duration, FromEnvironment, Mail

Least = Literal["warning", "critical"]
Reader = Literal["engineer", "owner"]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time of day, `08:00`, in the town's time zone."""

MAIL = "mail"
"""The name of the channel that every mail address goes through."""


class Channel(Closed):
    """One way to reach people, in the words of the library Apprise."""

    url: FromEnvironment
    """The Apprise address, such as `mmosts://…`, which holds secrets: `{env: ODP_ALERT_TEAM}`."""
    next: str | None = None
    """The channel or mail address that takes over when this one does not deliver."""


class Route(Closed):
    """Where messages go. Each route whose conditions all hold is taken; one destination gets a message once."""

    to: tuple[str, ...] = Field(min_length=1)
    """Names of channels, and mail addresses."""
    severity: Least = "warning"
    """The least severity: `critical` leaves out warnings."""
    themes: tuple[str, ...] = ()
    """Only for datasets of one of these themes (`TRAN`…)."""
    owners: tuple[Mail, ...] = ()
    """Only for datasets of one of these owners."""
    datasets: tuple[str, ...] = ()
    """Only for these datasets."""
    systems: tuple[str, ...] = ()
    """Only for these systems, and the datasets that they deliver."""
    text: Reader = "engineer"
    """Which text: `engineer`, technical, in English, with links; `owner`, in French, without jargon."""


class Quiet(Closed):
    """A time in which incidents are recorded and nobody is told; what is still open at its end is told then."""

    of: tuple[str, ...] = ()
    """The datasets and systems that it is for; all of them by default."""
    start: datetime | None = Field(default=None, alias="from")
    """Its beginning, in the town's time zone: `2026-12-01T22:00`."""
    until: datetime | None = None
    """Its end."""
    daily: tuple[Clock, Clock] | None = None
    """Or each day between two times: `[22:00, 06:00]`."""
    because: str = Field(min_length=3)
    """Why, for those who wonder."""

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.start is None) != (self.until is None) or (self.start is None) == (self.daily is None):
            raise ValueError("say either `from` and `until`, or `daily`")
        if any(moment and moment.tzinfo for moment in (self.start, self.until)):
            raise ValueError("`from` and `until` are times of the town; write them without a zone: 2026-12-01T22:00")
        if self.daily and self.daily[0] == self.daily[1]:
            raise ValueError("`daily` begins when it ends and never holds; name two times")
        if self.start and self.until and self.until <= self.start:
            raise ValueError("`until` is not after `from`")
        return self

    def holds(self, local: datetime) -> bool:
        """Whether `local`, a time of the town without a zone, lies in it."""
        if self.start and self.until:
            return self.start <= local < self.until
        assert self.daily  # noqa: S101 - as validated
        begins, ends = (time.fromisoformat(text) for text in self.daily)
        at = local.time()
        return begins <= at < ends if begins <= ends else at >= begins or at < ends


class Alerts(Closed):
    """Who is told when something is wrong."""

    mail: FromEnvironment | None = None
    """How mail is sent: an Apprise address without recipients, `mailtos://user:password@smtp.ville.fr?from=…`."""
    mail_next: str | None = None
    """The channel that takes over when mail cannot be delivered."""
    channels: dict[str, Channel] = {}
    """Further channels by name: Mattermost, Teams, Slack, Matrix (Tchap), webhooks, SMS gateways."""
    routes: tuple[Route, ...] = ()
    """Where engineers' messages go; by default to `contact` by mail and to every channel."""
    tell_owners: bool = True
    """Whether data owners are written to, by mail and in French, of what they can mend."""
    escalation: tuple[str, ...] = ()
    """The channels and mail addresses that get the last reminder as well."""
    reminders: tuple[Duration, ...] = Field(default=("6 h", "24 h"), validate_default=True)
    """How long after an incident was told it is told again, unless somebody has acknowledged it."""
    settle: Duration = Field(default="15 min", validate_default=True)
    """How long all must be well before an incident is closed: what comes and goes is one incident."""
    patience: Duration = Field(default="30 min", validate_default=True)
    """How long a dataset with a calendar of its own may fail to be fetched before that is an incident."""
    quiet: tuple[Quiet, ...] = ()
    """Maintenance windows and the like."""
    digest: Clock = "08:00"
    """When the morning's message is sent, which proves that the way works."""
    dead_man: FromEnvironment | None = None
    """An address that is asked (GET) after each round that went well: who watches it notices our silence."""
    ui: str | None = None
    """The address of the Dagster UI, for links: `https://dagster.ville.fr`."""


def faults(alerts: Alerts, known: Iterable[str]) -> Iterator[tuple[Place, str]]:
    """What is wrong with `alerts`; `known` are the names of the datasets and systems of the town, or ()."""
    here: Place = ("alerts",)
    if MAIL in alerts.channels:
        yield (*here, "channels", MAIL), "alerts.channels: `mail` is the channel of alerts.mail; choose another name"
    for number, route in enumerate(alerts.routes):
        yield from _destinations((*here, "routes", number, "to"), route.to, alerts)
        yield from _named((*here, "routes", number), "datasets", (*route.datasets, *route.systems), known)
    for number, window in enumerate(alerts.quiet):
        yield from _named((*here, "quiet", number), "of", window.of, known)
    yield from _destinations((*here, "escalation"), alerts.escalation, alerts)
    for name, channel in alerts.channels.items():
        yield from _destinations((*here, "channels", name, "next"), (channel.next,) if channel.next else (), alerts)
        if name in _chain(name, alerts):
            yield (*here, "channels", name, "next"), f"alerts.channels.{name}.next leads back to itself; end the chain"
    yield from _destinations((*here, "mail_next"), (alerts.mail_next,) if alerts.mail_next else (), alerts)
    if list(alerts.reminders) != sorted(set(alerts.reminders)):
        yield (*here, "reminders"), "alerts.reminders: each is later than the one before: [6 h, 24 h]"
    if alerts.ui and not alerts.ui.startswith(("http://", "https://")):
        yield (*here, "ui"), "alerts.ui is the address of the Dagster UI, such as https://dagster.ville.fr"


def _destinations(place: Place, names: Iterable[str], alerts: Alerts) -> Iterator[tuple[Place, str]]:
    for name in names:
        if _MAIL.fullmatch(name):
            if alerts.mail is None:
                yield place, f"{name!r} is a mail address, and no mail is sent: declare alerts.mail"
        elif name not in alerts.channels:
            known = ", ".join(alerts.channels) or "none is declared"
            yield place, f"{name!r} is neither a mail address nor a channel of alerts.channels ({known})"


def _named(place: Place, key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[Place, str]]:
    listed = frozenset(known)
    for name in names:
        if listed and name not in listed:
            yield (*place, key), f"{name!r} is neither a dataset nor a system of the town"


def _chain(name: str, alerts: Alerts) -> list[str]:
    """The channels that take over from `name`, one after the other, each once."""
    found: list[str] = []
    following = alerts.channels[name].next
    while following in alerts.channels and following not in found:
        found.append(following)
        following = alerts.channels[following].next
    return found


def is_mail(destination: str) -> bool:
    """Whether `destination` is a mail address; it is the name of a channel otherwise."""
    return _MAIL.fullmatch(destination) is not None


_MAIL = re.compile(MAIL_PATTERN)

__all__ = ["MAIL", "Alerts", "Channel", "Quiet", "Reader", "Route", "faults", "is_mail"]
