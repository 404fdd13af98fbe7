"""Real municipal files, with their own encodings and dirt: rows in, rows kept, what is set aside and why."""

import csv

import fastexcel
import pytest

from tests.conform.conftest import declared, read_file

LIEUX = ["id_local", "nom_lieu", {"name": "date_maj", "type": "date"}, {"name": "ouvert", "type": "boolean"},
         {"name": "Xlong", "type": "number"}, {"name": "Ylat", "type": "number"},
         {"name": "nbre_pl", "type": "integer"}]  # fmt: skip
NANTES = ["NOM_COMPLET", "COMMUNE", {"name": "LONG_WGS84", "type": "number"}, {"name": "LAT_WGS84", "type": "number"}]
COMPTAGES = ["channel_id", "counter_id", {"name": "start_datetime", "type": "datetime"},
             {"name": "end_datetime", "type": "datetime"}, {"name": "count", "type": "integer"}]  # fmt: skip
SCDL = ["nomBeneficiaire", {"name": "dateConvention", "type": "date"}, {"name": "montant", "type": "number"}]
SITES = [{"name": "code_site", "type": "integer"}, {"name": "site", "source": "Site"}]
CATALOGUE = [{"name": "identifiant", "source": "dataset.id"}, "url"]


@pytest.mark.parametrize(
    ("file", "fields", "form", "reasons"),
    [
        ("csv/csv_latin1.csv", LIEUX, {}, []),
        ("csv/csv_utf8.csv", LIEUX, {}, []),
        ("nantes/equipements_publics_deplacement.csv", NANTES, {"decimal": ","}, [("LAT_WGS84", "number", 2)]),
        ("schemas/comptage-mobilites/measure/exemple-valide-eco-compteur.csv", COMPTAGES, {}, []),
        ("scdl-subventions/SCDL.csv", SCDL, {}, []),
        ("scdl-subventions/SCDL_WITH_EXERCICE.csv", SCDL, {}, []),
        ("hydra/catalog.csv", CATALOGUE, {}, []),
        ("hydra/catalog.xls", CATALOGUE, {}, []),
        ("hydra/catalog.xlsx", CATALOGUE, {}, []),
        ("gironde/Jobdi.OccupationGlobaleSites.2015.xls", SITES, {}, []),
        ("gironde/Jobdi.OccupationGlobaleSites.2016.xls", SITES, {}, []),
        ("gironde/Jobdi.OccupationSitesJour.2015.xls", SITES, {}, []),
    ],
)
def test_a_real_file_is_read_to_its_last_row(real, tmp_path, file, fields, form, reasons):
    found = read_file(real / file, declared(fields, format=form, quality={"quarantine": "100 %"}), tmp_path)
    assert found.counts[0] == delivered_rows(real / file)
    assert [(r.column, r.rule, r.rows) for r in found.conformed.reasons] == reasons


def delivered_rows(path):
    """The rows below the header, by readers that we do not use."""
    if path.suffix == ".csv":
        data = path.read_bytes()
        text = data.decode("utf-8-sig") if path.name != "csv_latin1.csv" else data.decode("cp1252")
        delimiter = max(";,", key=text.splitlines()[0].count)
        return len([row for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if row]) - 1
    sheet = fastexcel.read_excel(path).load_sheet(0, dtypes="string", skip_whitespace_tail_rows=True).to_arrow()
    return sheet.num_rows
