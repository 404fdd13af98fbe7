"""A short French text for the department that answers for the data: what was found, since when, what to do.

Made of a run's report and a few facts; no value of a cell is in either. Alerts by mail send the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from odpipeline.quality import wording
from odpipeline.quality.records import Recorded, RunReport
from odpipeline.quality.typography import NO_BREAK, french_count, french_date, typographic
from odpipeline.verdict import Severity

_FAILURES = {
    "SourceUnavailable": (
        "Le logiciel ou le serveur qui livre ces données n’a pas répondu.",
        "Vérifiez qu’il fonctionne et qu’il est joignable ; la livraison est redemandée à chaque passage.",
    ),
    "SourceError": (
        "Le logiciel ou le serveur qui livre ces données n’a pas livré ce qui est attendu.",
        (
            "Vérifiez l’export et ses droits d’accès ; s’il a changé d’adresse ou de forme, annoncez-le au service des "
            "données."
        ),
    ),
    "NotDelivered": (
        "Le logiciel ou le serveur qui livre ces données n’a rien à l’endroit prévu.",
        (
            "Vérifiez que l’export a bien été produit et déposé ; s’il a changé de nom ou d’adresse, annoncez-le au "
            "service des données."
        ),
    ),
    "ConformError": (
        "La livraison ne peut pas être lue comme le tableau qui est déclaré.",
        (
            "Vérifiez que l’export est complet et que ses colonnes ont gardé leur nom ; si le changement est voulu, "
            "annoncez-le au service des données."
        ),
    ),
}
"""Type of the error → what happened, what to do; any other error is for the data service."""
_OUR_FAULT = ("Un incident technique a interrompu le traitement.", "Rien n’est à faire de votre côté.")

_MOST = 10
"""How many points the text tells; nobody reads more."""
_SAME = "La source livre ce qui est déjà publié ; rien n’est à faire."


@dataclass(frozen=True)
class Served:
    """What the public sees meanwhile: the version, when it was published, how many rows it has."""

    version: int
    published_at: datetime
    rows: int


@dataclass(frozen=True)
class Situation:
    """What the text needs besides the report: the dataset's `title`, whom to answer, the town's `zone`.

    `error` is the name of the `OdpError` that ended a run which failed before the gate, `since` when the first of such
    runs on end was, `message` its technical message, without any value.
    """

    title: str
    contact: str
    zone: ZoneInfo
    served: Served | None = None
    error: str = ""
    message: str = ""
    since: datetime | None = None


def owner_text(report: RunReport, situation: Situation) -> str:
    """The text for the owner of a dataset whose last run was refused, told something, failed, or is well."""
    day = french_date(report.ended_at, situation.zone)
    if report.outcome == "failed":
        parts = [_head(situation, f"pas de mise à jour le {day}"), _failure(situation)]
    elif report.outcome == "unchanged":
        parts = [_head(situation, f"rien de nouveau le {day}"), _SAME]
    elif report.blocking:
        parts = [_head(situation, f"la livraison du {day} n’est pas publiée"), _refusal(report, situation)]
    else:
        parts = [_head(situation, f"la livraison du {day} est publiée"), _told(report, situation)]
    parts += [_meanwhile(report, situation), _signature(situation)]
    return "\n\n".join(typographic(part) for part in parts if part) + "\n"


def _head(situation: Situation, what: str) -> str:
    return f"« {situation.title} » : {what}"


def _refusal(report: RunReport, situation: Situation) -> str:
    reasons = report.blocking
    why = "pour la raison suivante" if len(reasons) == 1 else f"pour {french_count(len(reasons), 'raison')}"
    lines = [f"La livraison a été contrôlée et n’est pas publiée, {why} :"]
    lines += _numbered(reasons, situation)
    warned = _warned(report)
    if warned:
        lines += ["À signaler aussi, sans que cela empêche la publication :"]
        lines += [_item(entry, situation, "- ") for entry in warned[:_MOST]]
        lines += _more(warned)
    return "\n\n".join(lines)


def _told(report: RunReport, situation: Situation) -> str:
    warned = _warned(report)
    if not warned:
        return "Tous les contrôles sont respectés ; rien n’est à faire."
    one = len(warned) == 1
    lines = [f"{'Un point est' if one else french_count(len(warned), 'point') + ' sont'} à regarder :"]
    lines += _numbered(warned, situation)
    return "\n\n".join(lines)


def _numbered(entries: Sequence[Recorded], situation: Situation) -> list[str]:
    told = [_item(entry, situation, f"{number}. ", advised=True) for number, entry in enumerate(entries[:_MOST], 1)]
    return told + _more(entries)


def _more(entries: Sequence[Recorded]) -> list[str]:
    left = len(entries) - _MOST
    return [f"Et {french_count(left, 'autre point', 'autres points')}."] if left > 0 else []


def _failure(situation: Situation) -> str:
    happened, todo = _FAILURES.get(situation.error, _OUR_FAULT)
    since = f" Depuis le {french_date(situation.since, situation.zone)}." if situation.since else ""
    technical = f"\n\nMessage technique (en anglais) :\n{situation.message}" if situation.message else ""
    return f"{happened}{since}\n\nÀ faire : {todo[:1].lower()}{todo[1:]}{technical}"


def _item(entry: Recorded, situation: Situation, mark: str, *, advised: bool = False) -> str:
    finding, indent = entry.finding, NO_BREAK * len(mark)
    lines = [f"{mark}{wording.subject(finding, 'fr')} : {wording.found(finding, 'fr')}."]
    lines.append(f"{indent}Règle : {wording.asked(finding, 'fr')}.{_since(entry, situation)}")
    if advised:
        todo = wording.advice(finding)
        lines.append(f"{indent}À faire : {todo[:1].lower()}{todo[1:]}")
    return "\n".join(lines)


def _since(entry: Recorded, situation: Situation) -> str:
    if entry.since is None or entry.runs < 2:
        return " Constaté pour la première fois."
    day = french_date(entry.since, situation.zone)
    return f" Constaté depuis le {day}, {french_count(entry.runs, 'fois', 'fois')} de suite."


def _warned(report: RunReport) -> list[Recorded]:
    return [entry for entry in report.told if entry.finding.severity is Severity.WARNING]


def _meanwhile(report: RunReport, situation: Situation) -> str:
    served = situation.served
    if served is None:
        return "Pendant ce temps, le public ne voit rien : aucune version n’est encore publiée."
    version = f"la version {served.version} du {french_date(served.published_at, situation.zone)}"
    rows = french_count(served.rows, "ligne")
    if report.blocking or report.outcome == "failed":
        return f"Pendant ce temps, le public voit {version} ({rows}), inchangée."
    return f"Le public voit {version} ({rows})."


def _signature(situation: Situation) -> str:
    return (
        "Ce message ne contient aucune valeur de vos données ; le service des données peut retrouver les lignes en "
        f"cause : {situation.contact}"
    )
