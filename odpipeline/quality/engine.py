"""Great Expectations on our own DuckDB connection: the execution engine and one validation.

The only module that imports Great Expectations, which takes seconds and hundreds of megabytes: import it inside the
function that validates (`quality.check` does), or preload it in a process that will fork.

No project, datasource or file is made, nothing is sent to anyone, and nothing is registered but the metrics, once: each
validation builds its own engine and batch and forgets them. Great Expectations decides what each expectation needs and
whether it holds; every number it asks for is answered here, from as few scans as possible; no cell is ever fetched.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import odpipeline.quality.lean  # noqa: F401 - before Great Expectations

# isort: split
import sqlalchemy as sa
from great_expectations.core.batch import Batch, LegacyBatchDefinition
from great_expectations.core.batch_spec import RuntimeQueryBatchSpec
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.id_dict import IDDict
from great_expectations.exceptions.exceptions import MetricResolutionError
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.expectations.registry import (
    get_metric_kwargs,
    register_core_expectations,
    register_core_metrics,
    register_metric,
)
from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID
from great_expectations.validator.validator import Validator

from odpipeline.quality.across import ACROSS, across_metric
from odpipeline.quality.dialect import NAME
from odpipeline.quality.french import FRENCH, PREFIX, metric
from odpipeline.quality.metrics import FAILING, GROUPED, KNOWN, SAMPLES, SCANNED, Asked, Expression, Grouping, by_value
from odpipeline.quality.suites import Expectation

logging.captureWarnings(False)  # Great Expectations' import sends every warning of the process to a log
logging.getLogger("great_expectations").setLevel(logging.CRITICAL)  # its messages of errors can hold cells

_NO_CELLS = {"result_format": {"result_format": "BASIC", "partial_unexpected_count": 0}, "catch_exceptions": True}
_NUMBER = "odp_number"


class RowConditionRefused(Exception):
    """Rows cannot be left out of an expectation: reading the suite refuses it by name, and this is the second lock."""


class OdpDuckExecutionEngine(SqlAlchemyExecutionEngine):
    """Answers every metric itself: bundled into one scan, grouped once for each set of columns, or refused."""

    def __init__(self, *, types: Mapping[str, str], rows: str = "", **arguments: Any) -> None:
        self._shared: sa.Connection | None = None  # before what may fail: `close` looks at it
        super().__init__(**arguments)
        self._types, self._query = types, rows
        self._answers: dict[MetricConfigurationID, Any] = {}
        self._failures: dict[MetricConfigurationID, str] = {}
        self._groups: dict[Any, tuple[int, int, int]] = {}

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        """Our connection, left open: a result is fetched after the block has ended."""
        self._shared = self._shared or self.engine.connect()
        yield self._shared

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[MetricConfigurationID, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[MetricConfigurationID, Any]:
        """The answer to every metric asked for.

        Raises: MetricResolutionError naming those that could not be had; its message is the name of an exception's
        type, because the message of an exception can hold a cell. What could be had is kept for the next call.
        """
        del metrics, runtime_configuration
        wanted = list(metrics_to_resolve)
        self._answer([m for m in wanted if m.id not in self._answers and m.id not in self._failures])
        if failed := [metric for metric in wanted if metric.id in self._failures]:
            reason = self._failures[failed[0].id]  # those with another reason have their turn in the next round
            raise MetricResolutionError(reason, [metric for metric in failed if self._failures[metric.id] == reason])
        return {metric.id: self._answers[metric.id] for metric in wanted}

    def _answer(self, metrics: Sequence[MetricConfiguration]) -> None:
        scan: dict[MetricConfigurationID, Any] = {}
        for one in metrics:
            with self._noting(one.id):
                name = one.metric_name
                asked = Asked(one.metric_domain_kwargs, one.metric_value_kwargs, self._types)
                if asked.domain.get("row_condition"):
                    raise RowConditionRefused
                if name.endswith(SAMPLES):
                    self._answers[one.id] = []
                elif name in KNOWN:
                    self._answers[one.id] = KNOWN[name](self._types)
                elif name in GROUPED:
                    self._answers[one.id] = GROUPED[name](*self._grouped(by_value(asked)))
                else:
                    scan[one.id] = SCANNED[name](asked)
        self._scan(scan)

    def _scan(self, expressions: Mapping[MetricConfigurationID, Any]) -> None:
        """All expressions in one scan; if that fails, each on its own, so that one cannot take the others with it."""
        if not expressions:
            return
        labelled = [expression.label(f"m{n}") for n, expression in enumerate(expressions.values())]
        try:
            values = self._one(sa.select(*labelled).select_from(self._rows()))
        except sa.exc.SQLAlchemyError:
            for identifier, expression in expressions.items():
                with self._noting(identifier):
                    (self._answers[identifier],) = self._one(sa.select(expression).select_from(self._rows()))
        else:
            self._answers.update(zip(expressions, values, strict=True))

    def _grouped(self, grouping: Grouping) -> tuple[int, int, int]:
        if grouping.key not in self._groups:
            different, again, rows = self._one(grouping.select(self._rows()))
            self._groups[grouping.key] = (int(different), int(again), int(rows))
        return self._groups[grouping.key]

    def _rows(self) -> sa.FromClause:
        # SQLAlchemy would take a colon in the name of a column or a file for the beginning of a parameter.
        return sa.text(self._query.replace(":", "\\:")).columns().subquery()

    def _one(self, select: sa.Select[Any]) -> Sequence[Any]:
        with self.get_connection() as connection:
            return connection.execute(select).one()

    @contextmanager
    def _noting(self, identifier: MetricConfigurationID) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever stops a check, it must count as failed, not as passed
            cause = getattr(error, "orig", None) or error
            self._failures[identifier] = type(cause).__name__

    def close(self) -> None:
        """Forget the connection; who opened it closes it."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        super().close()


