"""What identifies a person in France: the form of each identifier, and whether a candidate really is one.

A detector finds candidates with a pattern (RE2, run by DuckDB over all cells), and judges the distinct ones with a
check digit or a library. `chance` is how often a number of that form passes by accident: a column of order numbers
must not be taken for one of bank cards because every tenth passes Luhn.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn
from stdnum.fr import nif, nir, siret

from odpipeline.privacy.scan.names import FIRST_NAMES

_SEPARATED = "[ .-]?"
_START = r"(?:^|[^0-9A-Za-z])"


@dataclass(frozen=True)
class Detector:
    """`pattern` has one group, the candidate, of which `valid` judges the text.

    `sure`: a hit refuses; otherwise it refuses only where persons are concerned, or where a whole column is made of it.
    `persons`: it is looked for only in datasets about persons, as what it finds is usual in the others.
    `hint`: found in every text in which `pattern` is, and made ready in no time, where the pattern takes long for that.
    """

    name: str
    pattern: str
    valid: Callable[[str], bool]
    chance: float = 0.0
    sure: bool = True
    persons: bool = False
    hint: str = ""


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _compact(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text).upper()


def _always(_: str) -> bool:
    return True


def _nir(text: str) -> bool:
    """The key is 97 minus the rest by 97, where Corsica's 2A and 2B count as 19 and 18 (INSEE)."""
    return bool(nir.is_valid(_compact(text)))


def _nif(text: str) -> bool:
    """The last three digits are the rest of the others by 511 (DGFiP)."""
    return bool(nif.is_valid(_digits(text)))


def _iban(text: str) -> bool:
    """ISO 13616, with the length of its country; what follows in the text may look like more of it."""
    plain = _compact(text)
    return any(iban.is_valid(plain[:end], check_country=False) for end in range(len(plain), 14, -1))


def _rib(text: str) -> bool:
    """Bank, branch, account and key: 89 b + 15 g + 3 c + key is a multiple of 97 (Comité français d'organisation)."""
    plain = _compact(text)
    known = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")
    account = plain.translate(known)
    if len(account) != 23 or not account.isdigit():
        return False
    bank, branch, number, key = (int(account[a:b]) for a, b in ((0, 5), (5, 10), (10, 21), (21, 23)))
    return (89 * bank + 15 * branch + 3 * number + key) % 97 == 0 and len(set(plain)) > 2


def _card(text: str) -> bool:
    """Luhn's key, behind the prefix of a scheme that is used in France (ISO/IEC 7812)."""
    number = _digits(text)
    schemes = re.fullmatch(r"4\d{15}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|(?:50|5[6-9]|6)\d{14,17}", number)
    return bool(schemes) and bool(luhn.is_valid(number)) and len(set(number)) > 2


def _rpps(text: str) -> bool:
    """Luhn's key over eleven digits (annuaire santé, identification nationale)."""
    return bool(luhn.is_valid(_digits(text)[-11:]))


def _siret(text: str) -> bool:
    return bool(siret.is_valid(_digits(text)))


def _phone(text: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(re.sub(r"\s", " ", text), "FR"))
    except phonenumbers.NumberParseException:
        return False


def _ip(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_unspecified or found.is_loopback)


_SAID_BEFORE = """
rue avenue boulevard place allée allées impasse chemin quai cours square esplanade école ecole collège college lycée
lycee gymnase stade salle espace parc jardin centre crèche creche médiathèque mediatheque bibliothèque théâtre
theatre piscine maison résidence residence pont passage villa fondation institut hôpital hopital groupe rond-point
saint sainte st ste prix fête musée cité scolaire élémentaire elementaire maternelle primaire municipal municipale
bd bld av pl imp ch rte r route faubourg sentier montée hameau traverse général maréchal président sportif social
sociale culturel culturelle polyvalente nautique aquatique arrêt station quartier parking
"""
"""What comes before the name of somebody who is no more: streets and schools bear names, and nobody is told by them."""


