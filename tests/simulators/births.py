"""Prénoms des nouveau-nés: a yearly CSV of the registry office; it does not change from night to night."""

from __future__ import annotations

import numpy as np

from tests.simulators.night import chance

YEARS = range(2021, 2026)
GIRLS = (
    "Jade", "Louise", "Alba", "Ambre", "Emma", "Alma", "Rose", "Alice", "Romy", "Anna", "Lina", "Léna", "Mia", "Lou",
    "Julia", "Chloé", "Agathe", "Iris", "Nina", "Juliette", "Victoire", "Adèle", "Olivia", "Zoé", "Léonie", "Inaya",
    "Charlie", "Romane", "Léa", "Inès", "Lucie", "Victoria", "Margaux", "Jeanne", "Eva", "Sofia", "Mila", "Giulia",
    "Camille", "Charlotte", "Sarah", "Lyana", "Élise", "Manon", "Lola", "Nour", "Capucine", "Maryam", "Margot", "Assia",
    "Apolline", "Louna", "Valentine", "Clémence", "Céleste", "Alix", "Héloïse", "Myla", "Rosalie", "Aya", "Maëlle",
    "Éléonore", "Yasmine", "Suzanne", "Roxane", "Livia", "Gabrielle", "Marie", "Lily", "Mathilde", "Constance",
    "Noémie", "Alya", "Océane", "Salomé", "Diane", "Joséphine", "Augustine", "Faustine", "Blanche", "Safia", "Thaïs",
    "Garance", "Maïa", "Anaé", "Billie", "Colette", "Hanna", "Soline", "Zélie", "Lison", "Ysé", "Calie", "Ophélie",
    "Philippine", "Bérénice", "Aliénor", "Honorine", "Marcelline", "Perrine",
)  # fmt: skip
BOYS = (
    "Gabriel", "Raphaël", "Léo", "Louis", "Maël", "Noah", "Jules", "Adam", "Arthur", "Isaac", "Liam", "Sacha", "Eden",
    "Lucas", "Hugo", "Gabin", "Naël", "Mohamed", "Aaron", "Paul", "Ethan", "Noé", "Marceau", "Malo", "Nathan", "Tom",
    "Marius", "Victor", "Léon", "Théo", "Robin", "Martin", "Mathis", "Ayden", "Lyam", "Nino", "Côme", "Timéo", "Rayan",
    "Milo", "Camille", "Ibrahim", "Axel", "Augustin", "Antoine", "Eliott", "Valentin", "Imran", "Gaspard", "Yanis",
    "Clément", "Samuel", "Simon", "Rafael", "Amir", "Basile", "Auguste", "Tiago", "Soan", "Maxence", "Ismaël",
    "Alessio", "Evan", "Owen", "Charly", "Oscar", "Anatole", "Thomas", "Alexandre", "Enzo", "Joseph", "Ayoub", "Nolan",
    "Baptiste", "Swann", "Youssef", "Achille", "Ilyan", "Lenny", "Célestin", "Thibault", "Ernest", "Félix", "Ulysse",
    "Kenzo", "Zacharie", "Constant", "Abel", "Achraf", "Jean", "Corentin", "Edgar", "Barthélémy", "Siméon", "Ferdinand",
    "Octave", "Anselme", "Hippolyte", "Théophile", "Lancelot",
)  # fmt: skip


def first_names() -> bytes:
    """One line for each year, sex and first name, from the frequent to the rare, as a Zipf law has it."""
    lines = ["annee;sexe;prenom;nombre"]
    for year in YEARS:
        for sex, names, births in (("F", GIRLS, 690), ("M", BOYS, 725)):
            random = chance("prenoms", year, sex)
            weights = 1 / (np.arange(len(names)) + 4.0) ** 0.95 * random.uniform(0.75, 1.3, len(names))
            counts = random.multinomial(births, weights / weights.sum())
            ranked = sorted(zip(names, counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
            lines += [f"{year};{sex};{name};{count}" for name, count in ranked if count]
    return ("\n".join(lines) + "\n").encode()