class _Answered(MetricProvider):
    """Stands for every metric that the engine answers: it depends on no other, so all are asked for at once."""

    @classmethod
    def _get_evaluation_dependencies(cls, *_: Any, **__: Any) -> dict[str, MetricConfiguration]:
        return {}


def _answered(*_: Any, **__: Any) -> Any:
    raise AssertionError("the engine answers every metric itself")


_FILTER_KEYS = ("row_condition", "condition_parser")


def _own_keys(stem: str) -> dict[str, tuple[str, ...]]:
    """What Great Expectations passes to a metric of our own."""
    if stem.startswith("column_values"):
        takes = next(one.takes for name, one in FRENCH.items() if metric(name) == stem)
        return {"metric_domain_keys": ("batch_id", "table", "column", *_FILTER_KEYS), "metric_value_keys": takes}
    argument = next(rule.argument for name, rule in ACROSS.items() if across_metric(name) == stem)
    domain = ("batch_id", "table", "column_list", "ignore_row_if", *_FILTER_KEYS)
    return {"metric_domain_keys": domain, "metric_value_keys": (argument,) if argument else ()}


def _register() -> None:
    register_core_metrics()
    register_core_expectations()
    ours = {metric(name) for name in FRENCH}
    for name, french in FRENCH.items():
        words = "".join(part.title() for part in f"{PREFIX}{name}".split("_"))
        takes = {"__annotations__": dict.fromkeys(french.takes, float | None), **dict.fromkeys(french.takes)}
        # Great Expectations derives the name that suites use from that of the class, and registers it.
        type(words, (ColumnMapExpectation,), {"map_metric": metric(name), "success_keys": ("mostly", *french.takes),
                                              "__module__": __name__, **takes})  # fmt: skip
    for name, rule in ACROSS.items():
        words = "".join(part.title() for part in name.split("_"))
        more = {"__annotations__": {rule.argument: str}} if rule.argument else {}
        judged = ("mostly", *filter(None, [rule.argument]))
        type(words, (MulticolumnMapExpectation,), {"map_metric": across_metric(name), "success_keys": judged,
                                                   "__module__": __name__, **more})  # fmt: skip
        ours.add(across_metric(name))
    names = {*SCANNED, *GROUPED, *KNOWN}
    names |= {name.removesuffix(".unexpected_count") + SAMPLES[0] for name in names if name.endswith("d_count")}
    for name in sorted(names):
        stem = name.rpartition(".")[0]
        keys = _own_keys(stem) if stem in ours else get_metric_kwargs(name)
        register_metric(
            name, keys["metric_domain_keys"], keys["metric_value_keys"], OdpDuckExecutionEngine, _Answered, _answered
        )


_register()


class Outcome(NamedTuple):
    """What Great Expectations said of one expectation, by allow-list: `numbers` are counts and shares only.

    `failure` is the name of the exception's type when it could not be evaluated, else empty.
    """

    success: bool
    numbers: dict[str, int | float]
    failure: str


