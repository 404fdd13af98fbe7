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
            alternate=layout.privacy_page(release.dataset, other).rpartition("/")[2],
            root="../",
        )
        store.write(layout.privacy_page(release.dataset, language), page.encode())
    return True


def _technique(role: Any, language: Language) -> str:
    place = 0 if language == "fr" else 1
    names = [role] if isinstance(role, str) else list(role)
    told = [_TECHNIQUES.get(name, (name, name))[place] for name in names]
    said = [] if isinstance(role, str) else [_arguments(value) for value in role.values() if _arguments(value)]
    return ", ".join(told) + (f" ({'; '.join(said)})" if said else "")


def _arguments(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {one}" for name, one in value.items() if not isinstance(one, Mapping))
