"""Énergie des bâtiments publics: the building department's own export, with its dirt.

Windows-1252, semicolons, decimal commas with no-break blanks between thousands, French dates, a totals row at the end.
"""

from __future__ import annotations

import re
from datetime import date

import numpy as np

from tests.simulators.night import Night, chance

BUILDINGS = (
    "Hôtel de Ville", "Centre technique municipal", "Médiathèque centrale", "Bibliothèque des Tilleuls",
    "Piscine des Trois-Rivières", "Patinoire Émile-Zola", "Musée des Beaux-Arts", "Musée de la Batellerie",
    "Théâtre de l’Écluse", "Conservatoire", "Gymnase Coubertin", "Gymnase des Cèdres", "Gymnase Léo-Lagrange",
    "Stade nautique", "École maternelle Les Hirondelles", "École maternelle Prévert", "École maternelle du Port",
    "École élémentaire Jules-Ferry", "École élémentaire Marie-Curie", "École élémentaire du Port",
    "École élémentaire Les Tilleuls", "Groupe scolaire Simone-Veil", "Crèche Les Petits Bateliers",
    "Crèche Arc-en-ciel", "Centre social Nord", "Centre social des Cèdres", "Maison des associations",
    "Maison de l’enfance", "Cuisine centrale", "Cimetière paysager", "Police municipale", "Espace jeunesse",
    "Résidence autonomie du Parc", "Salle des fêtes", "Archives municipales", "Halles", "Serres municipales",
    "Église Saint-Aubin", "Office de tourisme", "Centre communal d’action sociale",
)  # fmt: skip
ENERGIES = ("électricité", "gaz naturel", "réseau de chaleur")
_APPETITE = np.array([9.0 if re.match("Piscine|Patinoire|Stade nautique", name) else 1.0 for name in BUILDINGS])
"""Water and ice take several times what offices take."""
DAYS = 175
BROKEN_SHARE = 0.004
"""The share of rows with an unreadable cell on the second night: below the ceiling of 1 %."""
HEADER = "N° compteur;Bâtiment;Énergie;Date du relevé;Consommation (kWh);Température ext. (°C)"


def readings(night: Night) -> bytes:
    """One line for each meter and day, then the total of all."""
    random = chance("energie", "dirt", night.number)
    lines, total = [HEADER], 0.0
    for day in night.days(DAYS):
        warmth, used = _day(day)
        total += float(used.sum())
        for number, kwh in enumerate(used.tolist()):
            when, amount = f"{day:%d/%m/%Y}", french(kwh)
            if night.number == 2 and random.random() < BROKEN_SHARE:
                when, amount = _broken(when, amount, int(random.integers(0, 3)))
            if random.random() < 0.003:
                amount = "n.d."
            lines.append(f"{_meter(number)};{BUILDINGS[number]};{_energy(number)};{when};{amount};{french(warmth)}")
    lines.append(f";TOTAL GÉNÉRAL;;;{french(total)};")
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")


def french(number: float) -> str:
    """`number` with one decimal, a comma, and no-break blanks between thousands."""
    return f"{number:,.1f}".replace(",", "\xa0").replace(".", ",")


def _day(day: date) -> tuple[float, np.ndarray]:
    """The day's mean temperature in °C and each building's consumption in kWh."""
    random = chance("energie", day)
    season = np.cos((day.timetuple().tm_yday - 20) / 365.25 * 2 * np.pi)
    warmth = float(11.5 - 8.5 * season + random.normal(0, 2.2))
    size = chance("energie", "buildings").lognormal(5.4, 0.6, len(BUILDINGS)) * _APPETITE
    heated = np.array([_energy(number) != ENERGIES[0] for number in range(len(BUILDINGS))])
    cold = max(0.0, 17 - warmth) / 10
    open_today = 1.0 if day.weekday() < 5 else 0.55
    used = size * np.where(heated, 0.12 + 1.6 * cold, 0.8 + 0.15 * cold) * open_today
    return round(warmth, 1), np.round(used * random.normal(1, 0.06, len(BUILDINGS)).clip(0.5), 1)


def _broken(when: str, amount: str, how: int) -> tuple[str, str]:
    """What spreadsheets and meters do to a cell."""
    return ((when, "#VALEUR!"), (f"31/02/{when[-4:]}", amount), (when, "défaut capteur"))[how]


def _meter(number: int) -> str:
    return f"{'EGR'[number % 3]}{number + 1:04d}"


def _energy(number: int) -> str:
    return ENERGIES[number % 3]
