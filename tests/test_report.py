"""`odp report` and what a run leaves behind for it: the whole way, from a delivery to words for its owner."""

import json

import pytest
from typer.testing import CliRunner

from odpipeline.cli import app
from odpipeline.errors import OdpError
from tests.towns import PISCINES, deliver, write_town

DROPPED = PISCINES.replace("personal_data: none", "personal_data: present\nlegal_basis: CRPA L312-1-2").replace(
    "key: [jour, piscine]", "privacy: {columns: {jour: keep, piscine: drop, entrees: keep}}"
)


def odp(*words: str, status: int = 0) -> str:
    ended = CliRunner().invoke(app, list(words))
    if isinstance(ended.exception, OdpError):
        raise ended.exception
    assert ended.exit_code == status, ended.output
    return ended.stdout


def run(folder, status=0):
    odp("run", "piscines", "--town", str(folder), status=status)


def report(folder, *words):
    return odp("report", "piscines", "--town", str(folder), *words).replace("\u202f", " ").replace("\u00a0", " ")


def test_the_report_follows_the_dataset_from_good_to_refused_and_back(tmp_path):
    folder = write_town(tmp_path, "piscines")
    with pytest.raises(OdpError, match="piscines: it has never been run; run it: odp run piscines"):
        report(folder)
    run(folder)
    assert "la livraison du" in report(folder)
    assert "Tous les contrôles sont respectés" in report(folder)
    deliver(folder, "piscines", cell="-5")
    for _ in range(2):
        run(folder, status=3)
    said = report(folder)
    assert "1 valeur sur 20 est inférieure au minimum (0)." in said
    assert "2 fois de suite." in said
    assert "le public voit la version 1" in said
    assert "-5" not in said
    deliver(folder, "piscines")
    run(folder)
    assert "rien de nouveau" in report(folder)


def test_a_source_that_is_silent_is_told_as_such(tmp_path):
    folder = write_town(tmp_path, "piscines")
    run(folder)
    (folder / "depot/piscines.csv").unlink()
    run(folder, status=4)
    said = report(folder)
    assert "pas de mise à jour" in said
    assert "Le public voit" not in said
    assert "le public voit la version 1" in said


def test_the_json_and_the_page_of_the_last_check(tmp_path):
    folder = write_town(tmp_path, "piscines")
    run(folder)
    deliver(folder, "piscines", cell="-5")
    run(folder, status=3)
    told = json.loads(report(folder, "--json"))
    assert told["verdict"] == "refused"
    [failed] = [f for f in told["findings"] if not f["held"] and f["severity"] == "critical"]
    assert (failed["column"], failed["counts"]["unexpected_count"]) == ("entrees", 1)
    report(folder, "--html", str(tmp_path / "run.html"), "--language", "en")
    assert "1 of 20 values are below the minimum" in (tmp_path / "run.html").read_text()
    with pytest.raises(OdpError, match="there is no page in 'de'; ask for one of: fr, en"):
        report(folder, "--html", str(tmp_path / "run.html"), "--language", "de")


def test_a_release_that_waits_is_told_with_what_the_public_still_sees(tmp_path):
    folder = write_town(tmp_path, "piscines")
    run(folder)
    with (folder / "assets/sports/piscines.yaml").open("a") as declared:
        declared.write("approval: dpo\nauthor: ingenieur@ville.example\n")
    deliver(folder, "piscines", rows=21)
    run(folder, status=5)
    said = report(folder)
    assert "approbation" in said
    assert "le public voit la version 1" in said
    assert json.loads(report(folder, "--json"))["verdict"] == "held"


def test_no_cell_reaches_a_report_a_page_or_the_journal(tmp_path):
    folder = write_town(tmp_path, "piscines")
    deliver(folder, "piscines", rows=300, cell="CANARY-Dupont")
    (folder / "depot/piscines.csv").write_text(
        (folder / "depot/piscines.csv").read_text().replace("Bassin 0", "CANARY")
    )
    run(folder)
    report(folder, "--html", str(tmp_path / "run.html"))
    public = folder / ".odp/public"
    rows = {path for path in public.rglob("*") if path.suffix in (".csv", ".parquet")}
    written = [path for path in public.rglob("*") if path.is_file() and path not in rows]
    written += [tmp_path / "run.html", *(folder / ".odp/private").glob("journal*")]
    assert any(path.name == "quality.json" for path in written)
    assert [path for path in written if b"CANARY" in path.read_bytes()] == []
    assert "CANARY" not in report(folder) + report(folder, "--json")


def test_of_persons_the_public_reads_nothing_of_a_dropped_column_nor_counts_before_anonymisation(tmp_path):
    folder = write_town(tmp_path, "piscines", declaration=DROPPED)
    (folder / "expectations").mkdir()
    suite = [
        {"type": "expect_column_values_to_be_in_set", "severity": "warning",
         "kwargs": {"column": "piscine", "value_set": ["Bassin 9"]}},
        {"type": "expect_column_values_to_be_between", "severity": "warning",
         "kwargs": {"column": "entrees", "max_value": 101}},
    ]  # fmt: skip
    (folder / "expectations/piscines.json").write_text(json.dumps({"name": "piscines", "expectations": suite}))
    run(folder)
    public = json.loads((folder / ".odp/public/datasets/piscines/latest/quality.json").read_text())
    assert "piscine" not in {finding["column"] for finding in public["findings"]}
    [told] = [f for f in public["findings"] if not f["held"]]
    assert (told["column"], told["counts"], told["declared"]) == ("entrees", {}, {})
    private = json.loads(report(folder, "--json"))
    assert "piscine" in {finding["column"] for finding in private["findings"]}
