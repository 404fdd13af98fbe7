"""The register of processing that the declarations amount to (RGPD, article 30), under the CNIL's headings."""

from __future__ import annotations

from typing import Any

from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.town import Town
from odpipeline.declaration.words import spell_duration

_WORDS = {
    "keep": "publiée", "drop": "non publiée", "pseudonymise": "pseudonymisée", "generalise": "généralisée",
    "constant": "remplacée par une constante", "round": "arrondie", "coding": "bornée",
    "mask": "masquée pour les personnes physiques", "microaggregate": "remplacée par une moyenne", "noise": "bruitée",
}  # fmt: skip


def register(town: Town) -> list[dict[str, Any]]:
    """One entry for each dataset about persons, its keys being French headings; made of what is declared, no more."""
    return [_entry(dataset, town) for dataset in town.datasets if dataset.personal_data is PersonalData.PRESENT]


def _entry(dataset: Dataset, town: Town) -> dict[str, Any]:
    privacy, system = dataset.privacy, town.systems.get(dataset.source.system or "")
    return {
        "Traitement": f"Publication de données ouvertes : {dataset.title}",
        "Identifiant": dataset.id,
        "Responsable du traitement": f"{town.publisher.name} (SIREN {town.publisher.siren})",
        "Délégué à la protection des données": town.dpo,
        "Service chargé de la mise en œuvre": dataset.owner,
        "Finalité": dataset.description,
        "Base légale": dataset.legal_basis or "",
        "Catégories de personnes": privacy.population or "",
        "Catégories de données": ", ".join(f"{f.title or f.name} ({_role(dataset, f.name)})" for f in dataset.fields),
        "Source": system.title if system else "",
        "Destinataires": "public (données anonymisées)",
        "Durée de conservation des livraisons": spell_duration(dataset.retention),
        "Mesures de sécurité": "; ".join(_measures(dataset, town)),
    }


def _role(dataset: Dataset, column: str) -> str:
    role = dataset.privacy.columns.get(column, "keep")
    if not isinstance(role, Technique):
        return _WORDS[role]
    return ", ".join(_WORDS.get(name, name) for name in role.said)


def _measures(dataset: Dataset, town: Town) -> list[str]:
    privacy, said = dataset.privacy, []
    if privacy.k:
        said.append(f"k-anonymat, k = {privacy.k}, sur {', '.join(privacy.quasi_identifiers)}")
    said += [f"l-diversité de {column}" for column in privacy.diversity]
    said += [f"t-proximité de {column}" for column in privacy.closeness]
    said += [f"secret des petits effectifs de {column} (au moins {n})" for column, n in privacy.small_cells.items()]
    if dataset.approval:
        said.append("publication après accord d’une personne")
    said.append("recherche d’identifiants de personnes dans les fichiers avant publication")
    said.append("livraisons chiffrées" if town.private_key else "livraisons lisibles par le seul service")
    return said
