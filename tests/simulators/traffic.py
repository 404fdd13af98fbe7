"""État du trafic: one JSON document, the road sections nested in it, renewed every five minutes."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from tests.simulators.night import PARIS, Night, chance, local, slot
from tests.simulators.web import as_json

AXES = (
    "Boulevard de la Confluence", "Avenue de la République", "Rue des Tanneurs", "Quai de l’Aubrelle", "Rocade sud",
    "Avenue Jean-Jaurès", "Boulevard des Écoles", "Route de Saint-Amand", "Pont des Bateliers", "Rue du Faubourg-Neuf",
)  # fmt: skip
SECTIONS_PER_AXIS = 6
_SILENT = {"T0103", "T0205", "T0706"}
"""The sections whose loops give nothing on the third night."""


def document(night: Night, moment: datetime) -> bytes:
    """What the traffic control room answers at `moment`."""
    measured = slot(moment)
    random = chance("trafic", night.number, measured)
    hour = measured.astimezone(PARIS).hour + measured.minute / 60
    rush = np.exp(-(((hour - 8.25) / 1.2) ** 2)) + np.exp(-(((hour - 17.75) / 1.6) ** 2))
    sections = [
        _section(axis, number, night, measured, float(rush), random)
        for axis in range(len(AXES))
        for number in range(1, SECTIONS_PER_AXIS + 1)
    ]
    return as_json({"producteur": "Ville d’Aubrelle", "horodatage": local(measured), "data": {"troncons": sections}})


def _section(
    axis: int, number: int, night: Night, measured: datetime, rush: float, random: np.random.Generator
) -> dict[str, object]:
    identifier = f"T{axis + 1:02d}{number:02d}"
    limit = 70 if AXES[axis] == "Rocade sud" else 50
    occupancy = float(np.clip(random.normal(6 + 34 * rush, 7), 0, 95))
    speed = round(float(np.clip(limit * (1.02 - occupancy / 90) + random.normal(0, 2.5), 3, limit + 8)), 1)
    state = "fluide" if occupancy < 18 else "chargé" if occupancy < 35 else "saturé"
    silent = night.breaks and identifier in _SILENT
    seen = measured - timedelta(seconds=int(random.integers(0, 120)))
    return {
        "id_troncon": identifier,
        "axe": AXES[axis],
        "sens": "1" if number % 2 else "2",
        "vitesse_limite": limit,
        "etat": "inconnu" if silent else state,
        "vitesse_moyenne": None if silent else speed,
        "taux_occupation": None if silent else round(occupancy, 1),
        "releve_le": local(seen),
    }
