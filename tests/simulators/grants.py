"""Subventions: grants to associations and to persons. The names and mails of persons come with the data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from tests.simulators.births import BOYS, GIRLS
from tests.simulators.database import Columns
from tests.simulators.night import Night, chance, siret, town_siret

DAYS = 690
COLUMNS = (
    "nomAttribuant", "idAttribuant", "dateConvention", "referenceDecision", "categorieBeneficiaire", "nomBeneficiaire",
    "idBeneficiaire", "nomPersonne", "prenomPersonne", "courriel", "objet", "montant", "nature", "conditionsVersement",
    "datesPeriodeVersement", "notificationUE", "pourcentageSubvention",
)  # fmt: skip
SURNAMES = (
    "Martin", "Bernard", "Dubois", "Thomas", "Robert", "Richard", "Petit", "Durand", "Leroy", "Moreau", "Simon",
    "Laurent", "Lefebvre", "Michel", "Garcia", "David", "Bertrand", "Roux", "Vincent", "Fournier", "Morel", "Girard",
    "André", "Mercier", "Dupont", "Lambert", "Bonnet", "François", "Martinez", "Legrand", "Garnier", "Faure",
    "Rousseau", "Blanc", "Guérin", "Muller", "Henry", "Roussel", "Nicolas", "Perrin", "Morin", "Mathieu", "Clément",
    "Gauthier", "Dumont", "Lopez", "Fontaine", "Chevalier", "Robin", "Masson", "Sanchez", "Gérard", "Nguyen", "Boyer",
    "Denis", "Lemaire", "Duval", "Joly", "Gautier", "Roger", "Roche", "Roy", "Noël", "Meyer", "Lucas", "Meunier",
    "Jean", "Perez", "Marchand", "Dufour", "Blanchard", "Marie", "Barbier", "Brun", "Dumas", "Brunet", "Schmitt",
    "Leroux", "Colas", "Fernandez",
)  # fmt: skip
_AIMS = {
    "Amicale": "Fonctionnement annuel", "Club": "Soutien à la pratique sportive des jeunes",
    "Compagnie": "Création et diffusion d’un spectacle", "Comité": "Organisation de la fête de quartier",
    "Union": "Formation des bénévoles", "Harmonie": "Fonctionnement de l’école de musique",
    "Atelier": "Actions d’insertion par l’activité", "Jardins": "Entretien de jardins partagés",
}  # fmt: skip
_OF = ("des Tilleuls", "du Port", "de l’Aubrelle", "des Cèdres", "Jean-Jaurès", "du Centre", "de la Gare",
       "des Écluses", "du Vieux-Pont", "des Trois-Rivières", "Saint-Aubin", "du Faubourg")  # fmt: skip
ASSOCIATIONS = [
    (f"{kind} {of}", aim, siret(77_000_000 + 15_485 * (k * 12 + o)))
    for k, (kind, aim) in enumerate(_AIMS.items())
    for o, of in enumerate(_OF)
]
_TO_PERSONS = (
    "Bourse au permis de conduire",
    "Aide à l’achat d’un vélo",
    "Bourse d’études",
    "Aide à la rénovation de façade",
)


def grants(night: Night) -> Columns:
    """The grants that the software shows on `night`; two amounts are corrected on the second."""
    rows = [row for day in night.days(DAYS) if day.weekday() < 5 for row in _day(night, day)]
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def _day(night: Night, day: date) -> Iterator[tuple[object, ...]]:
    random = chance("subventions", day)
    for number in range(1, int(random.poisson(2.4)) + 1):
        to_person = random.random() < 0.4
        amount = float(random.choice([200, 250, 300, 500, 800]))
        if not to_person:
            amount = round(float(random.lognormal(8, 0.9)), -2) + 100
        corrected = night.number >= 2 and number == 1 and (night.today - day).days in (30, 31, 32, 33)
        beneficiary, aim = _person(random) if to_person else _association(random)
        yield (
            "Ville d’Aubrelle", town_siret(), day.isoformat(), f"D{day:%Y%m%d}-{number:02d}",
            "personne physique" if to_person else "association", *beneficiary, aim,
            amount + (50.0 if corrected else 0.0), "aide en numéraire",
            "unique" if to_person or amount < 5000 else "échelonné", day.isoformat(), 0, 1.0,
        )  # fmt: skip


def _person(random: np.random.Generator) -> tuple[tuple[object, ...], str]:
    first = str(random.choice(GIRLS if random.random() < 0.5 else BOYS))
    last = str(random.choice(SURNAMES))
    mail = f"usager{int(random.integers(10_000, 99_999))}@messagerie.example"
    return (None, None, last, first, mail), str(random.choice(_TO_PERSONS))


def _association(random: np.random.Generator) -> tuple[tuple[object, ...], str]:
    name, aim, number = ASSOCIATIONS[int(random.integers(0, len(ASSOCIATIONS)))]
    return (name, number, None, None, None), aim
