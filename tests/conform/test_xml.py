# ruff: noqa: E501 - documents and tables read better whole
"""XML by declared paths and French budget documents: values found, bombs refused, memory flat."""

import base64
import csv
import gzip
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.conform import totem
from odpipeline.declaration import read_town
from odpipeline.errors import ConformError
from tests.conform.conftest import declared, read_file
from tests.towns import write_town

ETATS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<t:Etats xmlns:t="urn:t"><Entete><Item>pas un relevé</Item></Entete>
 <t:Releves>
  <t:Item id="A1"><Nom>Pont de l'Est</Nom><Position><Lat>48.1</Lat><Lon>-1,6</Lon></Position></t:Item>
  <t:Item id="A2"><Nom><![CDATA[Quai & Cie]]></Nom><Position/></t:Item>
 </t:Releves></t:Etats>"""
FORM = {"type": "xml", "records": "Releves/Item"}
FIELDS = [{"name": "id", "source": "@id"}, {"name": "nom", "source": "Nom"},
          {"name": "lat", "type": "number", "source": "Position/Lat"},
          {"name": "lon", "type": "number", "source": "Position/Lon", "decimalChar": ","}]  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def look(content, fields=FIELDS, **said):
        path = tmp_path / "delivery"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        return read_file(path, declared(fields, **({"format": FORM} | said)), folder)

    return look


def refusal(read, content, **said):
    with pytest.raises(ConformError) as error:
        read(content, **said)
    return str(error.value)


def test_records_and_values_are_found_by_their_paths(read):
    assert read(ETATS).rows == [(1, "A1", "Pont de l'Est", 48.1, -1.6), (2, "A2", "Quai & Cie", None, None)]


def test_leaves_that_nobody_declared_are_told(read):
    found = read(ETATS, FIELDS[:2])
    assert "Position/Lat, Position/Lon" in found.conformed.findings[1].message
    said = refusal(read, ETATS, fields=FIELDS[:2], personal_data="present")
    assert "the delivery has new columns: Position/Lat, Position/Lon, and this dataset holds personal data" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r><Releves><Item>&b;</Item></Releves></r>', "document type"),
        ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><Releves><Item>&x;</Item></Releves></r>', "document type"),
        ("<r><Releves><Item>" + "<a>" * 300 + "</a>" * 300 + "</Item></Releves></r>", "nested deeper than 100 levels"),
        ("<r><Releves><Item>", "no well-formed XML, line 1"),
        ("<r><autre/></r>", "the XML has no element at Releves/Item"),
        ("<html><body>Connexion</body></html>", "the delivery is HTML or XML instead of data"),
        ("pas du XML", "has no XML element in its first 64 KiB"),
    ],
)  # fmt: skip
def test_what_is_hostile_or_no_record_is_refused(read, content, said):
    assert said in refusal(read, content)


@pytest.mark.parametrize("before", ["<!-- <a -->", "<?x <a?>", '<?xml version="1.0"?>\n<!-- <r> -->'])
@pytest.mark.parametrize(
    "rest",
    ['<!DOCTYPE r [<!ENTITY x "HAHA">]><r><Releves><Item id="&x;"/></Releves></r>',
     '<!DOCTYPE r [<!ENTITY x "HAHA">]><r><Releves><Item><Nom>&x;</Nom></Item></Releves></r>',
     '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><Releves><Item><Nom>&x;</Nom></Item></Releves></r>',
     '<!DOCTYPE r [<!ATTLIST Item id CDATA "HAHA">]><r><Releves><Item/></Releves></r>'],
)  # fmt: skip
def test_a_doctype_that_hides_behind_a_comment_is_refused(read, before, rest):
    assert "the XML has a document type (DTD)" in refusal(read, before + rest)


def test_a_doctype_in_utf_16_is_seen_too(read):
    assert "document type" in refusal(read, '<!DOCTYPE r []><r><Releves><Item a="1"/></Releves></r>'.encode("utf-16"))


def test_xml_that_nobody_declared_is_no_csv(read):
    assert "XML is read with format: {type: xml, records: …}" in refusal(read, ETATS, format={})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=0xFF), max_size=9), min_size=1, max_size=5))
def test_any_text_comes_out_as_it_went_in(read, texts):
    from xml.sax.saxutils import escape

    items = "".join(f"<Item><Nom>{escape(text)}</Nom></Item>" for text in texts)
    content = f'<?xml version="1.0" encoding="ISO-8859-1"?><r><Releves>{items}</Releves></r>'
    found = read(content, [{"name": "nom", "source": "Nom"}])
    assert [row[1] for row in found.rows] == [text.strip() or None for text in texts]


def test_real_traffic_and_car_parks_are_read(read, real):
    place = "basicDataValue/affectedLocation/locationContainedInGroup/predefinedLocationReference"
    fields = [{"name": "troncon", "source": place}, {"name": "etat", "source": "basicDataValue/trafficStatus"},
              {"name": "releve_le", "type": "datetime", "source": "basicDataValue/time"}]  # fmt: skip
    traffic = (real / "nantes/TraficStatus.xml").read_bytes()
    found = read(traffic, fields, format={"type": "xml", "records": "payloadPublication/elaboratedData"})
    assert found.counts == (44, 44, 0, 0)
    assert found.rows[0][1:3] == ("MWL44.31", "freeFlow")

    fields = [{"name": "nom", "source": "Grp_nom"}, {"name": "libres", "type": "integer", "source": "Grp_disponible"},
              {"name": "le", "type": "datetime", "format": "%d/%m/%Y %H:%M:%S", "source": "Grp_horodatage"}]  # fmt: skip
    parks = (real / "nantes/parkings-20111213.xml").read_bytes()
    found = read(parks, fields, format={"type": "xml", "records": "Groupes_Parking/Groupe_Parking"})
    assert found.conformed.quarantined == 0
    assert found.rows[0][1:3] == ("DECRE-BOUFFAY", 247)


BUDGET = {"type": "totem"}
LINE = ('<LigneBudget><Nature V="6336"/><ContNat V="012"/><ArtSpe V="false"/><CodRD V="D"/><MtReal V="13615.55"/>'
        '<MtPrev V="14000.00"/><OpBudg V="0"/></LigneBudget>')  # fmt: skip
DOCUMENT = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<DocumentBudgetaire xmlns="http://www.minefi.gouv.fr/cp/demat/docbudgetaire">
 <EnTeteDocBudgetaire><LibelleColl V="Aubrelle-sur-Vère"/></EnTeteDocBudgetaire>
 <Budget><EnTeteBudget><IdEtab V="21990000100018"/></EnTeteBudget><BlocBudget><NatDec V="09"/><Exer V="2025"/></BlocBudget>
 {LINE}<Annexes><PATRIMOINE><LigneBudget><Nature V="1"/></LigneBudget></PATRIMOINE></Annexes></Budget>
</DocumentBudgetaire>""".encode("latin-1")
EXPECTED = ("Compte administratif", "2025", "21990000100018", "Aubrelle-sur-Vère", "012", "6336", None, None,
            "fonctionnement", "réel", "dépense", "13615.55", None, None, None, "14000.00", None, None, "non spécialisé")  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [DOCUMENT, gzip.compress(DOCUMENT), base64.b64encode(DOCUMENT), base64.encodebytes(gzip.compress(DOCUMENT)),
     b"<acte><piece>" + base64.encodebytes(gzip.compress(DOCUMENT)) + b"</piece></acte>"],
    ids=["plain", "gzip", "base64", "base64 of gzip", "in an envelope"],
)  # fmt: skip
def test_a_budget_document_is_read_however_it_is_wrapped(read, content):
    assert read(content, list(totem.COLUMNS), format=BUDGET).values == [EXPECTED]


