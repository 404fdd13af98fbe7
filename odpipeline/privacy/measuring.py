"""What is true of the files that were written, in plain SQL that shares no code with anonymisation.

Measured on the staged Parquet and CSV themselves: anonymisation says what it meant to do, this says what it did.
A fact that cannot be measured is a refusal, never a pass.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset, PersonalData
from odpipeline.declaration.profiles import Rules
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import PrivacyError
from odpipeline.privacy import measuring_grid, measuring_models
from odpipeline.privacy.roles import Role, roles
from odpipeline.verdict import Finding, Severity


def measure(
    parquet: Path,
    csv: Path,
    dataset: Dataset,
    duck: DuckSettings,
    suppressed_share: float = 0.0,
    primary: Path | None = None,
) -> tuple[Finding, ...]:
    """Findings about the written files: columns, k-anonymity, l-diversity, t-closeness, small cells.

    `suppressed_share` is the share of rows that anonymisation suppressed, `primary` of a table the cells that must not
    be recovered.
    Raises: PrivacyError when a fact cannot be computed.
    """
    files = {
        "Parquet": f"read_parquet({literal(parquet)})",
        "CSV": f"read_csv({literal(csv)}, header=true, all_varchar=true, delim=',', quote='\"', escape='\"')",
    }
    try:
        with connect(duck) as connection:
            findings = [_columns(connection, name, files[name], dataset) for name in files]
            for name, relation in files.items():
                findings += _small(connection, name, relation, dataset)
                findings += measuring_grid.measured(connection, name, relation, dataset)
                if dataset.privacy.table:
                    from odpipeline.privacy import tables  # SciPy, for the few that publish tables

                    assert primary is not None  # noqa: S101 - written with the table
                    findings.append(tables.audit(connection, name, relation, primary, dataset))
                if dataset.privacy.quasi_identifiers:
                    findings.append(_k(connection, name, relation, dataset))
                    typed = _typed(connection, relation, files["Parquet"], dataset)
                    findings += measuring_models.measured(connection, name, typed, dataset, suppressed_share)
            return (*findings, *_departure(dataset))
    except (duckdb.Error, KeyError, OSError, AssertionError) as error:
        raise PrivacyError(
            f"a privacy fact could not be measured on the written files ({type(error).__name__})",
            where=dataset.place("privacy"),
            mend="nothing is published until it can be; run again, and report it if it stays",
        ) from None


def _typed(connection: duckdb.DuckDBPyConnection, relation: str, parquet: str, dataset: Dataset) -> str:
    """`relation` with its sensitive columns in the types of the Parquet: text has another order."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {parquet}").fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    sensitive = dict.fromkeys([*dataset.privacy.diversity, *dataset.privacy.closeness])
    chosen = [quote(name) for name in dataset.privacy.quasi_identifiers if name not in sensitive]
    chosen += [f"CAST({quote(name)} AS {types[name]}) AS {quote(name)}" for name in sensitive]
    return f"(SELECT {', '.join(chosen)} FROM {relation})"


def _columns(connection: duckdb.DuckDBPyConnection, name: str, relation: str, dataset: Dataset) -> Finding:
    written = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    expected = [field.name for field in dataset.published_fields]
    strangers = [column for column in written if column not in expected]
    message = f"{name}: only the columns that have a published role are written"
    if strangers:
        message = f"{name}: columns without a published role are written: {', '.join(strangers)}; state their role"
    return Finding("privacy", f"published_columns_{name.lower()}", not strangers, message)


