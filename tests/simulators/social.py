"""Aides sociales: the case files of the social services. Sensitive: names, mails, ages, neighbourhoods."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from tests.simulators.births import BOYS, GIRLS
from tests.simulators.database import Columns
from tests.simulators.grants import SURNAMES
from tests.simulators.night import COMMUNE, Night, chance

CASES = 4800
NEW_EACH_NIGHT = 60
COLUMNS = (
    "numero_dossier", "nom", "prenom", "courriel", "sexe", "age", "iris", "type_aide", "montant_mensuel",
    "date_decision",
)  # fmt: skip
QUARTERS = ("Centre", "Port", "Tilleuls", "Cèdres", "Faubourg", "Université")
IRIS = [f"{COMMUNE}{quarter + 1:02d}{n:02d}" for quarter in range(len(QUARTERS)) for n in (1, 2, 3)]
"""Three IRIS for each quarter; `hierarchies/iris.csv` says which."""
KINDS = ("aide alimentaire", "aide au logement", "aide à l’énergie", "aide à la mobilité", "aide à la garde d’enfant")
_AGED_SHARE = 0.008
"""The share of persons of 80 and more, too few in each quarter to be published at k = 11: they are suppressed."""


def cases(night: Night) -> Columns:
    """The case files open on `night`: some new ones each night, and a few moves and corrected ages."""
    count = CASES + NEW_EACH_NIGHT * (night.number - 1)
    random = chance("aides")
    draws = [random.spawn(1)[0] for _ in range(count)]
    rows = [_case(number, night, draw) for number, draw in enumerate(draws)]
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def _case(number: int, night: Night, random: np.random.Generator) -> tuple[object, ...]:
    woman = random.random() < 0.57
    aged = random.random() < _AGED_SHARE
    age = int(random.integers(80, 90) if aged else np.clip(random.gamma(9, 5), 20, 79))
    iris = IRIS[int(random.integers(0, len(IRIS)))]
    amount = round(float(np.clip(random.gamma(4, 38), 15, 620)), 2)
    decided = night.today - timedelta(days=int(random.integers(5, 330)))
    if night.number >= 2 and number % 400 == 7:
        iris = IRIS[(IRIS.index(iris) + 4) % len(IRIS)]
    first, last = str(random.choice(GIRLS if woman else BOYS)), str(random.choice(SURNAMES))
    mail = f"usager{number:05d}@messagerie.example"
    kind = KINDS[int(random.integers(0, len(KINDS)))]
    return (
        f"AS-{number + 1:06d}", last, first, mail, "F" if woman else "M", age, iris, kind, amount, decided.isoformat(),
    )  # fmt: skip
