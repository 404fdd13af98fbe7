"""The kinds of Great Expectations that are refused by name, and what to use instead. No Great Expectations here."""

from __future__ import annotations

_LIKE = "write the LIKE pattern as a regular expression for expect_column_values_to_{}match_regex"
_IN_SET = "use expect_column_values_to_be_in_set, which says the same of every value"
_CELLS = "it keeps values of cells in its result; use {}"
_DRIFT = "it compares with a distribution that ages; declare quality.over_time.drift for the column"
_SQL = "statements of one's own could read or show any cell; use expectations that name their columns"

REFUSED_KINDS: dict[str, str] = {
    "expect_column_bootstrapped_ks_test_p_value_to_be_greater_than": _DRIFT,
    "expect_column_chisquare_test_p_value_to_be_greater_than": _DRIFT,
    "expect_column_kl_divergence_to_be_less_than": _DRIFT,
    "expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than": _DRIFT,
    "expect_column_pair_cramers_phi_value_to_be_less_than": "it crosses every value with every other; "
    "compare two columns with expect_column_pair_values_to_be_equal",
    "expect_column_distinct_values_to_be_in_set": _IN_SET,
    "expect_column_distinct_values_to_contain_set": _CELLS.format("expect_column_unique_value_count_to_be_between"),
    "expect_column_distinct_values_to_equal_set": _CELLS.format(
        "expect_column_values_to_be_in_set with expect_column_unique_value_count_to_be_between"
    ),
    "expect_column_most_common_value_to_be_in_set": _CELLS.format("expect_column_values_to_be_in_set with mostly"),
    "expect_column_pair_values_to_be_in_set": "bound each column with expect_column_values_to_be_in_set",
    "expect_column_type_to_be": "use expect_column_values_to_be_of_type with the type of DuckDB",
    "expect_column_value_z_scores_to_be_less_than": "one outlier moves its own bounds; use "
    "expect_column_values_to_be_between with mostly",
    "expect_column_values_to_not_be_outliers": "outliers move their own bounds; use "
    "expect_column_values_to_be_between with mostly",
    "expect_column_values_to_be_dateutil_parseable": "it guesses between day and month; declare the field as date with "
    "its format",
    "expect_column_values_to_match_strftime_format": "declare the field as date or datetime with its format",
    "expect_column_values_to_be_increasing": "rows have no order until they are published; declare "
    "quality.over_time.counters for a meter",
    "expect_column_values_to_be_decreasing": "rows have no order until they are published; declare "
    "quality.over_time.counters for a meter",
    "expect_column_values_to_be_json_parseable": "declare the field as object, array or geojson",
    "expect_column_values_to_match_json_schema": "declare what the objects hold as fields of their own",
    "expect_column_values_to_match_like_pattern": _LIKE.format(""),
    "expect_column_values_to_match_like_pattern_list": _LIKE.format(""),
    "expect_column_values_to_not_match_like_pattern": _LIKE.format("not_"),
    "expect_column_values_to_not_match_like_pattern_list": _LIKE.format("not_"),
    "expect_multicolumn_sum_to_equal": "declare the total as a derived column and bound it with "
    "expect_column_values_to_be_between",
    "expect_multicolumn_values_to_be_equal": "use expect_column_pair_values_to_be_equal for each pair",
    "expect_multicolumn_values_to_be_unique": "use expect_compound_columns_to_be_unique",
    "expect_query_results_to_match_comparison": _SQL,
    "unexpected_rows_expectation": _SQL,
    "expect_table_column_count_to_equal": "use expect_table_column_count_to_be_between with both bounds the same",
    "expect_table_row_count_to_equal": "exact numbers of rows age; use expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal_other_table": "there is one table; quality.over_time and shrink compare with the "
    "last release",
}
"""Kind → why it is refused, or what to use instead; with `KINDS` every kind that Great Expectations brings."""
