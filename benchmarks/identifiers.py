"""A labelled corpus of identifiers of persons, and of what looks like them: generated, the same for the same seed.

Each positive is an identifier with a valid check digit in one of its usual writings, alone or in a sentence; each
negative is what municipal files hold that looks alike: order numbers, amounts, codes, dates, streets and schools.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum import iban, luhn
from stdnum.fr import nif, nir

from odpipeline.privacy.scan.names import FIRST_NAMES

Make = Callable[[random.Random], str]
_PLATE = "ABCDEFGHJKLMNPQRSTVWXYZ"
_LASTS = "Martin Bernard Petit Robert Durand Dubois Moreau Laurent Simon Michel Lefèvre Leroy Roux Bertrand Gall"
_STREETS = [
    "de la République",
    "Victor Hugo",
    "des Lilas",
    "du Général Leclerc",
    "de l’Église",
    "Jean Jaurès",
    "du 8 Mai 1945",
]
_SENTENCES = (
    "{}", "{}", "{}", "Dossier : {}", "appeler le {} avant midi", "({})", "Réf. {} / vu", "usager\u00a0: {}.",
    "contact {}; rappel lundi",
)  # fmt: skip


def _digits(r: random.Random, n: int) -> str:
    return "".join(r.choices(string.digits, k=n))


def _grouped(r: random.Random, text: str, sizes: tuple[int, ...]) -> str:
    sign, parts, at = r.choice(("", " ", "-", "\u00a0", ".")), [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return sign.join(parts)


def _nir(r: random.Random) -> str:
    place = r.choice((f"{r.randint(1, 95):02}", "2A", "2B"))
    place = "21" if place == "20" else place
    body = f"{r.choice('12')}{_digits(r, 2)}{r.randint(1, 12):02}{place}{r.randint(1, 990):03}{r.randint(1, 999):03}"
    return _grouped(r, body + nir.calc_check_digits(body), (1, 2, 2, 2, 3, 3, 2))


def _nif(r: random.Random) -> str:
    while True:
        body = f"{r.choice('0123')}{_digits(r, 9)}"
        number = f"{body}{int(body) % 511:03}"
        if nif.is_valid(number):
            return (
                number if r.random() < 0.5 else f"{number[:2]} {number[2:4]} {number[4:7]} {number[7:10]} {number[10:]}"
            )


def _rib(r: random.Random) -> str:
    bank, branch, account = _digits(r, 5), _digits(r, 5), _digits(r, 11)
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97
    sign = r.choice(("", " "))
    return sign.join((bank, branch, account, f"{key:02}"))


def _iban(r: random.Random) -> str:
    bban = _rib(r).replace(" ", "")
    whole = "FR" + iban.calc_check_digits("FR00" + bban) + bban
    return iban.format(whole) if r.random() < 0.5 else whole


def _card(r: random.Random) -> str:
    body = r.choice(("4", "51", "53", "55")) + _digits(r, 14)
    body = body[:15]
    number = body + luhn.calc_check_digit(body)
    return _grouped(r, number, (4, 4, 4, 4))


def _rpps(r: random.Random) -> str:
    body = "10" + _digits(r, 8)
    return r.choice(("RPPS ", "RPPS : ", "")) + body + luhn.calc_check_digit(body)


def _email(r: random.Random) -> str:
    first = r.choice(("jean", "marie.durand", "p_martin", "claire+mairie", "LEROY"))
    return f"{first}{r.randint(1, 99)}@{r.choice(('orange.fr', 'gmail.com', 'ville-x.fr', 'ac-nantes.fr'))}"


def _phone(r: random.Random) -> str:
    start = r.choice(("01", "02", "03", "04", "05", "06", "07"))
    rest = f"{r.randint(40, 69)}{_digits(r, 6)}"
    number = _grouped(r, start + rest, (2, 2, 2, 2, 2))
    return number if r.random() < 0.6 else r.choice(("+33", "+33 ", "0033 ", "+33(0)")) + number[1:]


def _address(r: random.Random) -> str:
    way = r.choice(("rue", "avenue", "bd", "impasse", "chemin", "allée", "place"))
    return f"{r.randint(1, 180)}{r.choice(('', ' bis', ','))} {way} {r.choice(_STREETS)}"


def _plate(r: random.Random) -> str:
    pair = ["".join(r.choices(_PLATE, k=2)) for _ in range(2)]
    new = r.choice(("-", " ")).join((pair[0], f"{r.randint(1, 999):03}", pair[1]))
    old = f"{r.randint(10, 9999)} {''.join(r.choices(_PLATE, k=2))} {r.randint(1, 95):02}"
    return r.choice((new, new, old)).replace("SS", "AA")


def _document(r: random.Random) -> str:
    number = r.choice((f"{_digits(r, 2)}{''.join(r.choices(_PLATE, k=2))}{_digits(r, 5)}", _digits(r, 12)))
    return r.choice(("passeport ", "Passeport n° ", "carte d’identité ", "CNI : ")).replace("’", "'") + number


def _licence(r: random.Random) -> str:
    return r.choice(("permis ", "permis de conduire n° ", "Permis : ")) + _digits(r, 12)


def _birth(r: random.Random) -> str:
    day = f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/{r.randint(1930, 2015)}"
    words = f"{r.randint(2, 28)} mars {r.randint(1930, 2015)}"
    return r.choice(("né le ", "née le ", "Date de naissance : ", "nés le ")) + r.choice((day, words))


def _ine(r: random.Random) -> str:
    return r.choice((_digits(r, 9) + "".join(r.choices("ABCDEFGHJK", k=2)), _digits(r, 10) + r.choice("ABCDEFGHJK")))


def _coordinates(r: random.Random) -> str:
    return f"{r.uniform(42, 50.9):.6f}{r.choice((', ', ',', ' ', ' ; '))}{r.uniform(-4, 7.9):.6f}"


def _ip(r: random.Random) -> str:
    v4 = ".".join(str(r.randint(1, 254)) for _ in range(4))
    v6 = ":".join(f"{r.randint(1, 65535):x}" for _ in range(8))
    return r.choice((v4, v4, v6))


def _mac(r: random.Random) -> str:
    return r.choice(":-").join(f"{r.randint(0, 255):02X}" for _ in range(6))


def _name(r: random.Random) -> str:
    first, last = r.choice(FIRST_NAMES), r.choice(_LASTS.split())
    return r.choice((f"{first} {last}", f"{last.upper()} {first}", f"Mme {last}", f"M. {first} {last}"))


POSITIVE: dict[str, Make] = {
    "nir": _nir, "nif": _nif, "iban": _iban, "rib": _rib, "card": _card, "rpps": _rpps, "email": _email,
    "phone": _phone, "address": _address, "plate": _plate, "identity_document": _document,
    "driving_licence": _licence, "birth_date": _birth, "ine": _ine, "coordinates": _coordinates, "ip_address": _ip,
    "mac_address": _mac, "name": _name,
}  # fmt: skip
"""Identifier → how one is made."""
CHECKED = ("nir", "nif", "iban", "rib", "card", "rpps")
"""Those with check digits, where a hit is hardly ever an accident."""


def _order(r: random.Random) -> str:
    return f"{r.choice(('BC', 'FAC', 'DEV', 'N° '))}{r.randint(2020, 2026)}-{_digits(r, r.choice((4, 5, 6)))}"


def _amount(r: random.Random) -> str:
    return f"{r.randint(1, 999)} {_digits(r, 3)} {_digits(r, 3)},{_digits(r, 2)} €"


def _place(r: random.Random) -> str:
    kind = r.choice(("Rue", "École", "Collège", "Gymnase", "Place", "Salle", "Groupe scolaire", "Stade", "Avenue"))
    return f"{kind} {r.choice(('Jean Jaurès', 'Marie Curie', 'Jules Ferry', 'Victor Hugo', 'Simone Veil'))}"


NEGATIVE: tuple[Make, ...] = (
    _order, _amount, _place,
    lambda r: _digits(r, 5), lambda r: _digits(r, 8), lambda r: f"{r.uniform(-5, 51):.4f}",
    lambda r: f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/{r.randint(2019, 2026)}",
    lambda r: f"20{r.randint(10, 26)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}T{r.randint(10, 23)}:30:00",
    lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}",
    lambda r: f"{_digits(r, 7)}{r.choice('ABCDEFGHJ')}", lambda r: f"{r.randint(10, 99)}.{r.randint(10, 99)}Z",
    lambda r: f"W{_digits(r, 9)}", lambda r: f"lot n° {r.randint(1, 40)} : voirie et réseaux",
    lambda r: f"version {r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 20)}",
    lambda r: r.choice(("Conseil municipal du mois de mars", "Ville de Saint-Étienne", "Voirie et réseaux")),
    lambda r: f"article L{r.randint(100, 999)}-{r.randint(1, 20)} du code",
    lambda r: f"{r.randint(1, 99)} % des usagers", lambda r: f"Bassin {r.randint(1, 9)}",
    lambda r: f"capteur-{_digits(r, 4)}", lambda r: f"3{_digits(r, 12)}0",
)  # fmt: skip
"""What looks like an identifier and is none."""


def corpus(seed: int, each: int) -> list[tuple[str, str]]:
    """(text, the identifier that it holds, or ""), no text twice: `each` for each identifier, ten times that without.

    What is drawn again is left out, so that there may be somewhat fewer.
    """
    r = random.Random(seed)
    found = [(r.choice(_SENTENCES).format(make(r)), name) for name, make in POSITIVE.items() for _ in range(each)]
    found += [(r.choice(_SENTENCES).format(r.choice(NEGATIVE)(r)), "") for _ in range(each * 10)]
    r.shuffle(found)
    return list(dict(found).items())
