"""What a single key cannot tell: columns that exist, systems that are known, bounds that fit, files that are there.

Each check is a small generator of (place, what is wrong and how to mend it); `CHECKS` is the whole list, `faults` runs
it. No check needs the network.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from odpipeline.declaration import (
    approval,
    custom_checks,
    formats,
    formulas,
    identifiers,
    keeping,
    periods,
    privacy_rules,
    promises,
    town_code,
)
from odpipeline.declaration.dataset import Constraints, Dataset, Lookup, TableField
from odpipeline.declaration.drafts import inside
from odpipeline.declaration.hierarchy_files import Hierarchies
from odpipeline.declaration.patterns import Patterns
from odpipeline.declaration.positions import Place
from odpipeline.declaration.source import (
    DropSource,
    FolderSource,
    HandedSource,
    HttpLike,
    PythonSource,
    S3Source,
    SftpSource,
    SqlSource,
)
from odpipeline.declaration.town import System, Town
from odpipeline.declaration.wording import unknown

THEMES = ("AGRI", "ECON", "EDUC", "ENER", "ENVI", "GOVE", "HEAL", "INTR", "JUST", "OP_DATPRO", "REGI", "SOCI", "TECH",
          "TRAN")  # fmt: skip
"""The EU vocabulary data-theme, which DCAT-AP 3.0.1 demands."""

LICENCES = ("etalab-2.0", "ODbL-1.0")
"""The licences of CRPA D323-2-1 for data."""

TO_COMPLETE = "À COMPLÉTER"
"""What stands in a draft where only a person knows."""

_NUMBERS = ("integer", "number", "year")
_READ_TIMES: dict[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "yearmonth": lambda text: date.fromisoformat(f"{text}-01"),
}

_STRING_FORMATS = ("default", "email", "uri", "uuid")

Faults = Iterator[tuple[Place, str]]


@dataclass(frozen=True)
class Bench:
    """What the checks of all datasets share. `town` is None when town.yaml itself has faults."""

    root: Path
    town: Town | None
    patterns: Patterns
    hierarchies: Hierarchies


def faults(dataset: Dataset, bench: Bench) -> Faults:
    """Every fault of `dataset` that the models cannot see, as (place, what)."""
    for check in CHECKS:
        yield from check(dataset, bench)


def _formats(dataset: Dataset, bench: Bench) -> Faults:
    yield from formats.faults(dataset)
    yield from keeping.faults(dataset)
    yield from promises.faults(dataset, bench.town)
    yield from periods.faults(dataset)


def _completed(dataset: Dataset, _: Bench) -> Faults:
    """A draft's gaps: nothing is published under a title that nobody wrote."""
    for key in ("title", "description", "legal_basis"):
        if TO_COMPLETE in (getattr(dataset, key) or ""):
            yield (key,), f"{key} is still that of the draft; complete it"


def _names(dataset: Dataset, _: Bench) -> Faults:
    """Fields that DuckDB could not tell apart (its columns know no case), and delivered columns said twice."""
    seen: dict[str, str] = {}
    for index, field in enumerate(dataset.fields):
        if (first := seen.setdefault(field.name.casefold(), field.name)) is not field.name:
            how = "stands twice" if first == field.name else f"differs from {first!r} by its case only"
            yield ("fields", index, "name"), f"the field {field.name!r} {how}; rename one of them"
    delivered = {column for _, column in dataset.delivered_fields}
    for index, column in enumerate(dataset.ignored_columns):
        if column in delivered:
            what = f"ignored_columns: {column!r} is also a field; keep it in one of the two"
            yield ("ignored_columns", index), what


def _columns(dataset: Dataset, _: Bench) -> Faults:
    """The columns that key, freshness and format speak of."""
    published = {field.name: field for field in dataset.published_fields}
    if not published:
        yield ("privacy", "columns"), "every field is dropped, nothing would be published; keep one at least"
    for index, column in enumerate(dataset.key):
        if column not in published:
            yield ("key", index), _unpublished("key", column, dataset)
        elif column in dataset.key[:index]:
            yield ("key", index), f"key: {column!r} stands twice; keep one"
    event, place = dataset.freshness.column, ("freshness", "column")
    if event and event not in published:
        yield place, _unpublished("freshness.column", event, dataset)
    delivered = [column for _, column in dataset.delivered_fields] + list(dataset.ignored_columns)
    for name in dataset.format.ignore_rows:
        if name not in delivered:
            yield ("format", "ignore_rows", name), unknown("column", name, delivered, inside="format.ignore_rows")


