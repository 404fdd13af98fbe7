"""What a release must keep of the one before, and of itself over time: rules declared in one line each.

Everything is counted by DuckDB on the two written Parquet files; no value enters a finding. Distribution drift is the
population stability index over tenths of the earlier values, or over categories (Lewis, An Introduction to Credit
Scoring, 1994: beyond 0.1 a change, beyond 0.25 a great one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from odpipeline.declaration.dataset import Dataset, OverTime, OverTimeRule
from odpipeline.declaration.techniques import Technique
from odpipeline.declaration.words import spell_duration, spell_share
from odpipeline.duck import DuckSettings, columns, connect, literal, quote
from odpipeline.errors import QualityError
from odpipeline.verdict import Finding, Severity

_LEAST = 0.0001
"""The share that stands for an empty bin: the logarithm of nothing is none."""


@dataclass(frozen=True)
class _Bench:
    """The staged rows (`now`), those of the current release (`before`, None for a first one), as SQL after FROM."""

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    now: str
    before: str | None
    types: dict[str, str]
    types_before: dict[str, str]
    versions: tuple[Path, ...] = ()

    @property
    def rules(self) -> OverTime:
        return self.dataset.quality.over_time

    @property
    def event(self) -> str:
        """The event's column as SQL; `odp check` has seen that the rules that need it have it."""
        return quote(str(self.dataset.freshness.column))

    @property
    def joinable(self) -> bool:
        """Whether keys name the same thing in both releases: pseudonyms of scope `release` are made not to."""
        roles = [self.dataset.privacy.columns.get(name) for name in self.dataset.key]
        techniques = [role.pseudonymise for role in roles if isinstance(role, Technique) and role.pseudonymise]
        stays = all(technique.scope == "stable" for technique in techniques)
        return bool(roles) and stays and self.comparable(*self.dataset.key)

    def comparable(self, *names: str) -> bool:
        """Whether both releases have these columns, with the same types: a new one has nothing to compare with yet."""
        return all(name in self.types_before and self.types_before[name] == self.types[name] for name in names)

    def counts(self, query: str) -> tuple[int, ...]:
        found = self.connection.execute(query).fetchone()
        return tuple(int(value or 0) for value in found or ())


def over_time(
    parquet: Path, before: Path | None, dataset: Dataset, duck: DuckSettings, versions: Sequence[Path] = ()
) -> tuple[Finding, ...]:
    """Findings about the staged `parquet` against that of the current release, and about its own series.

    `versions` are the Parquet files of every published version, for what must hold against all of them.
    Raises: QualityError when a rule could not be evaluated.
    """
    try:
        with connect(duck) as connection:
            now = f"read_parquet({literal(parquet)})"
            earlier = f"read_parquet({literal(before)})" if before else None
            kinds, kinds_before = (_types(connection, relation) if relation else {} for relation in (now, earlier))
            bench = _Bench(connection, dataset, now, earlier, kinds, kinds_before, tuple(versions))
            return tuple(finding for rule in _RULES for finding in rule(bench))
    except duckdb.Error as error:
        raise QualityError(
            f"an expectation over time could not be evaluated ({type(error).__name__})",
            where=dataset.place("quality", "over_time"),
            mend="nothing is published until it can be; look whether each rule fits its column's type",
        ) from None


def _finding(
    bench: _Bench,
    rule: OverTimeRule,
    held: bool,
    message: str,
    counts: dict[str, int | float],
    column: str | None = None,
) -> Finding:
    severity = Severity(bench.rules.severity.get(rule) or ("critical" if rule == "types" else "warning"))
    place = bench.dataset.place("quality", "over_time")
    remedy = "" if held else f"; look into the delivery, or change the rule at {place}"
    return Finding("over_time", rule, held, message + remedy, severity, column, counts)


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _growth(bench: _Bench) -> Iterator[Finding]:
    """Rows that multiply are most often rows delivered twice."""
    if bench.before is None:
        return
    now, before = bench.counts(f"SELECT (SELECT count(*) FROM {bench.now}), (SELECT count(*) FROM {bench.before})")
    held = now <= before * bench.rules.growth
    message = f"{now} rows, {before} before" + (f": more than {bench.rules.growth:g} times as many" if not held else "")
    yield _finding(bench, "growth", held, message, {"rows": now, "rows_before": before})