def _plain(text: str) -> str:
    """Small letters without accents: lists in capitals have none."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold()


_FIRST = frozenset(map(_plain, FIRST_NAMES))
_PLACES = frozenset(map(_plain, _SAID_BEFORE.split()))
_TITLES = r"M[.]|MM[.]|Mr|Mme|Mlle|Monsieur|Madame|Mademoiselle|Dr|Docteur|Me|Maître"
_WORD = r"[\p{Lu}][\p{L}'’-]+"


def _name(text: str) -> bool:
    """A first name of the list beside a capitalised word, or a title before one; not the name of a street or school."""
    words = re.findall(r"[^\W\d_][\w'’.-]*", text)
    if any(_plain(word) in _PLACES for word in words):
        return False
    while words and words[0][0].islower():
        words.pop(0)
    if len(words) < 2:
        return False
    if re.fullmatch(_TITLES, words[0]) or words[0] + "." in ("M.", "MM."):
        return True
    return any(_plain(part) in _FIRST for word in words for part in (word, *word.split("-")))


_STREET = (
    r"rue|r[.]|avenue|av[.]?|boulevard|bd|bld|place|pl[.]|all[ée]es?|impasse|imp[.]|chemin|ch[.]|quai|cours|square|"
    r"route|rte|faubourg|fg|passage|r[ée]sidence|lotissement|villa|sentier|mont[ée]e|esplanade|hameau|traverse"
)

DETECTORS: tuple[Detector, ...] = (
    Detector(
        "nir",
        rf"{_START}([1-478]{_SEPARATED}\d{{2}}{_SEPARATED}(?:0[1-9]|1[0-2]|20|3[0-9]|4[0-2]){_SEPARATED}"
        rf"(?:\d{{2}}|2[ABab]){_SEPARATED}\d{{3}}"
        rf"{_SEPARATED}\d{{3}}[ .-]?(?:/ ?)?\d{{2}})\b",
        _nir, 1 / 97,
    ),
    Detector("nif", rf"{_START}([0-3]\d ?\d{{2}} ?\d{{3}} ?\d{{3}} ?\d{{3}})\b", _nif, 1 / 511),
    Detector("iban", rf"{_START}([A-Za-z]{{2}}\d{{2}}(?:[ -]?[A-Za-z0-9]{{4}}){{3,7}}(?:[ -]?[A-Za-z0-9]{{1,3}})?)\b",
             _iban, 1 / 97),
    Detector("rib", rf"{_START}(\d{{5}}[ -]?\d{{5}}[ -]?[0-9A-Z]{{11}}[ -]?\d{{2}})\b", _rib, 1 / 97),
    Detector(
        "card",
        rf"{_START}(\d{{4}}(?:[ .-]?\d{{4}}){{2}}[ .-]?\d{{1,7}}|3[47]\d{{2}}[ .-]?\d{{6}}[ .-]?\d{{5}})\b",
        _card, 1 / 10,
    ),
    Detector("rpps", rf"{_START}((?i:rpps)[^0-9]{{0,20}}\d{{11}}|10\d ?\d{{3}} ?\d{{3}} ?\d{{2}})\b", _rpps, 1 / 10),
    Detector("siret", rf"{_START}(\d{{3}} ?\d{{3}} ?\d{{3}} ?\d{{5}})\b", _siret, 1 / 10, sure=False, persons=True),
    Detector("email", r"([A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)*[.][A-Za-z]{2,})", _always),
    Detector(
        "phone",
        r"(?:^|[^0-9][ ./-]|[^0-9A-Za-z+ ./-]|(?i:t[ée]l|port|mob|fax))"
        r"((?:[(]?(?:[+] ?|00)(?:33|262|508|590|594|596)[)]? ?(?:[(]0[)])?[ .-]?|0[ \t]?)"
        r"[1-9](?:[ ./\t-]{0,3}\d){8})(?:$|[^0-9A-Za-z ./-]|[ ./-]+(?:$|[^0-9 ./-]))",
        _phone,
    ),
    Detector(
        "address",
        rf"{_START}(\d{{1,4}}(?: ?(?:bis|ter|quater|[A-Da-d]))?,? ?(?i:{_STREET})\s+\p{{L}}[\p{{L}} '’-]+)", _always,
        sure=False, persons=True,
    ),
    Detector(
        "plate",
        rf"{_START}([A-HJ-NP-TV-Z]{{2}}[ -]?\d{{3}}[ -]?[A-HJ-NP-TV-Z]{{2}}|\d{{2,4}}[ -][A-HJ-NP-TV-Z]{{2,3}}[ -]"
        r"(?:0[1-9]|[1-8]\d|9[0-5]|2[AB]))(?:$|[^0-9A-Za-z-])",
        lambda t: not re.match(r"SS|..?[ -]?000", t), sure=False,
    ),
    Detector(
        "identity_document",
        r"(?i:passeports?|carte (?:nationale )?d['’ ]identit[ée]|\bcni|titre de s[ée]jour)\P{N}{0,24}"
        r"(\d{2}[A-Za-z]{2}\d{5}|\d{12}|[A-Za-z0-9]{9})\b",
        lambda t: bool(re.search(r"\d{2}", t)), hint="(?i:passeport|identit|cni|titre de s)",
    ),
    Detector("driving_licence", r"(?i:permis(?: de conduire)?)\P{N}{0,20}(\d{2}[A-Za-z]{2}\d{5}|\d{12})\b", _always,
             hint="(?i:permis)"),
    Detector(
        "birth_date",
        r"(?:(?:^|[^\p{L}])(?i:n[ée]e?s?)[^\p{N}\p{L}]\P{N}{0,40}|(?i:naissance)\P{N}{0,16})"
        r"(\d{1,2}[/. -]\d{1,2}[/. -]\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:er)? \p{L}{3,9}[.]? \d{4})",
        _always, hint=r"(?:^|[^\p{L}])(?i:n[ée]e?s?)[^\p{N}\p{L}]|(?i:naissance)",
    ),
    Detector("ine", rf"{_START}(\d{{9}}[A-HJ-NP-Z]{{2}}|\d{{10}}[A-HJ-NP-Z])\b", _always, sure=False),
    Detector(
        "coordinates",
        r"((?:4[1-9]|5[01])[.]\d{5,}[°]?\s?N?\s?[ ,;/]\s?-?\d[.]\d{5,}|"
        r"-?\d[.]\d{5,}[ ,;/]\s?(?:4[1-9]|5[01])[.]\d{5,})",
        _always, sure=False, persons=True,
    ),
    Detector(
        "ip_address",
        r"(?:^|[^0-9A-Za-z.:])((?:\d{1,3}[.]){3}\d{1,3}|(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f:]{1,20})"
        r"(?:$|[^0-9A-Za-z.:]|[.](?:$|[^0-9]))",
        _ip, sure=False,
    ),
    Detector("mac_address", rf"{_START}([0-9A-Fa-f]{{2}}(?:[:-][0-9A-Fa-f]{{2}}){{5}})\b", _always, sure=False),
    Detector(
        "name",
        rf"((?:(?:^|\p{{L}}[\p{{L}}-]+ )?(?:{_TITLES}) (?:{_WORD} ?){{1,3}})|(?:\p{{L}}[\p{{L}}-]+ )?{_WORD} {_WORD}"
        rf"(?: {_WORD})?)",
        _name, sure=False, hint=r" \p{Lu}",
    ),
)  # fmt: skip
"""Each identifier's detector, those with check digits first."""

MOBILE = Detector("phone", r"^((?:33)?[1-9]\d{8})$", lambda text: text.removeprefix("33")[0] in "67", 2 / 9, sure=False)
"""Telephone numbers that a spreadsheet took for numbers, without their zero: told where a column is made of mobiles."""


def is_first_name(text: str) -> bool:
    """Whether `text` is a first name of the list, and nothing else."""
    parts = text.strip().split("-")
    return bool(parts) and all(_plain(part) in _FIRST for part in parts)