def _computed(dataset: Dataset, bench: Bench) -> Faults:
    """Fields that are computed from fields declared before them, and columns that are renamed to a delivered field."""
    before: list[str] = []
    for index, field in enumerate(dataset.fields):
        place = ("fields", index)
        if (field.derive is not None) + (field.lookup is not None) + (field.source is not None) > 1:
            yield place, f"{field.name!r} has exactly one of source, derive and lookup; keep one"
        if field.derive is not None and (why := formulas.fault(field.derive, before)):
            yield (*place, "derive"), f"derive of {field.name!r}: {why}"
        if field.lookup is not None:
            for word, why in _lookup_faults(field.lookup, before, bench.root):
                yield (*place, "lookup", word), f"lookup of {field.name!r}: {why}"
        before.append(field.name)
    delivered = [field.name for field, _ in dataset.delivered_fields]
    for column, name in dataset.rename.items():
        if name not in delivered:
            yield ("rename", column), unknown("field", name, delivered, inside="rename")
    if len(set(dataset.rename.values())) < len(dataset.rename):
        yield ("rename",), "rename gives one field to two columns; keep one of them"


def _lookup_faults(lookup: Lookup, before: Sequence[str], root: Path) -> Iterator[tuple[str, str]]:
    if lookup.on not in before:
        yield "on", unknown("field", lookup.on, before, inside="the fields declared before it")
    file = root / lookup.file
    if not inside(root, lookup.file) or not file.is_file():
        yield "file", f"there is no file {lookup.file!r} in the town; give its path relative to town.yaml"
        return
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        first = text.readline()
    header = next(csv.reader([first], delimiter=";" if first.count(";") > first.count(",") else ","), [])
    for word in ("key", "value"):
        if (column := getattr(lookup, word)) not in header:
            yield word, unknown("column", column, header, inside=lookup.file)


def _over_time(dataset: Dataset, _: Bench) -> Faults:
    """Rules over time speak of published columns, of a key, and of the event's time where they need one."""
    rules, place = dataset.quality.over_time, ("quality", "over_time")
    published = [field.name for field in dataset.published_fields]
    named: dict[str, tuple[str, ...]] = {
        "steady": rules.steady,
        "never_reused": rules.never_reused,
        "new_categories": rules.new_categories,
        "drift": tuple(rules.drift),
        "counters": (*rules.counters, *(name for by in rules.counters.values() for name in by)),
        "gaps": rules.gaps.by if rules.gaps else (),
        "stuck": (*rules.stuck, *(name for stuck in rules.stuck.values() for name in stuck.by)),
    }
    for rule, names in named.items():
        for name in names:
            if name not in published:
                yield (*place, rule), _unpublished(f"quality.over_time.{rule}", name, dataset)
    for rule in ("steady", "never_reused"):
        if named[rule] and not dataset.key:
            yield (*place, rule), f"{rule} compares row by row; declare `key:`"
    timed = {"counters": rules.counters, "gaps": rules.gaps, "stuck": rules.stuck, "weekday": rules.weekday}
    for rule, said in timed.items():
        if said and not dataset.freshness.column:
            yield (*place, rule), f"{rule} needs the time of each event; name its column in freshness.column"


def _unpublished(key: str, column: str, dataset: Dataset) -> str:
    if any(field.name == column for field in dataset.fields):
        return f"{key}: {column!r} is dropped by privacy.columns; name a published column"
    return unknown("column", column, [field.name for field in dataset.published_fields], inside=key)


