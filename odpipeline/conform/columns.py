"""Delivered columns against declared fields: every column is declared, ignored by name, or a signal."""

from __future__ import annotations

import difflib
import re
import unicodedata

from odpipeline.conform.delivered import Delivered
from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.errors import ConformError
from odpipeline.verdict import Finding, Severity

_MOST_COLUMNS, _MOST_NAMED = 2_000, 30


def match(delivered: Delivered, dataset: Dataset) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """Declared field → SQL expression of its text, and a finding for columns that nobody declared.

    Names are compared without case and outer blanks. Raises: ConformError when a declared column is missing, or when
    a new one comes with personal data: it never flows through by default.
    """
    if len(delivered.columns) > _MOST_COLUMNS:
        raise ConformError(
            f"the delivery has {len(delivered.columns):,} columns, and at most {_MOST_COLUMNS:,} are read",
            where=dataset.place("source"),
            mend="ask the source for a table; a workbook may have stray cells far to the right",
        )
    by_name = {folded(name, dataset): expression for name, expression in delivered.columns.items()}
    wanted = {field.name: column for field, column in dataset.delivered_fields}
    missing = [source for source in wanted.values() if folded(source, dataset) not in by_name]
    if missing:
        raise _missing(missing, delivered, dataset)
    known = {folded(name, dataset) for name in (*wanted.values(), *dataset.ignored_columns)}
    strangers = [name for name in delivered.columns if folded(name, dataset) not in known]
    if strangers and dataset.personal_data is PersonalData.PRESENT:
        raise ConformError(
            f"the delivery has new columns: {_listed(strangers)}, and this dataset holds personal data",
            where=dataset.place("fields"),
            mend="declare each as a field with a role under privacy.columns, or name it in ignored_columns",
        )
    return {name: by_name[folded(source, dataset)] for name, source in wanted.items()}, _new_columns(strangers, dataset)


def ignored_rows(delivered: Delivered, dataset: Dataset) -> list[tuple[str, str]]:
    """The text expression and the pattern of each `format.ignore_rows`.

    Raises: ConformError when such a column is missing.
    """
    by_name = {folded(name, dataset): expression for name, expression in delivered.columns.items()}
    missing = [name for name in dataset.format.ignore_rows if folded(name, dataset) not in by_name]
    if missing:
        raise _missing(missing, delivered, dataset)
    return [(by_name[folded(name, dataset)], pattern) for name, pattern in dataset.format.ignore_rows.items()]


def folded(name: str, dataset: Dataset) -> str:
    """A column's name as names are compared: without case and outer blanks, and without accents if so declared."""
    plain = " ".join(name.replace("\ufeff", "").split()).casefold()
    if not dataset.fold_accents:
        return plain
    apart = unicodedata.normalize("NFKD", plain.replace("œ", "oe").replace("æ", "ae"))
    letters = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return "_".join(re.findall(r"[^\W_]+", letters))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _missing(missing: list[str], delivered: Delivered, dataset: Dataset) -> ConformError:
    near = difflib.get_close_matches(missing[0], list(delivered.columns), n=1)
    hint = f"; is {near[0]!r} the new name of {missing[0]!r}? Then say source: {near[0]}" if near else ""
    return ConformError(
        f"the delivery has no column {', '.join(missing)} (it has: {_listed(list(delivered.columns))})",
        where=dataset.place("fields"),
        mend="ask the source why it vanished, or change the declaration" + hint,
    )


def _new_columns(strangers: list[str], dataset: Dataset) -> tuple[Finding, ...]:
    if not strangers:
        return ()
    message = (
        f"the delivery has columns that nobody declared, left out: {_listed(strangers)}; "
        f"add them to fields or to ignored_columns at {dataset.place('fields')}"
    )
    counts = {"new_columns": len(strangers)}
    return (Finding("schema", "new_columns", False, message, Severity.WARNING, counts=counts),)
