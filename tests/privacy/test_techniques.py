"""Each technique does to the column what it says, and nothing else."""

import hashlib
import hmac
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.duck import connect
from odpipeline.errors import PrivacyError, SecretMissing
from odpipeline.privacy import anonymise, techniques
from tests.privacy.conftest import TEN_PEOPLE

SECRET = "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92"


def read(path: Path, sql: str = "*") -> list[tuple]:
    return duckdb.execute(f"SELECT {sql} FROM read_parquet('{path}')").fetchall()


def test_a_dropped_column_is_gone(aides, rows, tmp_path, duck):
    out = anonymise(rows(TEN_PEOPLE), aides({"nom": "drop"}), tmp_path, duck, salt="1")
    columns = [c[0] for c in duckdb.execute(f"DESCRIBE SELECT * FROM read_parquet('{out.parquet}')").fetchall()]
    assert columns == ["numero", "age", "quartier", "montant", "depuis"]


def test_the_source_row_number_never_leaves(aides, rows, tmp_path, duck):
    out = anonymise(rows(TEN_PEOPLE), aides(), tmp_path, duck, salt="1")
    assert "_row" not in [c[0] for c in duckdb.execute(f"DESCRIBE SELECT * FROM '{out.parquet}'").fetchall()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(value=st.text(), secret=st.integers().map(lambda n: hashlib.sha256(str(n).encode()).hexdigest()))
def test_the_pseudonym_is_hmac_sha_256_of_any_text(value, secret, aides):
    dataset = aides({"numero": {"pseudonymise": {"secret": "ODP_SECRET", "scope": "stable", "because": "suivi"}}})
    role = dataset.privacy.columns["numero"].pseudonymise
    with pytest.MonkeyPatch.context() as environment, connect() as connection:
        environment.setenv("ODP_SECRET", secret)
        expression = techniques.pseudonymise(connection, dataset, "numero", role, salt="ignored")
        [(found,)] = connection.execute(f'SELECT {expression} FROM (SELECT ? AS "numero")', [value]).fetchall()
    key = hmac.new(secret.encode(), b"aides/numero/stable", hashlib.sha256).digest()
    assert found == hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:32]


def test_pseudonyms_of_two_releases_do_not_join_and_those_of_one_do(aides, rows, tmp_path, duck, monkeypatch):
    monkeypatch.setenv("ODP_SECRET", SECRET)
    dataset = aides({"numero": {"pseudonymise": {"secret": "ODP_SECRET"}}})
    parquet = rows("('D1', 'x', 1, 'A', 1.0), ('D1', 'y', 2, 'A', 1.0), (NULL, 'z', 3, 'A', 1.0)")
    first, second = (read(anonymise(parquet, dataset, tmp_path, duck, salt=s).parquet, "numero") for s in ("1", "2"))
    assert first[0] == first[1]
    assert first[2] == (None,)
    assert first[0] != second[0]


def test_a_missing_secret_says_which_variable_to_set(aides, rows, tmp_path, duck, monkeypatch):
    monkeypatch.delenv("ODP_SECRET", raising=False)
    with pytest.raises(SecretMissing, match="ODP_SECRET is not set, and the pseudonyms of numero needs it; set ODP"):
        anonymise(
            rows(TEN_PEOPLE), aides({"numero": {"pseudonymise": {"secret": "ODP_SECRET"}}}), tmp_path, duck, salt="1"
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(age=st.integers(-5, 130), width=st.integers(1, 40))
def test_a_band_holds_its_value(age, width, aides):
    dataset = aides({"age": {"generalise": {"bands": width}}})
    with connect() as connection:
        expression = techniques.generalise(
            connection, dataset, "age", dataset.privacy.columns["age"].generalise, "unused"
        )
        [(band,)] = connection.execute(f"SELECT {expression} FROM (SELECT CAST(? AS BIGINT) AS age)", [age]).fetchall()
    low = age // width * width
    assert band == f"{low}-{low + width - 1}"
    assert low <= age <= low + width - 1


@pytest.mark.parametrize(("part", "expected"), [("year", 2026), ("month", "2026-03"), ("quarter", "2026-T1")])
def test_a_date_keeps_the_declared_part(part, expected, aides, rows, tmp_path, duck):
    out = anonymise(rows(TEN_PEOPLE), aides({"depuis": {"generalise": {"date": part}}}), tmp_path, duck, salt="1")
    assert read(out.parquet, "DISTINCT depuis") == [(expected,)]


def test_a_code_keeps_its_first_characters(aides, rows, tmp_path, duck):
    out = anonymise(rows(TEN_PEOPLE), aides({"numero": {"generalise": {"prefix": 1}}}), tmp_path, duck, salt="1")
    assert read(out.parquet, "DISTINCT numero") == [("D",)]


def test_a_hierarchy_gives_the_declared_level(aides, rows, tmp_path, duck):
    (tmp_path / "quartiers.csv").write_text("A;Nord;Ville\nB;Sud;Ville\n")
    by_hierarchy = {"quartier": {"generalise": {"hierarchy": "quartiers.csv", "level": 2}}}
    out = anonymise(rows(TEN_PEOPLE), aides(by_hierarchy), tmp_path, duck, salt="1")
    assert read(out.parquet, "DISTINCT quartier") == [("Ville",)]


def test_a_value_outside_the_hierarchy_refuses_without_naming_it(aides, rows, tmp_path, duck):
    (tmp_path / "quartiers.csv").write_text("A;Nord\n")
    by_hierarchy = {"quartier": {"generalise": {"hierarchy": "quartiers.csv"}}}
    with pytest.raises(PrivacyError, match=r"4 rows hold a value of quartier that quartiers.csv does not know") as told:
        anonymise(rows(TEN_PEOPLE), aides(by_hierarchy), tmp_path, duck, salt="1")
    assert "'B'" not in str(told.value)
