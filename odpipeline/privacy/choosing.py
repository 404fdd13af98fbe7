"""The levels that a declaration leaves open, and the classes that do not hold: the solver at work on one dataset.

With `stability: prefer` the levels of the last release stay while they are feasible for the new rows and their score is
at most `TOLERANCE` above the best: a series whose grain changes from month to month cannot be compared, and each change
of grain lets two versions be played against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.techniques import Technique
from odpipeline.duck import columns, quote
from odpipeline.privacy import hierarchies, lattice
from odpipeline.privacy.lattice import Found, Model, Problem, Quasi
from odpipeline.privacy.roles import Role

TOLERANCE = 0.05
"""How much worse than the best the levels of the last release may be, as a share of the best score."""


@dataclass(frozen=True)
class Choice:
    """The chosen `levels` by column, and in `found` what they mean; None when none hold, then they are the coarsest.

    `kept` says that they are those of the last release.
    """

    levels: Mapping[str, int]
    score: str
    found: Found | None
    kept: bool = False

    def role(self, column: str, role: Role) -> Role:
        """`role` with the chosen level, where one was left open."""
        if column not in self.levels or not isinstance(role, Technique) or role.generalise is None:
            return role
        fixed = role.generalise.model_copy(update={"level": self.levels[column]})
        return role.model_copy(update={"generalise": fixed})

    def summary(self) -> dict[str, Any]:
        """What the public reads of it in `release.json`, and the next release its levels from."""
        said: dict[str, Any] = {"levels": dict(self.levels), "score": self.score}
        if self.found:
            said |= {
                "value": self.found.score,
                "optimal": self.found.optimal,
                "gap": round(self.found.gap, 6),
                "kept_from_last_release": self.kept,
                "classes": self.found.classes,
                "suppressed_rows": self.found.suppressed,
            }
        return said


def choose(connection: duckdb.DuckDBPyConnection, dataset: Dataset, relation: str, last: Mapping[str, Any]) -> Choice:
    """The levels for the rows of `relation` (SQL after FROM): published values, but open columns as they came.

    `last` is the summary of the last release's choice, or empty.
    Raises: PrivacyError for a hierarchy that cannot be used, duckdb.Error.
    """
    rules = dataset.privacy
    problem = _problem(connection, dataset, relation, rules.searched)
    k, models = rules.k or 1, _models(dataset)
    asked: dict[str, Any] = {"limit": rules.suppression, "score": rules.score, "models": models}
    found = lattice.solve(problem, k, seconds=rules.search_seconds, **asked)
    before = _before(problem, rules.searched, last) if rules.stability == "prefer" else None
    if before is not None and (kept := lattice.state(problem, k, before, **asked)):
        best = found.score if found else kept.score
        if kept.score <= best + TOLERANCE * abs(best):
            same = found is not None and kept.levels == found.levels
            return Choice(
                _open(kept.levels, rules.searched), rules.score, found if same else _bounded(kept, found), True
            )
    if found:
        return Choice(_open(found.levels, rules.searched), rules.score, found)
    coarsest = {column.name: column.highest for column in problem.columns}
    return Choice(_open(coarsest, rules.searched), rules.score, None)


def failing(connection: duckdb.DuckDBPyConnection, dataset: Dataset, relation: str) -> str:
    """SQL after FROM: the values of the quasi-identifiers in the classes of `relation` that do not hold.

    Raises: duckdb.Error, PrivacyError.
    """
    quasi, k = dataset.privacy.quasi_identifiers, dataset.privacy.k or 1
    models = _models(dataset)
    if not models:
        return f"(SELECT {columns(quasi)} FROM {relation} GROUP BY ALL HAVING count(*) < {k})"
    problem = _problem(connection, dataset, relation, ())
    codes = lattice.failing(problem, k, models)
    connection.register("failing_codes", pa.table({f"c{n}": code for n, code in enumerate(codes)}))
    joins = " ".join(f"LEFT JOIN lattice_{n} l{n} ON l{n}.code = f.c{n}" for n in range(len(codes)))
    chosen = ", ".join(f"l{n}.leaf AS {quote(column.name)}" for n, column in enumerate(problem.columns))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE failing AS SELECT {chosen} FROM failing_codes f {joins}")
    connection.unregister("failing_codes")
    return "failing"


def _problem(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, relation: str, searched: tuple[str, ...]
) -> Problem:
    rules, quasi = dataset.privacy, []
    for column in rules.quasi_identifiers:
        role = rules.columns.get(column)
        said = role.generalise if isinstance(role, Technique) and column in searched else None
        if said is None:
            quasi.append(Quasi(column))
            continue
        where = dataset.place("privacy", "columns", column)
        table = _ladder(connection, dataset, str(said.hierarchy), column, relation, where)
        quasi.append(Quasi(column, table, said.at_least, said.at_most, said.weight, where))
    sensitive = []
    for column in dict.fromkeys([*rules.diversity, *rules.closeness]):
        closeness, where = rules.closeness.get(column), dataset.place("privacy", "closeness", column)
        file = closeness.hierarchy if closeness else None
        sensitive.append(
            Quasi(column, _ladder(connection, dataset, file, column, relation, where) if file else None, where=where)
        )
    return lattice.load(connection, relation, quasi, sensitive)


def _ladder(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, hierarchy: str, column: str, relation: str, where: str
) -> str:
    table = f"ladder_{column}"
    hierarchies.ladder(connection, dataset.root, hierarchy, table, relation, column, where=where)
    return table


def _models(dataset: Dataset) -> list[Model]:
    rules, models = dataset.privacy, list[Model]()
    for column, diversity in rules.diversity.items():
        if diversity.distinct:
            models.append(lattice.Distinct(column, diversity.distinct))
        if diversity.entropy:
            models.append(lattice.Entropy(column, diversity.entropy))
        if diversity.recursive:
            models.append(lattice.Recursive(column, diversity.recursive.c, diversity.recursive.l))
    return models + [lattice.Closeness(column, said.t, said.distance) for column, said in rules.closeness.items()]


def _before(problem: Problem, searched: tuple[str, ...], last: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The last release's levels in the order of the problem, or None when they are not those of this declaration."""
    levels = last.get("levels")
    if not isinstance(levels, Mapping) or set(levels) != set(searched):
        return None
    node = tuple(levels.get(column.name, 0) for column in problem.columns)
    fits = (c.lowest <= level <= c.highest for c, level in zip(problem.columns, node, strict=True))
    return node if all(fits) else None


def _bounded(kept: Found, found: Found | None) -> Found:
    """`kept` with the bound that the search proved."""
    return Found(**(vars(kept) | {"bound": min(found.bound, kept.score) if found else 0.0}))


def _open(levels: Mapping[str, int], searched: tuple[str, ...]) -> dict[str, int]:
    return {column: levels[column] for column in searched}
