"""Budget primitif: the lines of the voted budget in the words of the SCDL, balanced as the law wants (CGCT L1612-4)."""

from __future__ import annotations

from tests.simulators.database import Columns
from tests.simulators.night import chance, town_siret

YEAR = 2026
COLUMNS = (
    "BGT_NATDEC", "BGT_ANNEE", "BGT_SIRET", "BGT_NOM", "BGT_CONTNAT", "BGT_CONTNAT_LABEL", "BGT_NATURE",
    "BGT_NATURE_LABEL", "BGT_FONCTION", "BGT_FONCTION_LABEL", "BGT_SECTION", "BGT_OPBUDG", "BGT_CODRD",
    "BGT_MTBUDGPREC", "BGT_MTPROPNOUV", "BGT_MTPREV",
)  # fmt: skip
FUNCTIONS = {
    "020": "Administration générale de la collectivité", "11": "Police, sécurité, justice",
    "211": "Écoles maternelles", "212": "Écoles primaires", "281": "Hébergement et restauration scolaires",
    "311": "Activités artistiques, actions et manifestations culturelles", "313": "Bibliothèques, médiathèques",
    "314": "Musées", "321": "Salles de sport, gymnases", "322": "Stades", "323": "Piscines",
    "338": "Autres activités pour les jeunes", "4221": "Crèches et garderies", "511": "Espaces verts urbains",
    "512": "Éclairage public", "845": "Voirie communale",
}  # fmt: skip
"""The functional nomenclature of the M57, in extract."""
OPERATING = {
    "60612": ("011", "Énergie – électricité"), "60613": ("011", "Chauffage urbain"), "60622": ("011", "Carburants"),
    "60623": ("011", "Alimentation"), "60632": ("011", "Fournitures de petit équipement"),
    "6064": ("011", "Fournitures administratives"), "611": ("011", "Contrats de prestations de services"),
    "615221": ("011", "Entretien et réparations – bâtiments publics"), "6156": ("011", "Maintenance"),
    "6262": ("011", "Frais de télécommunications"), "64111": ("012", "Rémunération principale – titulaires"),
    "64131": ("012", "Rémunérations – non titulaires"), "6451": ("012", "Cotisations à l’URSSAF"),
    "6453": ("012", "Cotisations aux caisses de retraite"),
    "65748": ("65", "Subventions de fonctionnement aux autres personnes de droit privé"),
}  # fmt: skip
INVESTMENT = {
    "2031": ("20", "Frais d’études"), "2128": ("21", "Autres agencements et aménagements de terrains"),
    "21318": ("21", "Constructions – autres bâtiments publics"), "2151": ("21", "Réseaux de voirie"),
    "21838": ("21", "Autre matériel informatique"), "2188": ("21", "Autres immobilisations corporelles"),
    "2313": ("23", "Constructions en cours"),
}  # fmt: skip
CHAPTERS = {
    "011": "Charges à caractère général", "012": "Charges de personnel et frais assimilés",
    "65": "Autres charges de gestion courante", "66": "Charges financières", "20": "Immobilisations incorporelles",
    "21": "Immobilisations corporelles", "23": "Immobilisations en cours",
    "70": "Produits des services, du domaine et ventes diverses", "73": "Impôts et taxes",
    "731": "Fiscalité locale", "74": "Dotations et participations", "16": "Emprunts et dettes assimilées",
    "10": "Dotations, fonds divers et réserves", "13": "Subventions d’investissement",
    "021": "Virement de la section de fonctionnement", "023": "Virement à la section d’investissement",
}  # fmt: skip
INCOME = (
    ("fonctionnement", "731", "73111", "Impôts directs locaux", "01", 0.5),
    ("fonctionnement", "74", "74111", "Dotation forfaitaire des communes", "01", 0.22),
    ("fonctionnement", "70", "7067", "Redevances et droits des services périscolaires et d’enseignement", "281", 0.2),
    ("fonctionnement", "70", "70631", "Redevances et droits des services à caractère sportif", "323", 0.08),
    ("fonctionnement", "70", "7062", "Redevances et droits des services à caractère culturel", "314", 0.04),
    ("investissement", "10", "10222", "FCTVA", "01", 0.2),
    ("investissement", "13", "1321", "Subventions non transférables – État et établissements nationaux", "212", 0.14),
)  # fmt: skip
"""Section, chapter, nature, label, function, share of the section's real spending; a loan balances investment."""

_Line = tuple[str, str, str, str, str, str, str, float]


def scdl() -> Columns:
    """The table of the finance software; it was voted once and does not change."""
    spending = _spending()
    lines = spending + _income(_sum(spending, "fonctionnement"), _sum(spending, "investissement"))
    random = chance("budget", "previous")
    rows = [_row(line, round(line[-1] * float(random.uniform(0.93, 1.05)), 2)) for line in sorted(lines)]
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def _spending() -> list[_Line]:
    random = chance("budget", YEAR)
    lines: list[_Line] = []
    for section, natures, mean in (("fonctionnement", OPERATING, 11.6), ("investissement", INVESTMENT, 11.9)):
        for nature, (chapter, label) in natures.items():
            for function in FUNCTIONS:
                amount = round(float(random.lognormal(mean, 1.0)), -2)
                if random.random() < 0.72 and amount:
                    lines.append((section, "réel", "dépense", chapter, nature, label, function, amount))
    lines.append(("fonctionnement", "réel", "dépense", "66", "66111", "Intérêts réglés à l’échéance", "01", 412_000.0))
    lines.append(("investissement", "réel", "dépense", "16", "1641", "Emprunts en euros", "01", 2_150_000.0))
    return lines


def _income(operating: float, investment: float) -> list[_Line]:
    """Income, and the transfer of the operating surplus that balances both sections."""
    totals = {"fonctionnement": operating, "investissement": investment}
    lines: list[_Line] = [
        (section, "réel", "recette", chapter, nature, label, function, round(totals[section] * share, 2))
        for section, chapter, nature, label, function, share in INCOME
    ]
    surplus = round(_sum(lines, "fonctionnement") - operating, 2)
    loan = round(investment - _sum(lines, "investissement") - surplus, 2)
    moved = "Virement de la section de fonctionnement"
    lines.append(("investissement", "ordre", "recette", "021", "021", moved, "01", surplus))
    lines.append(
        ("fonctionnement", "ordre", "dépense", "023", "023", "Virement à la section d’investissement", "01", surplus)
    )
    lines.append(("investissement", "réel", "recette", "16", "1641", "Emprunts en euros", "01", loan))
    return lines


def _sum(lines: list[_Line], section: str) -> float:
    return sum(line[-1] for line in lines if line[0] == section)


def _row(line: _Line, before: float) -> tuple[object, ...]:
    section, kind, direction, chapter, nature, label, function, amount = line
    return (
        "budget primitif", YEAR, town_siret(), "Ville d’Aubrelle", chapter, CHAPTERS[chapter], nature, label,
        function, FUNCTIONS.get(function, "Opérations non ventilables"), section, kind, direction,
        before, amount, amount,
    )  # fmt: skip
