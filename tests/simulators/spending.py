"""Dépenses: the payment orders of the finance software, some twenty thousand, about forty on a working day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from tests.simulators.budget import CHAPTERS, FUNCTIONS, OPERATING
from tests.simulators.database import Columns
from tests.simulators.night import Night, chance, siret

DAYS = 690
COLUMNS = (
    "numero_mandat", "date_mandat", "exercice", "chapitre", "libelle_chapitre", "nature", "libelle_nature", "fonction",
    "service", "fournisseur", "siret_fournisseur", "objet", "montant_ht", "montant_ttc",
)  # fmt: skip
SERVICES = ("Finances", "Espaces verts", "Voirie", "Bâtiments", "Éducation", "Sports", "Culture", "Informatique",
            "Restauration", "Petite enfance", "Police municipale", "Communication")  # fmt: skip
_TRADES = ("Travaux publics", "Paysages", "Énergies", "Fournitures", "Nettoyage", "Informatique", "Restauration",
           "Électricité", "Menuiserie", "Imprimerie", "Transports", "Signalisation")  # fmt: skip
_PLACES = ("de l’Aubrelle", "du Val", "des Bateliers", "du Plateau", "de la Confluence", "du Centre", "Rhodanienne",
           "du Sud-Est", "des Deux-Rives", "du Faubourg", "Saint-Aubin", "des Cèdres")  # fmt: skip
_FORMS = ("SARL", "SAS", "SA", "SCOP")
SUPPLIERS = [
    (f"{trade} {place} {_FORMS[(t + p) % 4]}", siret(40_000_000 + 104_729 * (t * 12 + p)))
    for t, trade in enumerate(_TRADES)
    for p, place in enumerate(_PLACES)
]
"""Name and SIRET; all are legal persons."""
_OBJECTS = (
    "Facture n° {0}",
    "Situation de travaux n° {1}",
    "Abonnement mensuel",
    "Commande n° {0}",
    "Maintenance annuelle",
)


def orders(night: Night) -> Columns:
    """The payment orders that the software shows on `night`."""
    rows = [row for day in night.days(DAYS) if day.weekday() < 5 for row in _day(night, day)]
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def _day(night: Night, day: date) -> Iterator[tuple[object, ...]]:
    random = chance("depenses", day)
    count = int(random.poisson(41))
    natures = random.choice(list(OPERATING), count).tolist()
    functions = random.choice(list(FUNCTIONS), count).tolist()
    suppliers = np.minimum(random.zipf(1.3, count) - 1, len(SUPPLIERS) - 1).tolist()
    amounts = np.round(random.lognormal(6.6, 1.3, count), 2).tolist()
    luck = random.random(count).tolist()
    age = (night.today - day).days
    for n in range(count):
        if night.number == 1 and age <= 12 and luck[n] < 0.06:
            continue  # entered late: the accountant's signature came on the second night
        net = amounts[n]
        if night.number >= 2 and 20 <= age <= 60 and luck[n] < 0.015:
            net = round(net * 0.9, 2)  # corrected: a rebate was agreed
        name, number = SUPPLIERS[suppliers[n]]
        chapter, label = OPERATING[natures[n]]
        title = _OBJECTS[n % len(_OBJECTS)].format(f"{day:%y%m}{n:03d}", n % 9 + 1)
        yield (
            f"M{day:%Y%m%d}-{n + 1:03d}", day.isoformat(), day.year, chapter, CHAPTERS[chapter], natures[n], label,
            functions[n], SERVICES[n % len(SERVICES)], name, number, title, net, round(net * 1.2, 2),
        )  # fmt: skip