def _type_change(bench: _Bench) -> Iterator[Finding]:
    """Whoever reads the file every morning reads a number where a number was."""
    if bench.before is None:
        return
    earlier = bench.types_before
    changed = [name for name, kind in bench.types.items() if earlier.get(name, kind) != kind]
    message = f"the type of {', '.join(changed)} is no longer that of the current release"
    yield _finding(
        bench, "types", not changed, message if changed else "every column has the type it had",
        {"changed_columns": len(changed)},
    )  # fmt: skip


def _vanished_keys(bench: _Bench) -> Iterator[Finding]:
    if bench.before is None or not bench.joinable or bench.rules.vanished_keys is None:
        return
    known = f"(SELECT DISTINCT {columns(bench.dataset.key)} FROM {bench.before})"
    lost, all_keys = bench.counts(
        f"SELECT (SELECT count(*) FROM {known} b WHERE NOT EXISTS "
        f"(SELECT 1 FROM {bench.now} n WHERE {_same(bench.dataset.key)})), (SELECT count(*) FROM {known})"
    )
    limit = bench.rules.vanished_keys
    held = lost <= limit * all_keys
    message = f"{lost} of {all_keys} keys of the current release have vanished (limit {spell_share(limit)})"
    yield _finding(bench, "vanished_keys", held, message, {"vanished_keys": lost, "keys_before": all_keys})


def _same(key: tuple[str, ...]) -> str:
    return " AND ".join(f"n.{quote(name)} IS NOT DISTINCT FROM b.{quote(name)}" for name in key)


def _steady(bench: _Bench) -> Iterator[Finding]:
    """An identifier that now means something else."""
    for name in filter(bench.comparable, bench.rules.steady if bench.joinable else ()):
        changed, compared = bench.counts(
            f"SELECT count(*) FILTER (n.{quote(name)} IS DISTINCT FROM b.{quote(name)}), count(*) "
            f"FROM {bench.now} n JOIN {bench.before} b ON {_same(bench.dataset.key)}"
        )
        message = f"{changed} of {compared} keys that were there before have another {name} now"
        yield _finding(bench, "steady", not changed, message, {"changed": changed, "compared": compared}, name)


def _never_reused(bench: _Bench) -> Iterator[Finding]:
    """An identifier that comes back years later for another thing, and joins what has nothing in common."""
    names, key = bench.rules.never_reused, bench.dataset.key
    if not names or not bench.joinable:
        return
    alike = [file for file in bench.versions if _alike(bench, file, (*key, *names))]
    if not alike:
        return
    files = ", ".join(map(literal, alike))
    published = f"(SELECT DISTINCT {columns((*key, *names))} FROM read_parquet([{files}], union_by_name=true))"
    differs = " OR ".join(f"n.{quote(name)} IS DISTINCT FROM b.{quote(name)}" for name in names)
    reused, compared = bench.counts(
        f"SELECT count(*) FILTER (other), count(*) FROM (SELECT bool_or({differs}) AS other FROM {bench.now} n "
        f"JOIN {published} b ON {_same(key)} GROUP BY {', '.join(f'n.{quote(name)}' for name in key)})"
    )
    message = f"{reused} of {compared} keys that were published before name another {' and '.join(names)} now"
    column = names[0] if len(names) == 1 else None
    yield _finding(bench, "never_reused", not reused, message, {"reused": reused, "compared": compared}, column)


def _alike(bench: _Bench, file: Path, names: tuple[str, ...]) -> bool:
    """Whether a version has these columns with the types they have now: one of another shape cannot be compared."""
    kinds = _types(bench.connection, f"read_parquet({literal(file)})")
    return all(kinds.get(name) == bench.types[name] for name in names)


