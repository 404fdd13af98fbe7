"""French types as expectations of our own: `expect_column_values_to_be_valid_siret` and its like.

Each is one SQL condition over the text of a cell, evaluated in the one scan of all rows; `{cell}` stands for it. With
`year`, a code must besides be on that year's list; with `min_value` and `max_value` a coordinate lies between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from odpipeline.quality import code_lists
from odpipeline.quality.territory import FRANCE, bounds

OPENING_HOURS = "odp_opening_hours"
"""The one function that a condition needs in DuckDB; see `opening_hours.register`."""

_DEPARTMENT = "(0[1-9]|1[0-9]|2[1-9AB]|[3-8][0-9]|9[0-5]|97[1-8]|98[4-9])"
_COMMUNE = "((0[1-9]|1[0-9]|2[1-9AB]|[3-8][0-9]|9[0-5])[0-9]{3}|97[1-8][0-9]{2}|98[4-9][0-9]{2})"
_REGIONS = "01|02|03|04|06|11|24|27|28|32|44|52|53|75|76|84|93|94"
_UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@dataclass(frozen=True)
class FrenchType:
    """One type: `condition` is SQL over `{cell}`; `failed` words a failure; `explained` is for the data's owner.

    `takes` names the arguments that may narrow it.
    """

    condition: str
    failed: str
    explained: str
    takes: tuple[str, ...] = ()


BOUNDS = ("min_value", "max_value")


def _within(name: str) -> str:
    """Between the bounds of metropolitan France."""
    least, most = bounds(FRANCE)[name]
    return f"TRY_CAST({{cell}} AS DOUBLE) BETWEEN {least} AND {most}"


def _form(pattern: str) -> str:
    return f"regexp_full_match({{cell}}, '{pattern}')"


def _digit(place: int) -> str:
    return f"(ascii(substr({{cell}}, {place}, 1)) - 48)"


def _luhn(length: int) -> str:
    """Luhn's sum over `length` digits: every second one from the right, the last aside, is doubled (ISO/IEC 7812-1)."""
    terms = [
        f"({_digit(place)} * 2 - CASE WHEN {_digit(place)} > 4 THEN 9 ELSE 0 END)"
        if (length - place) % 2
        else _digit(place)
        for place in range(1, length + 1)
    ]
    return f"({' + '.join(terms)}) % 10 = 0"


def _siret() -> str:
    """INSEE: Luhn's key; the establishments of La Poste (SIREN 356000000) have a sum of digits that five divides."""
    digits = " + ".join(_digit(place) for place in range(1, 15))
    post = f"(starts_with({{cell}}, '356000000') AND ({digits}) % 5 = 0)"
    return f"{_form('[0-9]{14}')} AND ({_luhn(14)} OR {post})"


def _uai() -> str:
    """Ministry of education: the letter is that of the seven digits modulo 23, without I, O and Q."""
    number = "TRY_CAST(substr({cell}, 1, 7) AS BIGINT)"
    letter = f"substr('{_UAI_LETTERS}', CAST({number} % 23 AS BIGINT) + 1, 1) = substr({{cell}}, 8, 1)"
    return f"{_form('[0-9]{7}[A-Z]')} AND {letter}"


_ACTS = (
    "commande publique", "urbanisme", "domaine et patrimoine", "fonction publique", "institutions et vie politique",
    "libertes publiques et pouvoirs de police", "finances locales", "domaines de competences par themes",
    "autres domaines de competences",
)  # fmt: skip
"""The headings of the Actes nomenclature (@CTES), in lower case and without accents."""


def _acts() -> str:
    """SCDL délibérations: a heading in any case and with or without accents, a slash without blanks around it."""
    heading = "strip_accents(lower(left({cell}, position('/' IN {cell}) - 1)))"
    listed = ", ".join(f"'{name}'" for name in _ACTS)
    return f"position('/' IN {{cell}}) > 1 AND {heading} IN ({listed}) AND NOT contains({{cell}}, '/ ')"


