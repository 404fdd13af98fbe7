"""Every rule in English, for the public: what it asks for, and what a failure is."""

from __future__ import annotations

from odpipeline.quality.french import FRENCH, PREFIX
from odpipeline.quality.phrases import Phrase, bounds, joined
from odpipeline.quality.typography import english_age, english_count, english_number, english_share

number, count, share, age = english_number, english_count, english_share, english_age

_BOUNDS = bounds("between {0} and {1}", "at least {0}", "at most {0}", number, "within its bounds")
_VALUE_BOUNDS = bounds("between {0} and {1}", "at least {0}", "at most {0}", number, "within their bounds")

ASKED: dict[str, Phrase] = {
    "expect_column_values_to_not_be_null": Phrase("values that are filled in"),
    "expect_column_values_to_be_null": Phrase("no value filled in"),
    "expect_column_values_to_be_unique": Phrase("unique values"),
    "expect_compound_columns_to_be_unique": Phrase("unique keys", rows=True),
    "expect_column_values_to_be_between": Phrase(joined("values", _VALUE_BOUNDS)),
    "expect_column_values_to_be_in_set": Phrase("values of the declared list"),
    "expect_column_values_to_not_be_in_set": Phrase("no value of the excluded list"),
    "expect_column_values_to_match_regex": Phrase("the declared form"),
    "expect_column_values_to_not_match_regex": Phrase("no excluded form"),
    "expect_column_values_to_match_regex_list": Phrase("the declared forms"),
    "expect_column_values_to_not_match_regex_list": Phrase("none of the excluded forms"),
    "expect_select_column_values_to_be_unique_within_record": Phrase("different values within a row", rows=True),
    "expect_column_value_lengths_to_be_between": Phrase(joined("number of characters", _BOUNDS)),
    "expect_column_pair_values_a_to_be_greater_than_b": Phrase(
        lambda d: f"“{d['column_A']}” {'not less than' if d.get('or_equal') else 'greater than'} “{d['column_B']}”",
        rows=True,
    ),
    "expect_column_pair_values_to_be_equal": Phrase(
        lambda d: f"“{d['column_A']}” equal to “{d['column_B']}”", rows=True
    ),
    "expect_multicolumn_values_to_be_filled_together": Phrase("columns filled together or not at all", rows=True),
    "expect_multicolumn_values_to_have_one_filled": Phrase("one of these columns filled at least", rows=True),
    "expect_multicolumn_values_to_add_up_to_the_first": Phrase("a total that is the sum of its parts", rows=True),
    "expect_multicolumn_values_to_compare": Phrase("two columns that compare as declared", rows=True),
    "expect_table_row_count_to_be_between": Phrase(joined("number of rows", _BOUNDS)),
    "expect_table_columns_to_match_ordered_list": Phrase("the declared columns in their order"),
    "expect_table_columns_to_match_set": Phrase("the declared columns"),
    "expect_table_column_count_to_be_between": Phrase(joined("number of columns", _BOUNDS)),
    "expect_column_to_exist": Phrase("a column that is there"),
    "expect_column_values_to_be_of_type": Phrase("the declared type"),
    "expect_column_values_to_be_in_type_list": Phrase("the declared type"),
    "expect_column_value_lengths_to_equal": Phrase(lambda d: f"texts of {count(d['value'], 'character')}"),
    "expect_column_min_to_be_between": Phrase(joined("least value", _BOUNDS)),
    "expect_column_max_to_be_between": Phrase(joined("greatest value", _BOUNDS)),
    "expect_column_mean_to_be_between": Phrase(joined("mean", _BOUNDS)),
    "expect_column_sum_to_be_between": Phrase(joined("sum", _BOUNDS)),
    "expect_column_median_to_be_between": Phrase(joined("median", _BOUNDS)),
    "expect_column_stdev_to_be_between": Phrase(joined("standard deviation", _BOUNDS)),
    "expect_column_quantile_values_to_be_between": Phrase("quantiles within their bounds"),
    "expect_column_unique_value_count_to_be_between": Phrase(joined("number of different values", _BOUNDS)),
    "expect_column_proportion_of_unique_values_to_be_between": Phrase("share of different values within its bounds"),
    "expect_column_proportion_of_non_null_values_to_be_between": Phrase("share of filled values within its bounds"),
}  # fmt: skip
"""What expectations ask for, where their names do not say it well enough; their kinds tell the failures."""

