"""What the public reads of the checks: enough to judge the release, nothing that helps to single a person out."""

import json

from hypothesis import given
from hypothesis import strategies as some

from odpipeline.quality import public
from odpipeline.quality.score import score
from odpipeline.verdict import Finding, Severity

COLUMNS = ("age", "montant")
ABOUT = {"dataset": "aides", "content_hash": "c" * 64, "published_at": "2026-11-25T00:00:00Z"}


def finding(rule="expect_column_values_to_be_between", group="quality", column="montant", passed=False, **changes):
    counts = {"element_count": 100, "unexpected_count": 3, "missing_count": 1, "unexpected_percent": 3.03}
    return Finding(group, rule, passed, "montant: SECRET", Severity.WARNING, column, counts, **changes)


def shown(*findings, of_persons=False):
    return public.published(findings, COLUMNS, of_persons=of_persons)


def test_counts_and_bounds_of_ordinary_data_are_public():
    [told] = shown(finding(declared={"min_value": 0}))
    assert told.counts["unexpected_count"] == 3
    assert told.declared == {"min_value": 0}
    assert told.message == ""


def test_where_persons_are_concerned_nothing_counted_before_anonymisation_is_told():
    """The missing values before suppression beside those after it would tell what the suppressed rows hold."""
    [told] = shown(finding(declared={"min_value": 0, "mostly": 0.9}), of_persons=True)
    assert (told.counts, told.declared, told.passed) == ({}, {"mostly": 0.9}, False)


def test_what_anybody_can_count_again_is_told_of_persons_too():
    kept = [finding(group="gate"), Finding("shrink", "rows", True, "", counts={"rows": 3, "rows_before": 4})]
    kept.append(
        Finding("quarantine", "quarantine_ceiling", True, "", counts={"rows": 9, "quarantined": 1, "share": 0.1})
    )
    assert [told.counts for told in shown(*kept, of_persons=True)] == [one.counts for one in kept]


def test_columns_that_are_not_published_are_not_spoken_of():
    named = [
        finding(column="nom"),
        finding("expect_compound_columns_to_be_unique", declared={"column_list": ["age", "nom"]}),
        finding("expect_column_pair_values_to_be_equal", column=None, declared={"column_A": "age", "column_B": "nom"}),
    ]  # fmt: skip
    assert shown(*named) == ()
    [table] = shown(
        finding("expect_table_columns_to_match_ordered_list", column=None, declared={"column_list": ["nom"]})
    )
    assert table.declared == {}


def test_privacy_findings_of_an_unlisted_kind_are_left_out():
    """A warning that a column looks like names would tell where to look."""
    known = [Finding("privacy", rule, True, "") for rule in ("k_anonymity_csv", "suppression_limit")]
    scanned = finding("residual_identifiers", group="privacy")
    assert shown(*known, scanned, Finding("approval", "approved", True, "by dpo@ville.example")) == tuple(known)


def test_counts_of_an_unlisted_name_are_left_out():
    odd = Finding("quality", "expect_x", True, "", column="age", counts={"unexpected_count": 0, "of_madame_dupont": 1})
    assert shown(odd)[0].counts == {"unexpected_count": 0}


def test_the_summary_counts_and_names_what_failed():
    assert public.summary(shown(finding(), finding(passed=True, column="age"))) == {
        "score": score(shown(finding(), finding(passed=True, column="age"))).as_json(),
        "findings": 2,
        "held": 1,
        "failed": [{"rule": "expect_column_values_to_be_between", "column": "montant", "severity": "warning",
                    "counts": dict(finding().counts)}],
    }  # fmt: skip


def test_the_history_goes_on_from_version_to_version_and_is_bounded():
    report, low, high = None, {"min_value": 0}, {"max_value": 9}
    for version in range(1, public.HISTORY + 4):
        wrong = Finding("quality", "expect_column_values_to_be_between", version % 2 == 0, "", column="age",
                        counts={"element_count": 9, "unexpected_count": version % 2 * 3}, declared=low)  # fmt: skip
        both = [wrong, Finding(wrong.group, wrong.rule, True, "", column="age", declared=high)]
        report = public.report(shown(*both), ABOUT | {"version": version}, report)
    first, second = report["findings"]
    assert len(first["history"]) == len(report["score_history"]) == public.HISTORY
    assert first["history"][-2:] == [[version - 1, 0, True], [version, 3, False]]
    assert all(point[1:] == [0, True] for point in second["history"])


def test_a_report_is_read_again_as_it_was_written():
    report = public.report(shown(finding(declared={"min_value": 0})), ABOUT | {"version": 1}, None)
    written = public.as_bytes(report)
    assert json.loads(written) == report
    assert written.count(b'\n{"group"') == len(report["findings"]) == 1
    assert public.restored(report["findings"][0]) == shown(finding(declared={"min_value": 0}))[0]


def test_each_finding_is_told_in_both_languages():
    [entry] = public.report(shown(finding(declared={"min_value": 0})), ABOUT | {"version": 1}, None)["findings"]
    assert entry["words"] == {
        "fr": "Colonne «\u00a0montant\u00a0»\u00a0: valeurs d’au moins 0\u00a0: 3 valeurs sur 99 sont inférieures au "
              "minimum (0)",
        "en": "Column “montant”: values at least 0: 3 of 99 values are below the minimum",
    }  # fmt: skip


def test_what_is_not_finite_is_not_told():
    odd = Finding("over_time", "drift", False, "", column="age", counts={"psi": float("inf")})
    [entry] = public.report(shown(odd), ABOUT | {"version": 1}, None)["findings"]
    assert entry["counts"] == {}
    public.as_bytes(public.report(shown(odd), ABOUT | {"version": 1}, None))


GROUPS = ("quality", "gate", "quarantine", "schema", "over_time", "shrink", "freshness", "privacy", "approval", "new")


@given(
    group=some.sampled_from(GROUPS),
    rule=some.sampled_from(["expect_column_values_to_be_in_set", "rows", "k_anonymity_csv", "scan", "new_columns"]),
    column=some.sampled_from(["montant", "nom", None]),
    of_persons=some.booleans(),
)
def test_no_message_and_no_hidden_column_is_ever_public(group, rule, column, of_persons):
    told = Finding(group, rule, False, "CANARY", Severity.WARNING, column, {"unexpected_count": 1, "CANARY": 2},
                   {"column_list": ["CANARY"]} if column is None else {})  # fmt: skip
    report = public.report(shown(told, of_persons=of_persons), ABOUT | {"version": 1}, None)
    assert "CANARY" not in public.as_bytes(report).decode()
    assert '"nom"' not in public.as_bytes(report).decode()