def _newest(bench: _Bench) -> Iterator[Finding]:
    """An older export delivered again: all its rows are right, and the newest ones are gone."""
    event = bench.dataset.freshness.column
    if bench.before is None or event is None or not bench.comparable(event):
        return
    newest = f"epoch(CAST(max({bench.event}) AS TIMESTAMP))"
    (behind,) = bench.counts(
        f"SELECT greatest(0, (SELECT {newest} FROM {bench.before}) - (SELECT {newest} FROM {bench.now}))"
    )
    message = "the newest event is not older than that of the current release"
    if behind:
        message = (
            f"the newest event is {spell_duration(timedelta(seconds=behind))} older than that of the current release"
        )
    yield _finding(bench, "newest", not behind, message, {"behind_seconds": behind}, event)


def _new_categories(bench: _Bench) -> Iterator[Finding]:
    for name in filter(bench.comparable, bench.rules.new_categories):
        cell = quote(name)
        new, rows = bench.counts(
            f"SELECT count(DISTINCT {cell}), count(*) FROM {bench.now} WHERE {cell} IS NOT NULL "
            f"AND {cell} NOT IN (SELECT {cell} FROM {bench.before} WHERE {cell} IS NOT NULL)"
        )
        message = f"{name} has {new} values that were never published before, in {rows} rows"
        yield _finding(bench, "new_categories", not new, message, {"new_values": new, "rows": rows}, name)


def _drift(bench: _Bench) -> Iterator[Finding]:
    for name in filter(bench.comparable, bench.rules.drift):
        limit = bench.rules.drift[name]
        index = _stability(bench, name)
        message = f"the distribution of {name} has moved by {index:.3f} (population stability index, limit {limit:g})"
        yield _finding(bench, "drift", index <= limit, message, {"psi": round(index, 4)}, name)


def _stability(bench: _Bench, name: str) -> float:
    """The population stability index of a column: over tenths of the earlier numbers, or over categories."""
    cell = quote(name)
    bin_of = f"CAST({cell} AS VARCHAR)"
    cuts = []
    if bench.types[name] in ("BIGINT", "INTEGER", "DOUBLE"):
        tenths = ", ".join(f"{n / 10}" for n in range(1, 10))
        cuts = [f"cuts AS (SELECT list_distinct(quantile_cont({cell}, [{tenths}])) AS edges FROM {bench.before})"]
        bin_of = f"CAST(len(list_filter((SELECT edges FROM cuts), lambda x: x < {cell})) AS VARCHAR)"
    sides = [
        f"SELECT {side} AS side, coalesce({bin_of}, '') AS bin, count(*) AS n FROM {relation} GROUP BY ALL"
        for side, relation in ((0, bench.before), (1, bench.now))
    ]
    parts = ", ".join([*cuts, f"counted AS ({' UNION ALL '.join(sides)})"])
    found = bench.connection.execute(
        f"""WITH {parts},
        shares AS (SELECT bin, greatest({_LEAST}, coalesce(sum(n) FILTER (side = 0), 0) / any_value(b)) AS p,
                   greatest({_LEAST}, coalesce(sum(n) FILTER (side = 1), 0) / any_value(a)) AS q
                   FROM counted, (SELECT greatest(1, sum(n) FILTER (side = 0)) AS b,
                                  greatest(1, sum(n) FILTER (side = 1)) AS a FROM counted) GROUP BY bin)
        SELECT coalesce(sum((q - p) * ln(q / p)), 0) FROM shares"""
    ).fetchone()
    return float(found[0]) if found else 0.0


def _counters(bench: _Bench) -> Iterator[Finding]:
    """A meter never runs backwards."""
    for name, series in bench.rules.counters.items():
        by = f"PARTITION BY {columns(series)} " if series else ""
        back, rows = bench.counts(
            f"SELECT count(*) FILTER ({quote(name)} < earlier), count(*) FROM (SELECT {quote(name)}, "
            f"lag({quote(name)}) OVER ({by}ORDER BY {bench.event}) AS earlier FROM {bench.now})"
        )
        message = f"{name} runs backwards {back} times in {rows} rows, and it is a counter"
        yield _finding(bench, "counters", not back, message, {"backwards": back, "rows": rows}, name)


