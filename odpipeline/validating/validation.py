"""What is wrong with a file that should be as a schema says.

The rows go the way of every delivery: read by `conform`, checked by the suite of the schema. Two things are otherwise:
a column that may be missing is no error, and a row with an unreadable cell is checked in its other cells all the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from odpipeline import conform, quality
from odpipeline.conform import Conformed
from odpipeline.conform.columns import folded
from odpipeline.conform.conforming import CODEC
from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import ConformError, OdpError, QualityError
from odpipeline.quality import custom_checks, suites
from odpipeline.quality.failing_rows import failed_by
from odpipeline.quality.kinds import by_itself
from odpipeline.quality.report import finding as reported
from odpipeline.quality.suites import Expectation, Suite
from odpipeline.validating.schemas import Schema
from odpipeline.verdict import Finding

MOST = 1000
"""The most rows of one result that are told by their number."""

_FILLED = "expect_column_values_to_not_be_null"
_HEADER = 1
"""The rows above the first one of data, as a spreadsheet counts them."""


@dataclass(frozen=True)
class Result:
    """One rule and whether it held. Never the value of a cell.

    `code` is Frictionless's type of error (`type-error`, `constraint-error`, `missing-label`…) or the name of a custom
    check; `rule` the constraint, the type, the custom check. `rows` are the first that fail, counted as a spreadsheet
    does: the header is row 1, and the empty lines of a CSV do not count. `count` is how many fail.
    """

    code: str
    rule: str
    held: bool
    message: str
    level: Literal["error", "warning"] = "error"
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Validation:
    """What was found: `file` and `schema` as they were given, how many data rows were read, each rule's result."""

    file: str
    schema: str
    rows: int
    results: tuple[Result, ...]

    @property
    def issues(self) -> tuple[Result, ...]:
        """What did not hold, errors first."""
        return tuple(sorted((one for one in self.results if not one.held), key=lambda one: one.level))

    @property
    def valid(self) -> bool:
        """No error; warnings are allowed, as in Validata."""
        return not any(one.level == "error" for one in self.issues)


def validate(file: Path, schema: Schema, duck: DuckSettings | None = None) -> Validation:
    """Check `file`, of any format that is read without being declared, against `schema`.

    Raises: OdpError when there is no such file; QualityError when a check could not run.
    """
    if not file.is_file():
        raise OdpError("there is no such file", where=str(file), mend="correct its path")
    with tempfile.TemporaryDirectory(prefix="odp-validate-") as place:  # readable by nobody else
        folder, settings = Path(place), duck or DuckSettings(spill=Path(place) / "spill")
        try:
            header = _header(file, schema.dataset, folder, settings)
            absent = tuple(_absent(header, schema.dataset))
            results = [*_columns(header, absent, schema.dataset), *_not_alone(schema.dataset)]
            if len(absent) == len(schema.dataset.fields):
                return Validation(str(file), schema.name, 0, tuple(results))
            dataset = schema.without([field.name for field in absent])
            rows = conform.read_whole(file, dataset, folder, settings)
        except ConformError as error:
            broken = Result("source-error", "readable", False, error.what)
            return Validation(str(file), schema.name, 0, (broken,))
        with connect(settings) as connection:
            results += _Rows(connection, dataset, rows, settings).results()
        return Validation(str(file), schema.name, rows.rows_in, tuple(results))


def _header(file: Path, dataset: Dataset, folder: Path, duck: DuckSettings) -> list[str]:
    with connect(duck) as connection:
        return list(conform.deliver(connection, conform.unpacked(file, dataset, folder)[0], dataset, folder).columns)


def _absent(header: list[str], dataset: Dataset) -> Iterator[TableField]:
    there = {folded(name, dataset) for name in header}
    return (field for field in dataset.fields if folded(field.name, dataset) not in there)