def test_a_broken_budget_document_is_told(read, real):
    said = refusal(
        read, (real / "totem/mauvais/mauvais_totem.xml").read_bytes(), fields=list(totem.COLUMNS), format=BUDGET
    )
    assert "the delivery is no budget document, or has no budget line" in said
    cut = DOCUMENT[: DOCUMENT.index(b"<Annexes>")]
    assert "no well-formed XML" in refusal(read, cut, fields=list(totem.COLUMNS), format=BUDGET)
    headless = DOCUMENT.replace(b'<Exer V="2025"/>', b"")
    assert "does not say Exer before its lines" in refusal(read, headless, fields=list(totem.COLUMNS), format=BUDGET)
    odd = DOCUMENT.replace(b'<NatDec V="09"/>', b'<NatDec V="77"/>')
    assert "of a stage that is not known (NatDec '77')" in refusal(read, odd, fields=list(totem.COLUMNS), format=BUDGET)
    base64_cut = b"<acte>" + base64.b64encode(gzip.compress(DOCUMENT))[:-3] + b"=A==</acte>"
    assert refusal(read, base64_cut, fields=list(totem.COLUMNS), format=BUDGET).startswith("assets/x.yaml:3: the ")


# Not ru_maxrss: a child starts with the peak of the process that it was forked from.
PEAK = """
import re, sys
from pathlib import Path
from odpipeline.conform import markup
from tests.conform.conftest import declared
for element, _ in markup.records(Path(sys.argv[1]), [("Budget", "LigneBudget")], declared(["a"])):
    pass
[peak] = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(peak)
"""