def _k(connection: duckdb.DuckDBPyConnection, name: str, relation: str, dataset: Dataset) -> Finding:
    quasi, k = columns(dataset.privacy.quasi_identifiers), dataset.privacy.k or 0
    found = connection.execute(
        f"SELECT min(n), count(*), sum(n) FILTER (WHERE n < {k}) "
        f"FROM (SELECT count(*) AS n FROM {relation} GROUP BY {quasi})"
    ).fetchone()
    smallest, classes, exposed = found if found and found[1] else (0, 0, 0)
    passed = classes > 0 and smallest >= k and k > 0
    message = f"{name}: the smallest of {classes} equivalence classes holds {smallest} rows, k = {k}"
    if not passed:
        message += f"; {exposed or 0} rows could single out persons: generalise further at {dataset.place('privacy')}"
    counts = {"smallest_class_rows": int(smallest), "classes": int(classes), "k": k}
    return Finding("privacy", f"k_anonymity_{name.lower()}", passed, message, counts=counts)


def _small(connection: duckdb.DuckDBPyConnection, name: str, relation: str, dataset: Dataset) -> list[Finding]:
    findings = []
    for column, least in dataset.privacy.small_cells.items():
        number = f"CAST({quote(column)} AS BIGINT)"
        found = connection.execute(
            f"SELECT count(*) FROM {relation} WHERE {number} IS NULL OR {number} < {least}"
        ).fetchone()
        below = int(found[0]) if found else -1
        message = f"{name}: {below} rows have a {column} below {least}"
        findings.append(
            Finding(
                "privacy", f"small_cells_{column}_{name.lower()}", below == 0, message, column=column,
                counts={"rows_below": below, "least": least},
            )
        )  # fmt: skip
    return findings


def _public(role: Role) -> str | dict[str, object]:
    """A role as the public reads it: the technique and its arguments, but for the names of secrets."""
    if isinstance(role, str):
        return role
    said = role.model_dump(mode="json", exclude_defaults=True)
    return {
        name: {key: one for key, one in value.items() if key != "secret"} if isinstance(value, dict) else value
        for name, value in said.items()
    }


def _departure(dataset: Dataset) -> list[Finding]:
    """A warning, night after night, where a declaration is looser than its profile; the reason is published."""
    if not isinstance(dataset.privacy.rules, Rules):
        return []
    name, place = dataset.privacy.rules.profile, dataset.place("privacy", "rules")
    message = f"the declaration is looser than the rules {name}, for a reason that is published ({place})"
    return [Finding("privacy", "looser_rules", False, message, Severity.WARNING)]


def _rules(dataset: Dataset) -> dict[str, object] | None:
    """The profile that the dataset holds to, and why it may be looser."""
    rules, profile = dataset.privacy.rules, dataset.privacy.profile
    if profile is None:
        return None
    looser = rules.because if isinstance(rules, Rules) else None
    name = rules.profile if isinstance(rules, Rules) else rules
    return {"profile": name, "source": profile.source, "k": profile.k, "least": profile.least, "because": looser}


def summary(dataset: Dataset, findings: tuple[Finding, ...]) -> dict[str, object]:
    """What the public reads about anonymisation in `release.json`: techniques, k, and whether it held."""
    published = {field.name for field in dataset.published_fields}
    stated = roles(dataset) if dataset.personal_data is PersonalData.PRESENT else {}
    return {
        "personal_data": str(dataset.personal_data),
        "legal_basis": dataset.legal_basis,
        "columns": {name: _public(role) for name, role in stated.items() if name in published},
        "table": dataset.privacy.table.model_dump(mode="json", exclude={"holder"}) if dataset.privacy.table else None,
        "dropped_columns": sum(role == "drop" for role in stated.values()),
        "rules": _rules(dataset),
        "quasi_identifiers": list(dataset.privacy.quasi_identifiers),
        "k": dataset.privacy.k if dataset.personal_data is PersonalData.PRESENT else None,
        "small_cells": dict(dataset.privacy.small_cells),
        "population": dataset.privacy.population,
        "differencing": dataset.privacy.differencing.because,
        "allowed": {
            column: [{"identifier": one.identifier, "because": one.because} for one in said]
            for column, said in dataset.privacy.allowed.items()
        },
        "measured": [f.message for f in findings],
    }
