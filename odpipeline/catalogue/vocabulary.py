"""The concepts of the EU's controlled vocabularies that the catalogue uses, with their French labels.

Authority tables of the Publications Office of the European Union: data-theme, frequency, file-type, language,
access-right, planned-availability, licence. DCAT-AP 3.0.1 asks for their URIs; its shapes want each concept described.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from croniter import croniter

AUTHORITY = "http://publications.europa.eu/resource/authority/"
"""What every concept's URI begins with."""

THEMES: Mapping[str, str] = {
    "AGRI": "Agriculture, pêche, sylviculture et alimentation",
    "ECON": "Économie et finances",
    "EDUC": "Éducation, culture et sport",
    "ENER": "Énergie",
    "ENVI": "Environnement",
    "GOVE": "Gouvernement et secteur public",
    "HEAL": "Santé",
    "INTR": "Questions internationales",
    "JUST": "Justice, système juridique et sécurité publique",
    "OP_DATPRO": "Données provisoires",
    "REGI": "Régions et villes",
    "SOCI": "Population et société",
    "TECH": "Science et technologie",
    "TRAN": "Transports",
}
"""data-theme."""

FREQUENCIES: Mapping[str, str] = {
    "1MIN": "chaque minute",
    "5MIN": "toutes les cinq minutes",
    "10MIN": "toutes les dix minutes",
    "15MIN": "toutes les quinze minutes",
    "30MIN": "toutes les trente minutes",
    "HOURLY": "toutes les heures",
    "BIHOURLY": "toutes les deux heures",
    "TRIHOURLY": "toutes les trois heures",
    "12HRS": "toutes les douze heures",
    "DAILY": "quotidienne",
    "WEEKLY": "hebdomadaire",
    "MONTHLY": "mensuelle",
    "QUARTERLY": "trimestrielle",
    "ANNUAL": "annuelle",
    "OTHER": "autre",
}
"""frequency."""

LICENCES: Mapping[str, str] = {
    "etalab-2.0": "https://spdx.org/licenses/etalab-2.0",
    "ODbL-1.0": f"{AUTHORITY}licence/ODC_BL",
}
"""Licence → URI; the EU's table does not hold the Licence Ouverte, SPDX's list does."""

LANGUAGES: Mapping[str, str] = {"fr": "FRA", "en": "ENG", "de": "DEU", "es": "SPA", "it": "ITA", "nl": "NLD"}
"""ISO 639-1 → language."""

_LENGTHS: tuple[tuple[timedelta, str], ...] = (
    (timedelta(minutes=1), "1MIN"),
    (timedelta(minutes=5), "5MIN"),
    (timedelta(minutes=10), "10MIN"),
    (timedelta(minutes=15), "15MIN"),
    (timedelta(minutes=30), "30MIN"),
    (timedelta(hours=1), "HOURLY"),
    (timedelta(hours=2), "BIHOURLY"),
    (timedelta(hours=3), "TRIHOURLY"),
    (timedelta(hours=12), "12HRS"),
    (timedelta(days=1), "DAILY"),
    (timedelta(days=7), "WEEKLY"),
)
_LONG: tuple[tuple[int, int, str], ...] = ((28, 31, "MONTHLY"), (89, 92, "QUARTERLY"), (365, 366, "ANNUAL"))
_A_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def frequency(schedule: str) -> str:
    """The code of `frequency` for a declared schedule: `nightly`, or a cron expression.

    It is the shortest time between two of the next eight runs, so that “every five minutes, by day” is 5MIN.
    """
    if schedule == "nightly":
        return "DAILY"
    runs = croniter(schedule, _A_MONDAY)
    times: list[datetime] = [runs.get_next(datetime) for _ in range(8)]
    shortest = min(later - earlier for earlier, later in pairwise(times))
    for length, code in _LENGTHS:
        if shortest == length:
            return code
    return next((code for low, high, code in _LONG if low <= shortest.days <= high), "OTHER")
