"""The page that says how the persons in a release are protected: techniques, classes, what was looked for, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from odpipeline.quality import wording
from odpipeline.quality.public import restored
from odpipeline.quality.wording import Language
from odpipeline.store import Release, Store, layout

_TECHNIQUES: dict[str, tuple[str, str]] = {
    "keep": ("publiée telle quelle", "published as it is"),
    "pseudonymise": ("remplacée par un pseudonyme", "replaced by a pseudonym"),
    "generalise": ("rendue moins précise", "made less precise"),
    "constant": ("remplacée par un texte fixe", "replaced by a fixed text"),
    "round": ("arrondie", "rounded"),
    "bottom_code": ("bornée par le bas", "bounded from below"),
    "top_code": ("bornée par le haut", "bounded from above"),
    "mask": ("masquée pour les personnes physiques", "masked for natural persons"),
    "microaggregate": ("remplacée par la moyenne de lignes proches", "replaced by the mean of near rows"),
    "noise": ("modifiée par un bruit aléatoire", "altered by random noise"),
}
"""Technique → its words in French and English; one that is not here is told by its own name."""


_ARGUMENTS: dict[str, tuple[str, str]] = {
    "bands": ("tranches de", "bands of"),
    "hierarchy": ("hiérarchie", "hierarchy"),
    "level": ("niveau", "level"),
    "date": ("réduite à", "reduced to"),
    "prefix": ("premiers caractères gardés :", "leading characters kept:"),
    "scope": ("portée", "scope"),
    "because": ("raison :", "reason:"),
    "rotated": ("secret changé le", "secret changed on"),
    "unless": ("sauf si rempli :", "unless filled:"),
    "instead": ("remplacée par", "replaced by"),
    "laplace": ("loi de Laplace, échelle", "Laplace, scale"),
    "gaussian": ("loi normale, écart type", "normal, standard deviation"),
}
"""Argument of a technique → its words in French and English."""
_IDENTIFIERS: dict[str, tuple[str, str]] = {
    "email": ("adresse électronique", "mail address"),
    "phone": ("numéro de téléphone", "telephone number"),
    "address": ("adresse postale", "postal address"),
    "name": ("nom de personne", "name of a person"),
    "siret": ("numéro SIRET", "SIRET number"),
    "plate": ("plaque d’immatriculation", "registration plate"),
    "birth_date": ("date de naissance", "date of birth"),
    "coordinates": ("coordonnées précises", "precise coordinates"),
    "ip_address": ("adresse IP", "IP address"),
}
"""Identifier that may be allowed → its words; one that is not here is told by its own name."""


def write(store: Store, engines: Mapping[Language, Environment], release: Release) -> bool:
    """Write the page of a current release about persons in each language; whether there is one.

    Raises: StoreError.
    """
    report = store.quality(release)
    if release.privacy.get("personal_data") != "present" or report is None:
        return False
    findings = [restored(entry) for entry in report["findings"] if entry["group"] == "privacy"]
    for language, engine in engines.items():
        other: Language = "en" if language == "fr" else "fr"
        checks = [
            {
                "subject": wording.subject(finding, language),
                "asked": wording.asked(finding, language),
                "found": wording.found(finding, language),
                "held": finding.passed,
                "smallest": finding.counts.get("smallest_class_rows"),
            }
            for finding in findings
        ]
        page = engine.get_template("privacy.html").render(
            release=release,
            title=release.about["title"],
            privacy=release.privacy,
            columns=[(name, _technique(role, language)) for name, role in release.privacy.get("columns", {}).items()],
            checks=checks,
            smallest=min((check["smallest"] for check in checks if check["smallest"] is not None), default=None),
            allowed=[
                (
                    column,
                    _IDENTIFIERS.get(one["identifier"], (one["identifier"],) * 2)[language == "en"],
                    one["because"],
                )
                for column, said in (release.privacy.get("allowed") or {}).items()
                for one in said
            ],
            alternate=layout.privacy_page(release.dataset, other).rpartition("/")[2],
            root="../",
        )
        store.write(layout.privacy_page(release.dataset, language), page.encode())
    return True


def _technique(role: Any, language: Language) -> str:
    place = 0 if language == "fr" else 1
    names = [role] if isinstance(role, str) else list(role)
    told = [_TECHNIQUES.get(name, (name, name))[place] for name in names]
    values = [] if isinstance(role, str) else list(role.values())
    said = [words for value in values if (words := _arguments(value, place))]
    return ", ".join(told) + (f" ({'; '.join(said)})" if said else "")


def _arguments(value: Any, place: int) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    named = ((_ARGUMENTS.get(name, (name, name))[place], one) for name, one in value.items())
    return ", ".join(f"{name} {one}" for name, one in named if not isinstance(one, Mapping))