def _columns(header: list[str], absent: tuple[TableField, ...], dataset: Dataset) -> Iterator[Result]:
    """The columns as Validata sees them: only a required one must be there, and nothing depends on the order."""
    for field in absent:
        needed = field.constraints.required or field.name in dataset.key
        yield Result(
            "missing-label", "column", False, f"the column {field.name} is missing" + ("" if needed else " (optional)"),
            "error" if needed else "warning", (field.name,),
        )  # fmt: skip
    places = {folded(field.name, dataset): place for place, field in enumerate(dataset.fields)}
    for name in header:
        if folded(name, dataset) not in places:
            message = f"the column {name} is not in the schema"
            yield Result("extra-label", "column", False, message, "warning", (name,))
    found = [places[folded(name, dataset)] for name in header if folded(name, dataset) in places]
    if found != sorted(found):
        message = "the columns are not in the order of the schema"
        yield Result("incorrect-label", "order", False, message, "warning")
    if not any(field.constraints.required for field in absent):
        yield Result("missing-label", "column", True, "every required column is there")


def _not_alone(dataset: Dataset) -> Iterator[Result]:
    """What one file alone cannot tell: a rule that nobody checked must not look like one that holds."""
    for key in dataset.foreign_keys:
        other = f"the file {key.dataset}" if key.dataset else "the file itself"
        message = f"{' + '.join(key.fields)} refers to {other}: not checked"
        yield Result("foreign-key", "foreignKeys", False, message, "warning", key.fields)