def evaluate(
    engine: sa.Engine, rows: str, types: Mapping[str, str], expectations: Sequence[Expectation]
) -> dict[int, Outcome]:
    """The outcome of each expectation, by its place in the list; one that is missing was not evaluated.

    `rows` is the SELECT statement of the rows, `types` maps its columns to their DuckDB types.
    """
    gx_engine = OdpDuckExecutionEngine(engine=engine, types=types, rows=rows, create_temp_table=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Great Expectations' own use of its superseded API, pydantic's and pandas'
            validator = Validator(gx_engine, batches=[_batch(gx_engine, rows)])
            validator.metrics_calculator.show_progress_bars = False
            configurations = [_configuration(number, one) for number, one in enumerate(expectations)]
            results = validator.graph_validate(configurations, runtime_configuration=_NO_CELLS)
    finally:
        gx_engine.close()
    return {_number(result): _outcome(result) for result in results}


def conditions(engine: sa.Engine, types: Mapping[str, str], expectations: Sequence[Expectation]) -> list[Expression]:
    """For each of `expectations`, which all judge rows one by one, what is true for a row that fails it.

    Where it is unknown, the row holds. The arguments are those that the check has from Great Expectations.
    """
    gx_engine = OdpDuckExecutionEngine(engine=engine, types=types, create_temp_table=False)
    try:
        return [_condition(gx_engine, types, one) for one in expectations]
    finally:
        gx_engine.close()


def _condition(engine: OdpDuckExecutionEngine, types: Mapping[str, str], expectation: Expectation) -> Expression:
    model: Any = _configuration(0, expectation).to_domain_obj()
    needed = model.get_validation_dependencies(execution_engine=engine, runtime_configuration=_NO_CELLS)
    asked = needed.metric_configurations[f"{model.map_metric}.unexpected_count"]
    return FAILING[model.map_metric](Asked(asked.metric_domain_kwargs, asked.metric_value_kwargs, types))


def _batch(engine: OdpDuckExecutionEngine, rows: str) -> Batch:
    """The batch that a query asset would make, without the datasource and the project that it would need."""
    spec = RuntimeQueryBatchSpec(query=rows)
    data, markers = engine.get_batch_data_and_markers(batch_spec=spec)
    definition = LegacyBatchDefinition(NAME, NAME, "rows", IDDict({}))
    return Batch(data=data, batch_definition=definition, batch_spec=spec, batch_markers=markers)  # type: ignore[arg-type] # GX says type[…] and means its instances


def _configuration(number: int, expectation: Expectation) -> ExpectationConfiguration:
    return ExpectationConfiguration(
        type=expectation.type,
        kwargs=dict(expectation.kwargs),
        meta={_NUMBER: number},
        severity=FailureSeverity(expectation.severity),
    )


def _number(result: ExpectationValidationResult) -> int:
    configuration = result.expectation_config
    return int(configuration.meta[_NUMBER]) if configuration and configuration.meta else -1


_COUNTED = ("element_count", "unexpected_count", "unexpected_percent", "missing_count")
_OBSERVED = {
    "expect_table_row_count_to_be_between": "rows",
    "expect_table_column_count_to_be_between": "columns",
    "expect_column_unique_value_count_to_be_between": "different_values",
    "expect_column_proportion_of_unique_values_to_be_between": "different_share",
    "expect_column_proportion_of_non_null_values_to_be_between": "filled_share",
}
"""The only kinds whose observed value is a count or a share and never the content of a cell."""


def _outcome(result: ExpectationValidationResult) -> Outcome:
    if failure := _exception(result.exception_info):
        return Outcome(False, {}, failure)
    said = result.result or {}
    numbers = {name: said.get(name) for name in _COUNTED}
    kind = result.expectation_config.type if result.expectation_config else ""
    if kind in _OBSERVED:
        numbers[_OBSERVED[kind]] = said.get("observed_value")
    return Outcome(bool(result.success), {k: v for k, v in numbers.items() if isinstance(v, (int, float))}, "")


def _exception(info: Mapping[str, Any] | None) -> str:
    """The name of the exception's type, or an empty text when there was none. Its message is never looked at twice."""
    if not info or info.get("raised_exception") is False:
        return ""
    details = info if "exception_traceback" in info else next(iter(info.values()))
    last = str(details["exception_traceback"]).strip().rsplit("\n", 1)[-1]
    name, _, message = last.partition(":")
    name = name.rsplit(".", 1)[-1]
    if name == MetricResolutionError.__name__:
        name = message.strip()  # the engine's own words, see `resolve_metrics`
    return name if name.isidentifier() and len(name) < _LONGEST_NAME else "an exception"


_LONGEST_NAME = 60
