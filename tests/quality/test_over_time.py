# ruff: noqa: E501 - tables of rules read better whole
"""Expectations over time: what is compared with the release before, and along the series itself."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow, quality
from odpipeline.declaration import read_town
from odpipeline.duck import DuckSettings
from odpipeline.errors import DeclarationErrors
from odpipeline.journal import Journal
from odpipeline.store import Release
from tests.store.making import a_dataset
from tests.towns import PISCINES, deliver, write_town

DUCK = DuckSettings(memory_limit="300MB", threads=1)
FIELDS = [{"name": "id", "type": "integer"}, {"name": "capteur"}, {"name": "t", "type": "datetime"},
          {"name": "v", "type": "number"}]  # fmt: skip
NOW = "SELECT i AS id, 'C' || (i % 2) AS capteur, TIMESTAMP '2026-03-01' + to_hours(i::INT) AS t, i / 2.0 AS v FROM range(48) r(i)"


@pytest.fixture
def found(tmp_path):
    """The failed findings of `rules` for the rows `now`, against `before` if there is any: rule → finding."""

    def look(rules, now=NOW, before=None, **changes):
        dataset = a_dataset(
            "d", fields=FIELDS, key=["id"], quality={"over_time": rules}, freshness={"column": "t"}, **changes
        )
        paths = []
        for name, select in (("now", now), ("before", before)):
            path = tmp_path / f"{name}.parquet"
            if select:
                duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
            paths.append(path if select else None)
        findings = quality.over_time(paths[0], paths[1], dataset, DUCK, [path for path in paths[1:] if path])
        return {finding.rule: finding for finding in findings if not finding.passed}

    return look


def test_the_same_rows_again_break_no_rule(found):
    every = {"vanished_keys": "0 %", "steady": ["capteur"], "never_reused": ["capteur"], "new_categories": ["capteur"], "drift": {"v": 0.01, "capteur": 0.01},
             "counters": {"v": ["capteur"]}, "gaps": {"longest": "3 h", "by": ["capteur"]},
             "stuck": {"v": {"by": ["capteur"], "most": 1}}, "weekday": "10 %", "growth": 1}  # fmt: skip
    assert found(every, before=NOW) == {}


def test_a_first_release_is_compared_with_nothing(found):
    assert found({"steady": ["capteur"], "new_categories": ["capteur"], "drift": {"v": 0.1}}) == {}


@pytest.mark.parametrize(
    ("rule", "rules", "now", "said"),
    [
        ("growth", {"growth": 2}, NOW.replace("48", "200"), "200 rows, 48 before: more than 2 times as many"),
        ("types", {}, NOW.replace("i / 2.0 AS v", "'x' AS v"), "the type of v is no longer that of the current release"),
        ("vanished_keys", {"vanished_keys": "10 %"}, NOW + " WHERE i > 9", "10 of 48 keys of the current release have vanished"),
        ("steady", {"steady": ["capteur"]}, NOW.replace("i % 2", "(i + 1) % 2"), "48 of 48 keys that were there before have another"),
        ("never_reused", {"never_reused": ["capteur"]}, NOW.replace("i % 2", "(i + 1) % 2"), "48 of 48 keys that were published before name"),
        ("newest", {}, NOW + " WHERE i < 40", "the newest event is 8 h older than that of the current release"),
        ("new_categories", {"new_categories": ["capteur"]}, NOW.replace("i % 2", "i % 3"), "capteur has 1 values that were never"),
        ("drift", {"drift": {"v": 0.25}}, NOW.replace("i / 2.0", "i / 2.0 + 20"), "the distribution of v has moved by"),
        ("drift", {"drift": {"capteur": 0.25}}, NOW.replace("i % 2", "i % 9"), "the distribution of capteur has moved by"),
        ("counters", {"counters": {"v": ["capteur"]}}, NOW.replace("i / 2.0", "abs(i - 40)"), "v runs backwards 39 times"),
        ("gaps", {"gaps": {"longest": "2 h", "by": ["capteur"]}}, NOW + " WHERE i NOT IN (10, 12)", "1 gaps are longer than 2 h"),
        ("gaps", {"gaps": {"longest": "2 h", "by": ["capteur"]}}, NOW + " WHERE i < 40 OR i % 2 = 0", "and 1 series are silent"),
        ("stuck", {"stuck": {"v": {"by": ["capteur"], "most": 3}}}, NOW.replace("i / 2.0", "greatest(i, 40)"), "v keeps one value for 21"),
    ],
)  # fmt: skip
def test_what_is_unusual_is_told_with_counts(found, rule, rules, now, said):
    failed = found(rules, now, before=NOW)
    assert said in failed[rule].message


@pytest.mark.parametrize(
    ("scope", "told"), [({"scope": "release"}, False), ({"scope": "stable", "because": "suivi"}, True)]
)
def test_keys_that_are_made_not_to_join_are_not_joined(found, scope, told):
    privacy = {"columns": {"id": {"pseudonymise": {"secret": "ODP_SECRET", **scope}}}}
    moved = NOW.replace("i AS id", "i + 1000 AS id")
    assert ("vanished_keys" in found({}, moved, before=NOW, privacy=privacy)) is told


EVERY = {"steady": ["v"], "new_categories": ["v"], "drift": {"v": 0.01}}


def test_a_new_column_has_nothing_to_be_compared_with_yet(found):
    without = NOW.replace(", i / 2.0 AS v", "")
    assert found(EVERY, before=without) == {}
    assert found(EVERY, before=NOW.replace("i AS id, ", "")) == {}


def test_a_column_of_another_type_is_told_and_not_compared(found):
    assert set(found(EVERY, before=NOW.replace("i / 2.0 AS v", "'x' AS v"))) == {"types"}


def test_what_failed_says_where_its_rule_is(found):
    failed = found({"growth": 2}, NOW.replace("48", "200"), before=NOW)["growth"]
    assert failed.message.endswith("; look into the delivery, or change the rule at assets/d.yaml:0")


def test_a_weekday_is_compared_with_the_same_weekday(found):
    days = ("SELECT i AS id, 'C' AS capteur, TIMESTAMP '2026-03-02' + to_hours(i::INT) AS t, 1.0 AS v FROM range(24 * 16) r(i) "
            "WHERE isodow(t) < 6 OR hour(t) = 0")  # fmt: skip
    assert found({"weekday": "30 %"}, days) == {}
    last = "SELECT max(t)::DATE - 1 FROM (" + days + ")"
    thinned = f"SELECT * FROM ({days}) WHERE t::DATE <> ({last}) OR hour(t) < 5"
    assert (
        "the last whole day has 5 rows, the same weekdays before have 24"
        in found({"weekday": "30 %"}, thinned)["weekday"].message
    )


@pytest.mark.parametrize("rules", [{"severity": {"growth": "critical"}, "growth": 2}, {"growth": 2}])
def test_severity_is_as_declared(found, rules):
    failed = found(rules, NOW.replace("48", "200"), before=NOW)
    assert failed["growth"].blocks is bool(rules.get("severity"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.none() | st.integers(-9, 9), min_size=1, max_size=40),
    st.lists(st.none() | st.integers(-9, 9), min_size=1),
)
def test_drift_is_never_negative_and_nothing_has_not_moved(tmp_path, before, now):
    def rows(cells):
        return " UNION ALL ".join(f"SELECT {'NULL' if c is None else c}::DOUBLE AS v" for c in cells)

    dataset = a_dataset(
        "d", fields=[{"name": "v", "type": "number"}], key=(), quality={"over_time": {"drift": {"v": 0.0}}}
    )
    paths = [tmp_path / "now.parquet", tmp_path / "before.parquet"]
    for path, cells in zip(paths, (now, before), strict=True):
        duckdb.execute(f"COPY ({rows(cells)}) TO '{path}' (FORMAT parquet)")
    moved = {f.rule: f for f in quality.over_time(paths[0], paths[1], dataset, DUCK)}["drift"]
    still = {f.rule: f for f in quality.over_time(paths[1], paths[1], dataset, DUCK)}["drift"]
    assert moved.counts["psi"] >= 0
    assert (still.counts["psi"], still.passed) == (0, True)


def town_with(folder, rules):
    write_town(
        folder,
        "piscines",
        declaration=PISCINES.replace("personal_data", f"quality: {{over_time: {rules}}}\npersonal_data"),
    )


@pytest.mark.parametrize(
    ("rules", "said"),
    [("{steady: [bassin]}", "unknown column 'bassin'"), ("{weekday: 20 %}", "weekday needs the time of each event"),
     ("{drift: {entree: 0.1}}", "unknown column 'entree'"), ("{counters: {entrees: [piscine]}}", "counters needs the time"),
     ("{severity: {drifts: critical}}", "drifts")],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_before_any_run(tmp_path, rules, said):
    town_with(tmp_path, rules)
    with pytest.raises(DeclarationErrors) as error:
        read_town(tmp_path)
    assert said in str(error.value)


def last_of(folder):
    town = read_town(folder)
    zones = flow.Zones.of(town)
    return list(flow.publication(town.dataset("piscines"), town, zones))[-1], zones


def test_a_critical_rule_refuses_until_a_person_accepts_this_content(tmp_path):
    town_with(tmp_path, "{growth: 2, severity: {growth: critical}}")
    last_of(tmp_path)
    deliver(tmp_path, "piscines", rows=100)
    refused, zones = last_of(tmp_path)
    assert not refused.accepted
    assert f"odp accept piscines {refused.content_hash[:12]}" in refused.reasons[0]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    zones.journal.accept("piscines", refused.content_hash[:12], who="anne", because="été", until=yesterday)
    assert not last_of(tmp_path)[0].accepted
    zones.journal.accept(
        "piscines", refused.content_hash[:12], who="anne", because="été", until=yesterday + timedelta(days=2)
    )
    assert isinstance(last_of(tmp_path)[0], Release)


def test_a_journal_of_an_earlier_version_is_widened(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute(
            "CREATE TABLE acceptances (id INTEGER PRIMARY KEY, dataset VARCHAR, content_hash VARCHAR, accepted_at DATETIME, "
            "who VARCHAR, because VARCHAR)"
        )
        connection.execute(
            "INSERT INTO acceptances VALUES (1, 'piscines', 'abc', '2026-01-01 00:00:00.000000', 'a', 'b')"
        )
    connection.close()
    assert Journal.at(tmp_path).accepted("piscines") == {"abc"}


def _written(folder, *versions):
    paths = []
    for number, rows in enumerate(versions):
        paths.append(folder / f"v{number}.parquet")
        duckdb.execute(f"COPY (SELECT * FROM (VALUES {rows}) t(id, capteur, v)) TO '{paths[-1]}' (FORMAT parquet)")
    return paths


def test_a_key_that_left_and_comes_back_for_another_thing_is_told_over_all_versions(tmp_path):
    fields = [{"name": "id", "type": "integer"}, {"name": "capteur"}, {"name": "v", "type": "integer"}]
    dataset = a_dataset("d", fields=fields, key=["id"], quality={"over_time": {"never_reused": ["capteur"]}})
    now, before, first, odd = _written(
        tmp_path,
        "(1, 'A', 1), (2, 'Zinzin', 1), (3, NULL, 1)",
        "(1, 'A', 2)",
        "(2, 'B', 1), (3, NULL, 9)",
        "('x', 'B', 1)",
    )
    found = {f.rule: f for f in quality.over_time(now, before, dataset, DUCK, [before, first, odd])}["never_reused"]
    assert found.counts == {"reused": 1, "compared": 3}
    assert not found.passed
    assert "Zinzin" not in found.message
    [only_now] = [f for f in quality.over_time(now, before, dataset, DUCK, [odd]) if f.rule == "never_reused"] or [None]
    assert only_now is None


HARD = [
    ("one row", NOW.replace("range(48)", "range(1)")),
    ("no event at all", NOW.replace("TIMESTAMP '2026-03-01' + to_hours(i::INT)", "NULL::TIMESTAMP")),
    ("one moment", NOW.replace(" + to_hours(i::INT)", "")),
    ("no finite number", NOW.replace("i / 2.0", "CASE i % 3 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf'::DOUBLE END")),
    ("no number", NOW.replace("i / 2.0", "NULL::DOUBLE")),
]


@pytest.mark.parametrize("now", [rows for _, rows in HARD], ids=[name for name, _ in HARD])
@pytest.mark.parametrize("before", [None, NOW, HARD[1][1], HARD[3][1]], ids=["first", "usual", "no events", "nan"])
def test_every_rule_has_an_answer_whatever_the_rows_hold(found, now, before):
    every = {"vanished_keys": "0 %", "steady": ["capteur"], "never_reused": ["capteur"], "new_categories": ["capteur"],
             "drift": {"v": 0.01, "capteur": 0.01}, "counters": {"v": ["capteur"]}, "weekday": "10 %", "growth": 1,
             "gaps": {"longest": "3 h", "by": ["capteur"]}, "stuck": {"v": {"by": ["capteur"], "most": 1}}}  # fmt: skip
    for finding in found(every, now=now, before=before).values():
        assert all(number == number and abs(number) < float("inf") for number in finding.counts.values())