@dataclass(frozen=True)
class _Rows:
    """The rows of one file, read as far as they could be; `dataset` has each column of the schema."""

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    rows: Conformed
    duck: DuckSettings

    @property
    def kept(self) -> str:
        return f"read_parquet({literal(self.rows.parquet)})"

    @property
    def quarantine(self) -> str:
        return f"read_parquet({literal(self.rows.quarantine)})"

    def results(self) -> Iterator[Result]:
        """What is wrong with the rows.

        Raises: QualityError when a check could not run.
        """
        yield self._blank()
        yield from self._unreadable()
        full = quality.suite_for(self.dataset)
        asked = tuple(one for one in full.expectations if not one.type.startswith("expect_table_"))
        if not asked:
            return
        suite, words = Suite(full.dataset, asked), _words(self.dataset)
        checked = list(zip(asked, quality.check(self.rows.parquet, suite, self.duck).findings, strict=True))
        if broken := next((f for _, f in checked if not f.passed and "unexpected_count" not in f.counts), None):
            raise QualityError(broken.message)
        alone = [one for one, finding in checked if not finding.passed and by_itself(one.type)]
        found = failed_by(self.connection, self.rows.parquet, suite, alone)
        conditions = {id(one.expectation): one.condition for one in found}
        for expectation, finding in checked:
            code, rule = words[_identity(expectation.type, expectation.kwargs)]
            told = Result(code, rule, True, finding.message, "error", _about(expectation))
            if condition := conditions.get(id(expectation)):
                told = self._failing(told, expectation, finding, condition)
            elif not finding.passed:
                told = self._repeated(told)
            yield told

    def _blank(self) -> Result:
        """Rows that hold nothing at all: told once, and not for every column that should be filled."""
        names = [quote(field.name) for field, _ in self.dataset.delivered_fields]
        nothing = " AND ".join(f"{name} IS NULL" for name in names)
        blank = f"{nothing} AND _row NOT IN (SELECT _row FROM {self.quarantine})"
        count, rows = self._numbers(f"SELECT _row FROM {self.kept} WHERE {blank}")
        if count:
            aside = self.rows.parquet.with_name("filled.parquet")
            self.connection.execute(f"COPY (SELECT * FROM {self.kept} WHERE NOT ({blank})) TO {literal(aside)} {CODEC}")
            aside.replace(self.rows.parquet)
        message = f"{count} rows hold nothing" if count else "no row is blank"
        return Result("blank-row", "row", not count, message, rows=rows, count=count)

    def _unreadable(self) -> Iterator[Result]:
        """Lines that cannot be cut into columns, and cells that are not of their column's type."""
        fields = [field for field, _ in self.dataset.delivered_fields]
        count, rows = self._set_aside("")
        message = f"{count} lines do not have one cell for each column" if count else "every line has all its cells"
        yield Result("row-error", "line", not count, message, rows=rows, count=count)
        for field in fields:
            rule = field.type if field.format == "default" else f"{field.type} {field.format}"
            count, rows = self._set_aside(field.name)
            message = f"{field.name}: {count or 'no'} cells cannot be read as {rule}"
            yield Result("type-error", rule, not count, message, "error", (field.name,), rows, count)

    def _failing(self, told: Result, expectation: Expectation, finding: Finding, condition: str) -> Result:
        """`told` with the rows that fail `expectation` by themselves."""
        which = f"SELECT _row FROM {self.kept} WHERE {condition}"
        if expectation.type == _FILLED:  # what could not be read is missing too, and told already
            column = literal(told.columns[0])
            which += f' AND _row NOT IN (SELECT _row FROM {self.quarantine} WHERE "column" = {column})'
        count, rows = self._numbers(which)
        numbers = {**finding.counts, "unexpected_count": count}
        message = reported(expectation, group=finding.group, held=not count, numbers=numbers).message
        return replace(told, held=not count, message=message, rows=rows, count=count)

    def _repeated(self, told: Result) -> Result:
        """`told`, that no value stands twice, with the rows where one stands again."""
        filled = " AND ".join(f"{quote(name)} IS NOT NULL" for name in told.columns)
        count, rows = self._numbers(
            f"SELECT _row FROM (SELECT _row, row_number() OVER (PARTITION BY {columns(told.columns)} ORDER BY _row) "
            f"AS n FROM {self.kept} WHERE {filled}) WHERE n > 1"
        )
        message = f"{' + '.join(told.columns)}: {count} rows repeat what stands in an earlier one"
        return replace(told, held=False, message=message, rows=rows, count=count)

    def _set_aside(self, column: str) -> tuple[int, tuple[int, ...]]:
        if not any(reason.column == column for reason in self.rows.reasons):
            return 0, ()
        return self._numbers(f'SELECT _row FROM {self.quarantine} WHERE "column" = {literal(column)}')

    def _numbers(self, select: str) -> tuple[int, tuple[int, ...]]:
        """How many rows `select` names, and the first of them as a spreadsheet numbers them."""
        found = self.connection.execute(
            f"WITH found AS (SELECT DISTINCT _row FROM ({select})) "
            f"SELECT (SELECT count(*) FROM found), (SELECT list(_row ORDER BY _row) FROM "
            f"(SELECT _row FROM found ORDER BY _row LIMIT {MOST}))"
        ).fetchone()
        count, rows = found or (0, None)
        return int(count), tuple(int(row) + _HEADER for row in rows or ())


def _about(expectation: Expectation) -> tuple[str, ...]:
    said = expectation.kwargs
    return tuple(said["column_list"]) if "column_list" in said else (str(said["column"]),)


def _identity(kind: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
    return kind, repr(sorted(arguments.items()))


def _words(dataset: Dataset) -> dict[tuple[str, str], tuple[str, str]]:
    """Expectation → (code, rule): the word of the schema that asks for it, the first one if several do."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for field in dataset.fields:
        for word, kind, arguments in suites.asked(field):
            code = {"format": "type-error", "unique": "unique-error"}.get(word, "constraint-error")
            found.setdefault(_identity(kind, {"column": field.name, **arguments}), (code, word))
    for check in dataset.custom_checks:
        found.setdefault(_identity(*custom_checks.asked(check)), (check.name, check.name))
    for one in suites.of_key(dataset):
        found.setdefault(_identity(one.type, one.kwargs), ("primary-key", "primaryKey"))
    return found