ASKED |= {PREFIX + name: Phrase(f"valid values of the type “{name.replace('_', ' ')}”") for name in FRENCH}

ENGLISH_PHRASES: dict[str, Phrase] = {
    "quarantine_ceiling": Phrase(
        "readable rows",
        told=lambda n: f"{count(n['quarantined'], 'row')} of {number(n['rows'])} "
        f"({share(n['share'])}) are set aside, unreadable or against a rule",
    ),
    "new_columns": Phrase(
        "no unknown column",
        told=lambda n: f"{count(n['new_columns'], 'column')} delivered that nobody declared, and left out",
    ),
    "breaking_schema": Phrase(
        "the same structure",
        told=lambda n: f"{count(n['changed_columns'], 'change')} of structure that readers stumble over",
    ),
    "vanished_columns": Phrase(
        "the columns of the published version",
        told=lambda n: f"{count(n['vanished_columns'], 'column')} of the published version vanished",
    ),
    "rows": Phrase(
        "number of rows of the published version",
        told=lambda n: f"{count(n['lost_rows'], 'row')} of {number(n['rows_before'])} vanished since the "
        "published version",
    ),
    "growth": Phrase(
        "usual growth",
        told=lambda n: f"{count(n['rows'], 'row')}, {number(n['rows_before'])} in the published version",
    ),
    "types": Phrase(
        "the types of the published version",
        told=lambda n: f"{count(n['changed_columns'], 'column')} of another type than before",
    ),
    "vanished_keys": Phrase(
        "the keys of the published version",
        told=lambda n: f"{count(n['vanished_keys'], 'key')} of {number(n['keys_before'])} vanished since "
        "the published version",
    ),
    "foreign_key": Phrase(
        lambda d: f"references to “{d['dataset']}”" if d["dataset"] else "references to the dataset itself",
        told=lambda n: f"{count(n['orphan_rows'], 'row')} of {number(n['referring_rows'])} refer to a key that is "
        "not published",
    ),
    "steady": Phrase(
        "a value that does not change for a key",
        told=lambda n: f"changed for {count(n['changed'], 'key')} of {number(n['compared'])}",
    ),
    "never_reused": Phrase(
        "keys that are never used again for something else",
        told=lambda n: f"{count(n['reused'], 'key')} of {number(n['compared'])} published before name something else "
        "now",
    ),
    "newest": Phrase(
        "events that go forward",
        told=lambda n: "the newest event is older than that of the published version "
        f"(by {age(n['behind_seconds'])})",
    ),
    "new_categories": Phrase(
        "categories published before",
        told=lambda n: f"{count(n['new_values'], 'value')} never published before, in "
        f"{count(n['rows'], 'row')}",
    ),
    "drift": Phrase(
        "a stable distribution",
        told=lambda n: f"the distribution moved (population stability index {number(n['psi'])})",
    ),
    "counters": Phrase(
        "a counter that never runs backwards",
        told=lambda n: f"runs backwards {count(n['backwards'], 'time')} in {count(n['rows'], 'row')}",
    ),
    "gaps": Phrase(
        "readings without a gap",
        told=lambda n: f"{count(n['gaps'], 'gap')} too long, {count(n['silent_series'], 'series', 'series')} "
        "silent at the end",
    ),
    "stuck": Phrase(
        "values that vary",
        told=lambda n: f"one value {count(n['longest_run'], 'time')} on end, {number(n['most'])} at most",
    ),
    "weekday": Phrase(
        "the number of rows usual for the day",
        told=lambda n: f"{count(n['rows'], 'row')} on the last whole day, {number(n['usual'])} as a rule",
    ),
    "published_columns": Phrase("publishable columns only"),
    "k_anonymity": Phrase("k-anonymity"),
    "small_cells": Phrase("no count too small"),
    "suppression_limit": Phrase("rows suppressed to protect persons"),
    "l_diversity": Phrase(
        "sensitive values that differ enough within each class",
        told=lambda n: f"{count(n['failing_classes'], 'class', 'classes')} of {number(n['classes'])} not diverse "
        "enough",
    ),
    "t_closeness": Phrase(
        "each class distributed nearly as the whole",
        told=lambda n: f"{count(n['failing_classes'], 'class', 'classes')} of {number(n['classes'])} too far from the "
        "whole",
    ),
    "differencing_versions": Phrase(
        "no difference too small from the published versions",
        told=lambda n: f"the difference from {count(n['exposing'], 'published version')} points at fewer than "
        f"{number(n['k'])} persons",
    ),
    "differencing_datasets": Phrase(
        "no difference too small from the other datasets",
        told=lambda n: f"the difference from {count(n['exposing'], 'dataset')} points at fewer than {number(n['k'])} "
        "persons",
    ),
    "recoverable_cells": Phrase(
        "secret cells that nothing gives away",
        told=lambda n: f"{count(n['recoverable'], 'secret cell')} of {number(n['secret_cells'])} can be computed from "
        "the others",
    ),
    "small_moves": Phrase(
        "classes that moved by too little",
        told=lambda n: f"{count(n['classes'], 'class', 'classes')} waiting until more has changed",
    ),
    "looser_rules": Phrase("usual rules of secrecy", told="rules looser than usual, for a reason that is published"),
    "grid": Phrase(
        "squares large and full enough",
        told=lambda n: f"{count(n['rows_below'], 'square')} of {number(n['squares'])} too telling",
    ),
    "identifiers": Phrase(
        "no identifier of a person that is not allowed",
        told=lambda n: f"identifiers of persons in {count(n['columns'], 'column')}",
    ),
    "checked": Phrase("checks made"),
    "staged": Phrase("a file ready to be published"),
    "embargo": Phrase("embargo", told="the publication waits for the end of an embargo"),
    "rolled_back": Phrase("nothing that was rolled back", told="content that was rolled back comes again"),
    "approved": Phrase("approval", told="the publication waits for an approval"),
    "data_age": Phrase(
        "recent data",
        told=lambda n: f"the newest data is {age(n['age_seconds'])} old, {age(n['promise_seconds'])} at "
        "most were promised",
    ),
    "future_dates": Phrase(
        "no event in the future",
        told=lambda n: f"{count(n['unexpected_count'], 'row')} too far in the future",
    ),
    "periods": Phrase(
        "no missing period",
        told=lambda n: f"{count(n['unexpected_count'], 'period')} of {number(n['element_count'])} without data",
    ),
    "run_age": Phrase("a recent check", told=lambda n: f"last checked {age(n['age_seconds'])} ago"),
}  # fmt: skip
"""Rule → its English phrase; privacy rules without the name of file and column at their end."""

OF_GROUP: dict[str, str] = {
    "quality": "a rule of quality does not hold",
    "quarantine": "rows are set aside, unreadable or against a rule",
    "schema": "the delivered columns are not the declared ones",
    "over_time": "the data is too far from the published version or from its own past",
    "shrink": "too much vanished since the published version",
    "privacy": "the protection of persons is not ensured",
    "freshness": "the data is not as recent as promised",
    "approval": "the publication waits for an approval",
    "gate": "the prepared file cannot be published",
}
"""What is true of every failure of a group, for a rule that has no phrase."""
