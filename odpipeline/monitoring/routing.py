"""Where a message goes: to engineers by route, to those who can mend the data, to the next in line at last."""

from __future__ import annotations

from collections.abc import Iterator

from odpipeline.declaration.alerts import MAIL, Alerts, Reader, Route, is_mail
from odpipeline.declaration.approval import approval
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.monitoring.incidents import Telling
from odpipeline.monitoring.problems import KINDS, Cause, Problem
from odpipeline.verdict import Severity


def destinations(problem: Problem, telling: Telling, town: Town) -> dict[str, Reader]:
    """Destination (a channel's name or a mail address) → which text it gets; each destination once.

    Nothing goes by the channel that the problem is about.
    """
    found: dict[str, Reader] = dict.fromkeys(_owners(problem, town), "owner")
    for route in _routes(town.alerts, town.contact):
        if _takes(route, problem, town):
            found |= dict.fromkeys(route.to, route.text)
    if telling is Telling.ESCALATION:
        found |= dict.fromkeys(town.alerts.escalation, "engineer")
    return {name: text for name, text in found.items() if reachable(name, town) and _way(name) != _about(problem)}


def engineers(town: Town) -> list[str]:
    """The destinations that get what belongs to no incident: the morning's message."""
    found = [name for route in _routes(town.alerts, town.contact) if route.text == "engineer" for name in route.to]
    return [name for name in dict.fromkeys(found) if reachable(name, town)]


def following(destination: str, town: Town) -> str | None:
    """The destination that takes over when `destination` cannot be reached."""
    if is_mail(destination):
        return town.alerts.mail_next
    channel = town.alerts.channels.get(destination)
    return channel.next if channel else None


def reachable(destination: str, town: Town) -> bool:
    """Whether a way to `destination` is declared."""
    return town.alerts.mail is not None if is_mail(destination) else destination in town.alerts.channels


def concerned(problem: Problem, town: Town) -> list[Dataset]:
    """The declared datasets that suffer from `problem`."""
    return [dataset for dataset in town.datasets if dataset.id in problem.datasets]


def _routes(alerts: Alerts, contact: str) -> tuple[Route, ...]:
    if alerts.routes:
        return alerts.routes
    stand_ins = {channel.next for channel in alerts.channels.values()} | {alerts.mail_next, *alerts.escalation}
    return (Route(to=(contact, *(name for name in alerts.channels if name not in stand_ins))),)


def _takes(route: Route, problem: Problem, town: Town) -> bool:
    datasets = concerned(problem, town)
    systems = {problem.name} if problem.subject.startswith("system:") else set()
    systems |= {dataset.source.system for dataset in datasets if dataset.source.system}
    if route.severity == "critical" and problem.severity is not Severity.CRITICAL:
        return False
    wanted = (
        (route.themes, {theme for dataset in datasets for theme in dataset.themes}),
        (route.owners, {dataset.owner for dataset in datasets}),
        (route.datasets, {dataset.id for dataset in datasets}),
        (route.systems, systems),
    )
    return all(not asked or set(asked) & known for asked, known in wanted)


def _owners(problem: Problem, town: Town) -> Iterator[str]:
    """Who can mend it, by mail: whoever decides, runs the system, answers for the data."""
    if not town.alerts.tell_owners or not KINDS[problem.cause].for_owners:
        return
    datasets = concerned(problem, town)
    if problem.cause is Cause.APPROVAL:
        for dataset in datasets:
            needed = approval(dataset.approval)
            yield from (person.mail for person in (town.people(needed.role) if needed else ()))
        return
    system = town.systems.get(problem.name) if problem.subject.startswith("system:") else None
    if system and system.owner:
        yield system.owner
    if problem.cause not in (Cause.CERTIFICATE, Cause.EXPIRY):
        yield from (dataset.owner for dataset in datasets)


def _way(destination: str) -> str:
    return f"channel:{MAIL if is_mail(destination) else destination}"


def _about(problem: Problem) -> str:
    return problem.subject


__all__ = ["concerned", "destinations", "engineers", "following", "reachable"]
