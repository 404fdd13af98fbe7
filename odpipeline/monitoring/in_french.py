"""Messages to data owners: short, in French, without jargon, saying what to do."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.monitoring.incidents import Telling
from odpipeline.monitoring.problems import Cause, Problem
from odpipeline.quality.typography import french_count, french_date, typographic

_MOST = 10
_HEADS = {
    Telling.OPENED: "", Telling.REMINDER: "Rappel : ", Telling.ESCALATION: "Rappel : ", Telling.CLOSED: "Résolu : ",
}  # fmt: skip
_TITLES = {
    Cause.REFUSED: "la livraison n’est pas publiée",
    Cause.QUARANTINE: "trop de lignes ne peuvent pas être lues",
    Cause.SCHEMA: "les colonnes livrées ont changé",
    Cause.APPROVAL: "une nouvelle version attend votre décision",
    Cause.DOWN: "le logiciel ne répond pas",
    Cause.SOURCE: "la livraison n’est pas celle qui est attendue",
    Cause.UNREADABLE: "la livraison ne peut pas être lue",
    Cause.STALE: "les données sont plus anciennes que promis au public",
    Cause.CERTIFICATE: "le certificat arrive à expiration",
    Cause.EXPIRY: "la clé d’accès arrive à expiration",
}
_OTHER = "un incident"
_TEXTS = {
    Cause.APPROVAL: (
        "Une nouvelle version de ces données est prête, et attend depuis le {since} que vous l’approuviez.",
        "À faire : demandez au service des données de vous la montrer ; sans réponse, la version publiée reste.",
    ),
    Cause.DOWN: (
        "Le logiciel ou le serveur qui livre ces données ne répond pas depuis le {since}.",
        "À faire : vérifiez qu’il fonctionne et qu’il est joignable ; la livraison est redemandée à chaque passage.",
    ),
    Cause.STALE: (
        "Ces données auraient dû être renouvelées avant le {since} ; c’est ce que la ville promet au public.",
        (
            "À faire : vérifiez que votre logiciel exporte encore de nouvelles données, ou dites au service des "
            "données pourquoi elles tardent."
        ),
    ),
    Cause.CERTIFICATE: (
        "Le certificat de ce serveur arrive à expiration ; ensuite, la ville refusera de s’y connecter.",
        "À faire : faites-le renouveler par qui exploite le serveur.",
    ),
    Cause.EXPIRY: (
        "La clé d’accès à ce logiciel arrive à expiration ; ensuite, il ne livrera plus.",
        "À faire : demandez-en une nouvelle et transmettez-la au service des données, jamais par courriel.",
    ),
}
_MEANWHILE = "Pendant ce temps, le public voit la dernière version publiée, inchangée."


def title(about: str, problem: Problem, telling: Telling) -> str:
    """The subject of the mail; `about` is the dataset's title, or the system's."""
    return typographic(f"{_HEADS[telling]}« {about} » : {_TITLES.get(problem.cause, _OTHER)}")


def opened(about: str, problem: Problem, datasets: Sequence[Dataset], town: Town) -> str:
    """The body for a problem that no run's report explains."""
    since = french_date(problem.since, ZoneInfo(town.timezone))
    texts = _TEXTS.get(problem.cause, ("Un incident technique a interrompu le traitement.", ""))
    parts = [f"« {about} » : {_TITLES.get(problem.cause, _OTHER)}."]
    parts += [text.format(since=since) for text in texts if text]
    if len(datasets) > 1:
        titles = [f"- {dataset.title}" for dataset in datasets[:_MOST]]
        more = len(datasets) - _MOST
        titles += [f"- et {french_count(more, 'autre', 'autres')}"] if more > 0 else []
        parts.append("\n".join(["Jeux de données concernés :", *titles]))
    return _letter([*parts, _MEANWHILE if datasets else ""], town)


def closed(about: str, problem: Problem, town: Town) -> str:
    """The body of the notice that it is over."""
    since = french_date(problem.since, ZoneInfo(town.timezone))
    said = f"Ce qui vous avait été signalé à propos de « {about} » est résolu ({_TITLES.get(problem.cause, _OTHER)}, "
    return _letter([f"{said}depuis le {since}).", "Vous n’avez rien à faire."], town)


def _letter(parts: Sequence[str], town: Town) -> str:
    signature = f"Ce message ne contient aucune valeur de vos données. Le service des données : {town.contact}"
    return "\n\n".join(typographic(part) for part in (*parts, signature) if part) + "\n"


__all__ = ["closed", "opened", "title"]