FRENCH: dict[str, FrenchType] = {
    "siren": FrenchType(
        f"{_form('[0-9]{9}')} AND {_luhn(9)}", "are no SIREN numbers (9 digits with Luhn's key)",
        "Un numéro SIREN a neuf chiffres, dont le dernier est une clé de contrôle (INSEE).",
    ),
    "siret": FrenchType(
        _siret(), "are no SIRET numbers (14 digits with Luhn's key)",
        "Un numéro SIRET a quatorze chiffres : le SIREN, puis le NIC, dont le dernier est une clé de contrôle (INSEE).",
    ),
    "nic": FrenchType(_form("[0-9]{5}"), "are no NIC (5 digits)", "Un NIC a cinq chiffres (INSEE)."),
    "code_commune": FrenchType(
        _form(_COMMUNE), "are no INSEE codes of communes",
        "Un code commune INSEE a cinq caractères et commence par le département (2A et 2B en Corse) ; ce n’est pas le "
        "code postal.",
    ),
    "code_departement": FrenchType(
        _form(_DEPARTMENT), "are no codes of départements",
        "Un code de département a deux caractères (2A et 2B en Corse), trois outre-mer, le zéro compris.",
    ),
    "code_region": FrenchType(
        _form(f"({_REGIONS})"), "are no codes of regions",
        "Un code de région a deux chiffres et suit le découpage de 2016 (INSEE).",
    ),
    "code_iris": FrenchType(
        _form(f"{_COMMUNE}[0-9]{{4}}"), "are no IRIS codes (commune and 4 digits)",
        "Un code IRIS a neuf caractères : le code commune, puis quatre chiffres (INSEE).",
    ),
    "code_postal": FrenchType(
        _form("(0[1-9]|[1-8][0-9]|9[0-5]|97|98)[0-9]{3}"), "are no post codes",
        "Un code postal a cinq chiffres, le zéro de tête compris.",
    ),
    "code_naf": FrenchType(
        _form("[0-9]{2}[.]?[0-9]{2}[A-Z]"), "are no NAF codes (62.01Z)",
        "Un code NAF a quatre chiffres et une lettre, comme 62.01Z (INSEE).",
    ),
    "rna": FrenchType(
        _form("W[0-9][0-9A-D][0-9]{7}"), "are no RNA numbers (W and 9 characters)",
        "Un numéro RNA commence par W et a dix caractères (répertoire national des associations).",
    ),
    "uai": FrenchType(
        _uai(), "are no UAI codes (7 digits and their letter)",
        "Un code UAI (ex-RNE) a sept chiffres et une lettre de contrôle (ministère de l’Éducation nationale).",
    ),
    "finess": FrenchType(
        f"({_form('[0-9]{9}')} AND {_luhn(9)} OR {_form('2[AB][0-9]{7}')})",
        "are no FINESS numbers (9 digits with Luhn's key)",
        "Un numéro FINESS a neuf caractères, dont le dernier est une clé de contrôle.",
    ),
    "telephone": FrenchType(
        _form("(([+]|00)(33|262|508|590|594|596|681|687|689) ?(\\(0\\))?|0)[1-9]([ .-]?[0-9]{2}){4}"),
        "are no French telephone numbers",
        "Un numéro de téléphone a dix chiffres, ou l’indicatif +33 suivi de neuf chiffres (ARCEP).",
    ),
    "courriel": FrenchType(
        _form("[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+"), "are no mail addresses",
        "Une adresse électronique a la forme nom@domaine.fr.",
    ),
    "url": FrenchType(
        _form("https?://[^\\s/$.?#][^\\s]*"), "are no addresses of the web",
        "Une adresse du web commence par https:// ou http:// et n’a pas de blanc.",
    ),
    "nomenclature_actes": FrenchType(
        _acts(), "do not begin with a heading of the Actes nomenclature and a slash",
        "Une matière d’acte commence par un intitulé de la nomenclature Actes, puis « / » sans espace.",
    ),
    "intervalle_annees": FrenchType(
        f"{_form('[0-9]{4}/[0-9]{4}')} AND left({{cell}}, 4) < right({{cell}}, 4)",
        "are no intervals of years (AAAA/AAAA, the second later)",
        "Un intervalle d’années s’écrit AAAA/AAAA, la seconde année après la première.",
    ),
    "annee_ou_intervalle": FrenchType(
        f"({_form('[0-9]{4}')} OR {_form('[0-9]{4}/[0-9]{4}')} AND left({{cell}}, 4) < right({{cell}}, 4))",
        "are neither years nor intervals of years (AAAA, AAAA/AAAA)",
        "Une année s’écrit AAAA, un intervalle AAAA/AAAA, la seconde année après la première.",
    ),
    "heures_ouverture": FrenchType(
        f"{OPENING_HOURS}({{cell}})", "are no opening hours (Mo-Fr 08:30-12:00; Sa 09:00-12:00)",
        "Des horaires s’écrivent à la manière d’OpenStreetMap : « Mo-Fr 08:30-12:00; Sa 09:00-12:00 ».",
    ),
    "mois": FrenchType(
        _form("[0-9]{4}-(0[1-9]|1[0-2])"), "are no months (AAAA-MM)", "Un mois s’écrit AAAA-MM, comme 2026-03.",
    ),
    "date_iso": FrenchType(
        f"{_form('[0-9]{4}-[0-9]{2}-[0-9]{2}')} AND TRY_CAST({{cell}} AS DATE) IS NOT NULL",
        "are no dates (AAAA-MM-JJ)", "Une date s’écrit AAAA-MM-JJ, comme 2026-03-31 (ISO 8601).",
    ),
    "montant": FrenchType(
        _form("-?[0-9]{1,15}([.,][0-9]{1,2})?"), "are no amounts (digits, two decimals at most, no blanks, no sign €)",
        "Un montant n’a que des chiffres et deux décimales au plus, sans espace ni signe €.",
    ),
    "latitude": FrenchType(
        "abs(TRY_CAST({cell} AS DOUBLE)) <= 90",
        "are no latitudes (−90 to 90, point as the decimal sign), or not in the declared territory",
        "Une latitude va de −90 à 90, avec un point décimal (WGS 84), et se trouve sur le territoire déclaré.", BOUNDS,
    ),
    "longitude": FrenchType(
        "abs(TRY_CAST({cell} AS DOUBLE)) <= 180",
        "are no longitudes (−180 to 180, point as the decimal sign), or not in the declared territory",
        "Une longitude va de −180 à 180, avec un point décimal (WGS 84), et se trouve sur le territoire déclaré.",
        BOUNDS,
    ),
    "x_lambert93": FrenchType(
        _within("x_lambert93"), "are no eastings in Lambert-93 (metres), or not in the declared territory",
        "Une abscisse Lambert-93 est en mètres, avec un point décimal (EPSG:2154), sur le territoire déclaré.", BOUNDS,
    ),
    "y_lambert93": FrenchType(
        _within("y_lambert93"), "are no northings in Lambert-93 (metres), or not in the declared territory",
        "Une ordonnée Lambert-93 est en mètres, avec un point décimal (EPSG:2154), sur le territoire déclaré.", BOUNDS,
    ),
}  # fmt: skip
FRENCH |= {
    name: replace(FRENCH[name], takes=("year",), failed=f"{FRENCH[name].failed}, or not of the year that is asked for")
    for name in code_lists.LISTED
}
"""The types; each is the expectation `expect_column_values_to_be_valid_<name>`."""

PREFIX = "expect_column_values_to_be_valid_"


def condition(name: str, arguments: Mapping[str, Any]) -> str:
    """SQL over `{cell}` that is true for a value of the type `name`, narrowed by `arguments`.

    With `year` it reads the table that `code_lists.register` makes.
    """
    said = f"({FRENCH[name].condition})"
    if (year := arguments.get("year")) is not None:
        code = "left({cell}, 5)" if name == "code_iris" else "{cell}"
        said += f" AND {code} IN (SELECT code FROM {code_lists.table(name, int(year))})"
    for bound, sign in zip(BOUNDS, (">=", "<="), strict=True):
        if (value := arguments.get(bound)) is not None:
            said += f" AND TRY_CAST({{cell}} AS DOUBLE) {sign} {float(value)!r}"
    return said


def metric(name: str) -> str:
    """The metric of Great Expectations' map expectations that counts the values that are not of the type."""
    return f"column_values.valid_{name}"