def test_many_lines_take_no_more_memory_than_few(tmp_path):
    head, tail = DOCUMENT.split(LINE.encode())
    peaks = []
    for count in (10, 60_000):
        (tmp_path / "budget.xml").write_bytes(head + LINE.encode() * count + tail)
        ran = subprocess.run(
            [sys.executable, "-c", PEAK, tmp_path / "budget.xml"], check=True, capture_output=True, text=True
        )
        peaks.append(int(ran.stdout))
    assert peaks[1] < peaks[0] + 20_000  # KiB; the tree of all the lines takes ten times that


@pytest.mark.parametrize(
    ("source", "years"),
    [
        ('{folder: "depot/*.xml", take: all}\nformat: {type: totem}', ["2025", "2026"]),
        ('{totem: "depot/*.xml"}', ["2026"]),
    ],
)
def test_budgets_go_the_whole_way(tmp_path, source, years):
    declaration = f"""
title: Budgets
description: Lignes de budget.
owner: finances@ville.example
source: {source}
fields: [{{name: BGT_ANNEE, type: year}}, {{name: BGT_NATURE}}, {{name: BGT_SECTION}}, {{name: BGT_MTPREV, type: number}}]
ignored_columns: [BGT_NATDEC, BGT_SIRET, BGT_NOM, BGT_CONTNAT, BGT_FONCTION, BGT_OPERATION, BGT_OPBUDG, BGT_CODRD,
  BGT_MTREAL, BGT_MTBUDGPREC, BGT_MTRARPREC, BGT_MTPROPNOUV, BGT_CREDOUV, BGT_MTRAR3112, BGT_ARTSPE]
personal_data: none
"""
    write_town(tmp_path, "budgets", declaration=declaration)
    (tmp_path / "depot/2025.xml").write_bytes(DOCUMENT)
    os.utime(tmp_path / "depot/2025.xml", (0, 0))
    (tmp_path / "depot/2026.xml").write_bytes(DOCUMENT.replace(b'<Exer V="2025"/>', b'<Exer V="2026"/>'))
    town = read_town(tmp_path)
    *_, last = flow.publication(town.dataset("budgets"), town, flow.Zones.of(town))
    lines = (last.folder / "budgets.csv").read_text().splitlines()[1:]
    assert lines == [f"{year},6336,fonctionnement,14000.0" for year in years]


def test_real_budgets_give_the_published_lines(read, real):
    """Every column is compared; the labels of the charts of accounts, which the document does not hold, aside."""
    documents = sorted(path.parent for path in (real / "totem").glob("*/expected.csv"))
    assert len(documents) == 4
    for document in documents:
        with (document / "expected.csv").open(newline="") as text:
            wanted = [
                {name: cell for name, cell in row.items() if not name.endswith("_LABEL")}
                for row in csv.DictReader(text)
            ]
        found = read((document / "totem.xml").read_bytes(), list(totem.COLUMNS), format=BUDGET)
        lines = [dict(zip(totem.COLUMNS, (cell or "" for cell in row), strict=True)) for row in found.values]
        key = lambda line: sorted(line.items())  # noqa: E731
        assert sorted(lines, key=key) == sorted(wanted, key=key), document.name