def _field_formats(dataset: Dataset, _: Bench) -> Faults:
    """What is said about the spelling of values."""
    if not is_timezone(dataset.format.timezone):
        yield ("format", "timezone"), f"format.timezone: {UNKNOWN_TIMEZONE}"
    for index, field in enumerate(dataset.fields):
        place = ("fields", index)
        if field.type in ("date", "datetime", "time") and field.format != "default" and "%" not in field.format:
            what = f"the format of {field.name!r} is a strptime pattern such as %d/%m/%Y, or `default` for ISO 8601"
            yield (*place, "format"), what
        if field.type == "string" and field.format not in _STRING_FORMATS:
            what = unknown("format", field.format, _STRING_FORMATS, inside=f"{field.name!r}, a string")
            yield (*place, "format"), what
        if field.decimalChar and field.decimalChar == field.groupChar:
            what = f"decimalChar and groupChar of {field.name!r} are the same sign; numbers could not be read"
            yield (*place, "groupChar"), what
        if field.type == "boolean" and (both := set(field.trueValues) & set(field.falseValues)):
            what = f"{len(both)} spelling(s) of {field.name!r} mean both true and false; keep each in one list"
            yield (*place, "falseValues"), what


def _constraints(dataset: Dataset, bench: Bench) -> Faults:
    """Bounds, lengths, patterns and lists that fit the field's type."""
    for index, field in enumerate(dataset.fields):
        if field.constraints != _NO_CONSTRAINTS:
            for word, what in _constraint_faults(field, bench.patterns):
                yield ("fields", index, "constraints", word), f"{word} of {field.name!r} {what}"


_NO_CONSTRAINTS = Constraints()


def _constraint_faults(field: TableField, patterns: Patterns) -> Iterator[tuple[str, str]]:
    said = field.constraints
    bounds = {"minimum": said.minimum, "maximum": said.maximum}
    wrong = {word: why for word, bound in bounds.items() if bound is not None and (why := _misfit(bound, field.type))}
    yield from wrong.items()
    if not wrong and said.minimum is not None and said.maximum is not None and said.minimum > said.maximum:  # type: ignore[operator]
        yield "minimum", "is greater than maximum; no value could be right"
    for word in ("minLength", "maxLength", "pattern"):
        if getattr(said, word) is not None and field.type not in ("string", "array", "object", "any"):
            yield word, f"is for texts, and the field's type is {field.type}; remove it, or make the type string"
    if said.minLength is not None and said.maxLength is not None and said.minLength > said.maxLength:
        yield "minLength", "is greater than maxLength; no value could be right"
    if said.pattern is not None and (why := patterns.fault(said.pattern)):
        yield "pattern", f"is not usable: {why}"
    if said.enum is not None:
        misfits = [why for value in said.enum if (why := _misfit(value, field.type, listed=True))]
        if misfits or not said.enum:
            yield "enum", misfits[0] if misfits else "is empty; list the values allowed, or remove it"


def _misfit(value: object, kind: str, *, listed: bool = False) -> str:
    """Why `value` cannot be a bound (or, `listed`, one of the values) of a field of type `kind`; '' when it can."""
    if kind in _NUMBERS:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return "" if number else f"must be a number without quotes, because the field's type is {kind}"
    if kind in _READ_TIMES:
        try:
            _READ_TIMES[kind](str(value))
        except ValueError:
            return f"must be an ISO 8601 {kind}, because that is the field's type"
        return "" if isinstance(value, str) else f"must be in quotes, because the field's type is {kind}"
    if not listed:
        return f"needs an order, and values of type {kind} have none; remove it, or give the field another type"
    if kind == "boolean":
        return "" if isinstance(value, bool) else "must hold true or false only, because the field's type is boolean"
    return "" if isinstance(value, str) else f"must hold texts in quotes, because the field's type is {kind}"


def _rows_ignored(dataset: Dataset, bench: Bench) -> Faults:
    for column, pattern in dataset.format.ignore_rows.items():
        if why := bench.patterns.fault(pattern):
            yield ("format", "ignore_rows", column), f"format.ignore_rows of {column!r} is not usable: {why}"


def _vocabularies(dataset: Dataset, _: Bench) -> Faults:
    for index, theme in enumerate(dataset.themes):
        if theme not in THEMES:
            yield ("themes", index), unknown("theme", theme, THEMES)
    if dataset.licence not in LICENCES:
        yield ("licence",), unknown("licence", dataset.licence, LICENCES)


