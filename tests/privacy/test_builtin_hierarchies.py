"""The hierarchies that need no file: each level is what it says, nested, and a value outside refuses."""

from datetime import date

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline.declaration.builtin_hierarchies import BUILTIN
from odpipeline.duck import connect
from odpipeline.errors import PrivacyError
from odpipeline.privacy import anonymise, hierarchies
from odpipeline.privacy.builtin_ladders import LADDERS, REGIONS
from odpipeline.quality import code_lists
from tests.privacy.conftest import TEN_PEOPLE

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
IRIS = st.builds(
    lambda department, rest: (department + rest)[:9],
    st.sampled_from([one for some in REGIONS.values() for one in some]),
    st.from_regex(r"[0-9]{7}", fullmatch=True),
)
NAF = st.builds(
    lambda division, dot, rest: division + dot + rest,
    st.sampled_from(["01", "10", "33", "62", "85", "99"]),
    st.sampled_from(["", "."]),
    st.from_regex(r"[0-9]{2}[A-Z]", fullmatch=True),
)
LEAVES = {
    "age": st.integers(0, 139).map(str),
    "date": st.dates(date(1000, 1, 1)).map(str),
    "naf": NAF,
    "csp": st.from_regex(r"[1-8][0-9]{2}[a-z]", fullmatch=True),
    "iris": IRIS,
    "commune": IRIS.map(lambda code: code[:5]),
}


def climbed(hierarchy, leaves):
    """Each leaf with its levels."""
    with connect() as connection:
        connection.execute("CREATE TABLE r AS SELECT unnest(?) AS leaf", [leaves])
        hierarchies.ladder(connection, None, hierarchy, "l", "r", "leaf", where="")
        found = connection.execute("SELECT * FROM l SEMI JOIN r ON r.leaf = l.leaf").fetchall()
        return {leaf: tuple(levels) for leaf, *levels in found}


@pytest.mark.parametrize(
    ("hierarchy", "leaf", "levels"),
    [
        ("age", "34", ("30-34", "30-39", "20-39", "*")),
        ("age", "0", ("0-4", "0-9", "0-19", "*")),
        ("date", "2026-03-04", ("2026-03", "2026-T1", "2026", "2020-2029", "*")),
        ("naf", "62.01Z", ("62.01", "62.0", "62", "J", "*")),
        ("naf", "6201Z", ("62.01", "62.0", "62", "J", "*")),
        ("csp", "421b", ("421", "42", "4", "*")),
        ("iris", "751010101", ("75101", "75", "11", "*")),
        ("iris", "2A0040101", ("2A004", "2A", "94", "*")),
        ("iris", "974110101", ("97411", "974", "04", "*")),
        ("commune", "59350", ("59", "32", "*")),
    ],
)
def test_the_levels_of_a_leaf(hierarchy, leaf, levels):
    assert climbed(hierarchy, [leaf]) == {leaf: levels}


@pytest.mark.parametrize(
    ("hierarchy", "leaf"),
    [
        ("age", "140"), ("age", "-1"), ("date", "10000-01-01"), ("naf", "04.01Z"), ("naf", "62.01z"),
        ("naf", "6２.01Z"),
        ("csp", "921a"), ("iris", "75101010"), ("iris", "200010101"), ("commune", "98818"), ("commune", "2a004"),
        ("commune", "ABCDE"),
    ],
)  # fmt: skip
def test_what_is_outside(hierarchy, leaf):
    assert climbed(hierarchy, [leaf]) == {}


@pytest.mark.parametrize("hierarchy", BUILTIN)
@quick
@given(data=st.data())
def test_what_shares_a_level_shares_every_coarser_one(hierarchy, data):
    leaves = data.draw(st.lists(LEAVES[hierarchy], min_size=1, max_size=30))
    found = climbed(hierarchy, leaves)
    assert set(found) == set(leaves)
    for level in range(len(BUILTIN[hierarchy].levels) - 1):
        above = {}
        for levels in found.values():
            assert above.setdefault(levels[level], levels[level + 1]) == levels[level + 1]


def test_declared_and_built_levels_are_as_many():
    assert {name: len(one.levels) for name, one in LADDERS.items()} == {n: len(b.levels) for n, b in BUILTIN.items()}


def test_every_department_of_the_official_code_is_in_one_region():
    listed = [one for some in REGIONS.values() for one in some]
    with connect() as connection:
        for name, known in (("code_departement", listed), ("code_region", REGIONS)):
            year = code_lists.years(name)[-1]
            code_lists.register(connection, name, year)
            official = connection.execute(f"SELECT code FROM {code_lists.table(name, year)}").fetchall()
            collectivities = ("975", "977", "978", "98")  # overseas, in no région
            assert sorted(known) == sorted(code for (code,) in official if not code.startswith(collectivities))


def test_a_level_is_published(aides, rows, tmp_path, duck):
    by_age = {"age": {"generalise": {"hierarchy": "age", "level": 2}}}
    out = anonymise(rows(TEN_PEOPLE), aides(by_age), tmp_path, duck, salt="1")
    assert duckdb.execute(f"SELECT DISTINCT age FROM '{out.parquet}' ORDER BY 1").fetchall() == [("20-29",), ("40-49",)]


def test_a_date_and_an_age_are_chosen_together(aides, rows, tmp_path, duck):
    optimal = {name: {"generalise": {"hierarchy": kind, "level": "optimal"}} for name, kind in
               (("age", "age"), ("depuis", "date"))}  # fmt: skip
    dataset = aides(optimal, quasi_identifiers=["age", "depuis"], k=4)
    out = anonymise(rows(TEN_PEOPLE), dataset, tmp_path, duck, salt="1")
    assert out.choice.levels == {"age": 2, "depuis": 0}
    assert out.rows == 10


@pytest.mark.parametrize("level", [1, "optimal"])
def test_a_value_outside_is_counted_and_not_told(level, aides, rows, tmp_path, duck):
    by_age = {"age": {"generalise": {"hierarchy": "age", "level": level}}}
    with pytest.raises(PrivacyError, match=r"^assets/social/aides.yaml:0: 1 .*rows hold a value of age that") as told:
        anonymise(rows("('D', 'x', 170, 'A', 1.0)"), aides(by_age, quasi_identifiers=["age"], k=5), tmp_path, duck,
                  salt="1")  # fmt: skip
    assert "170" not in str(told.value)


def test_missing_values_stay_missing(aides, rows, tmp_path, duck):
    by_age = {"age": {"generalise": {"hierarchy": "age"}}}
    out = anonymise(rows("('D', 'x', NULL::INTEGER, 'A', 1.0)"), aides(by_age), tmp_path, duck, salt="1")
    assert duckdb.execute(f"SELECT age FROM '{out.parquet}'").fetchall() == [(None,)]
