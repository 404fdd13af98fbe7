"""The score of a release in the W3C's Data Quality Vocabulary (DQV, Working Group Note of 15 December 2016).

Each measurement says what it was computed on, of which metric it is, and its value; each metric is in a dimension of
the Linked Data Quality Dimensions (Zaveri et al., 2016), whose names are those of `quality.score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from odpipeline.store import Release

Node = dict[str, Any]

PREFIXES: Mapping[str, str] = {"dqv": "http://www.w3.org/ns/dqv#"}
"""The prefixes that these nodes need besides the catalogue's."""

_LDQD = "http://www.w3.org/2016/05/ldqd#"
_DIMENSIONS: Mapping[str, tuple[str, str, str]] = {
    "completeness": ("completeness", "Complétude", "Part des valeurs obligatoires qui sont renseignées."),
    "validity": ("syntacticValidity", "Validité", "Part des lignes lisibles et des valeurs conformes à leurs règles."),
    "uniqueness": ("conciseness", "Unicité", "Part des identifiants et des valeurs sans doublon."),
    "consistency": ("consistency", "Cohérence", "Part des règles entre colonnes et avec le passé qui sont respectées."),
    "timeliness": ("timeliness", "Fraîcheur", "Âge des données par rapport à la promesse faite au public."),
}  # fmt: skip
"""Dimension of the score → its name in the LDQD, French label, French definition."""
_SCORE = "Moyenne pondérée des dimensions mesurées, de 0 à 100, arrondie vers le bas."


def measurements(release: Release, dataset: str, base: str) -> list[Node]:
    """The measurements of `release`, computed on the node `dataset`; none for a release without a score."""
    score = release.quality.get("score")
    if not score or score["value"] is None:
        return []
    found = [("score", {"@type": "xsd:integer", "@value": str(score["value"])})]
    found += [
        (part["dimension"], {"@type": "xsd:decimal", "@value": str(part["value"])})
        for part in score["components"]
        if part["value"] is not None
    ]
    return [
        {
            "@id": f"{dataset}#quality-{name}",
            "@type": "dqv:QualityMeasurement",
            "dqv:computedOn": {"@id": dataset},
            "dqv:isMeasurementOf": {"@id": f"{base}/#quality-{name}"},
            "dqv:value": value,
        }
        for name, value in found
    ]


def metrics(base: str) -> list[Node]:
    """The metrics of all measurements and their dimensions: the same for every dataset of a catalogue."""
    every = [{"@id": _LDQD + name} for name, _, _ in _DIMENSIONS.values()]
    nodes: list[Node] = [_metric(base, "score", "Score de qualité", _SCORE, "xsd:integer", every)]
    for dimension, (name, label, definition) in _DIMENSIONS.items():
        nodes.append(_metric(base, dimension, label, definition, "xsd:decimal", [{"@id": _LDQD + name}]))
        nodes.append({"@id": _LDQD + name, "@type": "dqv:Dimension", "skos:prefLabel": _french(label)})
    return nodes


def _metric(base: str, name: str, label: str, definition: str, datatype: str, dimensions: list[Node]) -> Node:
    return {
        "@id": f"{base}/#quality-{name}",
        "@type": "dqv:Metric",
        "skos:prefLabel": _french(label),
        "skos:definition": _french(definition),
        "dqv:expectedDataType": {"@id": datatype},
        "dqv:inDimension": dimensions,
    }


def _french(text: str) -> Node:
    return {"@language": "fr", "@value": text}
