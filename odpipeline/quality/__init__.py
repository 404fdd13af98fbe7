"""Quality: Great Expectations, pushed down to our own DuckDB connection.

`suites` turns a declaration into a suite and reads the dataset's own file; `check` evaluates it on a Parquet file.
Importing this package does not import Great Expectations: `check` does, when it is called.
"""

from odpipeline.quality.checking import check
from odpipeline.quality.failing_rows import checked
from odpipeline.quality.foreign_keys import foreign_keys
from odpipeline.quality.over_time import over_time
from odpipeline.quality.records import RunReport, run_report, run_reports
from odpipeline.quality.report import QualityReport
from odpipeline.quality.suites import Expectation, Suite, output_suite, suite_faults, suite_for

__all__ = [
    "Expectation", "QualityReport", "RunReport", "Suite", "check", "checked", "foreign_keys", "output_suite",
    "over_time", "run_report", "run_reports", "suite_faults", "suite_for",
]  # fmt: skip