def _schedule(dataset: Dataset, _: Bench) -> Faults:
    if dataset.schedule != "nightly" and (why := cron_fault(dataset.schedule)):
        yield ("schedule",), f"schedule: {why}, or `nightly`"


def cron_fault(cron: str) -> str:
    """What is wrong with a cron expression of five parts; an empty text when nothing is."""
    if len(cron.split()) == 5 and re.fullmatch(r"[\d*/,\-\sA-Za-z]+", cron) and croniter.is_valid(cron):
        return ""
    return f'{cron!r} is no cron expression; write minute, hour, day, month and weekday, such as "0 6 * * 1"'


def _source(dataset: Dataset, bench: Bench) -> Faults:
    """The system that the source names, and what each kind of source needs of it."""
    source, name = dataset.source, dataset.source.system
    systems = bench.town.systems if bench.town else None
    if systems is not None and name is not None and name not in systems:
        yield ("source", "system"), unknown("system", name, list(systems), inside="source.system")
        return
    system = systems[name] if systems is not None and name is not None else None
    if getattr(source, "incremental", None) and not dataset.key:
        yield ("source", "incremental"), "what is new replaces what it was before by the key; declare `key:`"
    match source:
        case HandedSource() if not source.over_http(system):
            yield from _folder(source, system)
        case HttpLike():
            yield from _http(source, system)
        case PythonSource():
            if why := town_code.fault(source, bench.root):
                yield ("source", "python"), f"source.python: {why}"
        case SqlSource():
            yield from _sql(source, system)
        case FolderSource():
            yield from _folder(source, system)
        case SftpSource() | S3Source():
            yield from _remote_drop(source, system)


def _http(source: HttpLike, system: System | None) -> Faults:
    place, address = ("source", source.kind), getattr(source, source.kind)
    if address.startswith("/"):
        if source.system is None:
            yield place, "the address is a path; name the system it belongs to with `system:`, or write https://…"
    elif why := address_fault(address):
        yield place, f"source.{source.kind}: {why}"
    if system is not None and system.url is None:
        told = f"the system {source.system!r} has no url in town.yaml; a source over HTTP needs one"
        yield ("source", "system"), told
    if (auth := source.auth or (system.auth if system else None)) and auth.way not in _HTTP_WAYS:
        told = f"`auth: {{{auth.way}: …}}` is no way in over HTTP; name one of {', '.join(_HTTP_WAYS)}"
        yield ("source", "auth" if source.auth else "system"), told
    if auth and auth.oauth2 and (why := address_fault(auth.oauth2.token_url)):
        yield ("source", "auth" if source.auth else "system"), f"token_url: {why.partition(', or a path')[0]}"
    for index, host in enumerate(getattr(source, "hosts", ())):
        if why := address_fault(host):
            yield ("source", "hosts", index), f"source.hosts: {why.partition(', or a path')[0]}"