def _gaps(bench: _Bench) -> Iterator[Finding]:
    """A sensor that was silent: between two events, or since the newest event of all the others."""
    gap = bench.rules.gaps
    if gap is None:
        return
    by = f"PARTITION BY {columns(gap.by)} " if gap.by else ""
    longest = f"to_seconds({int(gap.longest.total_seconds())})"
    gaps, silent = bench.counts(
        f"""SELECT count(*) FILTER (following - event > {longest}),
        count(*) FILTER (following IS NULL AND newest - event > {longest})
        FROM (SELECT CAST({bench.event} AS TIMESTAMP) AS event,
              CAST(lead({bench.event}) OVER ({by}ORDER BY {bench.event}) AS TIMESTAMP) AS following,
              CAST(max({bench.event}) OVER () AS TIMESTAMP) AS newest
              FROM {bench.now} WHERE {bench.event} IS NOT NULL)"""
    )
    held = gaps <= gap.most and not silent
    message = (
        f"{gaps} gaps are longer than {spell_duration(gap.longest)} ({gap.most} allowed), "
        f"and {silent} series are silent at the end"
    )
    yield _finding(bench, "gaps", held, message, {"gaps": gaps, "silent_series": silent})


def _stuck(bench: _Bench) -> Iterator[Finding]:
    """A sensor that repeats itself: the longest run of one value in a series."""
    for name, stuck in bench.rules.stuck.items():
        by = f"PARTITION BY {columns(stuck.by)} " if stuck.by else ""
        group = ", ".join(map(quote, stuck.by))
        (longest,) = bench.counts(
            f"""SELECT max(n) FROM (SELECT count(*) AS n FROM (
                SELECT {group + ", " if group else ""}{quote(name)} AS value,
                       sum(CAST(moved AS INTEGER)) OVER ({by}ORDER BY event) AS run
                FROM (SELECT *, {bench.event} AS event, {quote(name)} IS DISTINCT FROM
                      lag({quote(name)}) OVER ({by}ORDER BY {bench.event}) AS moved FROM {bench.now})
                WHERE {quote(name)} IS NOT NULL) GROUP BY {group + ", " if group else ""}run)"""
        )
        held = longest <= stuck.most
        message = f"{name} keeps one value for {longest} readings on end ({stuck.most} allowed)"
        yield _finding(bench, "stuck", held, message, {"longest_run": longest, "most": stuck.most}, name)


def _weekday(bench: _Bench) -> Iterator[Finding]:
    """The newest whole day against the same weekday before: a Monday is no Sunday."""
    if (band := bench.rules.weekday) is None:
        return
    found = bench.connection.execute(
        f"""WITH days AS (SELECT CAST({bench.event} AS DATE) AS day, count(*) AS n FROM {bench.now}
                          WHERE {bench.event} IS NOT NULL GROUP BY 1),
        last AS (SELECT max(day) - 1 AS day FROM days)
        SELECT coalesce((SELECT n FROM days WHERE day = (SELECT day FROM last)), 0),
               (SELECT median(n) FROM days, last WHERE isodow(days.day) = isodow(last.day) AND days.day < last.day)"""
    ).fetchone()
    rows, usual = found or (0, None)
    if usual is None:
        return
    held = abs(rows - usual) <= band * usual
    message = f"the last whole day has {rows} rows, the same weekdays before have {usual:g} (band {spell_share(band)})"
    yield _finding(bench, "weekday", held, message, {"rows": int(rows), "usual": float(usual)})


_RULES: tuple[Callable[[_Bench], Iterator[Finding]], ...] = (
    _growth, _type_change, _vanished_keys, _steady, _never_reused, _newest, _new_categories, _drift, _counters, _gaps,
    _stuck, _weekday,
)  # fmt: skip
"""Every rule, in the order in which it is told."""
