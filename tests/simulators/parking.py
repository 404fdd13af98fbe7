"""Disponibilité des parkings: a paginated API behind a token, renewed every five minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from tests.simulators.night import COMMUNE, PARIS, Night, chance, local, slot
from tests.simulators.web import JSON, Answer, as_json

PATH = "/v1/parkings"
PAGE_SIZE = 4
FROZEN = timedelta(hours=3)
"""How old the feed is on the third night, when the car parks' gateway has stopped forwarding."""

PARKINGS = (
    ("Hôtel de Ville", 412, 4.8357, 45.9131), ("Gare", 655, 4.8421, 45.9078), ("Halles", 238, 4.8334, 45.9145),
    ("Cathédrale", 190, 4.8309, 45.9160), ("Théâtre", 305, 4.8372, 45.9167), ("Quai Nord", 520, 4.8402, 45.9202),
    ("Médiathèque", 144, 4.8288, 45.9119), ("Université", 380, 4.8499, 45.9031),
    ("Parc relais Sud", 720, 4.8266, 45.8967), ("Parc relais Est", 560, 4.8577, 45.9112),
)  # fmt: skip
"""Name, places, longitude, latitude (WGS 84)."""


def availability(night: Night, moment: datetime) -> list[dict[str, object]]:
    """The car parks as they were last heard of at `moment`."""
    measured = slot(moment) - (FROZEN if night.breaks else timedelta())
    random = chance("parkings", night.number, measured)
    hour = measured.astimezone(PARIS).hour + measured.minute / 60
    return [_parking(number, hour, measured, random) for number in range(len(PARKINGS))]


def page(night: Night, moment: datetime, query: Mapping[str, str]) -> Answer | None:
    """One page of `PAGE_SIZE` car parks; the entity tag is that of all of them, so that page 1 speaks for all."""
    parkings = availability(night, moment)
    wanted = query.get("page", "1")
    last = -(-len(parkings) // PAGE_SIZE)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= last:
        return None
    number = int(wanted)
    document = {
        "total": len(parkings),
        "results": parkings[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        "next": f"{PATH}?page={number + 1}" if number < last else None,
    }
    return Answer(as_json(document), JSON, state=as_json([number, parkings]))


def _parking(number: int, hour: float, measured: datetime, random: np.random.Generator) -> dict[str, object]:
    name, places, longitude, latitude = PARKINGS[number]
    centre = 1.5 if name.startswith("Parc relais") else 4.0
    filled = 0.18 + 0.68 * float(np.exp(-(((hour - 14.5) / centre) ** 2))) + float(random.normal(0, 0.04))
    free = int(np.clip(round(places * (1 - filled)), 0, places))
    return {
        "id": f"{COMMUNE}-P-{number + 1:03d}",
        "nom": name,
        "places_totales": places,
        "places_libres": free,
        "etat": "complet" if free == 0 else "ouvert",
        "longitude": longitude,
        "latitude": latitude,
        "releve_le": local(measured),
    }