def system_fault(address: str) -> str:
    """What is wrong with a system's address; an empty text when nothing is."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "the address cannot be read; write https://host/path"
    if (parts.scheme == "sftp" and not parts.password) or (parts.scheme == "s3" and "@" not in parts.netloc):
        return ""
    return address_fault(address)


def address_fault(address: str) -> str:
    """What is wrong with an address of the web; an empty text when nothing is."""
    try:
        parts = urlsplit(address)
        secret, host = parts.password or parts.username, parts.hostname
    except ValueError:
        return "the address cannot be read; write https://host/path"
    if secret:
        return "the address holds a user or a password; secrets stay in the environment, name one with `auth:`"
    if parts.scheme not in ("http", "https") or not host:
        return "expected an address https://host/path, or a path /… below the system's address"
    return ""


def _sql(source: SqlSource, system: System | None) -> Faults:
    if source.system is None:
        yield ("source",), "a sql source needs the system that it asks; add `system:` with a name of town.yaml"
    elif system is not None and system.url is None:
        yield ("source", "system"), f"the system {source.system!r} has no url in town.yaml; a sql source needs one"
    begins = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH)\b"
    if isinstance(source.sql, str) and not re.match(begins, source.sql, re.IGNORECASE | re.DOTALL):
        yield ("source", "sql"), "source.sql: the query must begin with SELECT or WITH; it only reads"
    writes = r"\bINTO(?:\s|/\*.*?\*/)+(?:OUTFILE|DUMPFILE)\b"
    if isinstance(source.sql, str) and re.search(writes, source.sql, re.IGNORECASE | re.DOTALL):
        yield ("source", "sql"), "source.sql: the query writes a file on the server (INTO OUTFILE); it only reads"


def _folder(source: FolderSource | HandedSource, system: System | None) -> Faults:
    yield from _pattern(source)
    if system is not None and system.folder is None:
        yield ("source", "system"), f"the system {source.system!r} has no folder in town.yaml; a drop folder needs one"


def _remote_drop(source: SftpSource | S3Source, system: System | None) -> Faults:
    yield from _pattern(source)
    needs = ["url", "host_key", "auth"] if isinstance(source, SftpSource) else ["url", "auth"]
    kind = f"a source of the kind {source.kind}"
    if source.system is None:
        yield ("source",), f"{kind} needs the system that it reads; add `system:` with a name of town.yaml"
    elif system is not None and (lacks := [key for key in needs if getattr(system, key) is None]):
        lack = f"the system {source.system!r} has no {' and no '.join(lacks)} in town.yaml"
        yield ("source", "system"), f"{lack}; {kind} needs {', '.join(needs)}"
    elif system is not None and system.auth and system.auth.way not in _WAYS[source.kind]:
        lack = f"the system {source.system!r} has `auth: {{{system.auth.way}: …}}` in town.yaml"
        yield ("source", "system"), f"{lack}; {kind} is let in by {' or '.join(_WAYS[source.kind])}"


_HTTP_WAYS = ("bearer", "basic", "header", "oauth2")
"""The ways of `auth` that open a source over HTTP."""

_WAYS = {"sftp": ("password", "key"), "s3": ("access_key",)}
"""Kind of source → the ways of `auth` that open it."""


def _pattern(source: DropSource | HandedSource) -> Faults:
    path = Path(getattr(source, source.kind))
    if path.is_absolute() or ".." in path.parts:
        what = f"source.{source.kind}: the path stays below its folder; write it without a leading / and without .."
        yield ("source", source.kind), what


UNKNOWN_TIMEZONE = "not a time zone of the tz database; write one such as Europe/Paris"
"""What to say when `is_timezone` is false."""


def is_timezone(name: str) -> bool:
    """True for a time zone of the tz database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _suite(dataset: Dataset, bench: Bench) -> Faults:
    named = dataset.quality.suite
    place = ("quality", "suite")
    if named is not None and (not inside(bench.root, named) or not (bench.root / named).is_file()):
        yield place, f"there is no suite {named!r} in the town; write it, or remove quality.suite"
    elif (file := dataset.suite_file) and (why := _suite_fault(file)):
        yield place, f"{file.relative_to(bench.root).as_posix()}{why}"


def _suite_fault(file: Path) -> str:
    """What is wrong with a suite as a whole; each expectation is looked at by `quality`."""
    try:
        suite = json.loads(file.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        return f":{error.lineno}: the suite is not JSON ({error.msg}); mend it"
    except (UnicodeDecodeError, OSError, RecursionError):
        return ": the suite cannot be read; save it as JSON in UTF-8"
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        return ':1: the suite must hold a list "expectations"; see the starter town for one'
    return ""


def _privacy(dataset: Dataset, bench: Bench) -> Faults:
    yield from privacy_rules.faults(dataset, bench.hierarchies)
    yield from identifiers.faults(dataset)


def _custom_checks(dataset: Dataset, _: Bench) -> Faults:
    return custom_checks.faults(dataset.custom_checks, {field.name: field.type for field in dataset.fields})


def _approval(dataset: Dataset, bench: Bench) -> Faults:
    if bench.town:
        yield from approval.faults(dataset.approval, dataset.author, bench.town.roles, bench.town.dpo)


CHECKS: Sequence[Callable[[Dataset, Bench], Faults]] = (
    _completed, _names, _columns, _computed, _over_time, _field_formats, _constraints, _custom_checks, _rows_ignored,
    _vocabularies, _schedule, _source, _suite, _privacy, _formats, _approval,
)  # fmt: skip
"""Every check, in the order of a declaration."""
